"""The outbox keeps what was signed: in the database, and for those without one in memory."""

from __future__ import annotations

import pytest

from app.database import Database
from app.stores.outbox import KEPT, TableOutbox
from contracts.outbox import MemoryOutbox, NumberTaken, Outbox, Outgoing

ONE, TWO = "0x" + "1" * 40, "0x" + "2" * 40


def outgoing(account: str, nonce: int, intent: bytes = b"i", mark: str = "") -> Outgoing:
    name = f"{account}{nonce}{mark}".encode().hex()
    return Outgoing(account, nonce, intent.ljust(32), "0x" + name[-64:].zfill(64), name.encode())


@pytest.fixture(params=["memory", "database"])
def outbox(request: pytest.FixtureRequest, database: Database) -> Outbox:
    return MemoryOutbox() if request.param == "memory" else TableOutbox(database, "a" * 64)


def test_what_waits_comes_in_order_from_the_first_that_was_not_mined(outbox: Outbox) -> None:
    kept = [outgoing(ONE, nonce) for nonce in (2, 0, 1, 10)]
    for one in kept:
        outbox.put(one)
    outbox.put(outgoing(TWO, 1))
    assert [one.nonce for one in outbox.waiting(ONE, 1)] == [1, 2, 10]
    assert outbox.waiting(ONE, 10) == [kept[3]]
    assert outbox.waiting(ONE, 11) == []
    assert (outbox.newest(ONE), outbox.newest(TWO), outbox.newest("0x")) == (10, 1, None)
    assert outbox.accounts() == [ONE, TWO]


def test_a_number_is_given_once(outbox: Outbox) -> None:
    outbox.put(outgoing(ONE, 3))
    with pytest.raises(NumberTaken):
        outbox.put(outgoing(ONE, 3, mark="another"))
    assert outbox.waiting(ONE, 0) == [outgoing(ONE, 3)]
    outbox.put(outgoing(TWO, 3))


def test_what_the_chain_does_not_take_is_forgotten_and_its_number_free(outbox: Outbox) -> None:
    for nonce in (3, 4):
        outbox.put(outgoing(ONE, nonce))
    outbox.take_back(outgoing(ONE, 3, mark="another"))
    assert len(outbox.waiting(ONE, 0)) == 2
    outbox.take_back(outgoing(ONE, 3))
    assert outbox.waiting(ONE, 0) == [outgoing(ONE, 4)]
    outbox.put(outgoing(ONE, 3, mark="another"))


def test_an_intent_is_found_again_with_its_newest_transaction(outbox: Outbox) -> None:
    for nonce, intent in enumerate((b"a", b"b", b"a")):
        outbox.put(outgoing(ONE, nonce, intent))
    assert outbox.find(ONE, b"a".ljust(32)) == outgoing(ONE, 2, b"a")
    assert outbox.find(TWO, b"a".ljust(32)) is None
    assert outbox.find(ONE, b"c".ljust(32)) is None


def test_another_client_of_the_database_finds_what_was_put(database: Database) -> None:
    TableOutbox(database, "a" * 64).put(outgoing(ONE, 0))
    assert TableOutbox(database, "a" * 64).waiting(ONE, 0) == [outgoing(ONE, 0)]


def test_chains_do_not_share_numbers(database: Database) -> None:
    first, second = (TableOutbox(database, digit * 64) for digit in "ab")
    first.put(outgoing(ONE, 0))
    second.put(outgoing(ONE, 0, mark="another"))
    assert first.waiting(ONE, 0) == [outgoing(ONE, 0)]
    assert second.waiting(ONE, 0) == [outgoing(ONE, 0, mark="another")]
    first.take_back(outgoing(ONE, 0))
    assert (first.accounts(), second.accounts()) == ([], [ONE])


def test_old_transactions_are_not_kept_for_ever(database: Database) -> None:
    outbox = TableOutbox(database, "a" * 64)
    for nonce in range(3 * KEPT + 1):
        outbox.put(outgoing(ONE, nonce))
    kept = [one.nonce for one in outbox.waiting(ONE, 0)]
    assert kept == list(range(2 * KEPT, 3 * KEPT + 1))
