"""A model's card as tables and a chart, the same for the page and for the PDF."""

from __future__ import annotations

from typing import Any

from app.services.card_document import HospitalData, ModelCard
from app.services.card_figures import Figure
from app.services.chart import Chart
from app.services.charts import reliability_chart
from app.services.datasets import Total
from app.services.result_tables import POOLED
from app.services.tables import Column, Table


def card_tables(card: ModelCard) -> dict[str, Table]:
    """Every table of a card by its name.

    figures, groups, reliability, calibration, data, verdicts, kept_out. One without rows is of a
    card that has nothing to tell there.
    """
    tables = (
        _figures(card),
        _groups(card),
        _reliability(card),
        _calibration(card),
        _data(card),
        _verdicts(card),
        _kept_out(card),
    )
    return {table.name: table for table in tables}


def card_chart(card: ModelCard) -> Chart | None:
    """Scores and what came true, or None where too few rows tell of it."""
    table = _reliability(card)
    if not table.rows:
        return None
    return reliability_chart(table, card.classes[-1], "ranges of the score")


def _figures(card: ModelCard) -> Table:
    return Table(
        "figures",
        "How well it does",
        f"The model of round {card.judged_round} on the test rows of all hospitals together, which "
        "it was not trained on, as the hospitals reported under their signature. From and to bound "
        "the 95 % interval: how far chance alone could move a figure over as many rows. A dash: "
        f"under {card.suppressed_under} rows would be told of.",
        (
            Column("figure", "Figure"),
            Column("value", "Value", "share"),
            Column("low", "From", "share"),
            Column("high", "To", "share"),
            Column("rows", "Of test rows", "number"),
            Column("method", "Interval by"),
        ),
        tuple((one.title, *_told(one), one.rows, one.method) for one in card.figures),
    )


def _groups(card: ModelCard) -> Table:
    least = card.suppressed_under
    rows = []
    for one in card.groups or ():
        group = f"{one.by}: {one.group}"
        rows += [(group, figure.title, *_told(figure), figure.rows) for figure in one.figures]
        if not one.figures:
            rows.append((group, "kept back", None, None, None, None))
    return Table(
        "groups",
        "By sex and age",
        "The same test rows by sex and age. Hospitals report these counts under masks that only "
        "the sum over all of them takes off, so no hospital’s are known. From and to bound the "
        f"95 % interval (Wilson). A group with under {least} rows of a class is kept back; shares "
        f"by class that would tell of under {least} rows are left out. So are those of a second "
        "group where they could be worked out.",
        (
            Column("group", "Group"),
            Column("figure", "Figure"),
            Column("value", "Value", "share"),
            Column("low", "From", "share"),
            Column("high", "To", "share"),
            Column("rows", "Of test rows", "number"),
        ),
        tuple(rows),
    )


def _told(one: Figure) -> tuple[float | str | None, ...]:
    """Value and bounds; an area is no share, so it is told with three digits."""
    values = (one.value, one.low, one.high)
    if one.name != "auc":
        return values
    return tuple(None if value is None else f"{value:.3f}" for value in values)


def _reliability(card: ModelCard) -> Table:
    return Table(
        "reliability",
        "By ranges of the score",
        "All hospitals’ test rows by the model’s own score, with the 95 % interval (Wilson) of the "
        f"share that came true. Tenths of the score with under {card.suppressed_under} rows of a "
        "class are put together with the next. Doctors read risks that were fitted to what came "
        "true, not these scores.",
        (
            Column("score", "Score"),
            Column("rows", "Test rows", "number"),
            Column("said", "Mean score", "share"),
            Column("came_true", "Came true", "share", f"The share of rows with {card.classes[-1]}"),
            Column("low", "From", "share"),
            Column("high", "To", "share"),
        ),
        tuple(
            (
                f"{100 * one.score_low:.0f} to {100 * one.score_high:.0f} %",
                one.rows,
                one.mean_score,
                one.came_true,
                one.low,
                one.high,
            )
            for one in card.ranges
        ),
    )


