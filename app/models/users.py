"""The people: who registered, what was decided about them, and where they are signed in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import ADDRESS, HASH, NAME, Base, Bytes, Moment, now

EMAIL = 254  # RFC 5321, 4.5.3.1.3, as erratum 1690 of RFC 3696 reads it


class UserRow(Base):
    """A person. `state` is waiting, active, refused or suspended; `role` is set by a decision.

    `session_epoch` grows whenever all sessions of the person must end.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    email: Mapped[str] = mapped_column(String(EMAIL), unique=True)
    name: Mapped[str] = mapped_column(String(NAME))
    address: Mapped[str] = mapped_column(String(500))
    asked_role: Mapped[str] = mapped_column(String(20))
    role: Mapped[str | None] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="waiting", index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    password_hash: Mapped[str] = mapped_column(String(200))
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))


class SessionRow(Base):
    """A browser in which a person is signed in. The token itself is known to the browser only.

    `wallet` is the address that signed in; None when it was a password. `unlocked` is a doctor's
    private key under another one that only the browser has, `key_id` whose it is in `doctor_keys`
    (without a constraint: a session goes before its key).
    """

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    epoch: Mapped[int] = mapped_column(Integer)
    wallet: Mapped[str | None] = mapped_column(String(ADDRESS))
    unlocked: Mapped[bytes | None] = mapped_column(Bytes)
    key_id: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    expires_at: Mapped[datetime] = mapped_column(Moment)
