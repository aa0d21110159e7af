"""When an attempt may open, who takes a seat in it, and how it is given up."""

from __future__ import annotations

import pytest

from contracts.ledger import (
    AttemptKey,
    AttemptState,
    NotFound,
    Standing,
    nonce_commitment,
)
from tests.contracts.parties import Federation, digest, point, refusal


def test_attempt_opens_on_the_model(federation: Federation) -> None:
    federation.coordinator.open_attempt(federation.key(), federation.model)
    record = federation.stranger.attempt(federation.key())
    assert (record.state, record.model_in) == (AttemptState.OPENED, federation.model)
    assert (record.submissions_root, record.challenge) == (bytes(32), None)
    assert federation.coordinator.round(federation.training, 0).attempts == 1


def test_unopened_attempt_is_not_found(federation: Federation) -> None:
    with pytest.raises(NotFound):
        federation.coordinator.attempt(federation.key())


def test_only_the_coordinator_opens_calls_closes_and_fails(federation: Federation) -> None:
    key = federation.key()
    for ledger in (federation.stranger, federation.hospitals[0], federation.nodes[0]):
        calls = (
            lambda one=ledger: one.open_attempt(key, federation.model),
            lambda one=ledger: one.call_for_submissions(key),
            lambda one=ledger: one.close_submissions(key),
            lambda one=ledger: one.close_reveals(key),
            lambda one=ledger: one.fail(key, "no"),
        )
        for call in calls:
            problem = refusal(call)
            assert (problem.reason, problem.details) == (
                "NotCoordinator",
                {"sender": ledger.account},
            )


@pytest.mark.parametrize(
    ("round_number", "attempt", "reason"), [(1, 1, "WrongRound"), (0, 2, "WrongAttempt")]
)
def test_attempts_follow_each_other(
    federation: Federation, round_number: int, attempt: int, reason: str
) -> None:
    key = federation.key(round_number, attempt)
    assert refusal(federation.coordinator.open_attempt, key, federation.model).reason == reason


def test_attempt_waits_for_the_failure_of_the_last(federation: Federation) -> None:
    first, second = federation.key(0, 1), federation.key(0, 2)
    federation.coordinator.open_attempt(first, federation.model)
    problem = refusal(federation.coordinator.open_attempt, second, federation.model)
    assert problem.reason == "WrongState"
    assert problem.details == {"expected": AttemptState.FAILED, "actual": AttemptState.OPENED}
    federation.coordinator.fail(first, "nobody came")
    assert federation.coordinator.attempt(first).reason == "nobody came"
    federation.coordinator.open_attempt(second, federation.model)
    assert federation.coordinator.round(federation.training, 0).attempts == 2


def test_attempt_starts_from_the_current_model(federation: Federation) -> None:
    problem = refusal(federation.coordinator.open_attempt, federation.key(), digest("another"))
    assert problem.reason == "WrongModel"
    assert problem.details == {"expected": federation.model, "actual": digest("another")}


def test_attempt_of_an_unknown_training(federation: Federation) -> None:
    key = AttemptKey(digest("another"), 0, 1)
    problem = refusal(federation.coordinator.open_attempt, key, federation.model)
    assert problem.reason == "TrainingNotOpen"


def test_node_joins(federation: Federation) -> None:
    key, node = federation.key(), federation.nodes[2]
    federation.coordinator.open_attempt(key, federation.model)
    commitment = nonce_commitment(key, node.account, digest("nonce"))
    node.join(key, commitment, point("receiving"))
    (seat,) = federation.coordinator.joins(key)
    assert (seat.node, seat.standing) == (node.account, Standing.IN)
    assert (seat.nonce_commitment, seat.receiving_key) == (commitment, point("receiving"))
    assert (seat.nonce, seat.agreed, seat.vote) == (None, None, None)
    assert federation.coordinator.find_join(key, node.account) == seat
    assert federation.coordinator.find_join(key, federation.nodes[0].account) is None


def test_only_a_node_of_the_training_joins(federation: Federation) -> None:
    key = federation.key()
    federation.coordinator.open_attempt(key, federation.model)
    for ledger in (federation.stranger, federation.hospitals[0], federation.coordinator):
        problem = refusal(ledger.join, key, digest("c"), point("r"))
        assert (problem.reason, problem.details) == (
            "NotOfThisTraining",
            {"account": ledger.account},
        )


def test_node_joins_once(federation: Federation) -> None:
    key, node = federation.key(), federation.nodes[0]
    federation.coordinator.open_attempt(key, federation.model)
    node.join(key, digest("c"), point("r"))
    problem = refusal(node.join, key, digest("another"), point("r"))
    assert (problem.reason, problem.details) == ("AlreadyJoined", {"node": node.account})


def test_node_joins_before_the_call_only(federation: Federation) -> None:
    key = federation.key()
    assert refusal(federation.join, key, federation.nodes[0]).reason == "WrongState"
    federation.coordinator.open_attempt(key, federation.model)
    for node in federation.nodes[:3]:
        federation.join(key, node)
    federation.coordinator.call_for_submissions(key)
    problem = refusal(federation.join, key, federation.nodes[3])
    assert problem.reason == "WrongState"
    assert problem.details == {"expected": AttemptState.OPENED, "actual": AttemptState.SUBMITTING}


def test_call_needs_a_quorum_and_names_who_is_absent(federation: Federation) -> None:
    key = federation.key()
    federation.coordinator.open_attempt(key, federation.model)
    for node in federation.nodes[:2]:
        federation.join(key, node)
    problem = refusal(federation.coordinator.call_for_submissions, key)
    assert (problem.reason, problem.details) == ("TooFew", {"least": 3, "actual": 2})
    federation.join(key, federation.nodes[3])
    federation.coordinator.call_for_submissions(key)
    named = [one for one in federation.coordinator.events() if one.name == "NodeLeftOut"]
    assert [one.values["node"] for one in named] == [federation.nodes[2].account]
    assert named[0].values["why"] is Standing.NOT_JOINED
    assert named[0].key == key


@pytest.mark.parametrize("state", [s for s in AttemptState if s not in (0, 7, 8)])
def test_attempt_can_be_given_up_at_any_step(federation: Federation, state: AttemptState) -> None:
    key = federation.key()
    federation.advance(key, state)
    federation.coordinator.fail(key, "power cut")
    record = federation.coordinator.attempt(key)
    assert (record.state, record.reason) == (AttemptState.FAILED, "power cut")
    again = federation.key(0, 2)
    if state >= AttemptState.AGREED:
        problem = refusal(federation.coordinator.open_attempt, again, federation.model)
        assert (problem.reason, problem.details) == ("RoundLocked", {"round": 0})
    else:
        federation.coordinator.open_attempt(again, federation.model)
        assert not federation.coordinator.attempt(again).locked


@pytest.mark.parametrize("state", [AttemptState.FINALISED, AttemptState.FAILED])
def test_finished_attempt_is_not_given_up(federation: Federation, state: AttemptState) -> None:
    key = federation.key()
    if state is AttemptState.FAILED:
        federation.advance(key, AttemptState.OPENED)
        federation.coordinator.fail(key, "first")
    else:
        federation.advance(key, state)
    problem = refusal(federation.coordinator.fail, key, "second")
    assert (problem.reason, problem.details["actual"]) == ("WrongState", state)
