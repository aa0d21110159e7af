"""Resharings as doctors see them: whose shares are out of reach, who has dealt, how far it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from app.database import Database
from app.models import (
    CarerRow,
    DoctorKeyRow,
    ResharingPartRow,
    ResharingRecordRow,
    ResharingRow,
    UserRow,
)
from app.services.accounts import ACTIVE
from app.services.care_groups import ASKED, DONE, DROPPED, UNABLE, WRONG, Need, find_needs
from app.services.open_keys import OpenKey
from app.services.record_shares import names_of
from app.services.resharing import count, successors_of, waiting_for
from app.services.roles import DOCTOR
from crypto.errors import EncodingError

# Of records that were left as they were, so many are listed.
MOST_LISTED: Final = 50


@dataclass(frozen=True)
class Told:
    """What the first pages tell: how many of the doctor's records want new shares, because whose.

    `parts`: how many wait for this doctor's part of a new sharing.
    """

    records: int
    names: tuple[str, ...]
    parts: int


@dataclass(frozen=True)
class Leaver:
    """Somebody whose shares are out of reach: why, and of how many records that can be helped."""

    user: int
    name: str
    why: str
    records: int


@dataclass(frozen=True)
class HelperLine:
    """A doctor who can deal parts: of how many records they are dealt, and wait."""

    name: str
    dealt: int
    left: int


@dataclass(frozen=True)
class Progress:
    """A resharing: records by state, `left` of which wait for the viewer's own part.

    `places` are pairs of names: who left, who takes the place.
    """

    id: str
    by: str
    at: datetime
    places: tuple[tuple[str, str], ...]
    total: int
    asked: int
    done: int
    wrong: int
    dropped: int
    left: int
    helpers: tuple[HelperLine, ...]

    @property
    def percent(self) -> int:
        """How many of a hundred records are concluded, rounded down."""
        return 100 * (self.total - self.asked) // max(1, self.total)


@dataclass(frozen=True)
class Failure:
    """A record that was left as it was, and whose share or part was wrong; () where unknown."""

    patient: str
    names: tuple[str, ...]


class ResharingViews:
    """The resharings of one database; nothing is changed or noted here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def told(self, doctor: UserRow, key: OpenKey) -> Told:
        """What the doctor reads on the first pages."""
        with self._database.transaction() as session:
            needs = _open_needs(session, doctor, key)
            names = names_of(session, [user for one in needs for user in one.gone])
            plans = session.scalars(_open_plans(doctor, key)).all()
            parts = sum(count(session, waiting_for(one.id, doctor, key)) for one in plans)
        return Told(len(needs), tuple(sorted(names.values())), parts)

    def leavers(self, doctor: UserRow, key: OpenKey) -> list[Leaver]:
        """Whose shares are out of reach in the doctor's records that can be helped, by name."""
        with self._database.transaction() as session:
            needs = _open_needs(session, doctor, key)
            of = Counter(user for one in needs if one.enough for user in one.gone)
            people = session.scalars(select(UserRow).where(UserRow.id.in_(of)))
            found = [Leaver(row.id, row.name, _why(row), of[row.id]) for row in people]
        return sorted(found, key=lambda one: (one.name, one.user))

    def lost(self, doctor: UserRow, key: OpenKey) -> list[str]:
        """The records that have too few doctors left for new shares."""
        with self._database.transaction() as session:
            needs = _open_needs(session, doctor, key)
        return [one.patient for one in needs if not one.enough]

    def failures(self, doctor: UserRow, key: OpenKey) -> list[Failure]:
        """The doctor's records that were left as they were, and still want new shares."""
        mine = select(CarerRow.patient_id).filter_by(user_id=doctor.id, key_id=key.number)
        with self._database.transaction() as session:
            wanting = {one.patient for one in _open_needs(session, doctor, key)}
            rows = session.scalars(
                select(ResharingRecordRow)
                .filter_by(state=WRONG)
                .where(ResharingRecordRow.patient_id.in_(mine))
                .order_by(ResharingRecordRow.patient_id)
            ).all()
            shown = [one for one in rows if one.patient_id in wanting][:MOST_LISTED]
            blamed = {one.patient_id: _numbers(one.blamed) for one in shown}
            names = names_of(session, [user for some in blamed.values() for user in some])
        return [
            Failure(one, tuple(names.get(user, "somebody") for user in users))
            for one, users in blamed.items()
        ]

    def under_way(self, doctor: UserRow, key: OpenKey) -> list[Progress]:
        """The resharings with records of the doctor that are not concluded, the newest first."""
        with self._database.transaction() as session:
            plans = session.scalars(_open_plans(doctor, key)).all()
            return [_progress(session, one, doctor, key) for one in plans]

    def find(self, doctor: UserRow, key: OpenKey, identifier: str) -> Progress | None:
        """A resharing; None for who has no part in it, whether there is one or not."""
        query = _plans(doctor, key).where(ResharingRow.id == identifier)
        with self._database.transaction() as session:
            plan = session.scalars(query).first()
            return None if plan is None else _progress(session, plan, doctor, key)


