"""The coordinator's record of one training, in the database. Implements `fl.store.RoundStore`.

Every method is one transaction, committed when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import (
    AttemptRow,
    EvaluationRow,
    FaultRow,
    MessageRow,
    ResultRow,
    StepRow,
    SubmissionRow,
    VoteRow,
)
from app.models.base import NAME, now
from contracts.records import AttemptKey
from fl.errors import ConflictError
from fl.evaluation import Counts, Evaluation
from fl.outcome import review_purpose
from fl.stopping import Reports
from fl.store import AttemptNote, StepCost, SubmissionNote

Row = TypeVar("Row", EvaluationRow, MessageRow, StepRow, SubmissionRow, VoteRow)

OPEN = "open"
FINALISED = "finalised"
FAILED = "failed"

# What a submission's record says. Not verified: the plan has no review, or the round is not one
# in which models are tested.
ACCEPTED = "accepted"
NOT_VERIFIED = "not verified"
REJECTED = "rejected"
REFUSED = "refused"


# Transactions sent so far, and the seconds that they took, as in `Ledger.traffic`.
Traffic = Callable[[], tuple[int, float]]


class Rounds:
    """The rounds of the training with this identifier (32 bytes).

    With `traffic`, a step's transactions are noted beside its cost.
    """

    def __init__(self, database: Database, training: bytes, traffic: Traffic | None = None) -> None:
        self._database = database
        self._training = training
        self._traffic = traffic
        self._counted = traffic() if traffic else (0, 0.0)

    def begin_attempt(self, key: AttemptKey) -> None:
        """Note that the attempt is about to be opened; again is harmless."""
        with self._database.transaction() as session:
            if _find_attempt(session, key) is None:
                session.add(
                    AttemptRow(training_id=key.training.hex(), round=key.round, number=key.attempt)
                )

    def end_attempt(self, key: AttemptKey, note: AttemptNote) -> None:
        """Note how the attempt ended."""
        with self._database.transaction() as session:
            row = _get_attempt(session, key)
            row.state = FINALISED if note.finalised else FAILED
            row.reason = note.reason
            row.set_sha256 = _hex(note.set_hash)
            row.result_sha256 = _hex(note.result_hash)
            row.ended_at = now()
            row.kept = note.kept
            row.norm_bound = note.norm_bound
            row.review = _review(note)
            for submission in row.submissions:
                _judge(submission, note)

    def unfinished(self) -> AttemptKey | None:
        """The training's attempt that began and did not end, if any."""
        with self._database.transaction() as session:
            query = select(AttemptRow.round, AttemptRow.number).where(
                AttemptRow.training_id == self._training.hex(), AttemptRow.state == OPEN
            )
            found = session.execute(query).first()
        return AttemptKey(self._training, *found) if found else None

    def messages(self, key: AttemptKey, kind: str) -> dict[str, bytes]:
        """The stored messages of a kind, by their senders."""
        query = (
            select(MessageRow.sender, MessageRow.body)
            .join(AttemptRow)
            .where(
                AttemptRow.training_id == key.training.hex(),
                AttemptRow.round == key.round,
                AttemptRow.number == key.attempt,
                MessageRow.kind == kind,
            )
        )
        with self._database.transaction() as session:
            return {row.sender: row.body for row in session.execute(query)}

    def keep_message(self, key: AttemptKey, kind: str, sender: str, data: bytes) -> None:
        """Store a message once. Raises ConflictError when another is stored in its place."""
        digest = sha256(data).hexdigest()
        with self._database.transaction() as session:
            row = _find(session, MessageRow, key, kind=kind, sender=sender)
            if row is None:
                attempt = _get_attempt(session, key)
                session.add(
                    MessageRow(
                        attempt_id=attempt.id,
                        kind=kind,
                        sender=sender,
                        body=data,
                        body_sha256=digest,
                    )
                )
            elif row.body_sha256 != digest:
                raise ConflictError(f"{kind} of {sender}")

    def sessions(self, key: AttemptKey) -> list[int]:
        """The numbers of the review's sessions that left a stored message."""
        prefix = review_purpose(0).removesuffix("0")
        with self._database.transaction() as session:
            attempt = _get_attempt(session, key)
            query = select(MessageRow.kind).where(
                MessageRow.attempt_id == attempt.id, MessageRow.kind.startswith(prefix)
            )
            return sorted({int(kind.removeprefix(prefix)) for kind in session.scalars(query)})

    def finished(self, key: AttemptKey, step: str) -> bool:
        """Whether the step was finished before."""
        with self._database.transaction() as session:
            return _find(session, StepRow, key, name=step) is not None

    def finish_step(self, key: AttemptKey, step: str, cost: StepCost) -> None:
        """Note a finished step and what it cost."""
        transactions, seconds = self._transactions()
        with self._database.transaction() as session:
            attempt = _get_attempt(session, key)
            session.add(
                StepRow(
                    attempt_id=attempt.id,
                    name=step,
                    seconds=cost.seconds,
                    messages=cost.messages,
                    bytes=cost.bytes,
                    transactions=transactions,
                    transaction_seconds=seconds,
                )
            )

    def keep_submission(self, key: AttemptKey, note: SubmissionNote) -> None:
        """Note a submission that stands on the ledger; again is harmless."""
        with self._database.transaction() as session:
            if _find(session, SubmissionRow, key, hospital=note.hospital) is None:
                session.add(
                    SubmissionRow(
                        attempt_id=_get_attempt(session, key).id,
                        hospital=note.hospital,
                        samples=note.samples,
                        share_root=note.share_root.hex(),
                        update_sha256=note.update_hash.hex(),
                        transaction=note.transaction,
                    )
                )

    def keep_vote(self, key: AttemptKey, node: str, result: bytes, transaction: str) -> None:
        """Note a vote that stands on the ledger; again is harmless."""
        with self._database.transaction() as session:
            if _find(session, VoteRow, key, node=node) is None:
                session.add(
                    VoteRow(
                        attempt_id=_get_attempt(session, key).id,
                        node=node,
                        result_sha256=result.hex(),
                        transaction=transaction,
                    )
                )

    def keep_fault(
        self, key: AttemptKey, party: str, step: str, reason: str, kind: str = ""
    ) -> None:
        """Name a party that did not do its part; the same again is harmless."""
        with self._database.transaction() as session:
            attempt = _get_attempt(session, key)
            known = {(fault.party, fault.step, fault.reason) for fault in attempt.faults}
            if (party, step, reason) not in known:
                row = FaultRow(attempt_id=attempt.id, party=party, step=step, reason=reason)
                row.kind = kind[:NAME]
                session.add(row)

    def faults(self, key: AttemptKey) -> Mapping[str, str]:
        """The parties named so far, each with the first reason."""
        with self._database.transaction() as session:
            attempt = _get_attempt(session, key)
            return {fault.party: fault.reason for fault in reversed(attempt.faults)}

    def keep_result(self, kind: str, data: bytes) -> None:
        """Store a result under the SHA-256 of its bytes; again is harmless."""
        digest = sha256(data).hexdigest()
        with self._database.transaction() as session:
            if session.get(ResultRow, digest) is None:
                session.add(ResultRow(sha256=digest, kind=kind, body=data))

    def result(self, digest: bytes) -> bytes | None:
        """The stored result with this SHA-256, or None."""
        with self._database.transaction() as session:
            row = session.get(ResultRow, digest.hex())
            return row.body if row else None

    def keep_evaluation(self, key: AttemptKey, hospital: str, found: Evaluation) -> None:
        """Note how the round's model does on a hospital's rows; again is harmless."""
        with self._database.transaction() as session:
            if _find(session, EvaluationRow, key, hospital=hospital) is None:
                attempt = _get_attempt(session, key)
                session.add(
                    EvaluationRow(
                        attempt_id=attempt.id,
                        hospital=hospital,
                        confusion=_lists(found.test),
                        train_confusion=_lists(found.train),
                        score_counts=_lists(found.scores),
                    )
                )

    def reports(self) -> Reports:
        """What was noted of the models of finalised rounds."""
        with self._database.transaction() as session:
            query = (
                select(AttemptRow.round, EvaluationRow.confusion)
                .join(AttemptRow, AttemptRow.id == EvaluationRow.attempt_id)
                .where(AttemptRow.training_id == self._training.hex())
                .where(AttemptRow.state == FINALISED)
            )
            found: dict[int, list[list[list[int]]]] = {}
            for number, confusion in session.execute(query):
                found.setdefault(number, []).append(confusion)
            return found

    def _transactions(self) -> tuple[int | None, float | None]:
        """How many were sent since the last step, and how long they took."""
        if self._traffic is None:
            return None, None
        before, self._counted = self._counted, self._traffic()
        return self._counted[0] - before[0], self._counted[1] - before[1]


