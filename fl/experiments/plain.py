"""A plan's training in plaintext, with attackers: as vanilla FedAvg, and as an oracle would run it.

What a simulated attack is compared by: the same seed, hospitals, rows and settings. Both read every
hospital's rows, which no party of a federation could do. They train all hospitals in one batch, so
they agree with one-by-one trainings to float32 tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping

from fl.attacks import HONEST, Behaviour
from fl.datasets import Table
from fl.defences import DEFENCES, Defence
from fl.experiments.federations import Federation, prepare
from fl.experiments.poisoning import measure
from fl.experiments.simulation import Case, Unbounded, simulate
from fl.plan import Plan


def fedavg_accuracy(
    plan: Plan, tables: Mapping[str, Table], behaviours: Mapping[str, Behaviour]
) -> float:
    """The accuracy of vanilla FedAvg under attack: nobody is left out, no norm bound enforced.

    `behaviours` maps the attackers to what they do. An attack on the sharing alone
    (`out-of-range`) has no counterpart here: where nothing is shared, its hospital is honest.
    """
    return _accuracy(plan, tables, behaviours, Unbounded())


def oracle_accuracy(
    plan: Plan, tables: Mapping[str, Table], behaviours: Mapping[str, Behaviour]
) -> float:
    """The accuracy of the plan's training without its attackers. Raises SettingsError without any
    honest hospital.
    """
    return _accuracy(plan, tables, behaviours, DEFENCES["oracle"])


def federation_of(plan: Plan, tables: Mapping[str, Table]) -> Federation:
    """The federation of a plan, from the hospitals' whole tables by name."""
    return prepare(
        plan.data,
        plan.spec,
        plan.local,
        plan.rounds,
        plan.seed,
        {hospital.name: tables[hospital.name] for hospital in plan.hospitals},
        plan.split,
        plan.least_accepted,
        plan.sampled,
    )


def _accuracy(
    plan: Plan,
    tables: Mapping[str, Table],
    behaviours: Mapping[str, Behaviour],
    defence: Unbounded | Defence,
) -> float:
    attackers = {name: known for name, known in behaviours.items() if known is not HONEST}
    case = Case(federation_of(plan, tables), attackers, defence, plan.shares_clip_bit)
    return measure(simulate([case])[0]).accuracy
