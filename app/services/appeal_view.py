"""Appeals as pages show them, with what the nodes had found of the update.

Nothing is checked here but that salt and hash open the commitment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.database import Database
from app.models import AppealRow, AttemptRow, OpinionRow, SubmissionRow, TrainingRow, UserRow
from app.services.appeal_check import opened_hash
from app.services.appeals import (
    DISMISSED,
    OPEN,
    UPHELD,
    WAITING,
    find_appeal,
    refusal,
    standing_opinions,
)
from app.services.round_names import round_title
from app.services.trainings import RUNNING
from app.services.verdicts import Measure, findings
from app.stores.rounds import FINALISED, REJECTED
from fl.datasets import get_task

# What is under way comes first, then what waits for people.
_ORDER = {WAITING: 0, OPEN: 1}


@dataclass(frozen=True)
class Opinion:
    """What an administrator said; `standing` unless the same person said otherwise later."""

    by: str
    person: int
    upheld: bool
    reason: str
    reason_sha256: str
    at: datetime
    state: str
    problem: str
    transaction: str | None
    standing: bool


@dataclass(frozen=True)
class Appeal:
    """An appeal with its opinions, the oldest first.

    `found` is what the nodes opened of the update (see `verdicts.findings`), `update_sha256` its
    hash on the ledger; `opens` tells whether salt and hash give that one, None before the worker
    opened it. `running`: further rounds may follow.
    """

    id: int
    training: str
    task: str
    round: int
    hospital: str
    state: str
    problem: str
    reason: str
    reason_sha256: str
    by: str
    at: datetime
    transaction: str | None
    decided_block: int | None
    update_sha256: str
    update_salt: str | None
    update_content: str | None
    opens: bool | None
    found: Mapping[str, Any]
    opinions: tuple[Opinion, ...]
    running: bool

    @property
    def title(self) -> str:
        """What was learnt."""
        return get_task(self.task).title

    @property
    def round_title(self) -> str:
        """What the round is called."""
        return round_title(self.round)

    @property
    def is_open(self) -> bool:
        """Whether administrators are asked."""
        return self.state == OPEN

    @property
    def writing(self) -> bool:
        """Whether something of it is being written on the ledger."""
        return self.state == WAITING or any(one.state == WAITING for one in self.opinions)

    @property
    def deciding(self) -> Opinion | None:
        """The opinion that settled it: the last one that says what was decided."""
        upheld = {UPHELD: True, DISMISSED: False}.get(self.state)
        agreeing = [one for one in self.opinions if one.standing and one.upheld == upheld]
        return max(agreeing, key=lambda one: one.at, default=None)

    def said_by(self, person: int) -> Opinion | None:
        """What a person said last, if that stands."""
        own = (one for one in self.opinions if one.person == person and one.standing)
        return next(own, None)


@dataclass(frozen=True)
class OwnRejection:
    """A rejection of an operator's hospital: its appeal's state, "" without one, and the problem.

    `refusal` says why the hospital cannot appeal now, "" where it can; `appeal` is the
    appeal's number, None without one. `running`: further rounds may follow.
    """

    round: int
    appeal: int | None
    state: str
    problem: str
    refusal: str
    running: bool


class AppealViews:
    """The appeals in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def every(self) -> list[Appeal]:
        """All appeals: those that are not decided first, then the newest first."""
        with self._database.transaction() as session:
            query = _appeals().order_by(AppealRow.id.desc())
            found = [_view(session, row) for row in session.scalars(query)]
        return sorted(found, key=lambda one: _ORDER.get(one.state, len(_ORDER)))

    def find(self, appeal: int) -> Appeal | None:
        """An appeal, or None."""
        with self._database.transaction() as session:
            row = session.scalars(_appeals().where(AppealRow.id == appeal)).one_or_none()
            return _view(session, row) if row else None

    def of_round(self, training: str, round: int) -> dict[str, Appeal]:
        """The appeals against a round, by hospital."""
        with self._database.transaction() as session:
            query = _appeals().where(AppealRow.training_id == training, AppealRow.round == round)
            return {row.hospital: _view(session, row) for row in session.scalars(query)}

    def of_hospital(self, hospital: str) -> dict[tuple[str, str], OwnRejection]:
        """What a hospital may appeal, or has appealed, by training and the round's title."""
        query = (
            select(AttemptRow.round, TrainingRow)
            .join(TrainingRow, TrainingRow.id == AttemptRow.training_id)
            .join(SubmissionRow, SubmissionRow.attempt_id == AttemptRow.id)
            .where(SubmissionRow.hospital == hospital, SubmissionRow.verdict == REJECTED)
            .where(AttemptRow.state == FINALISED)
        )
        found = {}
        with self._database.transaction() as session:
            for round, training in session.execute(query):
                known = find_appeal(session, training.id, round, hospital)
                found[training.id, round_title(round)] = OwnRejection(
                    round,
                    known.id if known else None,
                    known.state if known else "",
                    known.problem if known else "",
                    refusal(session, training, round, hospital),
                    training.state == RUNNING,
                )
        return found


def _appeals() -> Any:
    return select(AppealRow).options(selectinload(AppealRow.opinions))


def _view(session: Session, row: AppealRow) -> Appeal:
    training = session.get_one(TrainingRow, row.training_id)
    query = (
        select(SubmissionRow, AttemptRow.number)
        .join(AttemptRow, AttemptRow.id == SubmissionRow.attempt_id)
        .where(AttemptRow.training_id == row.training_id, AttemptRow.round == row.round)
        .where(AttemptRow.state == FINALISED, SubmissionRow.hospital == row.hospital)
    )
    submission, attempt = session.execute(query).one()
    opens = None
    if row.update_salt and row.update_content:
        opens = opened_hash(session, row, attempt) == submission.update_sha256
    standing = standing_opinions(row.opinions).values()
    return Appeal(
        id=row.id,
        training=row.training_id,
        task=training.task,
        round=row.round,
        hospital=row.hospital,
        state=row.state,
        problem=row.problem,
        reason=row.reason,
        reason_sha256=row.reason_sha256,
        by=_name(session, row.asked_by),
        at=row.asked_at,
        transaction=row.transaction,
        decided_block=row.decided_block,
        update_sha256=submission.update_sha256,
        update_salt=row.update_salt,
        update_content=row.update_content,
        opens=opens,
        found=findings(submission, Measure.find(training.plan)),
        opinions=tuple(_opinion(session, one, one in standing) for one in row.opinions),
        running=training.state == RUNNING,
    )


def _opinion(session: Session, row: OpinionRow, standing: bool) -> Opinion:
    return Opinion(
        by=_name(session, row.decided_by),
        person=row.decided_by,
        upheld=row.upheld,
        reason=row.reason,
        reason_sha256=row.reason_sha256,
        at=row.decided_at,
        state=row.state,
        problem=row.problem,
        transaction=row.transaction,
        standing=standing,
    )


def _name(session: Session, person: int) -> str:
    row = session.get(UserRow, person)
    return row.name if row else "somebody"