def _calibration(card: ModelCard) -> Table:
    found = card.calibration
    of = (
        (("Model’s own score", found.scores), ("Risk that doctors read", found.risks))
        if found
        else ()
    )
    return Table(
        "calibration",
        "Calibration error",
        (
            f"On {found.rows} test rows of {len(found.hospitals)} hospitals, by cross-validation: "
            "each row is judged by a curve that was fitted to others. The calibration error is the "
            "mean distance between what was said and what came true, over tenths; the Brier score "
            "the mean square of it, row by row. Less is better, 0 is best."
        )
        if found
        else "",
        (
            Column("what", "What is judged"),
            Column("error", "Calibration error", "figure"),
            Column("brier", "Brier score", "figure"),
        ),
        tuple((what, one.expected_calibration_error, one.brier_score) for what, one in of),
    )


def _data(card: ModelCard) -> Table:
    least = card.suppressed_under
    rows = [_data_row(card, one) for one in card.hospitals]
    known = [one for one in card.hospitals if one.patients is not None]
    if known:
        rows.append(_data_total(card, known))
    return Table(
        "data",
        "What it learnt from",
        "Each hospital’s patients, trained, tested and donated, as it reported under its "
        f"signature; the rows stay where they are. No count of fewer than {least} patients is "
        f"told (<{least}), nor one from which such a count could be worked out. Confirmed cases "
        "that a hospital’s doctors added with their patients’ consent are learnt from, too, and "
        "not counted here.",
        (
            Column("hospital", "Hospital"),
            Column("patients", "Patients", "number"),
            *(
                Column(f"class {at}", name.capitalize(), "number")
                for at, name in enumerate(card.classes)
            ),
        ),
        tuple(rows),
        totals=1 if known else 0,
    )


def _data_row(card: ModelCard, one: HospitalData) -> tuple[Any, ...]:
    if one.patients is None:
        return (one.hospital, "not known", *("" for _ in card.classes))
    hidden = f"<{card.suppressed_under}"
    cells = (one.classes[name] for name in card.classes)
    return (one.hospital, one.patients, *(hidden if cell is None else cell for cell in cells))


def _data_total(card: ModelCard, known: list[HospitalData]) -> tuple[Any, ...]:
    totals = [Total.of([one.classes[name] for one in known]) for name in card.classes]
    return (POOLED, sum(one.patients or 0 for one in known), *map(_summed, totals))


def _summed(one: Total) -> int | str:
    if not one.kept_back:
        return one.known
    return f"at least {one.known}" if one.known else "kept back"


def _verdicts(card: ModelCard) -> Table:
    return Table(
        "verdicts",
        "Updates by hospital",
        f"How many updates of each hospital counted in {card.rounds} rounds: rejected where the "
        "model that it would make does badly on donated rows, refused for its sharing, range or "
        "norm.",
        (
            Column("hospital", "Hospital"),
            Column("accepted", "Accepted", "number"),
            Column("rejected", "Rejected", "number"),
            Column("refused", "Refused", "number"),
        ),
        tuple((o.hospital, o.accepted, o.rejected, o.refused) for o in card.verdicts)
        if card.tested
        else (),
    )


def _kept_out(card: ModelCard) -> Table:
    return Table(
        "kept_out",
        "Who was kept out, and why",
        "Every update, and every donation of rows, that did not count.",
        (
            Column("where", "In"),
            Column("hospital", "Hospital"),
            Column("verdict", "Verdict", "verdict"),
            Column("reason", "Reason", "sentence"),
            Column("appeal", "Appeal", "appeal", "Asked for, upheld, dismissed, or not taken"),
            Column("transaction", "Transaction", "transaction"),
        ),
        tuple(
            (one.where, one.hospital, one.verdict, one.reason, one.appeal, one.transaction)
            for one in card.kept_out
        ),
    )
