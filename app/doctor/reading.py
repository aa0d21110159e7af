"""How a probability is told to a person: a whole per cent, and a word beside the colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fl.datasets import Task

# A model that was trained to weigh both classes alike answers 0.5 when it cannot tell them apart;
# within this distance of it no side is named.
UNDECIDED = 0.1
# What each level means.
WORDS = {
    "good": "Less likely than not",
    "warn": "Undecided",
    "bad": "More likely than not",
}


@dataclass(frozen=True)
class Reading:
    """What a task's classifier said: probabilities in the order of the task's classes.

    With an `interval` (95 %) they were calibrated on test rows.
    """

    task: Task
    probabilities: Sequence[float]
    interval: tuple[float, float] | None = None

    @property
    def risk(self) -> float:
        """The probability of the last class: the disease."""
        return self.probabilities[-1]

    @property
    def disease(self) -> str:
        """What the risk is a risk of."""
        return self.task.classes[-1]

    @property
    def percent(self) -> str:
        """The risk in whole per cent, never 0 or 100: no model knows that."""
        return percent_words(self.risk)

    @property
    def range(self) -> str | None:
        """The interval in whole per cent, None where there is none."""
        return None if self.interval is None else range_words(self.interval)

    @property
    def of_hundred(self) -> int:
        """Of 100 patients with this answer, how many have the disease."""
        return round(self.risk * 100)

    @property
    def level(self) -> str:
        """The class of the colour: good, warn or bad."""
        if abs(self.risk - 0.5) < UNDECIDED:
            return "warn"
        return "bad" if self.risk > 0.5 else "good"

    @property
    def words(self) -> str:
        """What the level means."""
        return WORDS[self.level]

    @property
    def arc(self) -> float:
        """The filled part of a half circle whose length is set to 100."""
        return round(100 * self.risk, 1)


def percent_words(risk: float) -> str:
    """A risk in whole per cent, never 0 or 100: "62 %", "under 1 %"."""
    if risk < 0.01:
        return "under 1 %"
    return "over 99 %" if risk > 0.99 else f"{whole_percent(risk)} %"


def range_words(interval: tuple[float, float]) -> str:
    """An interval's ends in whole per cent: "55 % to 68 %"."""
    low, high = map(percent_words, interval)
    return low if low == high else f"{low} to {high}"


def whole_percent(risk: float) -> int:
    """The whole per cent that a risk is shown with."""
    return int(f"{risk * 100:.0f}")
