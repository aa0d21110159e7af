"""Where people are signed in: a token in the browser, its hash here, so that it can be ended."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import delete, or_, select

from app.database import Database
from app.models import SessionRow, UserRow, WalletRow
from app.models.base import now
from app.services.wallets import AUTHORISED

# A shift: after it a person signs in again, whatever the browser keeps.
LIFETIME = timedelta(hours=12)


class Sessions:
    """The sessions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, user: UserRow, wallet: str | None = None) -> str:
        """Sign the person in: a new token of 256 bits, valid for LIFETIME.

        `wallet` is the address that signed; the session ends when it may no longer sign in.
        """
        token = secrets.token_urlsafe(32)
        moment = now()
        with self._database.transaction() as session:
            session.execute(delete(SessionRow).where(SessionRow.expires_at <= moment))
            session.add(
                SessionRow(
                    token_sha256=token_digest(token),
                    user_id=user.id,
                    epoch=user.session_epoch,
                    wallet=wallet,
                    created_at=moment,
                    expires_at=moment + LIFETIME,
                )
            )
        return token

    def find(self, token: str) -> UserRow | None:
        """The person who is signed in with this token; None when it is unknown or has ended.

        A session that a wallet opened lasts as long as the wallet is the person's and authorised.
        """
        stands = (
            select(WalletRow.id)
            .where(WalletRow.address == SessionRow.wallet)
            .where(WalletRow.user_id == SessionRow.user_id)
            .where(WalletRow.state == AUTHORISED)
        )
        chosen = (
            select(UserRow)
            .join(SessionRow, SessionRow.user_id == UserRow.id)
            .where(SessionRow.token_sha256 == token_digest(token))
            .where(SessionRow.expires_at > now())
            .where(SessionRow.epoch == UserRow.session_epoch)
            .where(or_(SessionRow.wallet.is_(None), stands.exists()))
        )
        with self._database.transaction() as session:
            return session.scalars(chosen).one_or_none()

    def end(self, token: str) -> None:
        """Sign this browser out; nothing happens when the token is unknown."""
        with self._database.transaction() as session:
            session.execute(
                delete(SessionRow).where(SessionRow.token_sha256 == token_digest(token))
            )


def token_digest(token: str) -> str:
    """What is stored of a session's token: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()
