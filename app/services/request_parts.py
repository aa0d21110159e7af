"""What a request says, read part by part with the task's defaults; nothing is enrolled or kept."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from app.errors import RequestError
from app.services.requests import TrainingRequest
from contracts.records import Policy
from fl.datasets import Partition
from fl.plan import Review
from fl.stopping import Stopping
from fl.verdict import Rule


def review_of(request: TrainingRequest) -> Review | None:
    """How updates are tested; None where they are not."""
    if not request.review:
        return None
    if request.fraction is None:
        return Review()
    numerator, _, denominator = request.fraction.partition("/")
    return Review(rule=Rule(numerator=int(numerator), denominator=int(denominator)))


def sampled_of(share: float | None, hospitals: int, colluding: int, policy: Policy) -> int | None:
    """How many hospitals a round draws: the share, rounded up, and no fewer than a sum needs.

    None for all of them.
    """
    if share is None:
        return None
    if not 0 < share <= 1:
        raise RequestError(f"expected a share of hospitals above 0, at most 1, got {share}")
    # As the number is written: 0.7 of ten hospitals are seven, whatever floats make of it.
    asked = ceil(Fraction(str(share)) * hospitals)
    count = max(asked, colluding + 2, policy.fewest_accepted, policy.fewest_hospitals, 3)
    return count if count < hospitals else None


def stopping_of(request: TrainingRequest) -> Stopping | None:
    """The rule that may end the training early, or None."""
    if request.stop_accuracy is None and request.patience is None:
        return None
    return Stopping(request.stop_accuracy, request.patience)


def partition_of(default: Partition, request: TrainingRequest) -> Partition:
    """How the rows are dealt. Raises RequestError for what does not fit the task."""
    if default.kind == "natural":
        if request.partition or request.alpha or isinstance(request.hospitals, int):
            raise RequestError(
                f"the hospitals of {request.task} are given by its source: choose them by name"
            )
        return default
    if isinstance(request.hospitals, tuple):
        raise RequestError(f"{request.task} is dealt to hospitals: give their number")
    joining = request.joining
    joined = [name for name, _ in default.sources]
    if unknown := [name for name in joining or () if name not in joined]:
        raise RequestError(f"expected imported hospitals, got {', '.join(unknown)}")
    chosen = default if joining is None else default.joined_by(joining)
    return Partition(
        kind=request.partition or default.kind,
        hospitals=default.hospitals if request.hospitals is None else request.hospitals,
        alpha=default.alpha if request.alpha is None else request.alpha,
        seed=request.seed,
        sources=chosen.sources,
    )


def chosen_of(available: tuple[str, ...], asked: tuple[str, ...] | int | None) -> list[str]:
    """The hospitals that take part, in the order of `available`. Raises RequestError."""
    if not isinstance(asked, tuple):
        return list(available)
    unknown = [name for name in asked if name not in available]
    if unknown:
        raise RequestError(
            f"expected hospitals of {', '.join(available)}; got {', '.join(unknown)}"
        )
    return [name for name in available if name in asked]
