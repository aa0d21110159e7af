"""A chart as pages draw it and as files hold it: one definition, with the table of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from app.services.result_tables import POOLED, VERDICTS, Document
from app.services.tables import Table

# bars: side by side; stacked: on each other; lines: over rounds; ring: shares of a whole;
# ranges: a share with its interval.
ChartKind = Literal["bars", "stacked", "lines", "ring", "ranges"]

PERCENT = 100.0
# Colours of the pages' variables --chart-1 to --chart-4.
BLUE, AMBER, GREEN, RED = 1, 2, 3, 4
_VERDICT_COLOURS = {"accepted": GREEN, "rejected": RED, "refused": AMBER}


@dataclass(frozen=True)
class Series:
    """Values under one name, one a label; None where there is none. `colour` is 1 to 4."""

    name: str
    values: tuple[float | None, ...]
    colour: int
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Chart:
    """What is drawn: `caption` says what, over what and of how many; `unit` is that of the values.

    `across` names the axis of the labels, `table` the table with the same figures.
    """

    name: str
    kind: ChartKind
    title: str
    caption: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str
    across: str
    table: str

    def to_json(self) -> dict[str, Any]:
        """As a page's script reads it."""
        return asdict(self)


def result_charts(document: Document, tables: dict[str, Table]) -> dict[str, Chart]:
    """The charts of a training's results by name; one without anything to draw is left out.

    accuracy, rounds, ratio, verdicts; in a simulation also detection.
    """
    charts = [
        _accuracy(document, tables["accuracy"]),
        _rounds(document, tables["rounds"]),
        _ratio(document),
        _verdicts(tables["verdicts"]),
    ]
    if "detection" in tables:
        charts.append(_detection(tables["detection"]))
    return {chart.name: chart for chart in charts if chart is not None}


def _accuracy(document: Document, table: Table) -> Chart | None:
    records = [one for one in table.records() if one["hospital"] != POOLED]
    if not records:
        return None
    tested = sum(one["test_rows"] or 0 for one in records)
    trained = [one["train_rows"] for one in records]
    of_train = "" if None in trained else f"{sum(trained)} training rows and "
    return Chart(
        "accuracy",
        "bars",
        "Accuracy by hospital",
        f"Share of right answers of the model of round {document['results']['round']}, in percent, "
        f"on the rows of {len(records)} hospitals: {of_train}{tested} test rows.",
        tuple(one["hospital"] for one in records),
        (
            Series("Train", _percent([one["train_accuracy"] for one in records]), AMBER),
            Series("Test", _percent([one["test_accuracy"] for one in records]), BLUE),
        ),
        "%",
        "hospital",
        table.name,
    )


def _rounds(document: Document, table: Table) -> Chart | None:
    records = table.records()
    if not records:
        return None
    results = document["results"]
    rows = results["pooled"]["test"]["rows"] if results else 0
    return Chart(
        "rounds",
        "lines",
        "Accuracy by round",
        "Share of right answers of each round’s model, in percent, over all hospitals’ rows "
        f"({rows} test rows) and {len(records)} rounds.",
        tuple(str(one["round"]) for one in records),
        (
            Series("Train", _percent([one["train_accuracy"] for one in records]), AMBER),
            Series("Test", _percent([one["accuracy"] for one in records]), BLUE),
        ),
        "%",
        "round",
        table.name,
    )


def _ratio(document: Document) -> Chart | None:
    found = document["poisoning"]
    if found is None:
        return None
    counts = [found["counts"][verdict] for verdict in VERDICTS]
    return Chart(
        "ratio",
        "ring",
        "Status ratio",
        f"How many of {sum(counts)} updates in {found['rounds']} rounds were accepted, rejected "
        "and refused.",
        tuple(verdict.capitalize() for verdict in VERDICTS),
        (Series("Updates", tuple(float(count) for count in counts), BLUE),),
        "updates",
        "verdict",
        "verdicts",
    )


def _verdicts(table: Table) -> Chart | None:
    records = table.records()
    if not records:
        return None
    submitted = sum(one[verdict] for one in records for verdict in VERDICTS)
    return Chart(
        "verdicts",
        "stacked",
        "Status by round",
        f"How many updates of each of {len(records)} rounds were accepted, rejected and refused; "
        f"{submitted} updates in all.",
        tuple(str(one["round"]) for one in records),
        tuple(
            Series(
                verdict.capitalize(),
                tuple(float(one[verdict]) for one in records),
                _VERDICT_COLOURS[verdict],
            )
            for verdict in VERDICTS
        ),
        "updates",
        "round",
        table.name,
    )


def _detection(table: Table) -> Chart | None:
    records = [one for one in table.records() if one["of"]]
    if not records:
        return None
    told = ", ".join(f"{one['of']} {_whose(one['what'])}" for one in records)
    return Chart(
        "detection",
        "ranges",
        "True and false rejections",
        f"Share of updates kept out, in percent, with its 95 % interval (Wilson), of {told}.",
        tuple(_whose(one["what"]).capitalize() for one in records),
        (
            Series(
                "Kept out",
                _percent([one["share"] for one in records]),
                BLUE,
                _percent([one["low"] for one in records]),
                _percent([one["high"] for one in records]),
            ),
        ),
        "%",
        "updates",
        table.name,
    )


def _whose(what: str) -> str:
    return what.split(" kept out", maxsplit=1)[0].lower()


def _percent(shares: Sequence[float | None]) -> tuple[float | None, ...]:
    return tuple(None if share is None else round(PERCENT * share, 2) for share in shares)
