"""New shares for many sealed records at once, without opening any.

asked ── a quorum's parts fit ──> done
  ├── somebody's part does not fit, or too few have a share that does ──> wrong
  └── the care group became another one meanwhile ──> dropped

A doctor who still has a share names who takes the places of those who have none. Then doctors of
each record deal their part, with their own keys open, some records at a time; the one who completes
a quorum makes the new sharing. Only what is told here changes a record: until then it opens as it
did. docs/decisions/2026-11-22-resharing.md has the reasons.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError
from app.models import (
    CarerRow,
    ResharingPartRow,
    ResharingRecordRow,
    ResharingRow,
    UserRow,
)
from app.services.audit import AuditLog
from app.services.care_groups import ASKED, Need, able_doctors, find_needs
from app.services.escrow import Escrow
from app.services.open_keys import OpenKey
from app.services.openings import Openings
from app.services.resharing_deal import Deal, dealt_before
from app.services.resharing_parts import SUCCESSORS
from crypto.context import Item, canonical, parse

# Records of one request: about a second, so that nobody else waits long for the database.
BATCH: Final = 40
# Records of one entry of the audit log, whose details hold 64 KB.
_TOLD: Final = 400

# (who left, who takes the place, that doctor's key)
Successor = tuple[int, int, int]


@dataclass(frozen=True)
class Begun:
    """A resharing that began: how many records it has, and why others stay as they are.

    `few` have too few doctors left, `unnamed` lost another doctor for whom nobody was named; in
    `doubled` the one who was named is of the care group already.
    """

    id: str
    records: int
    few: int
    unnamed: int
    doubled: int


class Resharings:
    """The resharings of one database."""

    def __init__(
        self, database: Database, audit: AuditLog, escrow: Escrow, openings: Openings
    ) -> None:
        self._database = database
        self._audit = audit
        self._escrow = escrow
        self._openings = openings

    def successors(self, doctor: UserRow) -> list[UserRow]:
        """Who may take a place: the active doctors who have a key, without the one who asks."""
        with self._database.transaction() as session:
            return [row for row, _ in able_doctors(session) if row.id != doctor.id]

    def begin(self, doctor: UserRow, key: OpenKey, named: Mapping[int, int]) -> Begun:
        """Ask for parts of all the doctor's records in which everybody who left has a successor.

        `named` gives who takes the place of whom. Raises RequestError for who cannot, and where no
        record is left to do.
        """
        with self._database.transaction() as session:
            keys = {row.id: own.id for row, own in able_doctors(session)}
            if not named or not set(named.values()) <= set(keys):
                raise RequestError("Name an active doctor for at least one who has no share.")
            needs = [one for one in find_needs(session, doctor, key) if not one.pending]
            found = _sorted_out(needs, named)
            if not found["ready"]:
                raise RequestError(_nothing(found))
            gone = {user for one in found["ready"] for user in one.gone}
            successors = [(one, named[one], keys[named[one]]) for one in sorted(gone)]
            identifier = secrets.token_hex(32)
            row = ResharingRow(
                id=identifier,
                successors=successors_bytes(successors),
                records=len(found["ready"]),
                begun_by=doctor.id,
            )
            session.add(row)
            session.flush()
            patients = [one.patient for one in found["ready"]]
            session.add_all(
                ResharingRecordRow(resharing_id=identifier, patient_id=one) for one in patients
            )
            session.flush()
            for at in range(0, len(patients), _TOLD):
                told: dict[str, object] = {"records": len(patients), "successors": successors}
                told["patients"] = patients[at : at + _TOLD]
                self._audit.add(doctor, "record.resharing_begun", identifier, told, session)
            left = {name: len(some) for name, some in found.items() if name != "ready"}
            return Begun(identifier, len(patients), **left)

    def deal(self, doctor: UserRow, key: OpenKey, identifier: str) -> int:
        """Deal the doctor's part of the next BATCH records; how many wait for the doctor still.

        A record of which a quorum has dealt has its new shares then; one with a wrong part is left
        as it was. Raises RequestError where there is no such resharing.
        """
        with self._database.transaction() as session:
            plan = _locked(session, identifier)
            successors = {gone: (user, own) for gone, user, own in successors_of(plan)}
            deal = Deal(
                session, self._audit, self._escrow, self._openings, identifier, doctor, key,
                successors, dealt_before(session, identifier),
            )  # fmt: skip
            wanted = waiting_for(identifier, doctor, key)
            rows = session.scalars(wanted.limit(BATCH)).all()
            dealt = {one.patient_id: deal.record(one) for one in rows}
            parts = {one: digest for one, digest in dealt.items() if digest is not None}
            if parts:
                told = {"parts": parts}
                self._audit.add(doctor, "record.parts_dealt", identifier, told, session)
            session.flush()
            return count(session, waiting_for(identifier, doctor, key))


def successors_bytes(successors: Sequence[Successor]) -> bytes:
    """How the successors are stored."""
    return canonical(SUCCESSORS, *(list[Item](one) for one in successors))


def successors_of(row: ResharingRow) -> list[Successor]:
    """The successors of a resharing. Raises EncodingError for what was altered."""
    return [(gone, user, own) for gone, user, own in parse(row.successors)[1:]]


def waiting_for(identifier: str, doctor: UserRow, key: OpenKey) -> Select[ResharingRecordRow]:
    """The records of a resharing of which the doctor's part is still wanted."""
    dealt = select(ResharingPartRow.patient_id).filter_by(
        resharing_id=identifier, user_id=doctor.id
    )
    mine = select(CarerRow.patient_id).filter_by(user_id=doctor.id, key_id=key.number)
    query = select(ResharingRecordRow).filter_by(resharing_id=identifier, state=ASKED)
    query = query.where(ResharingRecordRow.patient_id.in_(mine))
    query = query.where(ResharingRecordRow.patient_id.not_in(dealt))
    return query.order_by(ResharingRecordRow.patient_id)


