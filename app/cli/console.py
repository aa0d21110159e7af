"""Lines and tables in a terminal: progress on standard error, results on standard output."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from fl.round import AttemptFailed, Event, PartyNamed, StepDone

# The narrowest terminal in which the tables stay whole.
_WIDTH = 80

_DID = {
    "open": "opened on the chain, nodes seated",
    "train": "hospitals trained",
    "share": "updates shared and sealed",
    "submit": "hashes on the chain",
    "check": "sharing checked",
    "agree": "nodes agreed on the set",
    "aggregate": "shares of the sum released",
    "vote": "decoded and voted",
    "distribute": "result with every party",
}


def progress() -> Console:
    """The console of progress lines and complaints."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Say on standard error what is wrong."""
    progress().print(f"[bold]consilium:[/bold] {sentence}", markup=True)


class StepLines:
    """Prints a line for every finished step, and one for everybody who is named."""

    def __init__(self, rounds: int) -> None:
        self._console = progress()
        self._rounds = rounds

    def __call__(self, event: Event) -> None:
        """Watch a training; see `fl.round.Watcher`."""
        where = f"round {event.key.round}/{self._rounds}" if event.key.round else "statistics"
        if isinstance(event, StepDone):
            cost = event.cost
            self._console.print(
                f"{where:<12} {_DID[event.step]:<34} {cost.seconds:6.2f} s {cost.bytes:>9,} bytes"
            )
        elif isinstance(event, PartyNamed):
            self._console.print(f"{where:<12} {event.party}: {event.reason}", markup=False)
        elif isinstance(event, AttemptFailed):
            text = f"{where:<12} attempt {event.key.attempt} failed: {event.reason}"
            self._console.print(text, markup=False)


def print_training(document: dict[str, Any]) -> None:
    """The tables of a training: hospitals by round, then seconds and bytes by step."""
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    rounds = document["rounds"]
    if rounds:
        for table in (_hospital_table(rounds), _cost_table(rounds)):
            console.print(table)
            console.print()
    console.print(_summary(document), soft_wrap=True, markup=False)


def _hospital_table(rounds: list[dict[str, Any]]) -> Table:
    table = _table("round", "accuracy", "hospital", "samples", "update", "transaction", "verdict")
    for one in rounds:
        first = (str(one["round"]), _percent(one["accuracy"]))
        for hospital in one["hospitals"]:
            table.add_row(
                *first,
                hospital["name"],
                str(hospital["samples"]),
                _short(hospital["update_sha256"]),
                _short(hospital["transaction"]),
                hospital["verdict"],
            )
            first = ("", "")
    return table


def _cost_table(rounds: list[dict[str, Any]]) -> Table:
    """What the rounds of the model took; the round of the statistics before them is not in it."""
    table = _table("step", "seconds", "a round", "bytes", "a round")
    for step in rounds[-1]["seconds"]:
        seconds = sum(one["seconds"].get(step, 0.0) for one in rounds)
        volume = sum(one["bytes_by_step"].get(step, 0) for one in rounds)
        table.add_row(step, *_cost(seconds, volume, len(rounds)))
    seconds = sum(sum(one["seconds"].values()) for one in rounds)
    volume = sum(one["bytes"] for one in rounds)
    table.add_row("all", *_cost(seconds, volume, len(rounds)))
    return table


def _cost(seconds: float, volume: int, rounds: int) -> tuple[str, str, str, str]:
    return (
        f"{seconds:.2f}",
        f"{seconds / rounds:.3f}",
        f"{volume:,}",
        f"{volume // rounds:,}",
    )


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    numbers = ("round", "accuracy", "samples", "seconds", "a round", "bytes")
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numbers else "left", no_wrap=True)
    return table


def _short(digest: str) -> str:
    return digest[:8] + "…"


def _summary(document: dict[str, Any]) -> str:
    lines = []
    if document["accuracy"] is not None:
        lines.append(
            f"Accuracy {_percent(document['accuracy'])}, "
            f"balanced {_percent(document['balanced_accuracy'])}; "
            f"the same training without sharing {_percent(document['plain_accuracy'])}."
        )
    if document["model_sha256"]:
        lines.append(f"Training {document['training'][:12]}, model {document['model_sha256']}")
    if document["state"] != "finished":
        lines.append(f"The training ended early: {document['reason']}. The last model stands.")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
