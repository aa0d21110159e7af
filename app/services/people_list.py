"""The list of people: who is looked for, counted by role and state, a page at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.models import UserRow
from app.services.accounts import ACTIVE, REFUSED, SUSPENDED, WAITING
from app.services.roles import ROLES
from app.services.staff import STAFF
from app.services.tables import Column, Table
from app.services.wallets import ASKED as WALLET_ASKED
from app.services.wallets import AUTHORISED, WITHDRAWN, LinkedWallet

STATES: Final = (ACTIVE, WAITING, REFUSED, SUSPENDED)
# What may be asked of a wallet; "none" is the absence of one.
WALLETS: Final = ("none", WALLET_ASKED, AUTHORISED, WITHDRAWN)
PAGE: Final = 50


@dataclass(frozen=True)
class Wanted:
    """Whom a list shows; an empty text leaves it open.

    `text` is looked for in name, e-mail, address and wallet, in any case; `role` is the role that a
    person has or, while nobody has decided, asks for.
    """

    text: str = ""
    role: str = ""
    state: str = ""
    wallet: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> Wanted:
        """From a page's address; a value that no person can have is left out."""
        return cls(
            text=given.get("text", "").strip()[:200],
            role=_among(given.get("role", ""), ROLES),
            state=_among(given.get("state", ""), STATES),
            wallet=_among(given.get("wallet", ""), WALLETS),
        )

    def to_query(self) -> dict[str, str]:
        """The part of an address that asks for this."""
        return {name: value for name, value in vars(self).items() if value}

    def admits(self, person: UserRow, wallet: LinkedWallet | None) -> bool:
        """Whether the list shows this person."""
        if self.role and role_of(person) != self.role:
            return False
        if self.state and person.state != self.state:
            return False
        if self.wallet and (wallet.row.state if wallet else "none") != self.wallet:
            return False
        words = (person.name, person.email, person.address, wallet.row.address if wallet else "")
        # Not by SQL: SQLite's lower() leaves Ö as it is.
        return self.text.casefold() in "\n".join(words).casefold()


@dataclass(frozen=True)
class PeoplePage:
    """One page of the people that were looked for; `found` counts those of all pages."""

    people: Sequence[UserRow]
    found: int
    page: int
    pages: int


def role_of(person: UserRow) -> str:
    """The role that a person has or, while nobody has decided, asks for."""
    return person.role or person.asked_role


def select_people(
    people: Sequence[UserRow], wallets: Mapping[int, LinkedWallet], wanted: Wanted
) -> list[UserRow]:
    """Those of `people` that are wanted, in their order; `wallets` by the person's id."""
    return [one for one in people if wanted.admits(one, wallets.get(one.id))]


def page_of(people: Sequence[UserRow], number: int) -> PeoplePage:
    """A page, counted from 1; one beyond the last is the last."""
    pages = max(1, -(-len(people) // PAGE))
    page = min(max(1, number), pages)
    return PeoplePage(people[(page - 1) * PAGE : page * PAGE], len(people), page, pages)


def count_by_role(people: Sequence[UserRow]) -> dict[str, int]:
    """How many people there are in each role, whatever their state; every role is there."""
    counts = Counter(map(role_of, people))
    return {role: counts[role] for role in ROLES}


def people_table(
    people: Sequence[UserRow],
    wallets: Mapping[int, LinkedWallet],
    hospitals: Mapping[int, str],
    standing: Mapping[str, Sequence[str]],
) -> Table:
    """The people as a file has them.

    `hospitals` are those of operators and doctors, `standing` are roles by account.
    """
    columns = [
        Column("name", "Name"),
        Column("email", "E-mail"),
        Column("address", "Address"),
        Column("role", "Role", meaning="empty while nobody has decided"),
        Column("asked_role", "Role asked for"),
        Column("state", "State"),
        Column("reason", "Reason", meaning="of a refusal or a suspension"),
        Column(
            "hospital", "Hospital", meaning="that an operator acts for, or where a doctor works"
        ),
        Column("wallet", "Wallet"),
        Column("wallet_state", "Wallet's state"),
        Column("ledger_roles", "Roles on the ledger", meaning="that the wallet holds"),
        Column("registered", "Registered", meaning="UTC"),
        Column("decided", "Decided", meaning="UTC"),
    ]

    def row(one: UserRow) -> tuple[Any, ...]:
        wallet = wallets.get(one.id)
        address = wallet.row.address if wallet else None
        belongs = one.role in STAFF and one.state == ACTIVE
        return (
            one.name,
            one.email,
            one.address,
            one.role,
            one.asked_role,
            one.state,
            one.reason,
            hospitals.get(one.id) if belongs else None,
            address,
            wallet.row.state if wallet else None,
            ", ".join(standing.get(address or "", ())),
            one.created_at.isoformat(timespec="seconds"),
            one.decided_at.isoformat(timespec="seconds") if one.decided_at else None,
        )

    return Table(
        name="people",
        title="People",
        about="Who registered, what was decided about them, and their wallets.",
        columns=tuple(columns),
        rows=tuple(map(row, people)),
    )


def _among(value: str, allowed: Sequence[str]) -> str:
    return value if value in allowed else ""
