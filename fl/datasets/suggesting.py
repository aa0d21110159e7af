"""Suggestions for examinations, treatment and habits: rules that people wrote, with their sources.

A rule is chosen by the band that a model's risk lies in and by what was entered. The model alone
chooses none: a rule without a condition on an input is refused (`fl.datasets.suggestion_file`).
What is not known meets no condition, so that nothing is suggested because of an assumed value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from fl.datasets.task import Column

# Where a risk lies, as a rule names it: whoever tells the risk decides where a band ends.
BANDS = ("unlikely", "undecided", "likely")
# What a rule suggests, in the order in which suggestions are told.
KINDS = ("examination", "treatment", "lifestyle")


@dataclass(frozen=True)
class Source:
    """A page that was opened, and what it says.

    `year` is of the edition, `section` what was read of it, `opened` the day (ISO 8601), `fact`
    what it says, in our own words. `address` is where it stands; `copy` where a copy of it was
    read, "" where it was read at `address` itself.
    """

    title: str
    organisation: str
    year: int
    section: str
    address: str
    opened: str
    fact: str
    copy: str = ""


@dataclass(frozen=True)
class Condition:
    """What is asked of one input: bounds of a number in its column's unit, or categories.

    A bound that is None is none; `categories` are positions, empty for a number.
    """

    column: Column
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    categories: tuple[int, ...] = ()

    def met(self, value: float | None) -> bool:
        """Whether a stored value meets it. One that is not known (None or NaN) never does."""
        if value is None or math.isnan(value):
            return False
        if self.column.kind != "number":
            return value in self.categories
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.above is None or value > self.above)
            and (self.at_most is None or value <= self.at_most)
            and (self.below is None or value < self.below)
        )


@dataclass(frozen=True)
class Rule:
    """A suggestion and when it is made: in one of `bands`, if every condition is met.

    There is at least one band and at least one condition.
    """

    id: str
    kind: str
    text: str
    sources: tuple[Source, ...]
    bands: tuple[str, ...]
    conditions: tuple[Condition, ...]

    @property
    def any_band(self) -> bool:
        """Whether it is made whatever the risk is."""
        return set(self.bands) == set(BANDS)

    def applies(self, band: str, values: Mapping[str, float | None]) -> bool:
        """Whether it is made for a risk in `band` and these stored values, by column."""
        return band in self.bands and all(
            one.met(values.get(one.column.name)) for one in self.conditions
        )


@dataclass(frozen=True)
class RuleBook:
    """The rules of a task, sorted by kind; days are ISO 8601.

    `reviewed_by` is the clinician who read them on `reviewed_on`; both are "" where nobody did.
    `read_how` says in what form the sources were read, `not_found` what was looked for and could
    not be opened.
    """

    revised: str
    reviewed_by: str
    reviewed_on: str
    read_how: str
    not_found: tuple[str, ...]
    rules: tuple[Rule, ...]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every source once, as the rules name them."""
        return tuple(dict.fromkeys(source for rule in self.rules for source in rule.sources))

    def suggest(self, band: str, values: Mapping[str, float | None]) -> tuple[Rule, ...]:
        """The rules that apply to a risk in `band` and these stored values, by column.

        Raises ValueError for what is no band.
        """
        if band not in BANDS:
            raise ValueError(f"expected one of the bands {', '.join(BANDS)}; got {band!r}")
        return tuple(rule for rule in self.rules if rule.applies(band, values))
