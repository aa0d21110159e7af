"""People and their accounts: register, decide, sign in, change a password.

waiting ── authorise ─> active ── suspend ──> suspended
   │                      ^                       │
   └─ refuse ─> refused ──┴────── authorise ──────┘

Who is active can be given another role.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import RequestError, SignInRefused
from app.models import UserRow
from app.models.base import now
from app.services import roles
from app.services.audit import SYSTEM, AuditLog
from app.services.doctor_keys import DoctorKeys
from app.services.passwords import Passwords, generate, require_acceptable

WAITING: Final = "waiting"
ACTIVE: Final = "active"
REFUSED: Final = "refused"
SUSPENDED: Final = "suspended"

_REFUSAL = "This e-mail address and this password do not belong together."
_NOBODY = "There is no such person. Go back to the list of people."

_DEMO = (
    ("Ada Berg", "ada.berg@consilium.example", roles.ADMINISTRATOR),
    ("Dr. Ines Brandt", "ines.brandt@consilium.example", roles.DOCTOR),
    ("Dr. Jonas Keller", "jonas.keller@consilium.example", roles.DOCTOR),
    ("Dr. Mira Sato", "mira.sato@consilium.example", roles.DOCTOR),
    ("Oskar Lind", "oskar.lind@consilium.example", roles.OPERATOR),
    ("Vera Novak", "vera.novak@consilium.example", roles.AUDITOR),
    ("Tomas Hale", "tomas.hale@consilium.example", roles.INSTRUCTOR),
    ("Lena Park", "lena.park@consilium.example", roles.REMOTE),
)


class DemoAccount(NamedTuple):
    """A demonstration account; the password is stored nowhere and shown once."""

    name: str
    email: str
    role: str
    password: str


class Accounts:
    """The accounts of one database; every change is one transaction with its audit entry."""

    def __init__(
        self, database: Database, audit: AuditLog, passwords: Passwords | None = None
    ) -> None:
        self._database = database
        self._audit = audit
        self._passwords = passwords or Passwords()
        self._keys = DoctorKeys(database, audit, self._passwords)

    def register(
        self, email: str, name: str, address: str, asked_role: str, password: str
    ) -> UserRow | None:
        """A person who waits for a decision; None when the e-mail address is taken.

        The caller must answer None as it answers a success, or strangers learn who has an account.
        Raises RequestError for an unknown role and PasswordRefused.
        """
        _require_role(asked_role)
        require_acceptable(password, email, name)
        hashed = self._passwords.hash(password)
        row = UserRow(
            email=_normal(email),
            name=name.strip(),
            address=address.strip(),
            asked_role=asked_role,
            state=WAITING,
            password_hash=hashed,
        )
        try:
            with self._database.transaction() as session:
                session.add(row)
                session.flush()
                self._audit.add(
                    row, "user.registered", row.email, {"asked_role": asked_role}, session
                )
        except IntegrityError:
            return None
        return row

    def authenticate(self, email: str, password: str) -> UserRow:
        """The person with this e-mail address and password, in whatever state.

        Raises SignInRefused: the same text after the same time, whichever was wrong.
        """
        row = self.find_by_email(email)
        matches = self._passwords.matches(row.password_hash if row else None, password)
        if row is None or not matches:
            raise SignInRefused(_REFUSAL)
        if self._passwords.is_outdated(row.password_hash):
            with self._database.transaction() as session:
                kept = session.get_one(UserRow, row.id)
                kept.password_hash = self._passwords.hash(password)
        return row

    def authorise(self, admin: UserRow, user_id: int, role: str) -> UserRow:
        """Make the person active in a role. Raises RequestError, also when already active."""
        _require_role(role)
        with self._database.transaction() as session:
            row = self._get(session, user_id)
            if row.state == ACTIVE:
                raise RequestError(f"{row.name} is already authorised. Reload the page.")
            row.role = role
            self._decide(session, admin, row, ACTIVE, "")
            self._audit.add(admin, "user.authorised", row.email, {"role": role}, session)
            return row

    def refuse(self, admin: UserRow, user_id: int, reason: str) -> UserRow:
        """Refuse a person who waits. Raises RequestError when nobody waits, or without a reason."""
        with self._database.transaction() as session:
            row = self._get(session, user_id)
            if row.state != WAITING:
                raise RequestError(f"{row.name} is no longer waiting. Reload the page.")
            self._decide(session, admin, row, REFUSED, _required(reason))
            self._audit.add(admin, "user.refused", row.email, {"reason": row.reason}, session)
            return row

    def suspend(self, admin: UserRow, user_id: int, reason: str) -> UserRow:
        """Take an active person's role away and end all sessions.

        Raises RequestError when the person is not active or is the administrator who asks.
        """
        with self._database.transaction() as session:
            row = self._get(session, user_id)
            if row.state != ACTIVE:
                raise RequestError(f"{row.name} is not active. Reload the page.")
            if row.id == admin.id:
                raise RequestError("You cannot suspend yourself. Ask another administrator.")
            self._decide(session, admin, row, SUSPENDED, _required(reason))
            row.session_epoch += 1
            self._audit.add(admin, "user.suspended", row.email, {"reason": row.reason}, session)
            return row

    def change_role(self, admin: UserRow, user_id: int, role: str) -> UserRow:
        """Give an active person another role, from the next page on.

        Raises RequestError for an unknown role, for the one that the person has, when the person is
        not active, and for the administrator who asks.
        """
        _require_role(role)
        with self._database.transaction() as session:
            row = self._get(session, user_id)
            if row.state != ACTIVE:
                raise RequestError(f"{row.name} is not active. Reload the page.")
            if row.id == admin.id:
                raise RequestError("You cannot change your own role. Ask another administrator.")
            if row.role == role:
                raise RequestError(f"{row.name} has this role already: choose another one.")
            before, row.role = row.role, role
            self._decide(session, admin, row, ACTIVE, "")
            self._audit.add(
                admin, "user.role_changed", row.email, {"from": before, "to": role}, session
            )
            return row

    def change_password(self, user_id: int, old: str, new: str) -> UserRow:
        """The person's own change; ends all sessions. Raises SignInRefused, PasswordRefused."""
        row = self.find(user_id)
        if row is None or not self._passwords.matches(row.password_hash, old):
            raise SignInRefused("This is not your present password.")
        return self._store_password(user_id, new, by=row, old=old)

    def set_password(self, user_id: int, new: str) -> UserRow:
        """Set a password from the command line; ends all sessions. Raises PasswordRefused.

        A doctor's key is lost with the old password: the others of each care group give a new one
        its shares.
        """
        return self._store_password(user_id, new, by=SYSTEM)

    def find(self, user_id: int) -> UserRow | None:
        """The person, or None."""
        with self._database.transaction() as session:
            return session.get(UserRow, user_id)

    def find_by_email(self, email: str) -> UserRow | None:
        """The person with this e-mail address in whatever case, or None."""
        with self._database.transaction() as session:
            return session.scalars(select(UserRow).filter_by(email=_normal(email))).one_or_none()

    def find_named(self, name: str) -> UserRow | None:
        """The person with this address or, if only one has it, this name, in any case; or None."""
        found = self.find_by_email(name)
        if found is not None:
            return found
        # Not by SQL: SQLite's lower() leaves Ö as it is.
        wanted = name.strip().casefold()
        rows = [row for row in self.everyone() if row.name.casefold() == wanted]
        return rows[0] if len(rows) == 1 else None

    def waiting(self) -> list[UserRow]:
        """Who waits for a decision, the longest first."""
        chosen = select(UserRow).filter_by(state=WAITING).order_by(UserRow.created_at, UserRow.id)
        with self._database.transaction() as session:
            return list(session.scalars(chosen))

    def everyone(self) -> list[UserRow]:
        """Everybody, by name."""
        with self._database.transaction() as session:
            return list(session.scalars(select(UserRow).order_by(UserRow.name, UserRow.id)))

    def create_demo(self) -> list[DemoAccount]:
        """The demonstration accounts with new passwords; empty when there are accounts already."""
        made = [DemoAccount(*person, generate()) for person in _DEMO]
        hashes = [self._passwords.hash(one.password) for one in made]
        with self._database.transaction() as session:
            if session.scalars(select(UserRow.id).limit(1)).first() is not None:
                return []
            rows = [_demo_row(one, hashed) for one, hashed in zip(made, hashes, strict=True)]
            session.add_all(rows)
            session.flush()
            for row, one in zip(rows, made, strict=True):
                if one.role == roles.DOCTOR:
                    self._keys.make(session, row, one.password)
            self._audit.add(SYSTEM, "demo.created", "", {"accounts": len(made)}, session)
        return made

    def _store_password(
        self, user_id: int, new: str, by: UserRow | str, old: str | None = None
    ) -> UserRow:
        known = self.find(user_id)
        if known is None:
            raise RequestError(_NOBODY)
        require_acceptable(new, known.email, known.name)
        hashed = self._passwords.hash(new)
        with self._database.transaction() as session:
            row = self._get(session, user_id)
            row.password_hash = hashed
            row.session_epoch += 1
            if old is None:
                self._keys.lose(session, row)
            else:
                self._keys.change_password(session, row, old, new)
            self._audit.add(by, "user.password_changed", row.email, None, session)
            return row

    @staticmethod
    def _get(session: Session, user_id: int) -> UserRow:
        # A write locks on both databases, so that two decisions cannot both find a person waiting.
        session.execute(
            update(UserRow).filter_by(id=user_id).values(session_epoch=UserRow.session_epoch)
        )
        row = session.get(UserRow, user_id, with_for_update=True)
        if row is None:
            raise RequestError(_NOBODY)
        return row

    @staticmethod
    def _decide(session: Session, admin: UserRow, row: UserRow, state: str, reason: str) -> None:
        row.state, row.reason = state, reason
        row.decided_at, row.decided_by = now(), admin.id
        session.flush()


def _demo_row(account: DemoAccount, hashed: str) -> UserRow:
    return UserRow(
        email=account.email,
        name=account.name,
        address="Demonstration account",
        asked_role=account.role,
        role=account.role,
        state=ACTIVE,
        password_hash=hashed,
        decided_at=now(),
    )


def _normal(email: str) -> str:
    return email.strip().lower()


def _required(reason: str) -> str:
    if not reason.strip():
        raise RequestError("Give the reason: the person reads it.")
    return reason.strip()


def _require_role(role: str) -> None:
    if role not in roles.ROLES:
        raise RequestError(f"Choose one of the roles {', '.join(roles.ROLES)}.")
