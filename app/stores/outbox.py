"""The outbox in the database: signed transactions of all of the installation's accounts."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.exc import IntegrityError

from app.database import Database
from app.models import OutgoingRow
from contracts.outbox import NumberTaken, Outgoing

# So many of an account are kept at least: what its chain could have lost, and more.
KEPT = 100


class TableOutbox:
    """The transactions for the chain whose first block has `genesis_hash`; a `contracts.Outbox`."""

    def __init__(self, database: Database, genesis_hash: str) -> None:
        self._database = database
        self._genesis = genesis_hash

    def put(self, outgoing: Outgoing) -> None:
        """Write one down and commit. Raises NumberTaken when the account has one of its nonce."""
        row = OutgoingRow(
            genesis_hash=self._genesis,
            account=outgoing.account,
            nonce=outgoing.nonce,
            intent=outgoing.intent.hex(),
            transaction=outgoing.transaction,
            raw=outgoing.raw,
        )
        try:
            with self._database.transaction() as session:
                session.add(row)
                if outgoing.nonce % KEPT == 0:
                    old = OutgoingRow.nonce < outgoing.nonce - KEPT
                    session.execute(delete(OutgoingRow).where(self._of(outgoing.account), old))
        except IntegrityError as error:
            raise NumberTaken(
                f"{outgoing.account} sent its number {outgoing.nonce} already"
            ) from error

    def take_back(self, outgoing: Outgoing) -> None:
        """Forget one."""
        this = OutgoingRow.transaction == outgoing.transaction
        with self._database.transaction() as session:
            session.execute(delete(OutgoingRow).where(self._of(outgoing.account), this))

    def newest(self, account: str) -> int | None:
        """The highest nonce of the account, or None."""
        query = select(func.max(OutgoingRow.nonce)).where(self._of(account))
        with self._database.transaction() as session:
            return session.scalar(query)

    def waiting(self, account: str, count: int) -> Sequence[Outgoing]:
        """Those of the account from the nonce `count` on, the lowest first."""
        query = select(OutgoingRow).where(self._of(account), OutgoingRow.nonce >= count)
        with self._database.transaction() as session:
            return [_outgoing(row) for row in session.scalars(query.order_by(OutgoingRow.nonce))]

    def find(self, account: str, intent: bytes) -> Outgoing | None:
        """The account's newest of this intent, or None."""
        query = select(OutgoingRow).where(self._of(account), OutgoingRow.intent == intent.hex())
        with self._database.transaction() as session:
            row = session.scalar(query.order_by(OutgoingRow.nonce.desc()).limit(1))
            return None if row is None else _outgoing(row)

    def accounts(self) -> Sequence[str]:
        """Every account that wrote one down."""
        query = select(OutgoingRow.account).where(OutgoingRow.genesis_hash == self._genesis)
        with self._database.transaction() as session:
            return session.scalars(query.distinct().order_by(OutgoingRow.account)).all()

    def _of(self, account: str) -> ColumnElement[bool]:
        return (OutgoingRow.genesis_hash == self._genesis) & (OutgoingRow.account == account)


def _outgoing(row: OutgoingRow) -> Outgoing:
    return Outgoing(
        account=row.account,
        nonce=row.nonce,
        intent=bytes.fromhex(row.intent),
        transaction=row.transaction,
        raw=row.raw,
    )
