"""Wallets of people: linked by who holds the key, let in by an administrator.

asked ── authorise ─> authorised ── withdraw ──> withdrawn
                          ^                          │
                          └──────── authorise ───────┘

Unlinking deletes the wallet in every state, so that another one, or the same again, is asked for
anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app.database import Database
from app.errors import RequestError, WalletRefused
from app.models import SessionRow, UserRow, WalletRow
from app.models.base import now
from app.services.accounts import ACTIVE
from app.services.audit import AuditLog

ASKED: Final = "asked"
AUTHORISED: Final = "authorised"
WITHDRAWN: Final = "withdrawn"

_REFUSAL: Final = (
    "This wallet lets nobody in. Sign in with your password, or ask an administrator to authorise "
    "the wallet."
)
_CHANGED: Final = "The wallet of {name} changed meanwhile. Reload the page and look again."


@dataclass(frozen=True)
class LinkedWallet:
    """A wallet with the names of its person and of who decided, if anybody has."""

    row: WalletRow
    person: UserRow
    decided_by: str | None


class Wallets:
    """The wallets of one database; every change is one transaction with its audit entry."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit

    def link(self, person: UserRow, address: str) -> WalletRow:
        """Link the wallet, whose key the person has proved to hold; it lets nobody in yet.

        Raises RequestError when the person has one, or the address is linked already.
        """
        row = WalletRow(user_id=person.id, address=address, state=ASKED)
        try:
            with self._database.transaction() as session:
                session.add(row)
                session.flush()
                self._note(session, person, "wallet.linked", person, address)
        except IntegrityError as error:
            if self.find(person.id) is not None:
                raise RequestError(
                    "You have linked a wallet already. Unlink it before you link another."
                ) from error
            raise RequestError("This wallet is linked to another account.") from error
        return row

    def unlink(self, person: UserRow) -> None:
        """Forget the person's wallet and end the sessions that it opened.

        Raises RequestError when there is none.
        """
        with self._database.transaction() as session:
            row = session.scalars(select(WalletRow).filter_by(user_id=person.id)).one_or_none()
            gone = delete(WalletRow).where(WalletRow.user_id == person.id)
            if row is None or session.connection().execute(gone).rowcount != 1:
                raise RequestError("No wallet is linked. Reload the page.")
            session.expunge(row)
            _end_sessions(session, row.address)
            self._note(session, person, "wallet.unlinked", person, row.address)

    def authorise(self, admin: UserRow, user_id: int, address: str) -> UserRow:
        """Let this wallet of the person in. Raises RequestError when it is not theirs (any more),
        or authorised already.
        """
        with self._database.transaction() as session:
            person = self._decide(session, admin, user_id, address, AUTHORISED)
            self._note(session, admin, "wallet.authorised", person, address)
            return person

    def withdraw(self, admin: UserRow, user_id: int, address: str) -> UserRow:
        """Keep this wallet of the person out, at once. Raises RequestError as `authorise` does."""
        with self._database.transaction() as session:
            person = self._decide(session, admin, user_id, address, WITHDRAWN)
            _end_sessions(session, address)
            self._note(session, admin, "wallet.withdrawn", person, address)
            return person

    def authenticate(self, address: str) -> UserRow:
        """The active person whose authorised wallet this is; its signature was checked before.

        Raises WalletRefused: the same text whether the wallet is unknown, waits, was withdrawn, or
        its person may not act.
        """
        chosen = (
            select(UserRow)
            .join(WalletRow, WalletRow.user_id == UserRow.id)
            .where(WalletRow.address == address, WalletRow.state == AUTHORISED)
            .where(UserRow.state == ACTIVE)
        )
        with self._database.transaction() as session:
            person = session.scalars(chosen).one_or_none()
        if person is None:
            raise WalletRefused(_REFUSAL)
        return person

    def find(self, user_id: int) -> LinkedWallet | None:
        """The person's wallet, or None."""
        return self._linked(user_id).get(user_id)

    def everyone(self) -> dict[int, LinkedWallet]:
        """The wallets by the person's id, the longest linked first."""
        return self._linked()

    def _linked(self, user_id: int | None = None) -> dict[int, LinkedWallet]:
        decider = aliased(UserRow)
        chosen = (
            select(WalletRow, UserRow, decider.name)
            .join(UserRow, WalletRow.user_id == UserRow.id)
            .outerjoin(decider, WalletRow.decided_by == decider.id)
            .order_by(WalletRow.linked_at, WalletRow.id)
        )
        if user_id is not None:
            chosen = chosen.where(WalletRow.user_id == user_id)
        with self._database.transaction() as session:
            found = session.execute(chosen).all()
            return {row.user_id: LinkedWallet(row, person, name) for row, person, name in found}

    @staticmethod
    def _decide(
        session: Session, admin: UserRow, user_id: int, address: str, state: str
    ) -> UserRow:
        person = session.get(UserRow, user_id)
        if person is None:
            raise RequestError("There is no such person. Go back to the list of people.")
        before = (ASKED, WITHDRAWN) if state == AUTHORISED else (AUTHORISED,)
        # The address is the one that the administrator saw: it may be another by now.
        decided = (
            update(WalletRow)
            .where(WalletRow.user_id == user_id, WalletRow.address == address)
            .where(WalletRow.state.in_(before))
            .values(state=state, decided_at=now(), decided_by=admin.id)
            .execution_options(synchronize_session=False)
        )
        # SQLAlchemy counts matched rows on both databases, not changed ones.
        if session.connection().execute(decided).rowcount != 1:
            raise RequestError(_CHANGED.format(name=person.name))
        return person

    def _note(
        self, session: Session, actor: UserRow, action: str, person: UserRow, address: str
    ) -> None:
        self._audit.add(actor, action, person.email, {"address": address}, session)


def _end_sessions(session: Session, address: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.wallet == address))
