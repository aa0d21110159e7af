"""Lines and tables in a terminal: progress on standard error, results on standard output."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.table import Table

from fl.round import AttemptFailed, Event, PartyDone, PartyNamed, StepDone

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
        self._done = 0
        self._start = time.perf_counter()

    def __call__(self, event: Event) -> None:
        """Watch a training; see `fl.round.Watcher`."""
        if isinstance(event, PartyDone):
            self._done += 1
            return
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
    console = Console(highlight=False)
    rounds = document["rounds"]
    if rounds:
        console.print(_hospital_table(rounds))
        console.print(_cost_table([document["statistics"], *rounds]))
    console.print(_summary(document), soft_wrap=True)


def _hospital_table(rounds: list[dict[str, Any]]) -> Table:
    table = Table(title="Rounds", title_justify="left")
    for heading in ("round", "accuracy", "hospital", "samples", "update", "transaction", "verdict"):
        table.add_column(heading, justify="right" if heading in ("round", "samples") else "left")
    for one in rounds:
        for index, hospital in enumerate(one["hospitals"]):
            first = index == 0
            table.add_row(
                str(one["round"]) if first else "",
                _percent(one["accuracy"]) if first else "",
                hospital["name"],
                str(hospital["samples"]),
                hospital["update_sha256"][:10] + "…",
                hospital["transaction"][:12] + "…",
                hospital["verdict"],
                end_section=index == len(one["hospitals"]) - 1,
            )
    return table


def _cost_table(rounds: list[dict[str, Any]]) -> Table:
    steps = list(rounds[-1]["seconds"])
    table = Table(title="Seconds by step", title_justify="left")
    table.add_column("round")
    for heading in (*steps, "all", "bytes"):
        table.add_column(heading, justify="right")
    for one in rounds:
        seconds = one["seconds"]
        table.add_row(
            str(one["round"]) if one["round"] else "stat.",
            *(f"{seconds.get(step, 0):.2f}" for step in steps),
            f"{sum(seconds.values()):.2f}",
            f"{one['bytes']:,}",
        )
    return table


def _summary(document: dict[str, Any]) -> str:
    lines = []
    if document["accuracy"] is not None:
        lines.append(
            f"Accuracy {_percent(document['accuracy'])}, "
            f"balanced {_percent(document['balanced_accuracy'])}; "
            f"the same training without sharing {_percent(document['plain_accuracy'])}."
        )
    if document["model_sha256"]:
        lines.append(f"Model {document['model_sha256']}")
    if document["state"] != "finished":
        lines.append(f"The training ended early: {document['reason']}. The last model stands.")
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
