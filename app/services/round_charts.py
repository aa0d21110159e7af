"""Charts over a training's rounds: the live page and the results draw the same ones.

Each takes rounds in order, as `live.training_view` or the results' document has them. One without
rounds has no labels, and its caption says what will be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.services.chart import (
    AMBER,
    BLUE,
    GREEN,
    VERDICT_COLOURS,
    Chart,
    Series,
    in_percent,
)
from app.services.result_tables import VERDICTS

Rounds = Sequence[Mapping[str, Any]]

KILOBYTE = 1000
# Rounds that are named in a sentence at most.
_MOST_TOLD = 3


def live_charts(view: Mapping[str, Any]) -> dict[str, Chart]:
    """The charts of a training's live page by name, from a `live.training_view` with figures.

    rounds, loss, latency, bytes; statistic and verdicts where updates are tested.
    """
    rounds = view["rounds"]
    charts = [accuracy_by_round(rounds), loss_by_round(rounds)]
    if view["reviews"]:
        charts.append(statistic_by_round(rounds))
        charts.append(verdicts_by_round([one | one["counts"] for one in rounds if one["reviewed"]]))
    charts += [latency_by_round(rounds), bytes_by_round(rounds)]
    return {one.name: one for one in charts}


def accuracy_by_round(rounds: Rounds) -> Chart:
    """Right answers of each round's model."""
    return Chart(
        "rounds",
        "lines",
        "Accuracy by round",
        "Share of right answers of each round’s model, in percent, over the rows of all hospitals "
        f"that reported ({_tested(rounds)}){_over(rounds)}.",
        _labels(rounds),
        (
            Series("Train", in_percent([one["train_accuracy"] for one in rounds]), AMBER),
            Series("Test", in_percent([one["accuracy"] for one in rounds]), BLUE),
        ),
        "%",
        "round",
        "rounds",
    )


def loss_by_round(rounds: Rounds) -> Chart:
    """The test loss of each round's model, None for a task that has not two classes."""
    losses = tuple(_rounded(one["loss"], 4) for one in rounds)
    unknown = bool(losses) and all(loss is None for loss in losses)
    said = (
        "No loss is known: hospitals report how scores are spread for two classes only."
        if unknown
        else "Mean cross-entropy of each round’s model, in nats, over the rows of all hospitals "
        f"that reported ({_tested(rounds)}){_over(rounds)}; from their scores, counted in 50 bins. "
        "Of training rows they report right answers only, so these have no loss here."
    )
    return Chart(
        "loss",
        "lines",
        "Test loss by round",
        said,
        () if unknown else _labels(rounds),
        (Series("Test loss", () if unknown else losses, BLUE),),
        "nats",
        "round",
        "rounds",
        digits=3,
    )


def statistic_by_round(rounds: Rounds) -> Chart:
    """What was opened of each hospital's updates: the statistic, and the threshold beside it."""
    names = list(dict.fromkeys(one["name"] for each in rounds for one in each["hospitals"]))
    series = tuple(_statistics_of(name, rounds) for name in names)
    opened = sum(value is not None for one in series for value in one.values)
    submitted = sum(len(each["hospitals"]) for each in rounds)
    return Chart(
        "statistic",
        "dots",
        "Verdict statistic against its threshold",
        "Balanced accuracy of each hospital’s update on rows that the others donated (0 to 1), and "
        "the threshold that it was held to, as opened: rounded down to a twentieth, while the "
        f"nodes compare exact figures. {opened} statistics were opened of {submitted} "
        f"updates{_over(rounds, 'in')}; none is of what was refused, or of what too few donated "
        "rows were left to judge.",
        _labels(rounds),
        series,
        "balanced accuracy",
        "round",
        "submissions",
        digits=3,
    )


def verdicts_by_round(rounds: Rounds) -> Chart:
    """How many updates of each reviewed round were accepted, rejected and refused."""
    submitted = sum(one[verdict] for one in rounds for verdict in VERDICTS)
    return Chart(
        "verdicts",
        "stacked",
        "Status by round",
        f"How many updates were accepted, rejected and refused by round: {submitted} "
        f"updates{_over(rounds, 'in')}.",
        _labels(rounds),
        tuple(
            Series(
                verdict.capitalize(),
                tuple(float(one[verdict]) for one in rounds),
                VERDICT_COLOURS[verdict],
            )
            for verdict in VERDICTS
        ),
        "updates",
        "round",
        "verdicts",
    )


def latency_by_round(rounds: Rounds) -> Chart:
    """How long sealing and a transaction took in each round, in milliseconds."""
    sent = sum(one["transactions"] for one in rounds)
    return Chart(
        "latency",
        "lines",
        "Latency by round",
        "In milliseconds: the time in which all hospitals share and seal their updates of a round, "
        f"and the mean from sending a transaction to its receipt, of {sent} "
        f"transactions{_over(rounds, 'in')}.",
        _labels(rounds),
        (
            Series(
                "Encryption, all hospitals",
                tuple(_rounded(one["encryption_ms"], 1) for one in rounds),
                AMBER,
            ),
            Series(
                "Transaction, mean",
                tuple(_rounded(one["transaction_ms"], 1) for one in rounds),
                BLUE,
            ),
        ),
        "ms",
        "round",
        "rounds",
    )


def bytes_by_round(rounds: Rounds) -> Chart:
    """What the parties sent in each round, in kilobytes."""
    sent = sum(one["bytes"] for one in rounds)
    return Chart(
        "bytes",
        "bars",
        "Sent by round",
        "Every message between the coordinator and the parties, in kilobytes of 1,000 bytes; "
        f"{sent / KILOBYTE:,.1f} kB{_over(rounds, 'in')}.",
        _labels(rounds),
        (Series("Sent", tuple(round(one["bytes"] / KILOBYTE, 1) for one in rounds), GREEN),),
        "kB",
        "round",
        "rounds",
    )


def _statistics_of(name: str, rounds: Rounds) -> Series:
    """One hospital's, in each round; None where it was not drawn or its figures stayed closed."""
    found = [
        next((one for one in each["hospitals"] if one["name"] == name), None) for each in rounds
    ]
    return Series(
        name,
        tuple(one["balanced_accuracy"] if one else None for one in found),
        BLUE,
        against=tuple(_rounded(one["threshold"], 4) if one else None for one in found),
        said=tuple(one["verdict"] if one else "" for one in found),
    )


def _labels(rounds: Rounds) -> tuple[str, ...]:
    return tuple(str(one["round"]) for one in rounds)


def _tested(rounds: Rounds) -> str:
    """How many test rows there were: fewer in a round that a hospital did not report of."""
    rows = {one["round"]: one["test_rows"] or 0 for one in rounds}
    most = max(rows.values(), default=0)
    fewer = [number for number in rows if rows[number] < most]
    told = f"{most} test rows"
    if len(fewer) > _MOST_TOLD:
        return f"{told}, fewer in {len(fewer)} rounds"
    return "".join([told, *(f", {rows[number]} in round {number}" for number in fewer)])


def _over(rounds: Rounds, word: str = "and") -> str:
    return f" {word} {len(rounds)} round{'' if len(rounds) == 1 else 's'}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