def _find_attempt(session: Session, key: AttemptKey) -> AttemptRow | None:
    query = select(AttemptRow).filter_by(
        training_id=key.training.hex(), round=key.round, number=key.attempt
    )
    return session.scalars(query).one_or_none()


def _get_attempt(session: Session, key: AttemptKey) -> AttemptRow:
    row = _find_attempt(session, key)
    if row is None:
        raise ConflictError(f"attempt {key.attempt} of round {key.round}, which never began")
    return row


def _find(session: Session, table: type[Row], key: AttemptKey, **columns: str) -> Row | None:
    attempt = _find_attempt(session, key)
    if attempt is None:
        return None
    query = select(table).filter_by(attempt_id=attempt.id, **columns)
    return session.scalars(query).one_or_none()


def _judge(submission: SubmissionRow, note: AttemptNote) -> None:
    name = submission.hospital
    submission.weight = note.accepted.get(name)
    if name in note.refused:
        submission.verdict, submission.reason = REFUSED, note.refused[name]
    elif name in note.rejected:
        submission.verdict, submission.reason = REJECTED, note.rejected[name]
    elif note.reviewed and name in note.accepted:
        submission.verdict, submission.reason = ACCEPTED, note.excused.get(name, "")
    else:
        submission.verdict, submission.reason = NOT_VERIFIED, ""
    if (finding := note.findings.get(name)) is not None:
        submission.balanced_accuracy = finding.balanced_accuracy
        submission.reference = finding.reference
        submission.bits = int(finding.bits)


def _review(note: AttemptNote) -> dict[str, Any] | None:
    if not note.reviewed:
        return None
    return {
        "committee": list(note.committee),
        "flagged": list(note.flagged),
        "slices": {donor: list(sizes) for donor, sizes in note.slices.items()},
        "signers": dict(note.signers),
    }


def _lists(counts: Counts | None) -> list[list[int]] | None:
    return None if counts is None else [list(row) for row in counts]


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
