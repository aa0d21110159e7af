"""How much a hospital counts in the mean: its rows, within what the others have."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median_low

CAP = 2


def capped_weights(samples: Mapping[str, int]) -> dict[str, int]:
    """Sample counts, each capped at twice their lower median: they are self-declared."""
    cap = CAP * median_low(samples.values())
    return {hospital: min(count, cap) for hospital, count in samples.items()}
