"""Trainings side by side: what was asked of each, what came out, and their rounds together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.database import Database
from app.errors import RequestError
from app.models import TrainingRow
from app.services.attack_names import attack_titles
from app.services.chart import PERCENT, Chart, Series
from app.services.results import training_document
from app.services.tables import Column, Kind, Table

FEWEST, MOST = 2, 6
SHORT = 8
COLOURS = 4

Document = dict[str, Any]

# What a plan calls its parts, in words; what is not here is shown by its name.
_WORDS = {
    "task": "Task",
    "network": "Network",
    "rounds": "Rounds",
    "seed": "Seed",
    "hospitals": "Hospitals",
    "nodes": "Nodes",
    "threshold": "Nodes that learn nothing",
    "colluding": "Hospitals that may pool what they know",
    "local epochs": "Epochs in a hospital",
    "local batch size": "Rows in a batch",
    "local learning rate": "Learning rate",
    "local norm bound": "Norm bound of an update, L2",
    "local class weighted": "Classes weighted",
    "partition kind": "How rows are dealt",
    "partition alpha": "Dirichlet alpha",
    "partition hospitals": "Hospitals that rows are dealt to",
    "partition seed": "Seed of the deal",
    "split test percent": "Test rows, percent",
    "split donated percent": "Donated rows, percent at most",
    "split donated rows": "Donated rows of a class at most",
    "review": "Updates tested before they count",
    "review adaptive clipping": "Norm bound follows the federation",
    "review slice rounds": "Rounds that donated rows serve",
    "review rule numerator": "Fraction of the lead to reach, numerator",
    "review rule denominator": "Fraction of the lead to reach, denominator",
    "review rule fewest rows": "Fewest rows of a class that counts",
    "review rule thin rows": "Rows of a class below which less is asked",
    "review rule deviations": "Standard deviations by which less is asked",
    "review rule steps": "Steps in which figures are opened",
}
# Always the same in a recorded training.
_LEFT_OUT = ("batched",)
_RESULTS: tuple[tuple[str, str, Kind], ...] = (
    ("state", "State", "sentence"),
    ("rounds", "Finished rounds", "number"),
    ("train_accuracy", "Train accuracy", "share"),
    ("accuracy", "Test accuracy", "share"),
    ("balanced_accuracy", "Test balanced accuracy", "share"),
    ("auc", "Test AUC", "figure"),
    ("plain_accuracy", "Without secret sharing", "share"),
    ("kept_out", "Updates kept out", "share"),
    ("seconds", "Work of the rounds, s", "figure"),
    ("bytes", "Sent in the rounds, bytes", "number"),
    ("model_sha256", "Model", "hash"),
)


@dataclass(frozen=True)
class Comparison:
    """The compared trainings' documents, the tables and charts by name, and what differs.

    `differing` are the rows of the table `asked` in which not all trainings have the same.
    """

    documents: tuple[Document, ...]
    tables: Mapping[str, Table]
    charts: Mapping[str, Chart]
    differing: frozenset[str]

    @property
    def identifiers(self) -> list[str]:
        """The trainings, for the addresses of files."""
        return [one["training"] for one in self.documents]


def compare_trainings(database: Database, identifiers: Sequence[str]) -> Comparison:
    """Compare trainings. Raises RequestError unless they are 2 to 6 of this installation's."""
    chosen = list(dict.fromkeys(identifiers))
    if not FEWEST <= len(chosen) <= MOST:
        raise RequestError(
            f"Choose {FEWEST} to {MOST} trainings to compare; {len(chosen)} "
            f"{'was' if len(chosen) == 1 else 'were'} chosen."
        )
    documents = tuple(training_document(database, one) for one in chosen)
    asked = _asked(database, documents)
    tables = (asked, _results(documents), _rounds(documents))
    differing = frozenset(row[0] for row in asked.rows if len(set(row[1:])) > 1)
    charts = {"accuracy": _chart(documents)} if any(one["rounds"] for one in documents) else {}
    return Comparison(documents, {table.name: table for table in tables}, charts, differing)


def called(document: Document) -> str:
    """What a training is called in a column or a legend."""
    return str(document["training"][:SHORT])


def _columns(documents: Sequence[Document], first: Column) -> tuple[Column, ...]:
    return (first, *(Column(called(one), called(one)) for one in documents))


