"""Sealed patients, the doctors who care for them, and who opened a record when.

Nothing here tells anything of a patient to who has no doctor's key: attributes, reasons and shares
are sealed. What shows is how many patients there are, who cares for them and when they were opened.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Boolean, Date, ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import HASH, NAME, Base, Bytes, Moment, now


class DoctorKeyRow(Base):
    """A doctor's P-256 key: the public one in hexadecimal digits, the private one `locked`.

    `locked` opens with the person's password only (see `crypto.password_lock`). `lost_at` is set
    when the password was reset: what was sealed to this key is sealed to nobody any more.
    """

    __tablename__ = "doctor_keys"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    public_key: Mapped[str] = mapped_column(String(130), unique=True)
    locked: Mapped[bytes] = mapped_column(Bytes)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    lost_at: Mapped[datetime | None] = mapped_column(Moment)


class PatientRow(Base):
    """A patient: a random identifier, and how the record's key is shared.

    `commitments` are those of Feldman's scheme as a CBOR array of points: as many as doctors are
    needed. The first is the record's own public key. `escrow` is the administration's share, at
    the point after the last doctor's (see `app.services.escrow`). `sharing` counts how often shares
    were dealt, from 1 on. `keep_until` is the day until which it was prolonged (see
    `app.services.retention`). Of an erased record only the row is left.
    """

    __tablename__ = "patients"

    id: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    commitments: Mapped[bytes] = mapped_column(Bytes)
    escrow: Mapped[bytes] = mapped_column(Bytes)
    sharing: Mapped[int] = mapped_column(Integer, default=1)
    created_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    erased_at: Mapped[datetime | None] = mapped_column(Moment)
    keep_until: Mapped[date | None] = mapped_column(Date)

    versions: Mapped[list[PatientVersionRow]] = relationship(
        order_by="PatientVersionRow.version", viewonly=True
    )
    entries: Mapped[list[PatientEntryRow]] = relationship(
        order_by="PatientEntryRow.id", viewonly=True
    )
    carers: Mapped[list[CarerRow]] = relationship(order_by="CarerRow.point", viewonly=True)


class PatientVersionRow(Base):
    """The patient's attributes as they were entered once: nonce, ciphertext and tag."""

    __tablename__ = "patient_versions"

    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    sealed: Mapped[bytes] = mapped_column(Bytes)
    made_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)


class PatientEntryRow(Base):
    """Something that was added to a record unopened: sealed to the record's own public key.

    What `prolongs` the keeping of a record does not count as its last entry.
    """

    __tablename__ = "patient_entries"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    sealed: Mapped[bytes] = mapped_column(Bytes)
    made_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)
    prolongs: Mapped[bool] = mapped_column(Boolean, default=False)


class CaseRow(Base):
    """A patient's confirmed case for a task, sealed to the hospital whose trainings it joins.

    It is there as long as the patient agrees to it; see `app.services.cases`.
    """

    __tablename__ = "cases"

    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), primary_key=True)
    task: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    hospital: Mapped[str] = mapped_column(String(NAME), index=True)
    sealed: Mapped[bytes] = mapped_column(Bytes)
    made_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    made_at: Mapped[datetime] = mapped_column(Moment, default=now)


class CarerRow(Base):
    """A doctor of a patient's care group: the share at `point` and the minimum, sealed to the key.

    The minimum is what the doctor may see without opening: see `app.services.patients.Minimum`. A
    share that others dealt anew lies in parts (see `app.services.resharing_parts`).
    """

    __tablename__ = "carers"

    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("doctor_keys.id"))
    point: Mapped[int] = mapped_column(Integer)
    share: Mapped[bytes] = mapped_column(Bytes)
    minimum: Mapped[bytes] = mapped_column(Bytes)


class OpeningRow(Base):
    """A request to open a record. `state` is asked, open, closed or withdrawn.

    `until` is when a request lapses, and when an open record closes by itself. In an `emergency`
    the administration's `share` is lent, too, sealed to who asked, until the opening ends.
    """

    __tablename__ = "openings"

    id: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    asked_by: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("doctor_keys.id"))
    emergency: Mapped[bool] = mapped_column(Boolean, default=False)
    share: Mapped[bytes | None] = mapped_column(Bytes)
    state: Mapped[str] = mapped_column(String(20), default="asked", index=True)
    asked_at: Mapped[datetime] = mapped_column(Moment, default=now)
    opened_at: Mapped[datetime | None] = mapped_column(Moment)
    until: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)

    answers: Mapped[list[OpeningAnswerRow]] = relationship(
        order_by="OpeningAnswerRow.user_id", viewonly=True
    )


class OpeningAnswerRow(Base):
    """What a doctor of the care group is told of a request, and said to it.

    `reason` is sealed to this doctor. `answer` is "", approved or declined; with an approval
    comes the doctor's `share`, sealed to who asked, until the opening ends.
    """

    __tablename__ = "opening_answers"

    opening_id: Mapped[str] = mapped_column(ForeignKey("openings.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("doctor_keys.id"))
    reason: Mapped[bytes] = mapped_column(Bytes)
    answer: Mapped[str] = mapped_column(String(20), default="")
    answered_at: Mapped[datetime | None] = mapped_column(Moment)
    share: Mapped[bytes | None] = mapped_column(Bytes)
