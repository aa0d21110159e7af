"""How the reasons of an answer are told: sentences, percentage points, bars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app.doctor.words import value_words
from app.services.reasons import Explanation, Reason
from fl.familiarity import Familiarity, Unusual

MINUS = "\N{MINUS SIGN}"
# An effect that its row shows as 0.0 points.
NOTHING = 0.0005
# Half the width of the drawing of a bar, whose middle is no effect.
HALF = 100


@dataclass(frozen=True)
class Bar:
    """A reason as a row: what was entered, its effect, its bar on a drawing from 0 to 200."""

    label: str
    value: str
    points: str
    sentence: str
    raises: bool
    start: float
    width: float


def bars(explanation: Explanation) -> list[Bar]:
    """A row for each reason, the strongest first, drawn to the strongest one's scale."""
    longest = max((abs(one.effect) for one in explanation.reasons), default=0.0)
    return [_bar(one, longest) for one in explanation.reasons]


def points(effect: float) -> str:
    """A difference of probabilities in signed percentage points."""
    if abs(effect) < NOTHING:
        return "0.0"
    return f"{'+' if effect > 0 else MINUS}{abs(effect) * 100:.1f}"


def warnings(explanation: Explanation) -> Iterator[str]:
    """A sentence for each thing that makes this patient unlike those who were trained on."""
    return unlike(explanation.familiarity)


def unlike(found: Familiarity) -> Iterator[str]:
    """The same of what was compared alone."""
    yield from map(_unusual, found.unusual)
    if not found.unusual and found.unlike and found.distance is not None:
        yield (
            "No single value is far off, but together they are: on average "
            f"{found.distance:.1f} standard deviations from the federation’s patients, "
            f"where 99 of 100 stay below {found.limit:.1f}."
        )


def _bar(reason: Reason, longest: float) -> Bar:
    width = HALF * abs(reason.effect) / longest if longest else 0.0
    raises = reason.effect > 0
    value = value_words(reason.column, reason.value)
    return Bar(
        label=reason.column.label,
        value=value,
        points=points(reason.effect),
        sentence=_sentence(reason),
        raises=raises,
        start=round(HALF if raises else HALF - width, 2),
        width=round(width, 2),
    )


def _sentence(reason: Reason) -> str:
    if abs(reason.effect) < NOTHING:
        return "does not change the risk"
    verb = "raises" if reason.effect > 0 else "lowers"
    sure = f" (± {1.96 * reason.error * 100:.1f})" if reason.error else ""
    return f"{verb} the risk by {abs(reason.effect) * 100:.1f} points{sure}"


def _unusual(one: Unusual) -> str:
    words = value_words(one.column, one.value)
    if one.deviations is not None and one.mean is not None:
        side = "above" if one.deviations > 0 else "below"
        mean = value_words(one.column, round(one.mean, 1))
        return (
            f"{one.column.label}, {words}: {abs(one.deviations):.1f} standard deviations {side} "
            f"the federation’s mean of {mean}."
        )
    share = one.share or 0.0
    told = "none" if share < 0.0005 else f"{share * 100:.1f} %"
    return f"{one.column.label}, {words}: {told} of the federation’s patients."
