"""Doctors' shares of a record: the own one, those that others lent, and the key that they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import RequestError
from app.models import CarerRow, DoctorKeyRow, OpeningRow, PatientRow, UserRow
from app.services.open_keys import OpenKey
from app.services.record_sealing import (
    ALTERED,
    LENT,
    SHARE,
    Minimum,
    commitments_of,
    open_minimum,
)
from app.services.resharing_parts import dealers_of, lies_in_parts, put_parts_together
from crypto.box import open_box
from crypto.errors import CryptoError
from crypto.feldman import WrongShares, fits, recover


def put_together(session: Session, row: OpeningRow, doctor: UserRow, key: OpenKey) -> bytes:
    """The patient's scalar, of the asker's share and of those that others lent.

    Raises RequestError for too few of them, and names whose are damaged.
    """
    patient = session.get_one(PatientRow, row.patient_id)
    commitments = commitments_of(patient)
    own = carer_of(session, row.patient_id, doctor, key)
    points = {one.user_id: one.point for one in patient.carers}
    shares = {own.point: own_share(session, own, key)}
    names = names_of(session, list(points))
    if row.share is not None:
        last = escrow_point(patient)
        shares[last] = _lent(key, row.share, row.id, last)
    for answer in row.answers:
        if answer.share is not None:
            point = points[answer.user_id]
            shares[point] = _lent(key, answer.share, row.id, point)
    wrong = [x for x, share in shares.items() if not fits(commitments, x, share)]
    good = {x: share for x, share in shares.items() if x not in wrong}
    if len(good) < len(commitments):
        whose = [names[user] for user, point in points.items() if point in wrong]
        whose += ["the administration"] * (escrow_point(patient) in wrong)
        raise RequestError(_too_few(len(good), len(commitments), whose))
    return recover(commitments, good)


def own_share(session: Session, carer: CarerRow, key: OpenKey) -> bytes:
    """The doctor's share. Raises RequestError for one that was damaged."""
    patient = session.get_one(PatientRow, carer.patient_id)
    try:
        share = _stored(carer, key)
    except WrongShares as wrong:
        dealers = dealers_of(carer)
        names = names_of(session, list(dealers.values()))
        whose = ", ".join(names.get(dealers[point], "somebody") for point in wrong.points)
        raise RequestError(
            f"Your share of this record is damaged: what {whose} dealt of it was altered. Another "
            "doctor can approve; tell an administrator."
        ) from wrong
    except CryptoError:
        share = b""
    if not fits(commitments_of(patient), carer.point, share):
        raise RequestError(
            "Your share of this record is damaged: it does not fit what was agreed when it was "
            "sealed. Another doctor can approve; tell an administrator."
        )
    return share


def _stored(carer: CarerRow, key: OpenKey) -> bytes:
    if lies_in_parts(carer.share):
        return put_parts_together(carer, key)
    return open_box(key.private, carer.share, SHARE, carer.patient_id, carer.point)


def carer_of(session: Session, patient: str, doctor: UserRow, key: OpenKey) -> CarerRow:
    """The doctor's row. Raises RequestError for who is not of the care group, or lost the key."""
    row = session.get(CarerRow, (patient, doctor.id))
    if row is None or row.key_id != key.number:
        raise RequestError("There is no such patient among yours.")
    return row


def minimum_to_change(session: Session, patient: str, doctor: UserRow, key: OpenKey) -> Minimum:
    """What the doctor sees unopened, to be changed for the whole group; who else changes it waits.

    Raises RequestError as `carer_of` does, and for one that was altered: the others' may be right.
    """
    carer = carer_of(session, patient, doctor, key)
    session.get_one(PatientRow, patient, with_for_update=True)
    session.refresh(carer, with_for_update=True)
    minimum = open_minimum(carer, key)
    if minimum.initials == ALTERED:
        raise RequestError(
            "What you see of this patient was altered, so you cannot add to it for the others. "
            "Nothing was kept; tell an administrator."
        )
    return minimum


def group_of(session: Session, patient: str) -> list[tuple[CarerRow, DoctorKeyRow]]:
    """The care group, each doctor with the key that the share is sealed to."""
    query = select(CarerRow, DoctorKeyRow).join(DoctorKeyRow, DoctorKeyRow.id == CarerRow.key_id)
    found = session.execute(query.where(CarerRow.patient_id == patient))
    return [(carer, key) for carer, key in found]


def names_of(session: Session, users: Sequence[int]) -> dict[int, str]:
    """The names of people by their numbers."""
    query = select(UserRow.id, UserRow.name).where(UserRow.id.in_(set(users)))
    return {row.id: row.name for row in session.execute(query)}


@contextmanager
def altered_is_told() -> Iterator[None]:
    """Raise RequestError for what was sealed in the record and does not open."""
    try:
        yield
    except CryptoError as error:
        raise RequestError(f"{str(error).capitalize()}: tell an administrator.") from error


def escrow_point(patient: PatientRow) -> int:
    """The point of the administration's share: the one after the last doctor's."""
    return max(one.point for one in patient.carers) + 1


def _lent(key: OpenKey, box: bytes, opening: str, point: int) -> bytes:
    """The share that was lent; b"" for one that was altered, which no commitments fit."""
    try:
        return open_box(key.private, box, LENT, opening, point)
    except CryptoError:
        return b""


def _too_few(good: int, needed: int, whose: Sequence[str]) -> str:
    said = f"It takes the shares of {needed} doctors, and {good} can be used."
    if whose:
        said += f" Damaged: the share of {', '.join(whose)}."
    return said
