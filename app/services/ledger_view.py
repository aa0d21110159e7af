"""What the pages of the ledger show, out of the local copy; nothing is compared here."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, selectinload

from app.database import Database
from app.models import (
    DeploymentRow,
    DoctorAccountRow,
    DoctorKeyRow,
    LedgerCopyRow,
    LedgerEventRow,
    LedgerMentionRow,
    LedgerTransactionRow,
    PartyRow,
    TrainingRow,
    UserRow,
)
from app.services.federation import COORDINATOR, DEPUTY
from app.services.ledger_lines import (
    Choices,
    CopyFacts,
    Counts,
    EventLine,
    Line,
    Listing,
    TransactionLine,
    Wanted,
    event_line,
    transaction_line,
)
from app.services.round_names import in_order

PAGE = 25


class Explorer:
    """The local copy of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def copies(self) -> list[CopyFacts]:
        """The contracts that were read, with the chain of each."""
        query = (
            select(LedgerCopyRow, DeploymentRow.chain_kind)
            .outerjoin(DeploymentRow, DeploymentRow.genesis_hash == LedgerCopyRow.genesis_hash)
            .order_by(LedgerCopyRow.contract)
        )
        with self._database.transaction() as session:
            return [
                CopyFacts(
                    row.contract,
                    row.chain_id,
                    kind or "",
                    row.genesis_hash,
                    row.coordinator,
                    row.deputy,
                    row.next_block,
                )
                for row, kind in session.execute(query)
            ]

    def counts(self) -> Counts:
        """How much the copy holds."""
        sums = select(func.count(), func.sum(LedgerTransactionRow.gas))
        with self._database.transaction() as session:
            sent, gas = session.execute(sums.select_from(LedgerTransactionRow)).one()
            events = session.scalar(select(func.count()).select_from(LedgerEventRow)) or 0
            return Counts(sent, events, int(gas or 0))

    def names(self) -> dict[str, str]:
        """The parties' names by account."""
        with self._database.transaction() as session:
            return _names(session)

    def choices(self) -> Choices:
        """What can be filtered by; trainings and hospitals that are on the chain, by name."""
        seen = select(LedgerEventRow.training).where(LedgerEventRow.training.is_not(None))
        tasks = select(TrainingRow.id, TrainingRow.task).order_by(TrainingRow.started_at.desc())
        with self._database.transaction() as session:
            on_chain = set(session.scalars(seen.distinct()))
            known = {one: task for one, task in session.execute(tasks) if one in on_chain}
            others = dict.fromkeys(sorted(filter(None, on_chain - set(known))), "")
            names = sorted(_names(session).items(), key=lambda one: one[1])
            kinds = session.scalars(select(LedgerEventRow.name).distinct()).all()
            return Choices(known | others, dict(names), sorted(kinds))

    def rounds(self, most: int) -> dict[str, list[int]]:
        """The rounds of the latest trainings on the chain, in order; the newest training first."""
        row = LedgerEventRow
        latest = (
            select(row.training)
            .where(row.training.is_not(None))
            .group_by(row.training)
            .order_by(func.max(row.block).desc())
        )
        with self._database.transaction() as session:
            found = session.scalars(latest.limit(most)).all()
        return {one: self.rounds_of(one) for one in found if one is not None}

    def rounds_of(self, training: str) -> list[int]:
        """The rounds of a training that are on the chain, in order."""
        row = LedgerEventRow
        query = select(row.round).where(row.training == training, row.round.is_not(None))
        with self._database.transaction() as session:
            found = session.scalars(query.distinct())
            return sorted((one for one in found if one is not None), key=in_order)

    def events(self, wanted: Wanted, page: int = 1) -> Listing[EventLine]:
        """A page of events; a number beyond the last gives the last."""
        query = (
            select(LedgerEventRow)
            .where(*_conditions(wanted))
            .order_by(LedgerEventRow.block.desc(), LedgerEventRow.log_index.desc())
        )
        with self._database.transaction() as session:
            page, pages, total = _pages(session, query, page)
            with_sender = query.options(selectinload(LedgerEventRow.transaction))
            rows = session.scalars(_cut(with_sender, page))
            return Listing([event_line(one) for one in rows], page, pages, total)

    def transactions(self, wanted: Wanted, page: int = 1) -> Listing[TransactionLine]:
        """A page of transactions with an event that is wanted; numbers as in `events`."""
        sent = select(LedgerEventRow.transaction_hash).where(*_conditions(wanted))
        query = select(LedgerTransactionRow).order_by(LedgerTransactionRow.block.desc())
        if wanted != Wanted():
            query = query.where(LedgerTransactionRow.hash.in_(sent))
        with self._database.transaction() as session:
            page, pages, total = _pages(session, query, page)
            rows = session.scalars(_cut(_with_events(query), page))
            return Listing([transaction_line(one) for one in rows], page, pages, total)

    def block(self, number: int) -> list[TransactionLine]:
        """The transactions of a block; none where it holds none of the contract's."""
        query = select(LedgerTransactionRow).filter_by(block=number)
        with self._database.transaction() as session:
            rows = session.scalars(_with_events(query).order_by(LedgerTransactionRow.hash))
            return [transaction_line(one) for one in rows]

    def find_transaction(self, transaction: str) -> TransactionLine | None:
        """The transaction, or None where the copy does not hold it."""
        query = select(LedgerTransactionRow).filter_by(hash=transaction)
        with self._database.transaction() as session:
            row = session.scalars(_with_events(query)).one_or_none()
            return None if row is None else transaction_line(row)


def _names(session: Session) -> dict[str, str]:
    parties = dict(iter(session.execute(select(PartyRow.account, PartyRow.name))))
    heads = session.execute(select(LedgerCopyRow.coordinator, LedgerCopyRow.deputy))
    found: dict[str, str] = {}
    for coordinator, deputy in heads:
        found |= {coordinator: COORDINATOR, deputy: DEPUTY}
    doctors = (
        select(DoctorAccountRow.address, UserRow.name)
        .join(DoctorKeyRow, DoctorKeyRow.id == DoctorAccountRow.key_id)
        .join(UserRow, UserRow.id == DoctorKeyRow.user_id)
    )
    return dict(iter(session.execute(doctors))) | found | parties


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    row, chosen = LedgerEventRow, []
    if wanted.training:
        chosen.append(row.training == wanted.training)
    if wanted.round is not None:
        chosen.append(row.round == wanted.round)
    if wanted.kind:
        chosen.append(row.name == wanted.kind)
    if wanted.account:
        chosen.append(row.mentions.any(LedgerMentionRow.value == wanted.account))
    return chosen


def _with_events(query: Select[LedgerTransactionRow]) -> Select[LedgerTransactionRow]:
    return query.options(
        selectinload(LedgerTransactionRow.events).joinedload(LedgerEventRow.transaction)
    )


def _pages(session: Session, query: Select[Any], page: int) -> tuple[int, int, int]:
    """The page that there is, how many there are, and how many rows in all."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    pages = max(1, -(-total // PAGE))
    return min(max(1, page), pages), pages, total


def _cut(query: Select[Line], page: int) -> Select[Line]:
    return query.offset((page - 1) * PAGE).limit(PAGE)
