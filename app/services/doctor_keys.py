"""Doctors' P-256 keys: made when the password is at hand, and opened with it.

The private key lies in the database under the password (Argon2id, see `crypto.password_lock`): so
neither the database nor a copy of it opens anything.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError, SignInRefused
from app.models import DoctorKeyRow, UserRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.doctor_accounts import make_missing
from app.services.passwords import Passwords
from app.services.roles import DOCTOR
from crypto.envelope import new_private_key, private_key_bytes, public_key_bytes
from crypto.errors import EncodingError, LockError
from crypto.password_lock import lock, unlock

WRONG = "This is not your password."


class DoctorKeys:
    """The doctors' keys of one database."""

    def __init__(
        self, database: Database, audit: AuditLog, passwords: Passwords | None = None
    ) -> None:
        self._database = database
        self._audit = audit
        self._passwords = passwords or Passwords()

    def make(self, session: Session, person: UserRow, password: str) -> DoctorKeyRow:
        """A new key for the person, locked with the password, in the caller's transaction."""
        key = new_private_key()
        row = DoctorKeyRow(
            user_id=person.id,
            public_key=public_key_bytes(key.public_key()).hex(),
            locked=self._lock(private_key_bytes(key), password, person.id),
        )
        session.add(row)
        session.flush()
        details = {"public_key": row.public_key}
        self._audit.add(person, "doctor_key.made", person.email, details, session)
        make_missing(session, self._audit, person, row)
        return row

    def change_password(self, session: Session, person: UserRow, old: str, new: str) -> None:
        """Lock the person's key with the new password, in the caller's transaction.

        One that the old password does not open, because it was altered, is lost.
        """
        row = find_current(session, person.id)
        if row is None:
            return
        try:
            secret = unlock(row.locked, old, person.id)
        except (LockError, EncodingError):
            self.lose(session, person)
        else:
            row.locked = self._lock(secret, new, person.id)

    def lose(self, session: Session, person: UserRow) -> None:
        """Give the person's key up: the password that opens it is not known any more."""
        row = find_current(session, person.id)
        if row is not None:
            row.lost_at = now()
            details = {"public_key": row.public_key}
            self._audit.add(person, "doctor_key.lost", person.email, details, session)

    def open(self, person: UserRow, password: str) -> tuple[DoctorKeyRow, bytes]:
        """The person's key, row and private scalar; a first one is made.

        Raises SignInRefused for another password, RequestError for who is no doctor.
        """
        require_doctor(person)
        if not self._passwords.matches(person.password_hash, password):
            raise SignInRefused(WRONG)
        with self._database.transaction() as session:
            row = find_current(session, person.id) or self.make(session, person, password)
            make_missing(session, self._audit, person, row)
            try:
                return row, unlock(row.locked, password, person.id)
            except (LockError, EncodingError) as error:
                raise RequestError(
                    "Your key does not open with your password, though it should: the database was "
                    "altered. Tell an administrator, who runs the check of the ledger."
                ) from error

    def _lock(self, secret: bytes, password: str, user: int) -> bytes:
        return lock(secret, password, self._passwords.cost, user)


def require_doctor(person: UserRow) -> None:
    """Raise RequestError for who is no doctor."""
    if person.role != DOCTOR:
        raise RequestError("Sealed records are for doctors.")


def find_current(session: Session, user: int) -> DoctorKeyRow | None:
    """The person's key that is not lost, or None."""
    query = select(DoctorKeyRow).filter_by(user_id=user, lost_at=None)
    return session.scalars(query.order_by(DoctorKeyRow.id.desc()).limit(1)).first()