def count(session: Session, query: Select[ResharingRecordRow]) -> int:
    """How many rows a query gives."""
    chosen = query.order_by(None).with_only_columns(func.count(), maintain_column_froms=True)
    return session.execute(chosen).scalar_one()


def _sorted_out(needs: Sequence[Need], named: Mapping[int, int]) -> dict[str, list[Need]]:
    """The records by whether new shares can be made: ready, few, unnamed, doubled."""
    found: dict[str, list[Need]] = {"ready": [], "few": [], "unnamed": [], "doubled": []}
    for one in needs:
        if not set(one.gone) & set(named):
            continue
        stay = set(one.group) - set(one.gone)
        come = [named[user] for user in one.gone if user in named]
        if not one.enough:
            found["few"].append(one)
        elif len(come) < len(one.gone):
            found["unnamed"].append(one)
        elif len(stay | set(come)) < len(one.group):
            found["doubled"].append(one)
        else:
            found["ready"].append(one)
    return found


def _nothing(found: Mapping[str, Sequence[Need]]) -> str:
    if found["doubled"]:
        return (
            "Whom you named is of these care groups already: name somebody else, so that the "
            "groups keep their size."
        )
    if found["unnamed"]:
        return "These records lost another doctor, too: name somebody for each of them."
    if found["few"]:
        return "These records have too few doctors left: no new shares can be made of theirs."
    return "None of your records waits for this: they have new shares, or parts are being dealt."


def _locked(session: Session, identifier: str) -> ResharingRow:
    """The resharing, locked until the transaction ends. SQLite locks by the write before it."""
    session.execute(
        update(ResharingRow)
        .where(ResharingRow.id == identifier)
        .values(records=ResharingRow.records)
        .execution_options(synchronize_session=False)
    )
    row = session.get(ResharingRow, identifier)
    if row is None:
        raise RequestError("There is no such resharing. Go back to the patients.")
    return row
