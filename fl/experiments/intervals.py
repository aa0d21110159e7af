"""Intervals: means over paired seeds by Student's t, shares of trials by Wilson's score.

And what is made of shares: their mean, and the area under a ROC curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, stdev

# The 0.975 quantiles of Student's t with 1, 2, ... degrees of freedom (Fisher, Yates, "Statistical
# Tables", table III); beyond the last, the normal distribution's is close enough to print.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_NORMAL = 1.96


@dataclass(frozen=True)
class Interval:
    """A mean and half the width of its 95 % interval, which is None for a single value."""

    mean: float
    half_width: float | None

    def percent(self, digits: int = 1) -> str:
        """Both in percent, as in "78.4 ± 0.9"."""
        mean = f"{100 * self.mean:.{digits}f}"
        return mean if self.half_width is None else f"{mean} ± {100 * self.half_width:.{digits}f}"

    def points(self) -> str:
        """A difference in percentage points, with its sign: "-0.4 ± 0.6"."""
        mean = f"{100 * self.mean:+.1f}"
        return mean if self.half_width is None else f"{mean} ± {100 * self.half_width:.1f}"


def interval(values: Sequence[float]) -> Interval:
    """Return mean and 95 % interval of one value a seed; at least one."""
    mean = fmean(values)
    freedom = len(values) - 1
    if not freedom:
        return Interval(mean, None)
    quantile = _T[freedom - 1] if freedom <= len(_T) else _NORMAL
    return Interval(mean, quantile * stdev(values) / sqrt(len(values)))


def wilson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of a share of independent trials, at least one.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the
    American Statistical Association 22, 1927. It stays within 0 and 1, also where none or all
    succeed. Raises ValueError unless 0 <= successes <= trials and trials > 0.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"expected 0 to {trials} successes of 1 or more trials; got {successes}")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share, spread = successes / trials, z * z / trials
    centre = share + spread / 2
    half = z * sqrt(share * (1 - share) / trials + spread / (4 * trials))
    low, high = ((centre + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(0.0, low), min(1.0, high)


def mean_of_shares(counts: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Return the 95 % interval of the mean of independent shares, each (successes, trials).

    The distances of Wilson's bounds from each share, squared and added: Newcombe, "Interval
    Estimation for the Difference between Independent Proportions", Statistics in Medicine 17, 1998,
    method 10, for sums as in Zou, Donner, "Construction of Confidence Limits about Effect
    Measures", Statistics in Medicine 27, 2008. Raises ValueError as `wilson`, and for no share.
    """
    if not counts:
        raise ValueError("expected one share or more; got none")
    shares = [successes / trials if trials else 0.0 for successes, trials in counts]
    bounds = [wilson(successes, trials) for successes, trials in counts]
    pairs = list(zip(shares, bounds, strict=True))
    below = sqrt(sum((share - low) ** 2 for share, (low, _) in pairs)) / len(pairs)
    above = sqrt(sum((high - share) ** 2 for share, (_, high) in pairs)) / len(pairs)
    return fmean(shares) - below, fmean(shares) + above


def area_interval(area: float, negatives: int, positives: int) -> tuple[float, float]:
    """Return the 95 % interval of an area under a ROC curve of so many rows of each class.

    1.96 standard errors to either side, within 0 and 1: Hanley, McNeil, "The Meaning and Use of the
    Area under a Receiver Operating Characteristic (ROC) Curve", Radiology 143, 1982. Raises
    ValueError for an area outside of 0 to 1, or a class without rows.
    """
    if not 0 <= area <= 1 or min(negatives, positives) < 1:
        raise ValueError(f"expected an area from 0 to 1 of rows of both classes; got {area}")
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (
        area * (1 - area) + (positives - 1) * (one - area**2) + (negatives - 1) * (two - area**2)
    )
    half = _NORMAL * sqrt(max(0.0, spread) / (negatives * positives))
    return max(0.0, area - half), min(1.0, area + half)
