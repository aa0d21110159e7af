"""What a round sums, and what becomes of the sum: statistics in round 0, updates afterwards.

Both go through the same protocol. They differ in the vector's length and bound, in the weights, and
in the object that the nodes make of the opened sum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from statistics import median_low
from typing import Protocol

from crypto.digest import load_model, model_bytes
from crypto.fixedpoint import Integers, decode_mean
from fl.datasets import Statistics, sums_length
from fl.networks import parameter_count
from fl.plan import MAX_SAMPLES, Plan
from fl.training import apply_update

STATISTICS = "statistics"
MODEL = "model"


class Aggregate(Protocol):
    """One kind of secure sum."""

    @property
    def kind(self) -> str:
        """What the result is: `STATISTICS` or `MODEL`."""
        ...

    @property
    def length(self) -> int:
        """How many entries a hospital's vector has."""
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

    @property
    def length(self) -> int:
        """How many entries a hospital's vector has."""
        return sums_length(self.plan.data)

    def weights(self, samples: Mapping[str, int]) -> dict[str, int]:
        """One each: sums of rows need no weighting."""
        return dict.fromkeys(samples, 1)

    def result(self, total: Integers, _weight: int) -> bytes:
        """The federation's statistics as JSON. Raises StatisticsError."""
        # The weights are all one, so the sum itself is wanted, not a mean.
        sums = decode_mean(total, 1)
        return Statistics.from_sums(self.plan.data, sums).to_json().encode()


@dataclass(frozen=True)
class ModelUpdate:
    """The mean of updates, weighted by capped sample counts, added to the model of the round."""

    plan: Plan
    model: bytes
    kind: str = MODEL

    @property
    def length(self) -> int:
        """How many entries a hospital's vector has."""
        return parameter_count(self.plan.spec)

    @property
    def bound(self) -> float:
        """The norm bound: no entry of a clipped update exceeds it."""
        return self.plan.local.norm_bound

    def weights(self, samples: Mapping[str, int]) -> dict[str, int]:
        """Sample counts, each capped at twice their lower median: they are self-declared."""
        cap = 2 * median_low(samples.values())
        return {hospital: min(count, cap) for hospital, count in samples.items()}

    def result(self, total: Integers, weight: int) -> bytes:
        """The new model's canonical bytes."""
        _, parameters = load_model(self.model)
        delta = decode_mean(total, weight)
        return model_bytes(self.plan.network, apply_update(self.plan.spec, parameters, delta))


def aggregate_for(plan: Plan, round_number: int, model: bytes) -> Aggregate:
    """What the given round sums; `model` holds the canonical bytes of the round's global model."""
    return StatisticsSum(plan) if round_number == 0 else ModelUpdate(plan, model)


def result_digest(data: bytes) -> bytes:
    """The hash under which a result is voted for and stored: SHA-256 of its canonical bytes."""
    return sha256(data).digest()
