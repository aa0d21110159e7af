"""The pages of the ledger on a real training: what they show, and what their checks find."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

from app.models import (
    AttemptRow,
    LedgerCopyRow,
    LedgerEventRow,
    LedgerMentionRow,
    LedgerTransactionRow,
    MessageRow,
    ResultRow,
    SubmissionRow,
    TrainingRow,
)
from app.services.federation import Federation, open_federation
from app.services.hash_check import check_hash
from app.services.hash_lines import HashCheck
from app.services.ledger_index import LedgerIndex
from app.services.passwords import Passwords
from app.services.requests import TrainingRequest
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.services.secret_key import make_secret_key
from app.services.trainings import Trainings
from app.web.factory import create
from contracts.errors import ChainUnreachable
from contracts.records import DONATION
from tests.app.installations import settings_of
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import PASSWORD, of


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """An installation with one finished training of one round."""
    with open_federation(settings_of(tmp_path_factory.mktemp("ledger") / "instance")) as made:
        make_secret_key(made.settings.instance_dir)
        trainings = Trainings(made)
        started = trainings.start(trainings.plan(TrainingRequest(rounds=1, local_epochs=1)))
        assert trainings.run(started, lambda _: None).finished
        yield made


@pytest.fixture(scope="module")
def app(federation: Federation, cheap: Passwords) -> Iterator[Flask]:
    made = create(federation.settings, cheap)
    accounts = of(made).accounts
    for role in (ADMINISTRATOR, AUDITOR):
        row = accounts.register(f"{role}@clinic.example", f"Alice {role}", "Road 1", role, PASSWORD)
        assert row is not None
        accounts.authorise(row, row.id, role)
    yield made
    of(made).database.close()


@pytest.fixture(scope="module")
def alice(app: Flask) -> Browser:
    return signed_in(app, ADMINISTRATOR)


@pytest.fixture
def altered(federation: Federation, app: Flask) -> Iterator[None]:
    """Changes of the database are taken back after the test."""
    path = Path(str(federation.database.engine.url.database))
    with federation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    yield
    federation.database.close()
    of(app).database.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.move(copy, path)


def signed_in(app: Flask, role: str) -> Browser:
    browser = Browser(app)
    assert browser.sign_in(f"{role}@clinic.example", PASSWORD).status_code == 303
    return browser


def text(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def only(federation: Federation, table: Any, **columns: Any) -> Any:
    """The first row of a table with these values."""
    with federation.database.transaction() as session:
        return session.scalars(select(table).filter_by(**columns)).first()


def change(federation: Federation, row: Any, **columns: Any) -> None:
    with federation.database.transaction() as session:
        merged = session.merge(row)
        for name, value in columns.items():
            setattr(merged, name, value)


def checked(federation: Federation, value: str) -> HashCheck:
    LedgerIndex(federation.database).catch_up(federation.ledger)
    return check_hash(federation.database, federation.reader, value.removeprefix("0x"))


def transaction_of(federation: Federation, name: str, **columns: Any) -> str:
    LedgerIndex(federation.database).catch_up(federation.ledger)
    return str(only(federation, LedgerEventRow, name=name, **columns).transaction_hash)


def training_of(federation: Federation) -> str:
    return str(only(federation, TrainingRow).id)


def test_overview_tells_the_chain_and_what_was_done_last(
    alice: Browser, federation: Federation
) -> None:
    page = alice.get("/ledger").text
    head = federation.ledger.head().number
    said = text(page)
    assert f"Chain Embedded chain id {federation.ledger.chain_id}" in said
    assert f"Height {head} " in said
    assert f'data-copy="{federation.ledger.contract}"' in page
    assert "Ended the training Coordinator" in said
    training = training_of(federation)
    for number in (0, DONATION, 1):
        assert f'href="/ledger/trainings/{training}/rounds/{number}"' in page
    assert not Parts(page).inline


def test_overview_names_all_contracts_and_both_administrators(
    alice: Browser, federation: Federation
) -> None:
    page = alice.get("/ledger").text
    ledger = federation.ledger
    assert len(ledger.addresses) == 6
    for name, address in ledger.addresses.items():
        assert f"<dt>{name}</dt>" in page
        assert f'data-copy="{address}"' in page
    for account in ledger.registry.founders():
        assert f'data-copy="{account}"' in page


def test_every_link_of_the_ledgers_pages_leads_somewhere(
    alice: Browser, federation: Federation
) -> None:
    training = training_of(federation)
    sent = transaction_of(federation, "SetPublished", round=1)
    start = ["/ledger", f"/ledger/trainings/{training}/rounds/1", f"/ledger/transactions/{sent}"]
    start.append(f"/ledger/events?training={training}&round=1&kind=Voted")
    links = {
        link.split("#")[0]
        for path in start
        for link in Parts(alice.get(path).text).links
        if link.startswith("/ledger")
    }
    assert len(links) > 50
    # One of each kind and what it leads to is enough of hashes and transactions.
    chosen = {re.sub(r"[0-9a-f]{16,}|\d+", "*", link): link for link in sorted(links)}
    assert len(chosen) > 8
    assert {link: alice.get(link).status_code for link in chosen.values()} == dict.fromkeys(
        chosen.values(), 200
    )


def test_a_transaction_tells_sender_call_gas_and_events(
    alice: Browser, federation: Federation
) -> None:
    submitted = only(federation, SubmissionRow, hospital="Hungary")
    record = federation.ledger.transaction(submitted.transaction)
    page = alice.get(f"/ledger/transactions/{submitted.transaction}").text
    said = text(page)
    assert "Sent by Hungary" in said
    assert f"Gas used {record.gas:,}" in said
    assert "Call submit" in said
    assert "Hospital committed The hashes of a hospital’s update and of its shares" in said
    assert f'data-copy="{submitted.update_sha256}"' in page
    assert f'href="/ledger/hashes/{submitted.update_sha256}"' in page
    assert f'data-copy="{record.sender}"' in page
    assert "Succeeded" in said


def test_a_round_is_a_timeline_of_what_each_party_did(
    alice: Browser, federation: Federation
) -> None:
    training = training_of(federation)
    page = text(alice.get(f"/ledger/trainings/{training}/rounds/1").text)
    story = [
        "Coordinator Opened an attempt",
        "Node 1 Took a seat",
        "Hungary Committed to what it shared",
        "Node 2 Revealed its random number",
        "Coordinator Drew the challenge",
        "Node 3 Signed the set",
        "Published the set",
        "Verdict Hospital Hungary Verdict accepted",
        "Voted for the result",
        "Round finalised",
    ]
    places = [page.index(words) for words in story]
    assert places == sorted(places)
    assert re.search(r"\d+ s later, [\d,]+ gas", page)
    sums = re.findall(r"Sum (\d+) ([\d,]+)", page)
    assert len(sums) == 2
    assert sums[0] == sums[1]


def test_the_round_and_its_timeline_lead_to_each_other(
    alice: Browser, federation: Federation
) -> None:
    training = training_of(federation)
    results, timeline = (
        f"/admin/trainings/{training}/rounds/1",
        f"/ledger/trainings/{training}/rounds/1",
    )
    assert timeline in Parts(alice.get(results).text).links
    assert results in Parts(alice.get(timeline).text).links


def test_an_auditor_reads_the_ledger_and_is_not_sent_where_he_may_not_go(
    app: Flask, federation: Federation
) -> None:
    carol = signed_in(app, AUDITOR)
    page = carol.get(f"/ledger/trainings/{training_of(federation)}/rounds/1")
    assert page.status_code == 200
    assert not [link for link in Parts(page.text).links if link.startswith("/admin")]
    assert "/ledger" in Parts(carol.get("/").text).links


def test_lists_are_filtered_by_what_the_form_sends(alice: Browser, federation: Federation) -> None:
    training = training_of(federation)
    node = federation.keys("Node 2").account
    query = f"training={training}&round=1&party={node}&kind=Voted"
    events = alice.get(f"/ledger/events?{query}").text
    assert "1 event of this choice" in text(events)
    assert f'<option value="{node}" selected>Node 2</option>' in events
    assert "A node computed the result" in text(events)
    sent = text(alice.get(f"/ledger/transactions?{query}").text)
    assert "Voted for the result Node 2" in sent
    empty = alice.get("/ledger/events?round=77")
    assert "Nothing on the ledger is of this choice" in text(empty.text)


@pytest.mark.parametrize(
    "path",
    [
        "/ledger/transactions/0x12",
        "/ledger/transactions/0x" + "9" * 64,
        "/ledger/hashes/xyz",
        "/ledger/blocks/123456789",
        "/ledger/blocks/99999999999999999999999",
        "/ledger/trainings/xyz/rounds/1",
        "/ledger/trainings/xyz/rounds/99999999999999999999999",
    ],
)
def test_what_is_not_there_is_not_found(alice: Browser, path: str) -> None:
    assert alice.get(path).status_code == 404


@pytest.mark.parametrize("query", ["round=x", "round=-1", "round=9" + "9" * 30, "page=0", "page=x"])
def test_a_filter_that_is_none_is_left_out(alice: Browser, query: str) -> None:
    assert alice.get(f"/ledger/events?{query}").status_code == 200


def test_the_form_finds_blocks_transactions_and_hashes(
    alice: Browser, federation: Federation
) -> None:
    sent = transaction_of(federation, "Finalised", round=1)
    model = only(federation, TrainingRow).model_sha256
    account = federation.keys("Cleveland").account
    found = {
        asked: alice.get("/ledger/find", query_string={"q": asked}).location
        for asked in ("7", sent, f" {sent[2:].upper()} ", model, account.lower(), "rubbish", "")
    }
    assert list(found.values()) == [
        "/ledger/blocks/7",
        f"/ledger/transactions/{sent}",
        f"/ledger/transactions/{sent}",
        f"/ledger/hashes/{model}",
        f"/ledger/transactions?party={account}",
        "/ledger",
        "/ledger",
    ]
    assert "Expected the number of a block" in text(alice.get("/ledger").text)
    listed = text(alice.get(found[account.lower()]).text)
    assert "Nothing on the ledger is of this choice" not in listed


def test_a_block_that_is_not_there_is_told_in_words(alice: Browser) -> None:
    assert alice.get("/ledger/find", query_string={"q": "999999"}).location == "/ledger"
    assert "The chain has no block 999,999" in text(alice.get("/ledger").text)


def test_a_block_without_the_contracts_events_is_told_as_such(alice: Browser) -> None:
    page = text(alice.get("/ledger/blocks/0").text)
    assert "None of the contract’s events is in this block." in page
    assert "On the chain" in page


def hashes(federation: Federation) -> dict[str, tuple[str, str]]:
    """Hashes of each kind: the value, and what is computed again of it, or ""."""
    training = only(federation, TrainingRow)
    attempt = only(federation, AttemptRow, training_id=training.id, round=1)
    donation = only(federation, AttemptRow, training_id=training.id, round=DONATION)
    submission = only(federation, SubmissionRow, attempt_id=attempt.id)
    with closing(federation.reader()) as ledger:
        published = ledger.transaction(transaction_of(federation, "SetPublished", round=1))
    agreed: Any = published.arguments["set"]
    drawn = only(federation, LedgerEventRow, name="ChallengeDrawn", round=1)
    joined = only(federation, LedgerEventRow, name="NodeJoined", round=1)
    return {
        "model": (training.model_sha256, "The stored model"),
        "statistics": (training.statistics_sha256, "The stored statistics"),
        "plan": (training.plan_sha256, "The plan of training"),
        "first model": (training.initial_sha256, "from its seed"),
        "agreed set": (attempt.set_sha256, "The agreed set of round 1"),
        "donated rows": (donation.set_sha256, "The set of donated rows"),
        "shares": (submission.share_root, "The digests of the shares of"),
        "update": (submission.update_sha256, ""),
        "challenge": (re.findall("[0-9a-f]{64}", drawn.arguments)[-1], "The challenge"),
        "commitment": (re.findall("[0-9a-f]{64}", joined.arguments)[1], "The commitment"),
        "submissions": (agreed["submissions_root"].hex(), "The root of all submissions"),
        "review": (agreed["review"].hex(), "What the encrypted test opened"),
        "training": (training.id, ""),
        "transaction": (published.transaction, ""),
        "block": (published.block_hash.hex(), ""),
    }


KINDS = (
    "model", "statistics", "plan", "first model", "agreed set", "donated rows", "shares", "update",
    "challenge", "commitment", "submissions", "review", "training", "transaction", "block",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_hash_is_compared_and_computed_again(
    alice: Browser, federation: Federation, kind: str
) -> None:
    value, again = hashes(federation)[kind]
    check = checked(federation, value)
    assert check.agrees, check
    assert check.on_chain
    assert [line.what for line in check.recomputed if again and again in line.what] or not again
    page = text(alice.get(f"/ledger/hashes/{value}").text)
    assert "The same on the chain" in page
    assert "Agrees" in page


def test_an_update_is_said_to_lie_with_its_hospital_only(federation: Federation) -> None:
    row = only(federation, SubmissionRow, hospital="Switzerland")
    check = checked(federation, row.update_sha256)
    assert not check.recomputed
    assert "only Switzerland holds" in check.notes[0]


def flipped(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


ALTERATIONS: dict[str, Callable[[Federation], str]] = {}


def alteration(make: Callable[[Federation], str]) -> Callable[[Federation], str]:
    ALTERATIONS[make.__name__.replace("_", " ")] = make
    return make


@alteration
def a_stored_model(federation: Federation) -> str:
    digest = only(federation, TrainingRow).model_sha256
    row = only(federation, ResultRow, sha256=digest)
    change(federation, row, body=flipped(row.body))
    return str(digest)


@alteration
def a_plan(federation: Federation) -> str:
    row = only(federation, TrainingRow)
    change(federation, row, plan=row.plan.replace('"seed":7', '"seed":8'))
    return str(row.plan_sha256)


@alteration
def digests_of_shares(federation: Federation) -> str:
    row = only(federation, SubmissionRow, hospital="Hungary")
    query = {"attempt_id": row.attempt_id, "kind": "submission"}
    other = only(federation, MessageRow, sender="Cleveland", **query)
    change(federation, only(federation, MessageRow, sender="Hungary", **query), body=other.body)
    return str(row.share_root)


@alteration
def a_signed_answer(federation: Federation) -> str:
    row = only(federation, AttemptRow, round=1)
    with federation.database.transaction() as session:
        for message in session.scalars(
            select(MessageRow).filter_by(attempt_id=row.id, kind="answers")
        ):
            message.body = flipped(message.body)
    return str(row.set_sha256)


@alteration
def a_copied_transaction(federation: Federation) -> str:
    sent = transaction_of(federation, "Voted")
    change(federation, only(federation, LedgerTransactionRow, hash=sent), gas=1)
    return sent


@alteration
def a_copied_event(federation: Federation) -> str:
    sent = transaction_of(federation, "SubmissionJudged", round=1)
    row = only(federation, LedgerEventRow, name="SubmissionJudged", round=1)
    change(federation, row, arguments=row.arguments.replace("accepted", "rejected"))
    return sent


@alteration
def a_copied_event_that_names_the_hash(federation: Federation) -> str:
    digest = only(federation, TrainingRow).model_sha256
    LedgerIndex(federation.database).catch_up(federation.ledger)
    row = only(federation, LedgerEventRow, name="Finalised", round=1)
    change(federation, row, arguments="not even JSON")
    return str(digest)


@alteration
def a_block(federation: Federation) -> str:
    sent = transaction_of(federation, "Voted")
    row = only(federation, LedgerTransactionRow, hash=sent)
    change(federation, row, block_hash="e" * 64)
    return "e" * 64


@alteration
def a_trainings_model(federation: Federation) -> str:
    row = only(federation, TrainingRow)
    change(federation, row, model_sha256="d" * 64)
    return str(row.id)


@pytest.mark.usefixtures("altered")
@pytest.mark.parametrize("what", ALTERATIONS)
def test_what_was_altered_here_is_found_and_shown(
    alice: Browser, federation: Federation, what: str
) -> None:
    value = ALTERATIONS[what](federation).removeprefix("0x")
    check = checked(federation, value)
    assert check.differs
    page = text(alice.get(f"/ledger/hashes/{value}").text)
    assert "Something is different" in page
    assert "Different" in page


@pytest.mark.usefixtures("altered")
def test_pages_stand_a_copy_whose_events_were_removed(
    alice: Browser, federation: Federation
) -> None:
    sent = transaction_of(federation, "Voted")
    with federation.database.transaction() as session:
        for table in (LedgerMentionRow, LedgerEventRow):
            session.execute(delete(table))
    for path in ("/ledger", "/ledger/transactions", f"/ledger/transactions/{sent}"):
        assert alice.get(path).status_code == 200, path
    check = checked(federation, sent)
    assert [line.what for line in check.lines if not line.agrees] == ["Its events"]


def test_a_block_that_the_copy_does_not_hold_is_found_on_the_chain(
    alice: Browser, federation: Federation
) -> None:
    genesis = federation.ledger.block(0).hash.hex()
    check = checked(federation, genesis)
    assert (check.what, check.of_block, check.agrees) == ("block 0", 0, True)
    assert "/ledger/blocks/0" in Parts(alice.get(f"/ledger/hashes/{genesis}").text).links


def test_a_hash_that_nobody_knows_is_told_as_unknown(
    alice: Browser, federation: Federation
) -> None:
    check = checked(federation, "ab" * 32)
    assert not check.lines
    assert not check.agrees
    page = text(alice.get(f"/ledger/hashes/{'ab' * 32}").text)
    assert "Neither the ledger nor this server knows this hash" in page
    assert "Agrees" not in page


def test_a_transaction_without_events_is_found_on_the_chain(federation: Federation) -> None:
    """The creation of the federation's contract, the last of four, left none."""
    with closing(federation.reader()) as ledger:
        sent = [
            one
            for number in range(1, ledger.head().number + 1)
            for one in ledger._rpc.call("eth_getBlockByNumber", hex(number), False)["transactions"]
            if ledger.transaction(one).recipient is None
        ]
    check = checked(federation, sent[-1])
    assert check.what == "a transaction"
    assert "left no event" in check.notes[0]


