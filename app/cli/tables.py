"""A finished training as tables and sentences on standard output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from app.services.result_tables import attack_sentence

# The narrowest terminal in which the tables stay whole.
_WIDTH = 80
_NUMBERS = (
    "round", "accuracy", "accepted", "rejected", "refused", "norm bound", "samples", "reached",
    "needed", "seconds", "a round", "bytes",
)  # fmt: skip
_OUT = ("rejected", "refused")


def print_training(document: dict[str, Any]) -> None:
    """The tables of a training: rounds, hospitals by round, seconds and bytes by step."""
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    rounds = document["rounds"]
    if rounds:
        for table in (_round_table(rounds), _hospital_table(rounds), _cost_table(rounds)):
            console.print(table)
            console.print()
    for line in (*_kept_out(document), *_summary(document)):
        console.print(line, soft_wrap=True, markup=False)


def _round_table(rounds: list[dict[str, Any]]) -> Table:
    table = _table("round", "accuracy", "accepted", "rejected", "refused", "norm bound", "model")
    for one in rounds:
        table.add_row(
            str(one["round"]),
            _percent(one["accuracy"]),
            *(str(one[verdict]) for verdict in ("accepted", "rejected", "refused")),
            f"{one['norm_bound']:.3f}",
            "kept: too few accepted" if one["kept"] else _short(one["model_sha256"]),
        )
    return table


def _hospital_table(rounds: list[dict[str, Any]]) -> Table:
    """`reached` and `needed` are balanced accuracies as opened: rounded down."""
    table = _table("round", "hospital", "samples", "verdict", "reached", "needed", "transaction")
    for one in rounds:
        first = str(one["round"])
        for hospital in one["hospitals"]:
            table.add_row(
                first,
                hospital["name"],
                str(hospital["samples"]),
                hospital["verdict"],
                _figure(hospital["balanced_accuracy"]),
                _figure(hospital["threshold"]),
                _short(hospital["transaction"]),
            )
            first = ""
        for name in one["not_drawn"]:
            table.add_row("", name, "-", "not drawn", "-", "-", "-")
    return table


def _cost_table(rounds: list[dict[str, Any]]) -> Table:
    """What the rounds of the model took; what comes before them is not in it."""
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
    for heading in headings:
        table.add_column(heading, justify="right" if heading in _NUMBERS else "left", no_wrap=True)
    return table


def _short(digest: str) -> str:
    return digest[:8] + "…"


def _kept_out(document: dict[str, Any]) -> Iterator[str]:
    """Every update that did not count, and why; every slice that was set aside."""
    if document["donation"]:
        yield from (
            f"Donated rows, {one['name']} {one['verdict']}: {one['reason']}."
            for one in document["donation"]["hospitals"]
            if one["verdict"] in _OUT
        )
    for one in document["rounds"]:
        where = f"Round {one['round']}"
        for hospital in one["hospitals"]:
            if hospital["verdict"] in _OUT:
                yield f"{where}, {hospital['name']} {hospital['verdict']}: {hospital['reason']}."
            if hospital["warnings"]:
                yield f"{where}, {hospital['name']}, warning: {', '.join(hospital['warnings'])}."
        for donor in one["flagged"]:
            yield f"{where}, the rows donated by {donor} were set aside: the model fails on them."
        if one["kept"]:
            yield f"{where} keeps the model that it began with: {one['reason']}."


def _summary(document: dict[str, Any]) -> Iterator[str]:
    if (found := document["poisoning"]) is not None:
        counts = found["counts"]
        yield (
            f"Of {sum(counts.values())} updates the review accepted {counts['accepted']}, rejected "
            f"{counts['rejected']} and refused {counts['refused']}; it opened rounded figures only."
        )
    if document["simulation"]:
        yield from _simulated(document)
    if document["accuracy"] is not None:
        plain = document["plain_accuracy"]
        unshared = "" if plain is None else f"; the same training without sharing {_percent(plain)}"
        yield (
            f"Accuracy {_percent(document['accuracy'])}, "
            f"balanced {_percent(document['balanced_accuracy'])}{unshared}."
        )
    if document["model_sha256"]:
        yield f"Training {document['training'][:12]}, model {document['model_sha256']}"
    if document["state"] == "finished" and document["reason"]:
        yield f"The training was ended by its {document['reason']}."
    if document["state"] != "finished":
        yield f"The training ended early: {document['reason']}. The last model stands."


def _simulated(document: dict[str, Any]) -> Iterator[str]:
    """What only a simulation can tell."""
    out = {True: [0, 0], False: [0, 0]}
    for one in document["rounds"]:
        for hospital in one["hospitals"]:
            count = out[hospital["attacker"]]
            count[0] += hospital["verdict"] in _OUT
            count[1] += 1
    yield (
        f"Simulation: {attack_sentence(document['simulation'])} Kept out: "
        f"{out[True][0]} of {out[True][1]} updates of attackers, "
        f"{out[False][0]} of {out[False][1]} of the others."
    )
    if document["fedavg_accuracy"] is not None:
        yield (
            f"Plain federated averaging with everybody: {_percent(document['fedavg_accuracy'])}; "
            f"with the attackers left out: {_percent(document['oracle_accuracy'])}."
        )


def _figure(share: float | None) -> str:
    return "-" if share is None else f"{share:.3f}".rstrip("0").ljust(4, "0")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
