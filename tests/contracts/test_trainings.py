"""What a training needs to open, and what its end leaves."""

from __future__ import annotations

import pytest

from contracts.chain import ChainEndpoint
from contracts.ledger import AttemptState, NotFound, Permission, Policy, Refused, TrainingState
from tests.contracts.parties import Federation, digest, refusal


def test_open_training_is_on_record(federation: Federation) -> None:
    record = federation.stranger.training(federation.training)
    assert record.state is TrainingState.OPEN
    assert (record.config_hash, record.initial_model) == (federation.config, federation.model)
    assert (record.model, record.statistics) == (federation.model, None)
    assert (record.next_round, record.threshold, record.quorum) == (0, 1, 3)
    assert record.hospitals == tuple(one.account for one in federation.hospitals)
    assert record.nodes == tuple(one.account for one in federation.nodes)


def test_unknown_training_is_not_found(parties: Federation) -> None:
    with pytest.raises(NotFound):
        parties.coordinator.training(digest("another"))


def open_with(parties: Federation, **changes: object) -> Refused:
    fields: dict[str, object] = {
        "training": parties.training,
        "task": parties.task,
        "config_hash": parties.config,
        "initial_model": parties.model,
        "hospitals": [one.account for one in parties.hospitals],
        "nodes": [one.account for one in parties.nodes],
        "threshold": 1,
    }
    return refusal(lambda: parties.coordinator.open_training(**{**fields, **changes}))


def test_training_needs_three_hospitals(parties: Federation) -> None:
    parties.register()
    two = [one.account for one in parties.hospitals[:2]]
    problem = open_with(parties, hospitals=two)
    assert (problem.reason, problem.details) == ("TooFew", {"least": 3, "actual": 2})


@pytest.mark.parametrize(("nodes", "threshold"), [(2, 1), (4, 2), (4, 0)])
def test_training_needs_nodes_for_its_threshold(
    parties: Federation, nodes: int, threshold: int
) -> None:
    parties.register()
    accounts = [one.account for one in parties.nodes[:nodes]]
    problem = open_with(parties, nodes=accounts, threshold=threshold)
    assert problem.reason == "WrongThreshold"
    assert problem.details == {"threshold": threshold, "nodes": nodes}


@pytest.mark.parametrize(
    ("nodes", "threshold", "quorum"), [(3, 1, 2), (4, 1, 3), (5, 2, 4), (7, 2, 5)]
)
def test_quorum(embedded_chain: ChainEndpoint, nodes: int, threshold: int, quorum: int) -> None:
    parties = Federation(embedded_chain.url, hospital_count=3, node_count=nodes)
    parties.register()
    parties.open_training(threshold)
    assert parties.coordinator.training(parties.training).quorum == quorum
    parties.close()


def test_members_have_their_role(parties: Federation) -> None:
    parties.register()
    swapped = [one.account for one in (*parties.hospitals[:3], parties.nodes[0])]
    problem = open_with(parties, hospitals=swapped)
    assert problem.reason == "LacksRole"
    assert problem.details == {
        "account": parties.nodes[0].account,
        "role": Permission.HOSPITAL.value,
    }


def test_stranger_is_no_member(parties: Federation) -> None:
    parties.register()
    nodes = [one.account for one in (*parties.nodes[:3], parties.stranger)]
    problem = open_with(parties, nodes=nodes)
    assert problem.reason == "LacksRole"
    assert problem.details["account"] == parties.stranger.account


def test_member_counts_once(parties: Federation) -> None:
    parties.register()
    twice = [parties.nodes[i].account for i in (0, 1, 2, 0)]
    problem = open_with(parties, nodes=twice)
    assert (problem.reason, problem.details) == ("Twice", {"account": twice[0]})


def test_training_opens_once(federation: Federation) -> None:
    problem = open_with(federation, config_hash=digest("another"))
    assert problem.reason == "TrainingExists"
    assert problem.details == {"training": federation.training}


def test_only_the_coordinator_opens_and_ends(federation: Federation) -> None:
    for ledger in (federation.stranger, federation.hospitals[0], federation.nodes[0]):
        problem = refusal(
            ledger.open_training, digest("t"), "heart", digest("c"), digest("m"), [], [], 1
        )
        assert problem.reason == "NotCoordinator"
        assert refusal(ledger.end_training, federation.training, "").reason == "NotCoordinator"


def test_end_is_for_good(federation: Federation) -> None:
    federation.coordinator.end_training(federation.training, "enough")
    record = federation.coordinator.training(federation.training)
    assert (record.state, record.reason) == (TrainingState.ENDED, "enough")
    problem = refusal(federation.coordinator.end_training, federation.training, "again")
    assert problem.reason == "TrainingNotOpen"
    problem = refusal(federation.coordinator.open_attempt, federation.key(), federation.model)
    assert problem.reason == "TrainingNotOpen"


def test_end_fails_the_running_attempt(federation: Federation) -> None:
    federation.advance(federation.key(), AttemptState.SUBMITTING)
    federation.coordinator.end_training(federation.training, "power cut")
    attempt = federation.coordinator.attempt(federation.key())
    assert (attempt.state, attempt.reason) == (AttemptState.FAILED, "power cut")
    problem = refusal(federation.submit, federation.key(), federation.hospitals[0])
    assert (problem.reason, problem.details["actual"]) == ("WrongState", AttemptState.FAILED)


def test_reason_is_bounded(federation: Federation) -> None:
    problem = refusal(federation.coordinator.end_training, federation.training, "x" * 1025)
    assert (problem.reason, problem.details) == ("TooMany", {"most": 1024, "actual": 1025})


def ruled(parties: Federation, policy: Policy) -> Refused | None:
    """Open the training under another policy of its task; what refuses it."""
    parties.policy = policy
    parties.register()
    try:
        parties.open_training()
    except Refused as refused:
        return refused
    return None


@pytest.mark.parametrize(
    ("policy", "reason", "details"),
    [
        (Policy(allowed=False), "TaskNotAllowed", {"task": b"heart".ljust(32, b"\0")}),
        (Policy(fewest_hospitals=5), "TooFew", {"least": 5, "actual": 4}),
        # Two liars among four nodes cannot be borne: n >= 3 f + 1.
        (Policy(faults=2), "TooFew", {"least": 7, "actual": 4}),
        (Policy(quorum=5), "TooFew", {"least": 5, "actual": 4}),
    ],
)
def test_a_training_that_breaks_the_policy_is_refused(
    embedded_chain: ChainEndpoint, policy: Policy, reason: str, details: dict[str, object]
) -> None:
    parties = Federation(embedded_chain.url)
    problem = ruled(parties, policy)
    assert problem is not None
    assert (problem.reason, problem.details) == (reason, details)
    parties.close()


def test_a_training_keeps_the_policy_that_it_was_opened_by(embedded_chain: ChainEndpoint) -> None:
    parties = Federation(embedded_chain.url)
    rules = Policy(faults=1, quorum=4, fewest_accepted=4, step_blocks=77, most_attempts=2)
    assert ruled(parties, rules) is None
    for one in (parties.coordinator, parties.deputy):
        one.registry.set_policy(parties.task, Policy(allowed=False))
    record = parties.coordinator.training(parties.training)
    assert (record.task, record.quorum, record.fewest_accepted) == ("heart", 4, 4)
    assert (record.step_blocks, record.attempts_left) == (77, 2)
    parties.close()


def test_a_task_without_a_policy_is_not_allowed(parties: Federation) -> None:
    parties.register()
    assert open_with(parties, task="lung").reason == "TaskNotAllowed"
    assert not parties.coordinator.registry.policy("lung").allowed
