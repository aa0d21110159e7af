"""The coordinator's record, on SQLite and on MariaDB: saying it again is harmless."""

from __future__ import annotations

from hashlib import sha256

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.database import Database
from app.models import (
    AttemptRow,
    DeploymentRow,
    EvaluationRow,
    StepRow,
    SubmissionRow,
    TrainingRow,
    VoteRow,
)
from app.stores.rounds import FAILED, FINALISED, NOT_VERIFIED, REFUSED, Rounds
from contracts.records import AttemptKey
from fl.errors import ConflictError
from fl.evaluation import Evaluation
from fl.store import AttemptNote, StepCost, SubmissionNote

TRAINING = sha256(b"training").digest()
KEY = AttemptKey(TRAINING, 1, 1)
SET, RESULT = sha256(b"set").digest(), sha256(b"result").digest()
TRANSACTION = "0x" + "ab" * 32


def note_training(database: Database, training: bytes) -> None:
    """Note a training, and the deployment that it belongs to."""
    with database.transaction() as session:
        deployment = session.scalars(select(DeploymentRow)).one_or_none() or DeploymentRow(
            chain_id=1337, chain_kind="embedded", genesis_hash="0" * 64, contract="0x" + "1" * 40
        )
        session.add(deployment)
        session.flush()
        row = TrainingRow(id=training.hex(), task="heart", network="mlp", seed=2**63 - 1, rounds=2)
        row.plan, row.plan_sha256, row.initial_sha256 = "{}", "0" * 64, "1" * 64
        row.deployment_id = deployment.id
        session.add(row)


@pytest.fixture
def rounds(database: Database) -> Rounds:
    """The record of a training whose first attempt at round 1 began."""
    note_training(database, TRAINING)
    store = Rounds(database, TRAINING)
    store.begin_attempt(KEY)
    return store


def submission(hospital: str, samples: int = 10) -> SubmissionNote:
    return SubmissionNote(hospital, samples, b"\x01" * 32, b"\x02" * 32, TRANSACTION)


def test_an_attempt_begins_once_and_is_found_until_it_ends(
    rounds: Rounds, database: Database
) -> None:
    rounds.begin_attempt(KEY)
    assert rounds.unfinished() == KEY
    note = AttemptNote(True, set_hash=SET, result_hash=RESULT)
    rounds.end_attempt(KEY, note)
    rounds.end_attempt(KEY, note)
    assert rounds.unfinished() is None
    with database.transaction() as session:
        (row,) = session.scalars(select(AttemptRow))
        assert (row.state, row.set_sha256, row.result_sha256) == (
            FINALISED,
            SET.hex(),
            RESULT.hex(),
        )
        assert row.started_at <= row.ended_at


def test_moments_keep_their_microseconds(rounds: Rounds, database: Database) -> None:
    with database.transaction() as session:
        row = session.scalars(select(AttemptRow)).one()
        row.started_at = row.started_at.replace(microsecond=123456)
    with database.transaction() as session:
        assert session.scalars(select(AttemptRow)).one().started_at.microsecond == 123456


def test_a_failed_attempt_keeps_its_reason_and_the_next_one_is_another(rounds: Rounds) -> None:
    second = AttemptKey(TRAINING, 1, 2)
    rounds.end_attempt(KEY, AttemptNote(False, "2 nodes joined, 3 are needed"))
    rounds.begin_attempt(second)
    assert rounds.unfinished() == second
    rounds.keep_message(KEY, "answers", "Node 1", b"first")
    rounds.keep_message(second, "answers", "Node 1", b"second")
    assert rounds.messages(KEY, "answers").get("Node 1") == b"first"
    assert rounds.messages(second, "answers").get("Node 1") == b"second"


def test_trainings_do_not_see_each_other(rounds: Rounds, database: Database) -> None:
    other = sha256(b"another").digest()
    note_training(database, other)
    assert Rounds(database, other).unfinished() is None
    Rounds(database, other).begin_attempt(AttemptKey(other, 1, 1))
    rounds.keep_message(KEY, "answers", "Node 1", b"mine")
    assert (
        Rounds(database, other).messages(AttemptKey(other, 1, 1), "answers").get("Node 1") is None
    )
    assert rounds.unfinished() == KEY


def test_a_message_is_kept_once(rounds: Rounds) -> None:
    # More than the 64 KB that MariaDB's BLOB holds.
    data = bytes(range(256)) * 4096
    assert rounds.messages(KEY, "submission").get("VA Long Beach") is None
    rounds.keep_message(KEY, "submission", "VA Long Beach", data)
    rounds.keep_message(KEY, "submission", "VA Long Beach", data)
    with pytest.raises(ConflictError, match="submission of VA Long Beach"):
        rounds.keep_message(KEY, "submission", "VA Long Beach", data[:-1] + b"\x00")
    assert rounds.messages(KEY, "submission").get("VA Long Beach") == data
    assert rounds.messages(KEY, "answers").get("VA Long Beach") is None
    assert rounds.messages(KEY, "submission").get("Cleveland") is None


