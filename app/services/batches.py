"""Predictions for a file of patients: it waits sealed to the doctor, and is answered in pieces.

Only the open key of the doctor who sent it reads it, so nothing is computed while nobody has the
page open: the browser asks for one piece after the other, and whatever was answered stays. All
answers of a batch are of one model. When another one is put into use before the end, it begins
anew: answers of two models side by side could not be compared.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import BatchPieceRow, BatchRow, UserRow
from app.models.base import now
from app.services.audit import SYSTEM, AuditLog
from app.services.batch_answers import Tell, answer_rows
from app.services.batch_sealing import (
    About,
    Answers,
    Row,
    RowAnswer,
    open_about,
    open_answers,
    open_rows,
    seal_about,
    seal_answers,
    seal_rows,
)
from app.services.open_keys import OpenKey
from app.services.predictions import Predictions

PIECE: Final = 100
MOST_BATCHES: Final = 20
KEPT_FOR: Final = timedelta(days=7)
# Not asked for yet; under way; answered.
CHECKED, RUNNING, DONE = "checked", "running", "done"

_GONE: Final = "This file is not there any more: it was deleted, or its time was over."
_IDENTIFIER_BYTES: Final = 32


@dataclass(frozen=True)
class Batch:
    """A batch as the database shows it, without opening anything; `answered` counts rows."""

    id: str
    task: str
    rows: int
    answered: int
    unusual: bool
    model_sha256: str | None
    made_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    until: datetime

    @property
    def state(self) -> str:
        """CHECKED, RUNNING or DONE."""
        if self.started_at is None:
            return CHECKED
        return RUNNING if self.ended_at is None else DONE


@dataclass(frozen=True)
class Answered:
    """The rows of a finished batch with their answers, None for those that were left out."""

    version: str
    model_sha256: str
    rows: tuple[tuple[Row, RowAnswer | None], ...]


class Batches:
    """The batches of one database; each is its doctor's alone."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        predictions: Predictions,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._audit = audit
        self._predictions = predictions
        self._clock = clock

    def mine(self, doctor: UserRow) -> list[Batch]:
        """The doctor's batches, the newest first."""
        query = select(BatchRow).filter_by(user_id=doctor.id)
        with self._database.transaction() as session:
            rows = session.scalars(
                query.where(BatchRow.until > self._clock()).order_by(BatchRow.made_at.desc())
            )
            return [_shown(session, row) for row in rows.all()]

    def find(self, doctor: UserRow, identifier: str) -> Batch | None:
        """The doctor's batch, or None: also for somebody else's."""
        with self._database.transaction() as session:
            row = self._find(session, doctor, identifier)
            return None if row is None else _shown(session, row)

    def add(
        self, doctor: UserRow, key: OpenKey, task: str, about: About, rows: Sequence[Row]
    ) -> str:
        """Seal what was read of a file; its identifier.

        One without a row that can be predicted tells what is wrong with its rows. Raises
        RequestError when too many batches wait already.
        """
        identifier, made = secrets.token_hex(_IDENTIFIER_BYTES), self._clock()
        row = BatchRow(
            id=identifier,
            user_id=doctor.id,
            key_id=key.number,
            task=task,
            rows=len(rows),
            unusual=False,
            made_at=made,
            until=made + KEPT_FOR,
        )
        row.about = seal_about(key, row, about)
        with self._database.transaction() as session:
            if _count(session, doctor) >= MOST_BATCHES:
                raise RequestError(
                    f"You have {MOST_BATCHES} files here already: delete one that you need no more."
                )
            session.add(row)
            session.flush()
            for number, start in enumerate(range(0, len(rows), PIECE)):
                piece = tuple(rows[start : start + PIECE])
                sealed = seal_rows(key, row, number, piece)
                session.add(
                    BatchPieceRow(
                        batch_id=identifier, number=number, rows=len(piece), sealed=sealed
                    )
                )
            session.flush()
            self._note(session, doctor, "batch.uploaded", row)
        return identifier

    def about(self, doctor: UserRow, key: OpenKey, identifier: str) -> About:
        """How the file was read. Raises RequestError."""
        with self._database.transaction() as session:
            return open_about(key, self._get(session, doctor, identifier))

    def doubtful(self, doctor: UserRow, key: OpenKey, identifier: str, most: int) -> list[Row]:
        """The first rows with values that are not plausible. Raises RequestError."""
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier)
            pieces = session.scalars(_pieces(identifier)).all()
        rows = (one for piece in pieces for one in open_rows(key, row, piece) if one.doubts)
        return list(islice(rows, most))

    def start(self, doctor: UserRow, identifier: str, with_unusual: bool) -> None:
        """Have the rows predicted, from the first on, also those of a finished batch once more.

        Rows with values that are not plausible only `with_unusual`. Raises RequestError.
        """
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier, lock=True)
            if not row.rows:
                raise RequestError("No row of this file can be predicted.")
            _forget_answers(session, row)
            row.unusual, row.started_at = with_unusual, self._clock()
            session.flush()
            self._note(session, doctor, "batch.started", row)

    def advance(self, doctor: UserRow, key: OpenKey, identifier: str, tell: Tell) -> bool:
        """Answer the next piece of a running batch; whether it began anew with another model.

        Raises RequestError, and ModelRefused with the check that failed: nothing is lost then.
        """
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier)
        if row.started_at is None or row.ended_at is not None:
            return False
        model = self._predictions.load(row.task)
        used = model.check.model_sha256
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier, lock=True)
            anew = row.model_sha256 not in (None, used)
            if anew:
                _forget_answers(session, row)
            row.model_sha256 = used
            session.flush()
            if anew:
                self._note(session, doctor, "batch.begun_anew", row)
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier)
            piece = session.scalars(_unanswered(identifier)).first()
            if open_about(key, row).columns != tuple(c.name for c in model.plan.data.columns):
                raise RequestError("The question's columns have changed: upload the file again.")
            rows = () if piece is None else open_rows(key, row, piece)
        answers = answer_rows(model, rows, row.unusual, tell)
        self._keep(doctor, key, row, piece, answers)
        return anew

    def answered(self, doctor: UserRow, key: OpenKey, identifier: str) -> Answered:
        """All answers of a finished batch. Raises RequestError."""
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier)
            pieces = session.scalars(_pieces(identifier)).all()
        told = [(open_rows(key, row, one), open_answers(key, row, one)) for one in pieces]
        found = [answers for _, answers in told if answers is not None]
        if row.ended_at is None or len(found) != len(told) or not told:
            raise RequestError("Not every row has its answer yet.")
        both = [
            pair
            for rows, answers in told
            if answers is not None
            for pair in zip(rows, answers.rows, strict=True)
        ]
        return Answered(found[0].version, found[0].model_sha256, tuple(both))

    def delete(self, doctor: UserRow, identifier: str) -> None:
        """Erase a batch with all that came of it. Raises RequestError where there is none."""
        with self._database.transaction() as session:
            row = self._get(session, doctor, identifier)
            _erase(session, row)
            self._note(session, doctor, "batch.deleted", row)

    def _keep(
        self,
        doctor: UserRow,
        key: OpenKey,
        row: BatchRow,
        piece: BatchPieceRow | None,
        answers: Answers,
    ) -> None:
        """Store a piece's answers, unless the batch went another way meanwhile."""
        with self._database.transaction() as session:
            there = self._get(session, doctor, row.id, lock=True)
            wanted = (there.model_sha256, there.started_at, there.ended_at)
            if wanted != (answers.model_sha256, row.started_at, None):
                return
            if piece is not None:
                sealed = seal_answers(key, there, piece.number, answers)
                session.execute(
                    update(BatchPieceRow)
                    .filter_by(batch_id=row.id, number=piece.number, answers=None)
                    .values(answers=sealed)
                )
            if session.scalars(_unanswered(row.id)).first() is None:
                there.ended_at = self._clock()
                session.flush()
                self._note(session, doctor, "batch.finished", there)

    def _find(
        self, session: Session, doctor: UserRow, identifier: str, lock: bool = False
    ) -> BatchRow | None:
        row = session.get(BatchRow, identifier, with_for_update=lock or None)
        if row is None or row.user_id != doctor.id or row.until <= self._clock():
            return None
        return row

    def _get(
        self, session: Session, doctor: UserRow, identifier: str, lock: bool = False
    ) -> BatchRow:
        row = self._find(session, doctor, identifier, lock)
        if row is None:
            raise RequestError(_GONE)
        return row

    def _note(self, session: Session, doctor: UserRow, action: str, row: BatchRow) -> None:
        """An entry without anything of the rows: who, which task, how many, which model."""
        self._audit.add(doctor, action, row.id, _details(row), session)


