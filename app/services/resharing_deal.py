"""One doctor's part of one record's new sharing, and the sharing that it completes.

1. The helper's own share of the old sharing is checked, and shared among those who are to hold new
   ones and the administration; each part is sealed to its receiver.
2. When a quorum has dealt: every dealing is the one that the audit log has; each is of the helper's
   old share (its first commitment says so), and the parts that can be opened here, the completing
   doctor's own and the administration's, fit.
3. Then the rows of the care group hold the new shares in parts, the record has the new commitments,
   and whatever was lent of the old ones is erased.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.errors import RequestError
from app.models import (
    AuditRow,
    CarerRow,
    DoctorKeyRow,
    PatientRow,
    ResharingPartRow,
    ResharingRecordRow,
    UserRow,
)
from app.services.audit import AuditLog
from app.services.care_groups import ASKED, DONE, DROPPED, WRONG, Member, members
from app.services.escrow import Escrow
from app.services.open_keys import OpenKey
from app.services.openings import Openings
from app.services.record_check import record_digest
from app.services.record_sealing import (
    ALTERED,
    commitments_bytes,
    commitments_of,
    open_minimum,
    seal_minimum,
)
from app.services.record_shares import escrow_point, own_share
from app.services.resharing_parts import (
    Dealing,
    Helper,
    Holder,
    deal_share,
    dealing_digest,
    escrow_new_share,
    receivers,
    share_in_parts,
    wrong_parts,
)
from crypto.errors import EncodingError, ShareError
from crypto.feldman import Commitments, WrongShares


@dataclass(frozen=True)
class _Record:
    """A record whose new sharing is made: the doctors who have shares, those who are to."""

    row: PatientRow
    task: ResharingRecordRow
    group: Sequence[Member]
    holders: Sequence[Holder]
    last: int

    @property
    def quorum(self) -> int:
        return len(commitments_of(self.row))


@dataclass(frozen=True)
class Deal:
    """A doctor who deals in one transaction; `successors` gives (doctor, key) by who left.

    `log` has the digests of what was dealt before (see `dealt_before`).
    """

    session: Session
    audit: AuditLog
    escrow: Escrow
    openings: Openings
    resharing: str
    doctor: UserRow
    key: OpenKey
    successors: Mapping[int, tuple[int, int]]
    log: dict[tuple[str, int], str]

    def record(self, task: ResharingRecordRow) -> str | None:
        """Deal the part of a record; the digest of what was dealt, None where it was dropped."""
        row = self.session.get_one(PatientRow, task.patient_id)
        try:
            found = self._found(row, task)
            if found is None:
                self._end(task, DROPPED)
                return None
            dealing = self._part(found)
            stored = b"" if dealing is None else dealing.to_bytes()
        except EncodingError:
            # Commitments or a key that are no points: nobody's part could be checked.
            self._end(task, WRONG)
            return None
        self.session.add(
            ResharingPartRow(
                resharing_id=self.resharing,
                patient_id=row.id,
                user_id=self.doctor.id,
                dealing=stored,
            )
        )
        self.session.flush()
        self.log[row.id, self.doctor.id] = digest = dealing_digest(stored)
        self._conclude(found)
        return digest

    def _found(self, row: PatientRow, task: ResharingRecordRow) -> _Record | None:
        """The record, or None where its care group is not the one that the resharing was for."""
        group = members(self.session, row.id)
        holders = []
        for one in group:
            user, number = (one.user.id, one.key.id)
            if not one.able:
                user, number = self.successors.get(one.user.id, (0, 0))
            key, person = self.session.get(DoctorKeyRow, number), self.session.get(UserRow, user)
            if key is None or person is None or not Member(one.carer, person, key).able:
                return None
            if key.user_id != person.id:
                return None
            holders.append(Holder(one.carer.point, person.id, key))
        if all(one.able for one in group) or len({one.user for one in holders}) < len(holders):
            return None
        found = _Record(row, task, group, holders, escrow_point(row))
        return found if self._fits_earlier(found) else None

    def _fits_earlier(self, found: _Record) -> bool:
        """Whether what others dealt is for the same sharing and the same holders."""
        wanted = (found.row.sharing + 1, receivers(found.holders, found.last))
        return all(
            (dealing.sharing, dict(dealing.receivers)) == wanted
            for _, dealing in self._dealings(found)
            if dealing is not None
        )

    def _part(self, found: _Record) -> Dealing | None:
        """What the doctor deals; None for who has a damaged share, or cannot read the minimum."""
        carer = next(one.carer for one in found.group if one.user.id == self.doctor.id)
        if open_minimum(carer, self.key).initials == ALTERED:
            return None
        try:
            share = own_share(self.session, carer, self.key)
        except RequestError:
            return None
        return deal_share(
            found.row.id, found.row.sharing + 1, carer.point, share, found.quorum, found.holders,
            found.last, self.escrow,
        )  # fmt: skip

    def _conclude(self, found: _Record) -> None:
        """Make the new sharing when a quorum has dealt; give it up when none is left to come."""
        wrong, helpers = [], []
        for row in self._rows(found):
            point = next(one.carer.point for one in found.group if one.user.id == row.user_id)
            if not row.dealing or self._told(row) != dealing_digest(row.dealing):
                wrong.append(row.user_id)
            else:
                helpers.append(Helper(row.user_id, point, Dealing.from_bytes(row.dealing)))
        able = sum(one.able for one in found.group)
        if len(helpers) == found.quorum:
            self._complete(found, helpers)
        elif able - len(wrong) < found.quorum:
            self._end(found.task, WRONG, wrong)

    def _complete(self, found: _Record, helpers: Sequence[Helper]) -> None:
        """Check what can be checked here, and put the new sharing in the place of the old one."""
        old, patient = commitments_of(found.row), found.row.id
        own = next(one for one in found.holders if one.user == self.doctor.id)
        try:
            if own_wrong := wrong_parts(patient, helpers, own.point, self.key):
                raise WrongShares(own_wrong)
            moved = escrow_new_share(patient, old, helpers, found.last, self.escrow)
        except WrongShares as wrong:
            users = {one.point: one.user for one in helpers}
            self._end(found.task, WRONG, [users[point] for point in wrong.points])
            return
        except (ShareError, KeyError):
            self._end(found.task, WRONG, [one.user for one in helpers])
            return
        rows = self._new_rows(found, old, helpers)
        self.openings.end_all(self.session, patient, self.doctor)
        self.session.execute(delete(CarerRow).filter_by(patient_id=patient))
        self.session.add_all(rows)
        found.row.commitments = commitments_bytes(moved.commitments)
        found.row.escrow = self.escrow.seal(patient, found.last, moved.share)
        found.row.sharing += 1
        self._end(found.task, DONE, carers=[one.user for one in found.holders])

    def _new_rows(
        self, found: _Record, old: Commitments, helpers: Sequence[Helper]
    ) -> list[CarerRow]:
        """The care group with its new shares; a newcomer gets the minimum as this doctor has it."""
        carers = {one.carer.point: one.carer for one in found.group}
        mine = next(one.carer for one in found.group if one.user.id == self.doctor.id)
        minimum = open_minimum(mine, self.key)
        rows = []
        for one in found.holders:
            carer = carers[one.point]
            stays = (carer.user_id, carer.key_id) == (one.user, one.key.id)
            told = carer.minimum if stays else seal_minimum(found.row.id, one.key, minimum)
            row = CarerRow(
                patient_id=found.row.id,
                user_id=one.user,
                key_id=one.key.id,
                point=one.point,
                share=share_in_parts(old, helpers, one.point),
                minimum=told,
            )
            rows.append(row)
        return rows

    def _end(
        self,
        task: ResharingRecordRow,
        state: str,
        blamed: Sequence[int] = (),
        carers: Sequence[int] = (),
    ) -> None:
        """Note how it ended, and erase what was dealt."""
        task.state, task.blamed = state, ",".join(str(one) for one in sorted(blamed))
        gone = delete(ResharingPartRow).filter_by(
            resharing_id=self.resharing, patient_id=task.patient_id
        )
        self.session.execute(gone.execution_options(synchronize_session="fetch"))
        self.session.flush()
        told: dict[str, object] = {"resharing": self.resharing}
        if state == DONE:
            told |= {"carers": carers, "digest": record_digest(self.session, task.patient_id)}
        elif state == WRONG:
            told["blamed"] = task.blamed
        self.audit.add(self.doctor, _ENTRIES[state], task.patient_id, told, self.session)

    def _rows(self, found: _Record) -> Sequence[ResharingPartRow]:
        query = select(ResharingPartRow).filter_by(
            resharing_id=self.resharing, patient_id=found.row.id
        )
        return self.session.scalars(query.order_by(ResharingPartRow.user_id)).all()

    def _dealings(self, found: _Record) -> list[tuple[int, Dealing | None]]:
        """What others dealt, each with who did; None for what is empty or was altered."""
        dealt: list[tuple[int, Dealing | None]] = []
        for row in self._rows(found):
            known = row.dealing and self._told(row) == dealing_digest(row.dealing)
            dealt.append((row.user_id, Dealing.from_bytes(row.dealing) if known else None))
        return dealt

    def _told(self, row: ResharingPartRow) -> str:
        """The digest of a dealing in the audit log; "" for one that is not in it."""
        return self.log.get((row.patient_id, row.user_id), "")


_ENTRIES = {
    DONE: "record.reshared",
    WRONG: "record.resharing_failed",
    DROPPED: "record.resharing_dropped",
}


def dealt_before(session: Session, resharing: str) -> dict[tuple[str, int], str]:
    """The digests that the audit log has of a resharing's dealings, by patient and doctor."""
    entries = select(AuditRow.actor_id, AuditRow.details).filter_by(
        action="record.parts_dealt", subject=resharing
    )
    return {
        (patient, actor or 0): digest
        for actor, details in session.execute(entries.order_by(AuditRow.id))
        for patient, digest in json.loads(details)["parts"].items()
    }


def drop_resharings(session: Session, patient: str) -> None:
    """Give up what is under way for a record that was sealed anew otherwise, or erased."""
    session.execute(
        update(ResharingRecordRow)
        .filter_by(patient_id=patient, state=ASKED)
        .values(state=DROPPED)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(ResharingPartRow)
        .filter_by(patient_id=patient)
        .execution_options(synchronize_session=False)
    )
