"""A federation's rows, made ready once for many simulated trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fl.attacks.behaviour import Rows
from fl.datasets import SplitRule, Statistics, Table, Task, encode, local_sums, split
from fl.networks import NetworkSpec, initial_parameters
from fl.networks import flatten as flatten_parameters
from fl.sampling import drawn
from fl.training import LocalSettings


@dataclass(frozen=True, eq=False)
class Federation:
    """Hospitals with encoded rows, and the settings that they train with.

    `train` and `donated` map a hospital to its rows, `test` pools everybody's. Features are float32
    (rows, inputs), labels int64 (rows,). With `sampled` so many are drawn for each round.
    """

    spec: NetworkSpec
    local: LocalSettings
    rounds: int
    seed: int
    least_accepted: int
    train: Mapping[str, Rows]
    donated: Mapping[str, Rows]
    test: Rows
    sampled: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The hospitals, in the order of every array of this package."""
        return tuple(self.train)

    def drawn(self, number: int) -> tuple[str, ...]:
        """The hospitals of a round, in the order of `names`; round 0 is the donation."""
        return drawn(self.seed, number, self.names, self.sampled)

    def initial(self) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """The model that training starts from, float32 (parameters,)."""
        start = flatten_parameters(self.spec, initial_parameters(self.spec, self.seed))
        return start.astype(np.float32)


def default_federation(
    task: Task,
    tables: Mapping[str, Table],
    seed: int,
    rounds: int,
    rule: SplitRule | None = None,
) -> Federation:
    """The federation of a task's defaults."""
    given = task.defaults
    local = LocalSettings(
        given.local_epochs,
        given.batch_size,
        given.learning_rate,
        given.norm_bound,
        given.class_weighted,
    )
    spec = NetworkSpec(given.network, task.inputs, len(task.classes))
    rule = rule or SplitRule.of_classes(len(task.classes))
    return prepare(task, spec, local, rounds, seed, tables, rule, least_accepted=3)


def prepare(
    task: Task,
    spec: NetworkSpec,
    local: LocalSettings,
    rounds: int,
    seed: int,
    tables: Mapping[str, Table],
    rule: SplitRule,
    least_accepted: int,
    sampled: int | None = None,
) -> Federation:
    """Split and encode every hospital's rows, by the statistics of all training rows."""
    parts = {name: split(table, rule) for name, table in tables.items()}
    sums = [local_sums(task, part.train.features) for part in parts.values()]
    statistics = Statistics.from_sums(task, np.sum(sums, axis=0))

    def encoded(table: Table) -> Rows:
        return encode(task, table.features, statistics), table.labels

    tests = [encoded(part.test) for part in parts.values()]
    return Federation(
        spec,
        local,
        rounds,
        seed,
        least_accepted,
        {name: encoded(part.train) for name, part in parts.items()},
        {name: encoded(part.donated) for name, part in parts.items()},
        (np.concatenate([x for x, _ in tests]), np.concatenate([y for _, y in tests])),
        sampled,
    )
