"""The local copy of the chain: complete, the same again, and never of another chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.database import Database
from app.models import (
    LedgerCopyRow,
    LedgerEventRow,
    LedgerMentionRow,
    LedgerTransactionRow,
)
from app.services import ledger_index
from app.services.ledger_index import LedgerIndex
from contracts.chain import ChainEndpoint, connect
from contracts.errors import NotFound
from contracts.reader import LedgerReader
from contracts.records import AttemptState
from tests.contracts.parties import Federation, digest

TABLES = (LedgerCopyRow, LedgerTransactionRow, LedgerEventRow, LedgerMentionRow)


@pytest.fixture(scope="module")
def round_of(chain: ChainEndpoint) -> Iterator[Federation]:
    """A contract on which one round went through."""
    federation = Federation(chain.url)
    federation.register()
    federation.open_training()
    federation.advance(federation.key(), AttemptState.FINALISED, digest("result"))
    yield federation
    federation.close()


@pytest.fixture
def ledger(round_of: Federation) -> LedgerReader:
    return round_of.coordinator


def rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Every row of the copy, by table, in the order of the keys."""
    found = {}
    with database.transaction() as session:
        for table in TABLES:
            known = table.__table__
            chosen = session.execute(select(known).order_by(*known.primary_key)).mappings()
            found[known.name] = [dict(one) for one in chosen]
    return found


def test_the_copy_holds_every_event_with_its_transaction_and_block(
    database: Database, ledger: LedgerReader
) -> None:
    reach = LedgerIndex(database).catch_up(ledger)
    assert reach.complete
    assert reach.next_block == ledger.head().number + 1
    events = list(ledger.events())
    with database.transaction() as session:
        kept = session.scalars(
            select(LedgerEventRow).order_by(LedgerEventRow.block, LedgerEventRow.log_index)
        ).all()
        assert [(one.name, one.block, one.log_index) for one in kept] == [
            (event.name, event.block, event.index) for event in events
        ]
        for row, event in zip(kept, events, strict=True):
            record = ledger.transaction(event.transaction)
            block = ledger.block(event.block)
            sent = row.transaction
            assert row.contract == event.contract
            assert (sent.hash, sent.sender, sent.gas) == (
                event.transaction,
                record.sender,
                record.gas,
            )
            assert (sent.block_hash, sent.function) == (block.hash.hex(), record.function or "")
            assert sent.block_time.isoformat() == ledger_index.moment_of(block).isoformat()


def test_an_event_is_found_by_training_round_attempt_and_by_whom_it_names(
    database: Database, ledger: LedgerReader, round_of: Federation
) -> None:
    LedgerIndex(database).catch_up(ledger)
    hospital = round_of.hospitals[0].account
    with database.transaction() as session:
        (row,) = session.scalars(
            select(LedgerEventRow)
            .join(LedgerMentionRow)
            .where(LedgerEventRow.name == "Submitted", LedgerMentionRow.value == hospital)
        )
        assert (row.training, row.round, row.attempt) == (round_of.training.hex(), 0, 1)
        named = {one.value for one in row.mentions}
    (submission,) = [one for one in ledger.submissions(round_of.key()) if one.hospital == hospital]
    assert named == {hospital, submission.share_root.hex(), submission.update_hash.hex()}


def test_thrown_away_and_read_again_it_is_the_same(
    database: Database, ledger: LedgerReader
) -> None:
    index = LedgerIndex(database)
    index.catch_up(ledger)
    before = rows(database)
    assert all(before.values())
    index.forget()
    assert not any(rows(database).values())
    index.catch_up(ledger)
    assert rows(database) == before