def test_a_step_is_noted_with_its_cost(rounds: Rounds, database: Database) -> None:
    assert not rounds.finished(KEY, "open")
    rounds.finish_step(KEY, "open", StepCost(0.5, 8, 3_000_000_000))
    assert rounds.finished(KEY, "open")
    assert not rounds.finished(KEY, "train")
    with pytest.raises(IntegrityError):
        rounds.finish_step(KEY, "open", StepCost(1.5, 9, 1))
    with database.transaction() as session:
        row = session.scalars(select(StepRow)).one()
        assert (row.seconds, row.messages, row.bytes) == (0.5, 8, 3_000_000_000)


def test_submissions_and_votes_are_noted_once(rounds: Rounds, database: Database) -> None:
    for _ in range(2):
        rounds.keep_submission(KEY, submission("Cleveland"))
        rounds.keep_submission(KEY, submission("Hungary"))
        rounds.keep_vote(KEY, "Node 1", RESULT, TRANSACTION)
    with database.transaction() as session:
        kept = session.scalars(select(SubmissionRow).order_by(SubmissionRow.id)).all()
        assert [one.hospital for one in kept] == ["Cleveland", "Hungary"]
        assert (kept[0].share_root, kept[0].update_sha256) == ("01" * 32, "02" * 32)
        (vote,) = session.scalars(select(VoteRow))
        assert (vote.node, vote.result_sha256, vote.transaction) == (
            "Node 1",
            RESULT.hex(),
            TRANSACTION,
        )


def test_the_end_tells_whose_submission_counted(rounds: Rounds, database: Database) -> None:
    for name in ("Cleveland", "Hungary", "Switzerland"):
        rounds.keep_submission(KEY, submission(name))
    note = AttemptNote(
        True,
        set_hash=SET,
        result_hash=RESULT,
        accepted={"Cleveland": 7, "Hungary": 3},
        refused={"Switzerland": "its sharing is inconsistent"},
    )
    rounds.end_attempt(KEY, note)
    with database.transaction() as session:
        told = {
            one.hospital: (one.weight, one.verdict, one.reason)
            for one in session.scalars(select(SubmissionRow))
        }
    assert told == {
        "Cleveland": (7, NOT_VERIFIED, ""),
        "Hungary": (3, NOT_VERIFIED, ""),
        "Switzerland": (None, REFUSED, "its sharing is inconsistent"),
    }


def test_a_fault_is_named_once_with_its_first_reason(rounds: Rounds) -> None:
    assert rounds.faults(KEY) == {}
    rounds.keep_fault(KEY, "Node 2", "check", "withheld its nonce")
    rounds.keep_fault(KEY, "Node 2", "check", "withheld its nonce")
    rounds.keep_fault(KEY, "Node 2", "vote", "is silent")
    rounds.keep_fault(KEY, "Node 3", "vote", "is silent")
    assert rounds.faults(KEY) == {"Node 2": "withheld its nonce", "Node 3": "is silent"}


def test_a_result_lies_under_its_hash(rounds: Rounds) -> None:
    body = b"model" * 100_000
    rounds.keep_result("model", body)
    rounds.keep_result("model", body)
    assert rounds.result(sha256(body).digest()) == body
    assert rounds.result(sha256(b"another").digest()) is None


def test_an_evaluation_is_noted_once(rounds: Rounds, database: Database) -> None:
    found = Evaluation(((5, 1), (2, 8)), ((9, 0), (1, 9)), ((6,), (10,)))
    rounds.keep_evaluation(KEY, "Cleveland", found)
    rounds.keep_evaluation(KEY, "Cleveland", found)
    with database.transaction() as session:
        (row,) = session.scalars(select(EvaluationRow))
        assert row.confusion == [[5, 1], [2, 8]]
        assert (row.train_confusion, row.score_counts) == ([[9, 0], [1, 9]], [[6], [10]])


def test_what_a_hospital_did_not_report_is_not_there(rounds: Rounds, database: Database) -> None:
    rounds.keep_evaluation(KEY, "Cleveland", Evaluation(((5, 1), (2, 8))))
    with database.transaction() as session:
        (row,) = session.scalars(select(EvaluationRow))
        assert (row.train_confusion, row.score_counts) == (None, None)


def test_nothing_is_noted_of_an_attempt_that_never_began(
    rounds: Rounds, database: Database
) -> None:
    stranger = AttemptKey(TRAINING, 2, 1)
    with pytest.raises(ConflictError, match="never began"):
        rounds.keep_message(stranger, "answers", "Node 1", b"x")
    with pytest.raises(ConflictError, match="never began"):
        rounds.end_attempt(stranger, AttemptNote(True))
    assert rounds.messages(stranger, "answers").get("Node 1") is None
    assert not rounds.finished(stranger, "open")


def test_a_transaction_that_fails_leaves_nothing(rounds: Rounds, database: Database) -> None:
    rounds.keep_vote(KEY, "Node 1", RESULT, TRANSACTION)

    def fail_and_vote_twice() -> None:
        with database.transaction() as session:
            attempt = session.scalars(select(AttemptRow)).one()
            attempt.state = FAILED
            session.flush()
            again = VoteRow(attempt_id=attempt.id, node="Node 1", transaction=TRANSACTION)
            again.result_sha256 = SET.hex()
            session.add(again)

    with pytest.raises(IntegrityError):
        fail_and_vote_twice()
    assert rounds.unfinished() == KEY
    with database.transaction() as session:
        assert session.scalars(select(VoteRow)).one().result_sha256 == RESULT.hex()
