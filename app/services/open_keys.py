"""Doctors' keys while a session has them open.

An open key lies with the session, under a key of 256 bits that only the browser has, in its cookie:
so neither the database nor a copy of it opens anything, and a restart loses nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import select, update

from app.database import Database
from app.models import DoctorKeyRow, SessionRow, UserRow
from app.models.base import now
from app.services.doctor_keys import DoctorKeys
from app.services.sessions import token_digest
from crypto.context import canonical
from crypto.envelope import PrivateKey, load_private_key

_LABEL = "consilium/open-key/v1"
_BROWSER_KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True)
class OpenKey:
    """A doctor's key while the session has it open; `number` is its row's."""

    number: int
    private: PrivateKey = field(repr=False)


class OpenKeys:
    """The keys that sessions of one database have open."""

    def __init__(self, database: Database, keys: DoctorKeys) -> None:
        self._database = database
        self._keys = keys

    def unlock(self, person: UserRow, token: str, password: str) -> bytes:
        """Open the person's key for the session of `token`; a first one is made.

        Returns what the browser keeps, without which nobody opens it again. Raises SignInRefused
        for another password, RequestError for who is no doctor.
        """
        row, private = self._keys.open(person, password)
        browser_key = secrets.token_bytes(_BROWSER_KEY_BYTES)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        digest = token_digest(token)
        sealed = AESGCM(browser_key).encrypt(nonce, private, _bound(digest, row.id))
        with self._database.transaction() as session:
            session.execute(
                update(SessionRow)
                .filter_by(token_sha256=digest)
                .values(unlocked=nonce + sealed, key_id=row.id)
            )
        return browser_key

    def find(self, token: str, browser_key: bytes) -> OpenKey | None:
        """The key that the session has open; None where it has none, or the key was lost since."""
        digest = token_digest(token)
        query = (
            select(SessionRow.unlocked, SessionRow.key_id)
            .join(DoctorKeyRow, DoctorKeyRow.id == SessionRow.key_id)
            .where(SessionRow.token_sha256 == digest, SessionRow.expires_at > now())
            .where(DoctorKeyRow.user_id == SessionRow.user_id, DoctorKeyRow.lost_at.is_(None))
        )
        with self._database.transaction() as session:
            found = session.execute(query).one_or_none()
        if found is None or found.unlocked is None or len(browser_key) != _BROWSER_KEY_BYTES:
            return None
        nonce, sealed = found.unlocked[:_NONCE_BYTES], found.unlocked[_NONCE_BYTES:]
        try:
            data = AESGCM(browser_key).decrypt(nonce, sealed, _bound(digest, found.key_id))
        except (InvalidTag, ValueError):
            return None
        return OpenKey(found.key_id, load_private_key(data))


def _bound(token_sha256: str, key: int) -> bytes:
    return canonical(_LABEL, token_sha256, key)
