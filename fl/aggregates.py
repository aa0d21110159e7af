"""What a round shares, and what becomes of it: statistics in round 0, slices, updates afterwards.

All go through the same protocol. They differ in the vector's length and bound, in the weights, and
in the object that the nodes make of the opened sum; slices are never summed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from contracts.records import DONATION
from crypto.digest import load_model, model_bytes
from crypto.errors import RangeError
from crypto.fixedpoint import Integers, decode_mean
from fl.datasets import INPUT_BOUND, Statistics, sums_length
from fl.networks import parameter_count
from fl.plan import LARGEST_NORM_BOUND, MAX_SAMPLES, Plan
from fl.training import apply_update
from fl.weights import capped_weights

STATISTICS = "statistics"
SLICES = "slices"
MODEL = "model"


class Aggregate(Protocol):
    """One kind of secure sum."""

    @property
    def kind(self) -> str:
        """What the result is: `STATISTICS` or `MODEL`."""
        ...

    @property
    def most_samples(self) -> int:
        """The largest sample count that a hospital may declare."""
        ...

    @property
    def summed(self) -> int:
        """How many leading entries of a hospital's vector are summed."""
        ...

    def length(self, samples: int) -> int:
        """How many entries the vector of a hospital with so many samples has."""
        ...

    @property
    def bound(self) -> float:
        """The largest magnitude of an entry."""
        ...

    def weights(self, samples: Mapping[str, int]) -> dict[str, int]:
        """Each accepted hospital's weight, from the sample counts that they declared."""
        ...

    def result(self, total: Integers, weight: int, /) -> bytes:
        """The object's canonical bytes, from the opened sum and the sum of weights."""
        ...


@dataclass(frozen=True)
class StatisticsSum:
    """The unweighted sum of the hospitals' column sums; |entry| <= rows."""

    plan: Plan
    kind: str = STATISTICS
    bound: float = float(MAX_SAMPLES)
    most_samples: int = MAX_SAMPLES

    @property
    def summed(self) -> int:
        """How many leading entries of a hospital's vector are summed."""
        return sums_length(self.plan.data)

    def length(self, _samples: int) -> int:
        """How many entries the vector of a hospital with so many samples has."""
        return self.summed

    def weights(self, samples: Mapping[str, int]) -> dict[str, int]:
        """One each: sums of rows need no weighting."""
        return dict.fromkeys(samples, 1)

    def result(self, total: Integers, _weight: int) -> bytes:
        """The federation's statistics as JSON. Raises StatisticsError."""
        # The weights are all one, so the sum itself is wanted, not a mean.
        sums = decode_mean(total, 1)
        return Statistics.from_sums(self.plan.data, sums).to_json().encode()


@dataclass(frozen=True)
class Slices:
    """Donated rows: their inputs, then their one-hot labels. Nothing of them is summed."""

    plan: Plan
    kind: str = SLICES
    bound: float = INPUT_BOUND
    summed: int = 0

    @property
    def most_samples(self) -> int:
        """The largest number of rows that a hospital may donate."""
        return self.plan.split.donated_rows * len(self.plan.data.classes)

    def length(self, samples: int) -> int:
        """How many entries the vector of a hospital with so many rows has."""
        return samples * (self.plan.data.inputs + len(self.plan.data.classes))

    def weights(self, samples: Mapping[str, int]) -> dict[str, int]:
        """One each; a weight says that the slice stands."""
        return dict.fromkeys(samples, 1)

    def result(self, _total: Integers, _weight: int) -> bytes:
        """Raises RangeError: a sum of rows is never opened."""
        raise RangeError("expected statistics or updates; slices are not summed")


@dataclass(frozen=True)
class ModelUpdate:
    """The mean of updates, weighted by capped sample counts, added to the model of the round.

    Behind the update stands, where clipping is adaptive, a bit: whether it was within the bound.
    """

    plan: Plan
    model: bytes
    kind: str = MODEL
    most_samples: int = MAX_SAMPLES

    @property
    def summed(self) -> int:
        """How many leading entries of a hospital's vector are summed."""
        return parameter_count(self.plan.spec)

    def length(self, _samples: int) -> int:
        """How many entries the vector of a hospital with so many samples has."""
        return self.summed + self.plan.shares_clip_bit

    @property
    def bound(self) -> float:
        """No entry of an update exceeds the largest norm bound; the review checks the round's."""
        return LARGEST_NORM_BOUND

    def weights(self, samples: Mapping[str, int]) -> dict[str, int]:
        """Sample counts, each capped at twice their lower median: they are self-declared."""
        return capped_weights(samples)

    def result(self, total: Integers, weight: int) -> bytes:
        """The new model's canonical bytes."""
        _, parameters = load_model(self.model)
        delta = decode_mean(total, weight)
        return model_bytes(self.plan.network, apply_update(self.plan.spec, parameters, delta))


def aggregate_for(plan: Plan, round_number: int, model: bytes) -> Aggregate:
    """What the given round sums; `model` holds the canonical bytes of the round's global model."""
    if round_number == DONATION:
        return Slices(plan)
    return StatisticsSum(plan) if round_number == 0 else ModelUpdate(plan, model)


def result_digest(data: bytes) -> bytes:
    """The hash under which a result is voted for and stored: SHA-256 of its canonical bytes."""
    return sha256(data).digest()