def _asked(database: Database, documents: Sequence[Document]) -> Table:
    known = [plan_facts(database, one) for one in documents]
    names = dict.fromkeys(name for facts in known for name in facts)
    return Table(
        "asked",
        "What was asked",
        "The plan of each training, whose hash stands on the ledger, and who attacks, which only a "
        "simulation knows.",
        _columns(documents, Column("what", "Of each training")),
        tuple((name, *(facts.get(name) for facts in known)) for name in names),
    )


def plan_facts(database: Database, document: Document, truth: bool = True) -> dict[str, Any]:
    """What was asked of a training by what it is called; with the `truth`, also who attacks."""
    with database.transaction() as session:
        plan = session.get_one(TrainingRow, document["training"]).plan
    try:
        found = json.loads(plan)
    except ValueError:
        found = {}  # An unreadable plan is for the verification to report.
    flat = dict(_flat("", found)) | {"review": found.get("review") is not None}
    order = list(_WORDS)
    known = [name for name in flat if name not in _LEFT_OUT]
    known.sort(key=lambda name: order.index(name) if name in _WORDS else len(order))
    facts = {_WORDS.get(name, name.capitalize()): flat[name] for name in known}
    if not truth:
        return facts
    simulation = document["simulation"] or {}
    return facts | {
        "Simulated attack": attack_titles(simulation.get("attack") or "") or None,
        "Attackers": ", ".join(simulation.get("attackers", ())) or None,
    }


def _flat(before: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a plan, each under the words that lead to it; parties by their names."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _flat(f"{before} {key.replace('_', ' ')}".strip(), part)
    elif isinstance(value, list):
        names = [one.get("name", "") if isinstance(one, dict) else str(one) for one in value]
        yield before, ", ".join(names)
    else:
        yield before, value


def _results(documents: Sequence[Document]) -> Table:
    known = [_figures(one) for one in documents]
    return Table(
        "results",
        "What came out",
        "Over the rows of all hospitals of a training. Shares are of 1 in files; work is the sum "
        "of the steps’ seconds on this machine. Statistics and donated rows, which come before "
        "the rounds, are left out; a training’s own page counts them.",
        _columns(documents, Column("what", "Of each training")),
        tuple((title, *(figures[name] for figures in known)) for name, title, _ in _RESULTS),
    )


def result_kinds() -> dict[str, Kind]:
    """How each row of the table `results` is shown, by its title."""
    return {title: kind for _, title, kind in _RESULTS}


def _figures(document: Document) -> dict[str, Any]:
    pooled = (document["results"] or {}).get("pooled") or {}
    rounds = document["rounds"]
    return {
        "state": document["state"],
        "rounds": len(rounds),
        "train_accuracy": (pooled.get("train") or {}).get("accuracy"),
        "accuracy": document["accuracy"],
        "balanced_accuracy": document["balanced_accuracy"],
        "auc": (pooled.get("test") or {}).get("auc"),
        "plain_accuracy": document["plain_accuracy"],
        "kept_out": (document["poisoning"] or {}).get("kept_out"),
        "seconds": round(sum(sum(one["seconds"].values()) for one in rounds), 2),
        "bytes": sum(one["bytes"] for one in rounds),
        "model_sha256": document["model_sha256"],
    }


def _rounds(documents: Sequence[Document]) -> Table:
    known = [{one["round"]: one["accuracy"] for one in each["rounds"]} for each in documents]
    numbers = sorted({number for rounds in known for number in rounds})
    return Table(
        "rounds",
        "Test accuracy of each round",
        "Share of right answers of each round’s model on the test rows of all its hospitals.",
        (
            Column("round", "Round"),
            *(Column(called(one), called(one), "share") for one in documents),
        ),
        tuple((number, *(rounds.get(number) for rounds in known)) for number in numbers),
    )


def _chart(documents: Sequence[Document]) -> Chart:
    table = _rounds(documents)
    tested = [
        f"{called(one)}: {one['results']['pooled']['test']['rows']}"
        for one in documents
        if one["results"]
    ]
    return Chart(
        "accuracy",
        "lines",
        "Test accuracy by round",
        "Share of right answers of each round’s model, in percent, on the test rows of all "
        f"hospitals of its training (rows: {', '.join(tested)}).",
        tuple(str(row[0]) for row in table.rows),
        tuple(
            Series(
                called(one),
                tuple(
                    None if row[place] is None else round(PERCENT * row[place], 2)
                    for row in table.rows
                ),
                (place - 1) % COLOURS + 1,
            )
            for place, one in enumerate(documents, start=1)
        ),
        "%",
        "round",
        table.name,
    )
