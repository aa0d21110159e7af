"""The charts of a training's results: one definition for the pages and for the files."""

from __future__ import annotations

from app.services.chart import AMBER, BLUE, Chart, Series, in_percent
from app.services.result_tables import POOLED, VERDICTS, Document
from app.services.round_charts import (
    accuracy_by_round,
    loss_by_round,
    statistic_by_round,
    verdicts_by_round,
)
from app.services.tables import Table


def result_charts(document: Document, tables: dict[str, Table]) -> dict[str, Chart]:
    """The charts of a training's results by name; one without anything to draw is left out.

    accuracy, rounds, loss, reliability, statistic, ratio, verdicts; in a simulation also detection.
    """
    rounds = document["rounds"]
    charts = [
        _accuracy(document, tables["accuracy"]),
        accuracy_by_round(rounds),
        loss_by_round(rounds),
        _reliability(document, tables["reliability"]),
        statistic_by_round(rounds),
        _ratio(document),
        verdicts_by_round(tables["verdicts"].records()),
    ]
    if "detection" in tables:
        charts.append(_detection(tables["detection"]))
    return {one.name: one for one in charts if one is not None and _shows(one)}


def _shows(chart: Chart) -> bool:
    """Whether there is anything to draw, or an accuracy that was not recorded to tell of."""
    return chart.kind in ("bars", "ranges") or any(
        value is not None for series in chart.series for value in series.values
    )


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
            Series("Train", in_percent([one["train_accuracy"] for one in records]), AMBER),
            Series("Test", in_percent([one["test_accuracy"] for one in records]), BLUE),
        ),
        "%",
        "hospital",
        table.name,
    )


def _reliability(document: Document, table: Table) -> Chart | None:
    if not table.rows:
        return None
    return reliability_chart(table, document["results"]["classes"][-1], "tenths of the score")


def reliability_chart(table: Table, disease: str, parts: str) -> Chart:
    """Scores and what came true, from a table of `score`, `rows`, `said` and `came_true`.

    `parts` says what its rows are: tenths of the score, or ranges of it.
    """
    records = table.records()
    return Chart(
        "reliability",
        "bars",
        "Scores and what came true",
        f"The mean score of the model and the share of rows with {disease}, in percent, of "
        f"{sum(one['rows'] for one in records)} test rows by {parts}. Where both bars "
        "are alike, a score is a probability.",
        tuple(one["score"] for one in records),
        (
            Series("Score", in_percent([one["said"] for one in records]), AMBER),
            Series("Came true", in_percent([one["came_true"] for one in records]), BLUE),
        ),
        "%",
        "score",
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
                in_percent([one["share"] for one in records]),
                BLUE,
                in_percent([one["low"] for one in records]),
                in_percent([one["high"] for one in records]),
            ),
        ),
        "%",
        "updates",
        table.name,
    )


def _whose(what: str) -> str:
    return what.split(" kept out", maxsplit=1)[0].lower()
