"""How suggestions are told: what they suggest, why they were chosen, and from which page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.doctor.reading import UNDECIDED, WORDS, Reading
from app.doctor.words import unit_words, value_words
from fl.datasets.suggesting import BANDS, Condition, Rule, RuleBook, Source
from fl.datasets.suggestion_file import find_rules

NO_RULES = "Nobody has written rules for this task, so nothing is suggested."
STATEMENT = (
    "Fixed rules choose suggestions by what you entered and by the band of the risk. They are "
    "for you to weigh, no diagnosis and no order: this is not a medical device."
)
NONE_APPLIES = (
    "No rule of the file applies to these values. That does not mean that nothing is to be done."
)
NOT_REVIEWED = "No clinician has reviewed the rules yet."

_LEVELS = dict(zip(WORDS, BANDS, strict=True))
_WORDS = {band: WORDS[level].lower() for level, band in _LEVELS.items()}
_LOW, _HIGH = (f"{100 * (0.5 + side):.0f} %" for side in (-UNDECIDED, UNDECIDED))
_RANGES = dict(
    zip(BANDS, (f"up to {_LOW}", f"between {_LOW} and {_HIGH}", f"from {_HIGH} on"), strict=True)
)
_ANY = "at any risk"
_KINDS = {"examination": "Next examination", "treatment": "Treatment", "lifestyle": "Habits"}
_BOUNDS = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}


@dataclass(frozen=True)
class Suggestion:
    """A rule as a person reads it: `kind` as a heading, `why` as a sentence."""

    id: str
    kind: str
    text: str
    why: str
    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Suggested:
    """The suggestions for a patient; `review` says who read the rules. `any_rules`: the task has
    some at all.
    """

    any_rules: bool
    review: str
    suggestions: tuple[Suggestion, ...]
    statement: str = STATEMENT
    no_rules: str = NO_RULES
    none_applies: str = NONE_APPLIES


def suggested(reading: Reading, values: Mapping[str, float | None]) -> Suggested:
    """What the task's rules suggest for this risk and these stored values, by column."""
    book = find_rules(reading.task.name)
    if book is None:
        return Suggested(False, "", ())
    chosen = book.suggest(_LEVELS[reading.level], values)
    return Suggested(
        True, review_words(book), tuple(_told(rule, _why(rule, reading, values)) for rule in chosen)
    )


def listed(book: RuleBook) -> tuple[Suggestion, ...]:
    """Every rule of a task with when it is made."""
    return tuple(_told(rule, _when(rule)) for rule in book.rules)


def band_words() -> tuple[str, ...]:
    """Each band of the risk with its ends."""
    return tuple(f"{_WORDS[band]} ({_RANGES[band]})" for band in BANDS)


def review_words(book: RuleBook) -> str:
    """Who reviewed the rules, or that nobody did."""
    if not book.reviewed_by:
        return NOT_REVIEWED
    return f"Reviewed by {book.reviewed_by} on {book.reviewed_on}."


def _told(rule: Rule, why: str) -> Suggestion:
    return Suggestion(rule.id, _KINDS[rule.kind], rule.text, why, rule.sources)


def _why(rule: Rule, reading: Reading, values: Mapping[str, float | None]) -> str:
    risk = _ANY if rule.any_band else f"the risk is {reading.words.lower()}"
    return "; ".join([*(_found(one, values) for one in rule.conditions), risk]) + "."


def _found(one: Condition, values: Mapping[str, float | None]) -> str:
    value = value_words(one.column, values[one.column.name])
    asked = f" ({_asked(one)})" if one.column.kind == "number" else ""
    return f"{one.column.label}: {value}{asked}"


def _when(rule: Rule) -> str:
    risk = (
        _ANY if rule.any_band else f"the risk is {' or '.join(_WORDS[band] for band in rule.bands)}"
    )
    asked = [f"{one.column.label}: {_asked(one)}" for one in rule.conditions]
    return "; ".join([*asked, risk]) + "."


def _asked(one: Condition) -> str:
    """What a condition asks for: "at least 140 mmHg and below 180 mmHg", "typical angina"."""
    if one.column.kind != "number":
        return " or ".join(one.column.categories[at].label for at in one.categories)
    bounds = [(words, getattr(one, name)) for name, words in _BOUNDS.items()]
    return " and ".join(
        f"{words} {unit_words(f'{bound:g}', one.column.unit)}"
        for words, bound in bounds
        if bound is not None
    )
