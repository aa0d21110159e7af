"""Submissions, reveals, and the challenge that nobody knows before both are over."""

from __future__ import annotations

from contracts.ledger import (
    AttemptState,
    Standing,
    SubmissionRecord,
    Verdict,
    challenge_digest,
    submissions_root,
)
from tests.contracts.parties import Federation, digest, refusal


def test_submission_is_on_record(federation: Federation) -> None:
    key, hospital = federation.key(), federation.hospitals[1]
    federation.advance(key, AttemptState.SUBMITTING)
    hospital.submit(key, digest("root"), digest("update"), 242)
    record = SubmissionRecord(
        hospital.account, digest("root"), digest("update"), 242, Verdict.NONE, 0
    )
    assert federation.coordinator.submissions(key) == (record,)
    assert federation.coordinator.find_submission(key, hospital.account) == record
    other = federation.hospitals[0].account
    assert federation.coordinator.find_submission(key, other) is None
    assert federation.coordinator.attempt(key).submissions_root == submissions_root([record])


def test_root_covers_the_order_of_submission(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.SUBMITTING)
    for hospital in reversed(federation.hospitals):
        federation.submit(key, hospital)
    records = federation.coordinator.submissions(key)
    assert [one.hospital for one in records] == [
        one.account for one in reversed(federation.hospitals)
    ]
    root = federation.coordinator.attempt(key).submissions_root
    assert root == submissions_root(records)
    assert root != submissions_root(tuple(reversed(records)))


def test_nobody_submits_for_another(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.SUBMITTING)
    victim = federation.hospitals[0].account
    for ledger in (federation.hospitals[1], federation.stranger, federation.coordinator):
        problem = refusal(ledger.submit, key, digest("r"), digest("u"), 1, victim)
        assert problem.reason == "NotYourself"
        assert problem.details == {"hospital": victim, "sender": ledger.account}
    # Not even a repetition of what the hospital itself submitted.
    federation.hospitals[0].submit(key, digest("r"), digest("u"), 1)
    problem = refusal(federation.stranger.submit, key, digest("r"), digest("u"), 1, victim)
    assert problem.reason == "NotYourself"


def test_only_a_hospital_of_the_training_submits(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.SUBMITTING)
    for ledger in (federation.stranger, federation.nodes[0], federation.coordinator):
        problem = refusal(ledger.submit, key, digest("r"), digest("u"), 1)
        assert problem.reason == "NotOfThisTraining"


def test_hospital_submits_once(federation: Federation) -> None:
    key, hospital = federation.key(), federation.hospitals[0]
    federation.advance(key, AttemptState.SUBMITTING)
    hospital.submit(key, digest("r"), digest("u"), 1)
    for again in ((digest("r"), digest("u"), 2), (digest("x"), digest("u"), 1)):
        problem = refusal(hospital.submit, key, *again)
        assert problem.reason == "AlreadySubmitted"
        assert problem.details == {"hospital": hospital.account}
    assert federation.coordinator.attempt(key).submitted == 1


def test_submission_counts_samples(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.SUBMITTING)
    problem = refusal(federation.hospitals[0].submit, key, digest("r"), digest("u"), 0)
    assert problem.reason == "NoSamples"


def test_submission_comes_in_time(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.OPENED)
    early = refusal(federation.submit, key, federation.hospitals[3])
    assert (early.reason, early.details["actual"]) == ("WrongState", AttemptState.OPENED)
    for node in federation.nodes:
        federation.join(key, node)
    federation.coordinator.call_for_submissions(key)
    for hospital in federation.hospitals[:3]:
        federation.submit(key, hospital)
    federation.coordinator.close_submissions(key)
    late = refusal(federation.submit, key, federation.hospitals[3])
    assert late.reason == "WrongState"
    assert late.details == {"expected": AttemptState.SUBMITTING, "actual": AttemptState.REVEALING}


def test_submissions_close_with_three(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.SUBMITTING)
    for hospital in federation.hospitals[:2]:
        federation.submit(key, hospital)
    problem = refusal(federation.coordinator.close_submissions, key)
    assert (problem.reason, problem.details) == ("TooFew", {"least": 3, "actual": 2})


def test_nonce_matches_its_commitment(federation: Federation) -> None:
    key, node = federation.key(), federation.nodes[0]
    federation.advance(key, AttemptState.REVEALING)
    for wrong in (digest("another"), bytes(32), federation.nonce(key, federation.nodes[1])):
        problem = refusal(node.reveal, key, wrong)
        assert (problem.reason, problem.details["node"]) == ("WrongNonce", node.account)
    node.reveal(key, federation.nonce(key, node))
    seat = federation.coordinator.find_join(key, node.account)
    assert seat is not None
    assert seat.nonce == federation.nonce(key, node)


def test_only_a_seated_node_reveals_and_in_time(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.SUBMITTING)
    node = federation.nodes[0]
    early = refusal(node.reveal, key, federation.nonce(key, node))
    assert early.reason == "WrongState"
    for hospital in federation.hospitals:
        federation.submit(key, hospital)
    federation.coordinator.close_submissions(key)
    for ledger in (federation.stranger, federation.hospitals[0]):
        problem = refusal(ledger.reveal, key, federation.nonce(key, node))
        assert problem.reason == "NotIn"
        assert problem.details == {"node": ledger.account, "standing": Standing.ABSENT}


def test_challenge_covers_the_revealed_nonces(federation: Federation) -> None:
    key = federation.key()
    federation.advance(key, AttemptState.REVEALING)
    revealed = [federation.nodes[i] for i in (0, 1, 3)]
    for node in revealed[:2]:
        node.reveal(key, federation.nonce(key, node))
    problem = refusal(federation.coordinator.close_reveals, key)
    assert (problem.reason, problem.details) == ("TooFew", {"least": 3, "actual": 2})
    revealed[2].reveal(key, federation.nonce(key, revealed[2]))
    federation.coordinator.close_reveals(key)
    record = federation.coordinator.attempt(key)
    nonces = [
        federation.nonce(key, node) if node in revealed else None for node in federation.nodes
    ]
    assert record.state is AttemptState.CHECKING
    assert record.challenge == challenge_digest(
        federation.coordinator.chain_id,
        federation.coordinator.contract,
        key,
        record.submissions_root,
        nonces,
    )
    withheld = federation.coordinator.find_join(key, federation.nodes[2].account)
    assert withheld is not None
    assert withheld.standing is Standing.WITHHELD
    late = refusal(federation.nodes[2].reveal, key, federation.nonce(key, federation.nodes[2]))
    assert late.reason == "WrongState"
    problem = refusal(federation.nodes[2].agree, key, digest("set"), True)
    assert problem.reason == "NotIn"
