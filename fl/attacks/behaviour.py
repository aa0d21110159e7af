"""What a simulated hospital does otherwise than the protocol says: a hook for each thing it sends.

An honest hospital is the `Behaviour` without hooks. A hook is a pure function of what it replaces
and of the `Scene`, so that an attack comes out the same in the federation and in an experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.clipping import clip
from fl.networks import NetworkSpec, Parameters
from fl.training import local_seed

Features = NDArray[np.float32]
Labels = NDArray[np.int64]
Rows = tuple[Features, Labels]
Vector = NDArray[np.float64]
Integers = NDArray[np.int64]

SEED_SUFFIX = "/attack/v1"


@dataclass(frozen=True, eq=False)
class Scene:
    """What an attacker knows when it acts: more than any party of a real federation.

    `parameters` is the global model of the round, `attackers` the names that work together,
    `hospitals` how many take part. `honest` computes the clipped updates (parameters,) that the
    other, honest hospitals send in this round, by name; it may be costly, so few attacks call it.
    In round 0, where slices are donated, there are none.
    """

    spec: NetworkSpec
    hospital: str
    attackers: tuple[str, ...]
    hospitals: int
    round: int
    seed: int
    norm_bound: float
    parameters: Parameters
    honest: Callable[[], Mapping[str, Vector]] = dict

    def generator(self) -> np.random.Generator:
        """This attacker's random numbers in this round, the same at every call."""
        seed = local_seed(self.seed, self.round, self.hospital + SEED_SUFFIX)
        return np.random.Generator(np.random.PCG64(seed))

    def honest_updates(self) -> Vector:
        """The honest updates as one array, float64 (honest hospitals, parameters).

        In a round for which no honest hospital was drawn it has no rows.
        """
        updates = list(self.honest().values())
        return np.stack(updates) if updates else np.empty((0, 0))


def _same_rows(features: Features, labels: Labels, _scene: Scene) -> Rows:
    return features, labels


def _same_update(delta: Vector, _scene: Scene) -> Vector:
    return delta


def _same_count(samples: int) -> int:
    return samples


def _same_vector(vector: Integers) -> Integers:
    return vector


@dataclass(frozen=True)
class Behaviour:
    """What a hospital puts in place of what it should send; without arguments, nothing.

    `rows`: the encoded rows that it trains on, float32 (rows, inputs) and int64 (rows,).
    `update`: the difference to the global model, float64 (parameters,), after training and before
    the norm bound. `samples`: the number of rows that it declares. `donated`: the encoded rows of
    its slice. `vector`: the encoded update, int64 (parameters,), as it is shared: signed
    representatives of field elements. `clips`: whether it keeps to the norm bound.
    """

    rows: Callable[[Features, Labels, Scene], Rows] = _same_rows
    update: Callable[[Vector, Scene], Vector] = _same_update
    samples: Callable[[int], int] = _same_count
    donated: Callable[[Features, Labels, Scene], Rows] = _same_rows
    vector: Callable[[Integers], Integers] = _same_vector
    clips: bool = True

    def sent_update(self, delta: Vector, scene: Scene) -> Vector:
        """The difference that this hospital encodes, instead of the trained `delta`."""
        changed = self.update(delta, scene)
        return clip(changed, scene.norm_bound) if self.clips else changed


HONEST = Behaviour()
