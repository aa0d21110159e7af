"""When a training ends before its last round: a public rule on what the hospitals report.

After each round every hospital signs how many of its test rows the model gets right. From their sum
everybody computes the same accuracies, and so the same end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fl.errors import SettingsError
from fl.training import accuracy

# Hospitals' confusion matrices (truth by prediction) of each finalised round's model, by round.
Reports = Mapping[int, Sequence[Sequence[Sequence[int]]]]


@dataclass(frozen=True)
class Stopping:
    """What ends a training early: an accuracy that is reached, or a time without improvement.

    `accuracy` is a share of right answers over all hospitals' test rows, above 0, at most 1;
    `patience` so many rounds in a row, none better than the best before them. None: not asked for.
    Raises SettingsError where neither is, and outside the ranges.
    """

    accuracy: float | None = None
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.accuracy is None and self.patience is None:
            raise SettingsError("expected an accuracy or a patience to stop by; got neither")
        if self.accuracy is not None and not 0 < self.accuracy <= 1:
            raise SettingsError(f"expected an accuracy above 0, at most 1; got {self.accuracy}")
        if self.patience is not None and self.patience < 1:
            raise SettingsError(f"expected a patience from 1 round; got {self.patience}")

    @property
    def words(self) -> str:
        """When the training ends, as the end of a sentence."""
        ways = []
        if self.accuracy is not None:
            ways.append(f"once {100 * self.accuracy:g} % of the answers are right")
        if self.patience is not None:
            rounds = "1 round" if self.patience == 1 else f"{self.patience} rounds"
            ways.append(f"after {rounds} without a better accuracy")
        return " or ".join(ways)

    def reason(self, accuracies: Sequence[float | None]) -> str:
        """Why a training ends after the last of these rounds; "" where it goes on.

        `accuracies` are those of round 1, 2, ...; None, where nobody reported, is no improvement.
        """
        last = accuracies[-1] if accuracies else None
        if self.accuracy is not None and last is not None and last >= self.accuracy:
            return (
                f"stopping rule: after round {len(accuracies)} the accuracy is {last:.4f}, "
                f"{self.accuracy:g} was to be reached"
            )
        return self._impatient(accuracies)

    def _impatient(self, accuracies: Sequence[float | None]) -> str:
        best = max((one for one in accuracies if one is not None), default=None)
        if self.patience is None or best is None:
            return ""
        first = accuracies.index(best) + 1
        if len(accuracies) - first < self.patience:
            return ""
        rounds = "1 round" if self.patience == 1 else f"{self.patience} rounds"
        return (
            f"stopping rule: for {rounds} no accuracy was better than the {best:.4f} of round "
            f"{first}"
        )


def accuracies(reports: Reports, rounds: int) -> list[float | None]:
    """The accuracy of each of the first `rounds` rounds over all rows that were reported."""
    return [_accuracy(reports.get(number, ())) for number in range(1, rounds + 1)]


def _accuracy(matrices: Sequence[Sequence[Sequence[int]]]) -> float | None:
    if not matrices:
        return None
    total = np.sum([np.array(one, dtype=np.int64) for one in matrices], axis=0)
    return accuracy(total) if total.sum() else None