def erase_overdue(database: Database, audit: AuditLog, moment: datetime | None = None) -> int:
    """Erase the batches whose time is over; how many there were."""
    with database.transaction() as session:
        rows = session.scalars(select(BatchRow).where(BatchRow.until <= (moment or now()))).all()
        for row in rows:
            _erase(session, row)
        for row in rows:
            audit.add(SYSTEM, "batch.lapsed", row.id, _details(row), session)
        return len(rows)


def _details(row: BatchRow) -> dict[str, object]:
    model = {"model_sha256": row.model_sha256} if row.model_sha256 else {}
    return {"task": row.task, "rows": row.rows, **model}


def _shown(session: Session, row: BatchRow) -> Batch:
    counted = select(func.coalesce(func.sum(BatchPieceRow.rows), 0)).filter_by(batch_id=row.id)
    answered = session.scalar(counted.where(BatchPieceRow.answers.is_not(None)))
    return Batch(
        id=row.id,
        task=row.task,
        rows=row.rows,
        answered=int(answered or 0),
        unusual=row.unusual,
        model_sha256=row.model_sha256,
        made_at=row.made_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        until=row.until,
    )


def _count(session: Session, doctor: UserRow) -> int:
    return (
        session.scalar(select(func.count()).select_from(BatchRow).filter_by(user_id=doctor.id)) or 0
    )


def _pieces(identifier: str) -> Select[BatchPieceRow]:
    return select(BatchPieceRow).filter_by(batch_id=identifier).order_by(BatchPieceRow.number)


def _unanswered(identifier: str) -> Select[BatchPieceRow]:
    return _pieces(identifier).where(BatchPieceRow.answers.is_(None)).limit(1)


def _forget_answers(session: Session, row: BatchRow) -> None:
    row.model_sha256 = row.ended_at = None
    session.execute(update(BatchPieceRow).filter_by(batch_id=row.id).values(answers=None))


def _erase(session: Session, row: BatchRow) -> None:
    session.execute(delete(BatchPieceRow).filter_by(batch_id=row.id))
    session.delete(row)
    session.flush()
