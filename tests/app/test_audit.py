"""The audit log on both databases: append-only, chained, and every tampering is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.models import AuditHeadRow, AuditRow, UserRow
from app.services.audit import GENESIS, PAGE, SYSTEM, AuditLog, entry_hash


@pytest.fixture
def log(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
def filled(log: AuditLog) -> AuditLog:
    """A log of five entries."""
    for number in range(5):
        log.add(SYSTEM, "training.started", f"training {number}", {"seed": number})
    return log


@pytest.fixture
def tamper(database: Database) -> Callable[..., None]:
    """Change the log behind its back, as whoever owns the database can."""

    def change(statement: str) -> None:
        with database.engine.begin() as connection:
            for action in ("update", "delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{action}"))
            connection.execute(text(statement))

    return change


def rows(database: Database) -> list[AuditRow]:
    with database.transaction() as session:
        return list(session.scalars(select(AuditRow).order_by(AuditRow.id)))


def test_the_hash_of_an_entry_is_this_one() -> None:
    """Known answer: printf of the label, a newline and the canonical JSON, into sha256sum."""
    row = AuditRow(
        id=1,
        at=datetime.fromisoformat("2026-01-02T03:04:05.000006"),
        actor="Zoë",
        actor_id=7,
        action="user.authorised",
        subject="zoe@clinic.example",
        details='{"role":"doctor"}',
        previous_sha256=GENESIS,
    )
    assert entry_hash(row) == "b3b5d957eacc3105fd63d5936d2a4f8f676977664bd8b579eb2a50861e7d5865"


def test_entries_are_chained(filled: AuditLog, database: Database) -> None:
    found = rows(database)
    assert [one.id for one in found] == [1, 2, 3, 4, 5]
    assert [one.previous_sha256 for one in found] == [GENESIS, *(one.sha256 for one in found[:-1])]
    assert [json.loads(one.details) for one in found] == [{"seed": n} for n in range(5)]
    assert filled.verify() == []


def test_an_empty_log_is_whole(log: AuditLog) -> None:
    assert log.verify() == []
    assert log.entries().entries == []


def test_a_person_is_named_and_numbered(log: AuditLog) -> None:
    person = UserRow(id=7, name="Zoë")
    row = log.add(person, "user.signed_in")
    assert (row.actor, row.actor_id) == ("Zoë", 7)
    nobody = log.add(None, "training.ended")
    assert (nobody.actor, nobody.actor_id) == (SYSTEM, None)
    assert log.verify() == []


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'Mallory'", "DELETE FROM audit"])
def test_the_database_refuses_changes(filled: AuditLog, database: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))
    assert filled.verify() == []
    assert len(rows(database)) == 5


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'Mallory'",
        "actor_id = 9",
        "action = 'training.stopped'",
        "subject = ''",
        "details = '{}'",
        "at = '2020-01-01 00:00:00.000000'",
        f"sha256 = '{'a' * 64}'",
        f"previous_sha256 = '{'a' * 64}'",
    ],
)
def test_an_altered_entry_is_named(
    filled: AuditLog, tamper: Callable[..., None], change: str
) -> None:
    tamper(f"UPDATE audit SET {change} WHERE id = 3")
    # An altered hash breaks the next entry's link, too.
    assert filled.verify() == ([3, 4] if change.startswith("sha256") else [3])


def test_an_altered_entry_with_a_fitting_hash_is_found_by_the_next(
    filled: AuditLog, database: Database, tamper: Callable[..., None]
) -> None:
    row = rows(database)[2]
    row.actor = "Mallory"
    tamper(f"UPDATE audit SET actor = 'Mallory', sha256 = '{entry_hash(row)}' WHERE id = 3")
    assert filled.verify() == [4]


@pytest.mark.parametrize(("removed", "named"), [("id = 1", [1]), ("id = 3", [3]), ("id > 3", [4])])
def test_a_removed_entry_is_named(
    filled: AuditLog, tamper: Callable[..., None], removed: str, named: list[int]
) -> None:
    tamper(f"DELETE FROM audit WHERE {removed}")
    assert filled.verify() == named


def test_the_log_goes_on_after_tampering_and_still_tells(
    filled: AuditLog, tamper: Callable[..., None]
) -> None:
    tamper("UPDATE audit SET actor = 'Mallory' WHERE id = 5")
    filled.add(SYSTEM, "training.ended")
    assert filled.verify() == [5]


def test_an_entry_falls_with_the_transaction_that_it_belongs_to(
    filled: AuditLog, database: Database
) -> None:
    with database.transaction() as session:
        filled.add(SYSTEM, "training.started", session=session)
        session.rollback()
    assert len(rows(database)) == 5
    filled.add(SYSTEM, "training.ended")
    assert filled.verify() == []


def test_several_entries_of_one_transaction_are_chained(log: AuditLog, database: Database) -> None:
    with database.transaction() as session:
        for _ in range(3):
            log.add(SYSTEM, "training.started", session=session)
    assert log.verify() == []
    assert len(rows(database)) == 3


def test_writers_at_the_same_time_make_one_chain(log: AuditLog, database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(log.add, SYSTEM, "training.started") for _ in range(40)]:
            done.result()
    assert len(rows(database)) == 40
    assert log.verify() == []


def test_the_newest_page_comes_first(log: AuditLog) -> None:
    for number in range(PAGE + 1):
        log.add(SYSTEM, "training.started", str(number))
    first, last = log.entries(), log.entries(2)
    assert [one.id for one in first.entries] == list(range(PAGE + 1, 1, -1))
    assert [one.id for one in last.entries] == [1]
    assert (first.pages, first.total, log.entries(99).page) == (2, PAGE + 1, 2)


def test_details_that_are_no_json_are_refused(log: AuditLog) -> None:
    for details in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises((ValueError, TypeError)):
            log.add(SYSTEM, "training.started", details=details)
    assert log.entries().total == 0


def test_a_head_that_was_set_back_is_noticed(filled: AuditLog, database: Database) -> None:
    with database.transaction() as session:
        session.execute(update(AuditHeadRow).values(entry_id=4))
    assert filled.verify() == [6]