def test_without_a_chain_the_copy_is_shown_and_said_to_be_uncompared(
    alice: Browser, app: Flask, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.get("/ledger")
    training = training_of(federation)
    model = only(federation, TrainingRow).model_sha256
    sent = transaction_of(federation, "Voted")
    row = only(federation, LedgerTransactionRow, hash=sent)

    def gone(_: Any) -> None:
        raise ChainUnreachable("http://127.0.0.1:1", "nothing listens there")

    monkeypatch.setattr("app.services.chain_access.reach", lambda *_args, **_more: gone(None))
    for path in (
        "/ledger",
        "/ledger/events",
        f"/ledger/transactions/{sent}",
        f"/ledger/blocks/{row.block}",
        f"/ledger/trainings/{training}/rounds/1",
    ):
        answer = alice.get(path)
        assert answer.status_code == 200, path
        assert "The chain does not answer, so nothing could be compared" in text(answer.text)
    check = text(alice.get(f"/ledger/hashes/{model}").text)
    assert "Computed again, not compared with the chain" in check
    assert "The stored model" in check
    assert "Agrees" not in check


@pytest.mark.usefixtures("altered")
def test_a_page_reads_a_part_of_a_long_chain_and_says_how_far_it_is(
    alice: Browser, federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    LedgerIndex(federation.database).forget()
    monkeypatch.setattr("app.services.ledger_index.MOST_TRANSACTIONS", 10)
    first = text(alice.get("/ledger").text)
    told = re.search(r"The local copy holds the blocks up to (\d+) of (\d+)\.", first)
    assert told
    assert int(told[1]) < int(told[2]) == federation.ledger.head().number
    copied = only(federation, LedgerCopyRow)
    assert copied.next_block == int(told[1]) + 1
    alice.get("/ledger")
    assert only(federation, LedgerCopyRow).next_block > copied.next_block
