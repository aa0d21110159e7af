"""Who did what and when: append-only, every entry carries the hash of the one before."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import HASH, NAME, Base, Moment


class AuditRow(Base):
    """An entry. `details` is canonical JSON; `sha256` covers every other column."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment)
    actor: Mapped[str] = mapped_column(String(NAME))
    # No foreign key: an entry stands whatever becomes of the person.
    actor_id: Mapped[int | None] = mapped_column(Integer, index=True)
    action: Mapped[str] = mapped_column(String(NAME), index=True)
    subject: Mapped[str] = mapped_column(String(300))
    details: Mapped[str] = mapped_column(Text)
    previous_sha256: Mapped[str] = mapped_column(String(HASH), unique=True)
    sha256: Mapped[str] = mapped_column(String(HASH), unique=True)


class AuditHeadRow(Base):
    """The newest entry, in the one row that a writer locks; shows when the end was cut off."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(HASH))
