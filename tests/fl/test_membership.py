"""What a crafted pair of models learns about one patient: as much as the opened figures say.

Two models of a hospital and its accomplice answer alike but on one patient, whom one gets right and
the other wrong. Where counts of right answers are shown, their difference tells whether the patient
is among the donated rows. What the review opens of the two is rounded; the advantage over guessing
that is left is measured here, against the chance that one row crosses a step.
"""

from __future__ import annotations

import numpy as np

from fl.verdict import Judgement, Rule, judge

TRIALS = 400
ROWS = 16  # of each class in each of four slices
SLICES = 4


def opened(judged: Judgement) -> list[tuple[bool, int | None, int | None]]:
    """All that the review opens of the two crafted models."""
    return [(one.accepted, one.balanced, one.reference) for one in judged.verdicts[:2]]


def trial(generator: np.random.Generator, member: bool) -> tuple[bool, bool]:
    """Whether the exact counts, and whether the opened figures, of the two models differ."""
    sizes = np.full((SLICES, 2), ROWS, dtype=np.int64)
    skill = generator.uniform(0.5, 0.95, size=(SLICES, 1, 1))
    right = generator.binomial(ROWS - 1, skill, size=(SLICES, SLICES, 2)).astype(np.int64)
    right[1] = right[0]
    if member:
        right[0, 3, 1] += 1  # in the last slice, which neither of the two hospitals donated
    of_global = generator.binomial(ROWS, 0.8, size=(SLICES, 2)).astype(np.int64)
    judged = judge(right, of_global, sizes, (0, 0, 2, 3), Rule(), first_round=False)
    first, second = judged.verdicts[:2]
    shown = opened(judged)
    return first.exact != second.exact, shown[0] != shown[1]


def advantage(inside: int, outside: int) -> float:
    """P(says member | member) - P(says member | not), from counts of TRIALS each."""
    return (inside - outside) / TRIALS


def test_the_opened_figures_say_little_where_counts_would_say_all() -> None:
    generator = np.random.Generator(np.random.PCG64(11))
    inside = [trial(generator, True) for _ in range(TRIALS)]
    outside = [trial(generator, False) for _ in range(TRIALS)]
    by_counts = advantage(sum(c for c, _ in inside), sum(c for c, _ in outside))
    by_figures = advantage(sum(f for _, f in inside), sum(f for _, f in outside))
    assert by_counts == 1.0
    # One row moves a balanced accuracy by 1 / (2 * 48); a figure moves when a step of 1/20 lies
    # between, the verdict when its threshold does: three standard deviations above that chance.
    chance = 20 / (2 * 3 * ROWS) + 2 / (2 * 3 * ROWS)
    assert by_figures <= chance + 3 * (chance * (1 - chance) / TRIALS) ** 0.5
    assert by_figures > 0, "the rounded figures leak too, and the threat model says so"
