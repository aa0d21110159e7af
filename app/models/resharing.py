"""New shares for records whose care group lost a doctor: what is planned, and who has dealt.

Nothing here opens anything: parts of shares are sealed to those who are to hold the new ones.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import HASH, Base, Bytes, Moment, now

# As many persons' numbers as a care group has doctors, with commas between.
BLAMED = 200


class ResharingRow(Base):
    """New shares for `records` records at once, begun by a doctor.

    `successors` is a CBOR array of (who left, who takes the place, that doctor's key).
    """

    __tablename__ = "resharings"

    id: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    successors: Mapped[bytes] = mapped_column(Bytes)
    records: Mapped[int] = mapped_column(Integer)
    begun_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    begun_at: Mapped[datetime] = mapped_column(Moment, default=now)


class ResharingRecordRow(Base):
    """A record of a resharing. `state` is asked, done, wrong or dropped.

    A wrong one was left as it was because of the doctors of `blamed`, numbers with commas between.
    """

    __tablename__ = "resharing_records"

    resharing_id: Mapped[str] = mapped_column(ForeignKey("resharings.id"), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), primary_key=True, index=True)
    state: Mapped[str] = mapped_column(String(20), default="asked", index=True)
    blamed: Mapped[str] = mapped_column(String(BLAMED), default="")


class ResharingPartRow(Base):
    """What a doctor dealt of the own share, until enough have (see `app.services.resharing_parts`).

    Empty for a doctor whose own share is damaged.
    """

    __tablename__ = "resharing_parts"

    resharing_id: Mapped[str] = mapped_column(ForeignKey("resharings.id"), primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), primary_key=True, index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    dealing: Mapped[bytes] = mapped_column(Bytes)
