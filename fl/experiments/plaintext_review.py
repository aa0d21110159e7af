"""The encrypted review's counts and verdicts, computed in plaintext with the same integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fl.attacks.behaviour import Rows, Vector
from fl.batched import batched_predictions
from fl.networks import NetworkSpec
from fl.verdict import Judgement, Rule, judge

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Review:
    """The encrypted review's rule, as a defence of a simulated training."""

    rule: Rule = field(default_factory=Rule)


def judge_updates(
    spec: NetworkSpec,
    model: NDArray[np.float32],
    updates: Vector,
    owners: Sequence[int],
    slices: Sequence[Rows],
    rule: Rule,
    untrained: bool,
) -> Judgement:
    """Judge updates (models, parameters) to the flat global `model` on the donated `slices`.

    Update i is the hospital's that donated slice `owners[i]`. `untrained` says that the global
    model has learnt nothing yet, so that the slices are judged by the others.
    """
    labels = np.concatenate([y for _, y in slices])
    features = np.concatenate([x for x, _ in slices])
    models = np.concatenate([model + updates, model[None].astype(np.float64)])
    hits = batched_predictions(spec, models.astype(np.float32), features) == labels
    donors = np.repeat(np.arange(len(slices)), [len(y) for _, y in slices])
    cells = donors * spec.classes + labels  # (rows,)
    shape = len(slices), spec.classes
    counts = np.stack([_tally(cells[hit], shape) for hit in hits])
    return judge(counts[:-1], counts[-1], _tally(cells, shape), owners, rule, untrained)


def _tally(cells: Integers, shape: tuple[int, int]) -> Integers:
    """Rows by slice and class, int64 of `shape`."""
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
