"""What a training is compared with, computed in the clear: only a simulation can do that.

All three read every hospital's rows. In a federation no party could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.models import AttemptRow
from app.services.round_names import STATISTICS, is_update
from app.services.simulation import Simulation
from app.stores.rounds import FINALISED
from fl.datasets import Table
from fl.experiments.plain import fedavg_accuracy, oracle_accuracy
from fl.experiments.unshared import PastRound, train_unshared
from fl.plan import Plan
from fl.training import accuracy


@dataclass(frozen=True)
class Comparisons:
    """Shares of right answers, None where there is nothing to compare.

    `plain` is the same training without secret sharing, `fedavg` plain FedAvg in which everybody
    counts, `oracle` the same without the attackers; the last two only where some attack.
    """

    plain: float | None = None
    fedavg: float | None = None
    oracle: float | None = None


@dataclass(frozen=True)
class Past:
    """How a training went: the hospitals in its statistics, and the model's rounds in order."""

    summed: tuple[str, ...] = ()
    rounds: tuple[PastRound, ...] = ()


def past_of(attempts: Sequence[AttemptRow]) -> Past:
    """The finalised rounds; one that kept its model has no weights."""
    done = sorted((a for a in attempts if a.state == FINALISED), key=lambda one: one.round)
    sums = next((one for one in done if one.round == STATISTICS), None)
    rounds = [PastRound(_weights(one), one.norm_bound) for one in done if is_update(one.round)]
    return Past(tuple(_weights(sums)) if sums else (), tuple(rounds))


def compare(
    plan: Plan,
    tables: Mapping[str, Table],
    simulation: Simulation | None,
    past: Past,
    finished: bool,
) -> Comparisons:
    """Train again in the clear, as the `past` rounds went; the others once all are done."""
    behaviours = simulation.behaviours if simulation else {}
    plain = None
    if past.rounds:
        plain = accuracy(train_unshared(plan, tables, past.summed, past.rounds, behaviours))
    if simulation is None or not finished:
        return Comparisons(plain)
    honest = len(simulation.attackers) < len(plan.hospitals)
    # A stopping rule may have ended the training; the others get no more rounds than it had.
    plan = replace(plan, rounds=len(past.rounds))
    return Comparisons(
        plain,
        fedavg_accuracy(plan, tables, behaviours),
        oracle_accuracy(plan, tables, behaviours) if honest else None,
    )


def _weights(attempt: AttemptRow) -> dict[str, int]:
    return {one.hospital: one.weight for one in attempt.submissions if one.weight}