def test_read_in_small_pages_it_is_the_same(
    database: Database, ledger: LedgerReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = LedgerIndex(database)
    index.catch_up(ledger)
    whole = rows(database)
    index.forget()
    monkeypatch.setattr(ledger_index, "MOST_TRANSACTIONS", 3)
    monkeypatch.setattr(ledger_index, "MOST_BLOCKS", 4)
    first = index.advance(ledger)
    assert not first.complete
    assert first.next_block <= 4
    index.catch_up(ledger)
    assert rows(database) == whole


def test_it_reads_on_where_it_ended(database: Database, chain: ChainEndpoint) -> None:
    federation = Federation(chain.url)
    federation.register()
    index = LedgerIndex(database)
    index.catch_up(federation.coordinator)
    before = rows(database)["ledger_events"]
    federation.open_training()
    index.catch_up(federation.coordinator)
    (new,) = [one for one in rows(database)["ledger_events"] if one not in before]
    assert new["name"] == "TrainingOpened"
    federation.close()


def test_a_copy_whose_last_block_is_another_is_thrown_away_and_read_again(
    database: Database, ledger: LedgerReader
) -> None:
    index = LedgerIndex(database)
    index.catch_up(ledger)
    right = rows(database)
    with database.transaction() as session:
        session.execute(update(LedgerCopyRow).values(last_hash="f" * 64))
        session.execute(update(LedgerEventRow).values(name="NeverHappened"))
    index.catch_up(ledger)
    assert rows(database) == right


def test_a_copy_that_is_longer_than_the_chain_is_thrown_away(
    database: Database, ledger: LedgerReader
) -> None:
    index = LedgerIndex(database)
    index.catch_up(ledger)
    right = rows(database)
    with database.transaction() as session:
        session.execute(update(LedgerCopyRow).values(next_block=10**6))
    assert index.catch_up(ledger).complete
    assert rows(database) == right


def test_the_copy_of_another_chain_is_thrown_away(
    database: Database, ledger: LedgerReader, tmp_path: Path
) -> None:
    index = LedgerIndex(database)
    index.catch_up(ledger)
    with connect(tmp_path) as other:
        federation = Federation(other.url)
        federation.register()
        index.catch_up(federation.coordinator)
        found = rows(database)
        genesis = federation.coordinator.block(0).hash.hex()
        federation.close()
    assert {one["genesis_hash"] for one in found["ledger_copies"]} == {genesis}
    assert "Submitted" not in {one["name"] for one in found["ledger_events"]}


def test_a_block_that_changes_while_it_is_read_is_not_written(
    database: Database, ledger: LedgerReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The chain is replaced between the copy's check and the reading of the next page."""
    index = LedgerIndex(database)
    monkeypatch.setattr(ledger_index, "MOST_BLOCKS", 4)
    index.advance(ledger)
    monkeypatch.setattr(ledger_index, "_is_on_chain", lambda *_: True)
    with database.transaction() as session:
        session.execute(update(LedgerCopyRow).values(last_hash="f" * 64))
    reach = index.advance(ledger)
    assert reach.next_block == 0
    assert not any(rows(database).values())


def test_two_that_read_at_once_leave_one_copy(
    database: Database, ledger: LedgerReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = LedgerIndex(database)
    index.catch_up(ledger)
    right = rows(database)
    index.forget()
    monkeypatch.setattr(ledger_index, "MOST_TRANSACTIONS", 5)
    start, troubles = Barrier(3), []

    def read() -> None:
        with_own = LedgerReader(ledger.rpc_url, ledger.contract)
        start.wait()
        try:
            LedgerIndex(database).catch_up(with_own)
        except Exception as error:  # noqa: BLE001, told to the test
            troubles.append(error)
        finally:
            with_own.close()

    threads = [Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert troubles == []
    assert rows(database) == right


def test_what_was_read_twice_is_written_once(
    database: Database, ledger: LedgerReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process writes the same page between this one's reading and writing."""
    index, other = LedgerIndex(database), LedgerIndex(database)
    honest = ledger_index._read

    def slow(*arguments: Any) -> Any:
        page = honest(*arguments)
        monkeypatch.setattr(ledger_index, "_read", honest)
        other.catch_up(ledger)
        return page

    monkeypatch.setattr(ledger_index, "_read", slow)
    index.catch_up(ledger)
    with database.transaction() as session:
        kept = session.execute(text("SELECT COUNT(*) FROM ledger_events")).scalar_one()
    assert kept == len(list(ledger.events()))


def test_an_unknown_transaction_is_not_found(ledger: LedgerReader) -> None:
    with pytest.raises(NotFound):
        ledger.transaction("0x" + "9" * 64)
