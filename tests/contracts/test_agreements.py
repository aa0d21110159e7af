"""The agreed set, the lock, the votes, and the model that they finalise."""

from __future__ import annotations

import pytest

from contracts.ledger import (
    AttemptState,
    Dispute,
    Refused,
    Standing,
    Verdict,
    Vote,
    set_digest,
)
from tests.contracts.parties import Federation, digest, refusal


def test_quorum_of_equal_signatures_locks_the_round(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    chosen = set_digest(key, federation.agreed_set(key))
    for node in federation.nodes[:2]:
        node.agree(key, chosen, True)
    federation.nodes[2].agree(key, digest("another"), True)
    record = federation.coordinator.attempt(key)
    assert (record.state, record.agreed_hash, record.locked) == (
        AttemptState.CHECKING,
        None,
        False,
    )
    federation.nodes[3].agree(key, chosen, True)
    record = federation.coordinator.attempt(key)
    assert (record.state, record.agreed_hash, record.opens, record.locked) == (
        AttemptState.AGREED,
        chosen,
        True,
        True,
    )


def test_hash_and_opening_must_both_be_equal(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    chosen = set_digest(key, federation.agreed_set(key))
    for node, opens in zip(federation.nodes, (True, True, False), strict=False):
        node.agree(key, chosen, opens)
    assert federation.coordinator.attempt(key).state is AttemptState.CHECKING
    federation.nodes[3].agree(key, chosen, True)
    assert federation.coordinator.attempt(key).opens


def test_node_signs_one_set(federation: Federation) -> None:
    key, node = federation.key(), federation.nodes[0]
    federation.advance(key, AttemptState.CHECKING)
    node.agree(key, digest("set"), True)
    for again in ((digest("another"), True), (digest("set"), False)):
        problem = refusal(node.agree, key, *again)
        assert (problem.reason, problem.details) == ("AlreadyAgreed", {"node": node.account})


def test_late_signature_is_recorded(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.AGREED)
    federation.nodes[3].agree(key, digest("another"), True)
    seat = federation.coordinator.find_join(key, federation.nodes[3].account)
    assert seat is not None
    assert seat.agreed == (digest("another"), True)
    record = federation.coordinator.attempt(key)
    assert record.agreed_hash == set_digest(key, federation.agreed_set(key))


def test_only_a_seated_node_signs_and_in_time(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.REVEALING)
    assert refusal(federation.nodes[0].agree, key, digest("s"), True).reason == "WrongState"
    for node in federation.nodes:
        node.reveal(key, federation.nonce(key, node))
    federation.coordinator.close_reveals(key)
    for ledger in (federation.stranger, federation.hospitals[0], federation.coordinator):
        assert refusal(ledger.agree, key, digest("s"), True).reason == "NotIn"


def test_published_set_is_on_record(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    accounts = [one.account for one in federation.hospitals]
    agreed = federation.agreed_set(
        key,
        accepted=tuple(accounts[:3]),
        weights=(7, 8, 9),
        refused=(accounts[3],),
        left_out=(federation.nodes[3].account,),
        disputes=(Dispute(accounts[3], federation.nodes[3].account),),
    )
    federation.agree(key, agreed)
    federation.stranger.publish_set(key, agreed)
    records = federation.coordinator.submissions(key)
    assert [(one.verdict, one.weight) for one in records] == [
        (Verdict.ACCEPTED, 7),
        (Verdict.ACCEPTED, 8),
        (Verdict.ACCEPTED, 9),
        (Verdict.REFUSED, 0),
    ]
    seat = federation.coordinator.find_join(key, federation.nodes[3].account)
    assert seat is not None
    assert seat.standing is Standing.LEFT_OUT
    (disputed,) = [one for one in federation.coordinator.events() if one.name == "Disputed"]
    assert (disputed.values["hospital"], disputed.values["node"]) == (
        accounts[3],
        federation.nodes[3].account,
    )
    assert federation.coordinator.attempt(key).state is AttemptState.VOTING
    assert refusal(federation.nodes[3].vote, key, digest("result")).reason == "NotIn"


def test_only_the_agreed_set_is_published(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    agreed = federation.agreed_set(key)
    assert refusal(federation.nodes[0].publish_set, key, agreed).reason == "WrongState"
    federation.agree(key, agreed)
    other = federation.agreed_set(key, weights=(1, 1, 1, 1))
    problem = refusal(federation.nodes[0].publish_set, key, other)
    assert problem.reason == "WrongSet"
    assert problem.details == {
        "expected": set_digest(key, agreed),
        "actual": set_digest(key, other),
    }


def publish(federation: Federation, **changes: object) -> Refused:
    """Let a quorum sign a set that breaks a rule; the contract holds the rule all the same."""
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    agreed = federation.agreed_set(key, **changes)
    federation.agree(key, agreed)
    return refusal(federation.nodes[0].publish_set, key, agreed)


def test_set_is_of_these_submissions(federation: Federation) -> None:
    problem = publish(federation, submissions_root=digest("another"))
    assert (problem.reason, problem.details["actual"]) == ("WrongRoot", digest("another"))


def test_sum_of_two_is_never_published(federation: Federation) -> None:
    two = tuple(one.account for one in federation.hospitals[:2])
    problem = publish(federation, accepted=two, weights=(1, 1))
    assert (problem.reason, problem.details) == ("TooFew", {"least": 3, "actual": 2})


def test_accepted_must_have_submitted(federation: Federation) -> None:
    accounts = [one.account for one in (*federation.hospitals[:3], federation.stranger)]
    problem = publish(federation, accepted=tuple(accounts), weights=(1, 1, 1, 1))
    assert (problem.reason, problem.details) == ("NotSubmitted", {"hospital": accounts[3]})


def test_hospital_is_judged_once(federation: Federation) -> None:
    account = federation.hospitals[0].account
    problem = publish(federation, refused=(account,))
    assert (problem.reason, problem.details) == ("Twice", {"account": account})


@pytest.mark.parametrize("swapped", [False, True])
def test_dispute_names_a_hospital_and_a_node(federation: Federation, swapped: bool) -> None:
    hospital, node = federation.hospitals[0].account, federation.stranger.account
    dispute = Dispute(federation.nodes[0].account, hospital) if swapped else Dispute(hospital, node)
    assert publish(federation, disputes=(dispute,)).reason == "NotOfThisTraining"


def test_set_that_opens_nothing_ends_the_attempt_unlocked(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    agreed = federation.agreed_set(
        key, opens=False, accepted=(), weights=(), reason="too many disputes"
    )
    federation.agree(key, agreed)
    assert not federation.coordinator.attempt(key).locked
    federation.nodes[0].publish_set(key, agreed)
    record = federation.coordinator.attempt(key)
    assert (record.state, record.reason) == (AttemptState.FAILED, "too many disputes")
    federation.advance(federation.key(0, 2), AttemptState.OPENED)


def test_quorum_of_votes_finalises(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.VOTING)
    federation.nodes[0].vote(key, digest("right"))
    federation.nodes[1].vote(key, digest("wrong"))
    federation.nodes[2].vote(key, digest("right"))
    assert federation.coordinator.attempt(key).state is AttemptState.VOTING
    federation.nodes[3].vote(key, digest("right"))
    record = federation.coordinator.attempt(key)
    assert (record.state, record.result_hash) == (AttemptState.FINALISED, digest("right"))
    assert federation.coordinator.votes(key) == tuple(
        Vote(node.account, digest(name))
        for node, name in zip(federation.nodes, ("right", "wrong", "right", "right"), strict=True)
    )
    training = federation.coordinator.training(federation.training)
    assert (training.statistics, training.model) == (digest("right"), federation.model)
    assert training.next_round == 1


def test_vote_after_the_quorum_is_recorded(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.FINALISED, digest("right"))
    federation.nodes[3].vote(key, digest("wrong"))
    assert federation.coordinator.attempt(key).result_hash == digest("right")
    assert federation.coordinator.votes(key)[3].result_hash == digest("wrong")


def test_node_votes_once_and_in_time(federation: Federation) -> None:
    key, node = federation.key(), federation.nodes[0]
    federation.advance(key, AttemptState.AGREED)
    assert refusal(node.vote, key, digest("right")).reason == "WrongState"
    node.publish_set(key, federation.agreed_set(key))
    node.vote(key, digest("right"))
    problem = refusal(node.vote, key, digest("wrong"))
    assert (problem.reason, problem.details) == ("AlreadyVoted", {"node": node.account})
    for ledger in (federation.stranger, federation.hospitals[0], federation.coordinator):
        assert refusal(ledger.vote, key, digest("right")).reason == "NotIn"


def test_rounds_carry_the_model_on(federation: Federation) -> None:
    federation.advance(federation.key(0), AttemptState.FINALISED, digest("statistics"))
    federation.advance(federation.key(1), AttemptState.FINALISED, digest("model 1"))
    training = federation.coordinator.training(federation.training)
    assert (training.statistics, training.model) == (digest("statistics"), digest("model 1"))
    assert training.next_round == 2
    stale = refusal(federation.coordinator.open_attempt, federation.key(2), federation.model)
    assert stale.reason == "WrongModel"
    again = refusal(federation.coordinator.open_attempt, federation.key(1, 2), digest("model 1"))
    assert (again.reason, again.details) == ("WrongRound", {"expected": 2, "actual": 1})
    federation.coordinator.open_attempt(federation.key(2), digest("model 1"))


def test_votes_for_the_empty_hash_do_not_exist(federation: Federation) -> None:
    federation.advance(federation.key(), AttemptState.VOTING)
    assert refusal(federation.nodes[0].vote, federation.key(), bytes(32)).reason == "EmptyHash"
