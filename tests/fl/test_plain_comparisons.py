"""What a simulated attack is compared by: vanilla FedAvg and the oracle, from a plan."""

from __future__ import annotations

import pytest

from fl.attacks import HONEST, get_attack
from fl.datasets import Partition, SplitRule, get_task
from fl.experiments.plain import fedavg_accuracy, federation_of, oracle_accuracy
from fl.plan import Member, Plan, Review
from fl.training import LocalSettings

TABLES = get_task("heart").load()


def plan(rounds: int = 4, names: tuple[str, ...] = tuple(TABLES)) -> Plan:
    return Plan(
        task="heart",
        partition=Partition("natural"),
        split=SplitRule(),
        network="mlp",
        rounds=rounds,
        local=LocalSettings(3, 32, 0.01, 1.5, True),
        seed=5,
        hospitals=tuple(Member(name, f"0x{i:040x}", "") for i, name in enumerate(names)),
        nodes=tuple(Member(f"node {i}", f"0x{i:039x}a", "") for i in range(4)),
        review=Review(),
    )


def test_an_attack_hurts_fedavg_and_not_the_oracle() -> None:
    attacked = {"Hungary": get_attack("model-replacement").behaviour}
    honest = fedavg_accuracy(plan(), TABLES, {})
    assert honest > 0.75
    assert fedavg_accuracy(plan(), TABLES, attacked) < honest - 0.1
    assert oracle_accuracy(plan(), TABLES, attacked) > 0.75


def test_without_attackers_nobody_is_dropped() -> None:
    same = oracle_accuracy(plan(), TABLES, {"Hungary": HONEST})
    assert same == oracle_accuracy(plan(), TABLES, {})
    dropped = {"Hungary": get_attack("free-rider").behaviour}
    assert oracle_accuracy(plan(), TABLES, dropped) == oracle_accuracy(
        plan(), TABLES, {"Hungary": get_attack("label-flip").behaviour}
    )


def test_what_is_only_in_the_sharing_does_nothing_in_the_clear() -> None:
    attacked = {"Hungary": get_attack("out-of-range").behaviour}
    assert fedavg_accuracy(plan(2), TABLES, attacked) == fedavg_accuracy(plan(2), TABLES, {})


def test_a_federation_is_the_plans_hospitals() -> None:
    three = federation_of(plan(names=("Hungary", "Cleveland", "Switzerland")), TABLES)
    assert three.names == ("Hungary", "Cleveland", "Switzerland")
    assert (three.rounds, three.seed, three.least_accepted) == (4, 5, 3)
    with pytest.raises(KeyError):
        federation_of(plan(names=("Hungary", "Cleveland", "Basel")), TABLES)
