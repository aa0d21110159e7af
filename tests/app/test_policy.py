"""The policy of a task: on the ledger, changed by both administrators, kept by trainings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.cli.policy import policy
from app.errors import RequestError
from app.services.audit import AuditLog
from app.services.federation import Federation, open_federation
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.setup.commandline import parse
from contracts.chain import ChainEndpoint
from contracts.records import Policy
from tests.app.installations import settings_of


@pytest.fixture
def federation(
    tmp_path_factory: pytest.TempPathFactory, chain: ChainEndpoint, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Federation]:
    settings = settings_of(tmp_path_factory.mktemp("policy"), chain)
    monkeypatch.setattr("app.cli.policy.Settings", lambda: settings)
    with open_federation(settings) as opened:
        yield opened


def test_a_task_has_the_default_rules_from_its_first_training_on(federation: Federation) -> None:
    assert not federation.ledger.registry.policy("heart").allowed
    assert federation.policy("heart") == Policy() == federation.ledger.registry.policy("heart")


def test_the_command_changes_what_it_names_and_shows_all(
    federation: Federation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert policy(parse(["policy"])) == 0
    assert capsys.readouterr().out.count("  -  ") >= 7
    assert policy(parse(["policy", "--task", "heart", "--fewest-hospitals", "4"])) == 0
    assert policy(parse(["policy", "--task", "heart", "--faults", "1"])) == 0
    assert policy(parse(["policy", "--task", "heart", "--faults", "1"])) == 0
    found = federation.ledger.registry.policy("heart")
    assert found == Policy(fewest_hospitals=4, faults=1)
    shown = capsys.readouterr().out
    assert re.search(r"lying nodes to be borne \(faults\) +1 +-", shown)
    assert re.search(r"fewest hospitals +4 +-", shown)
    told = AuditLog(federation.database).entries().entries
    assert [(one.action, one.subject) for one in told] == [("policy.changed", "heart")] * 2


def test_a_task_that_there_is_not_gets_no_rules(federation: Federation) -> None:
    with pytest.raises(RequestError, match="expected a task of heart, diabetes; got lung-0123"):
        policy(parse(["policy", "--task", "lung-0123456789ab", "--forbid"]))
    assert federation.ledger.registry.policy("lung-0123456789ab").step_blocks == 0


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        (Policy(allowed=False), "forbids the task heart: python3 run.py policy"),
        (Policy(fewest_hospitals=5), "for heart asks for at least 5 hospitals, got 4"),
        (Policy(faults=2), "for heart asks for at least 7 nodes, got 4"),
        (Policy(quorum=5), "for heart asks for at least 5 nodes, got 4"),
        (Policy(most_attempts=11), "allows 11 attempts in a training, 10 rounds need at least 12"),
    ],
)
def test_a_plan_against_the_rules_is_refused_in_words(
    federation: Federation, rules: Policy, problem: str
) -> None:
    federation.set_policy("heart", rules)
    with pytest.raises(RequestError, match=problem):
        Trainings(federation).plan(TrainingRequest())


def test_a_plan_asks_for_as_many_accepted_updates_as_the_rules(federation: Federation) -> None:
    federation.set_policy("heart", Policy(fewest_accepted=4))
    assert Trainings(federation).plan(TrainingRequest()).least_accepted == 4