def _plans(doctor: UserRow, key: OpenKey) -> Select[ResharingRow]:
    """The resharings that the doctor sees, the newest first: with the own records, or begun.

    Who takes a place sees it when the records are there: before, nothing says that they will be.
    """
    mine = select(CarerRow.patient_id).filter_by(user_id=doctor.id, key_id=key.number)
    having = select(ResharingRecordRow.resharing_id)
    having = having.where(ResharingRecordRow.patient_id.in_(mine))
    query = select(ResharingRow).where(ResharingRow.id.in_(having))
    return query.order_by(ResharingRow.begun_at.desc())


def _open_plans(doctor: UserRow, key: OpenKey) -> Select[ResharingRow]:
    waiting = select(ResharingRecordRow.resharing_id).filter_by(state=ASKED)
    return _plans(doctor, key).where(ResharingRow.id.in_(waiting))


def _open_needs(session: Session, doctor: UserRow, key: OpenKey) -> list[Need]:
    return [one for one in find_needs(session, doctor, key) if not one.pending]


def _progress(session: Session, plan: ResharingRow, doctor: UserRow, key: OpenKey) -> Progress:
    states = dict(
        iter(
            session.execute(
                select(ResharingRecordRow.state, func.count())
                .filter_by(resharing_id=plan.id)
                .group_by(ResharingRecordRow.state)
            )
        )
    )
    try:
        places = [(gone, user) for gone, user, _ in successors_of(plan)]
    except EncodingError:
        places = []
    names = names_of(session, [plan.begun_by, *(user for pair in places for user in pair)])
    return Progress(
        id=plan.id,
        by=names[plan.begun_by],
        at=plan.begun_at,
        places=tuple((names.get(a, "somebody"), names.get(b, "somebody")) for a, b in places),
        total=plan.records,
        asked=states.get(ASKED, 0),
        done=states.get(DONE, 0),
        wrong=states.get(WRONG, 0),
        dropped=states.get(DROPPED, 0),
        left=count(session, waiting_for(plan.id, doctor, key)),
        helpers=_helpers(session, plan.id),
    )


def _helpers(session: Session, identifier: str) -> tuple[HelperLine, ...]:
    """Who can deal parts of the records that wait, by name."""
    dealt = and_(
        ResharingPartRow.resharing_id == identifier,
        ResharingPartRow.patient_id == CarerRow.patient_id,
        ResharingPartRow.user_id == CarerRow.user_id,
    )
    query = (
        select(UserRow.name, func.count(), func.count(ResharingPartRow.user_id))
        .select_from(ResharingRecordRow)
        .join(CarerRow, CarerRow.patient_id == ResharingRecordRow.patient_id)
        .join(UserRow, UserRow.id == CarerRow.user_id)
        .join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
        .outerjoin(ResharingPartRow, dealt)
        .where(ResharingRecordRow.resharing_id == identifier)
        .where(ResharingRecordRow.state == ASKED, ~UNABLE)
        .group_by(UserRow.id, UserRow.name)
        .order_by(UserRow.name, UserRow.id)
    )
    return tuple(
        HelperLine(name, done, wanted - done) for name, wanted, done in session.execute(query)
    )


def _why(person: UserRow) -> str:
    if person.state != ACTIVE:
        return "The account is locked."
    if person.role != DOCTOR:
        return "No doctor here any more."
    return "The password was reset, which loses the key."


def _numbers(blamed: str) -> list[int]:
    return [int(one) for one in blamed.split(",") if one.isdecimal()]
