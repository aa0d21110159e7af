"""What a training needs to open, and what its end leaves."""

from __future__ import annotations

import pytest

from contracts.chain import ChainEndpoint
from contracts.ledger import AttemptState, NotFound, Refused, Role, TrainingState
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
    assert problem.reason == "WrongRole"
    assert problem.details == {
        "account": parties.nodes[0].account,
        "expected": Role.HOSPITAL,
        "actual": Role.NODE,
    }


def test_stranger_is_no_member(parties: Federation) -> None:
    parties.register()
    nodes = [one.account for one in (*parties.nodes[:3], parties.stranger)]
    problem = open_with(parties, nodes=nodes)
    assert (problem.reason, problem.details["actual"]) == ("WrongRole", Role.NONE)


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
        problem = refusal(ledger.open_training, digest("t"), digest("c"), digest("m"), [], [], 1)
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
