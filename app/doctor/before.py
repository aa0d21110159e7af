"""How the answer of the version before is told beside the one of the version in use."""

from __future__ import annotations

from app.doctor.reading import Reading, percent_words, whole_percent
from app.services.previous import Previous

SHORT = 4
NONE_BEFORE = "There was none: this is the first version in use for this task."


def before_words(reading: Reading, before: Previous | None) -> str:
    """A sentence: what the version before said of the same values, and how far off that is."""
    if before is None:
        return NONE_BEFORE
    name = f"The version before, {before.model_sha256[:SHORT]}…,"
    if before.risk is None:
        return f"{name} cannot be asked any more: {before.refusal}"
    told = f"{name} said {percent_words(before.risk)}"
    if before.calibrated != (reading.interval is not None):
        fitted = "that version’s" if before.calibrated else "this version’s"
        return (
            f"{told}. The two cannot be subtracted: only {fitted} answer is fitted to test patients"
            " of the hospitals."
        )
    return f"{told}, {_difference(whole_percent(before.risk) - whole_percent(reading.risk))}."


def _difference(points: int) -> str:
    if points == 0:
        return "the same to a whole point"
    word = "point" if abs(points) == 1 else "points"
    return f"{abs(points)} {word} {'more' if points > 0 else 'less'}"
