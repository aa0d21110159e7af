"""What the pages of the ledger read out of the local copy: filters, pages, timelines, words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.database import Database
from app.ledger.facts import facts
from app.ledger.words import EVENTS, FUNCTIONS, event_words, function_title
from app.models import DeploymentRow, LedgerTransactionRow, PartyRow
from app.services import ledger_view
from app.services.ledger_index import LedgerIndex
from app.services.ledger_lines import Wanted
from app.services.ledger_timeline import round_timeline
from app.services.ledger_view import Explorer
from contracts.artifact import CONTRACTS, load_artifact
from contracts.chain import ChainEndpoint
from contracts.records import AttemptState
from tests.contracts.parties import Federation, digest


@pytest.fixture(scope="module")
def federation(chain: ChainEndpoint) -> Iterator[Federation]:
    """A contract with a round that was finalised, and one that failed once and was tried again."""
    made = Federation(chain.url)
    made.register()
    made.open_training()
    made.advance(made.key(), AttemptState.FINALISED, digest("statistics"))
    made.advance(made.key(1, 1), AttemptState.SUBMITTING)
    made.coordinator.fail(made.key(1, 1), "two hospitals are silent")
    made.advance(made.key(1, 2), AttemptState.FINALISED, digest("model 1"))
    yield made
    made.close()


@pytest.fixture
def read(database: Database, federation: Federation) -> Database:
    """A database with the copy of that contract, and the parties' names."""
    LedgerIndex(database).catch_up(federation.coordinator)
    with database.transaction() as session:
        for role, ledgers in (("hospital", federation.hospitals), ("node", federation.nodes)):
            for number, one in enumerate(ledgers, start=1):
                session.add(
                    PartyRow(
                        name=f"{role.capitalize()} {number}",
                        role=role,
                        account=one.account,
                        public_key="04",
                    )
                )
    return database


@pytest.fixture
def explorer(read: Database) -> Explorer:
    return Explorer(read)


def test_filters_leave_only_what_is_wanted(explorer: Explorer, federation: Federation) -> None:
    training, node = federation.training.hex(), federation.nodes[1].account
    votes = explorer.events(Wanted(training=training, round=1, account=node, kind="Voted"))
    (vote,) = votes.lines
    assert (vote.name, vote.sender, vote.round, vote.attempt) == ("Voted", node, 1, 2)
    assert vote.values["result_hash"] == digest("model 1").hex()
    assert explorer.events(Wanted(training="0" * 64)).total == 0
    everything = explorer.events(Wanted()).total
    by_round = [explorer.events(Wanted(round=number)).total for number in (0, 1)]
    # To no round belong: the two bindings, the first roles, hospitals with three permissions
    # each, nodes, the choice of nodes by two, the rules by two, and the training's opening.
    assert everything == sum(by_round) + 2 + 3 + 4 * 4 + 4 + (2 + 4 + 1) + (2 + 1) + 1


def test_a_hospital_is_found_by_what_is_said_about_it(
    explorer: Explorer, federation: Federation
) -> None:
    hospital = federation.hospitals[0].account
    found = explorer.events(Wanted(account=hospital, round=1)).lines
    said = {(one.name, one.sender) for one in found}
    assert ("Submitted", hospital) in said
    assert ("SubmissionJudged", federation.nodes[0].account) in said
    assert all(hospital in one.values.values() for one in found)


def test_transactions_are_filtered_by_their_events(
    explorer: Explorer, federation: Federation
) -> None:
    listing = explorer.transactions(Wanted(kind="Finalised"))
    assert [one.function for one in listing.lines] == ["vote", "vote"]
    assert all("Finalised" in [event.name for event in one.events] for one in listing.lines)
    assert explorer.transactions(Wanted()).total == explorer.counts().transactions


def test_pages_hold_every_event_once(explorer: Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_view, "PAGE", 7)
    first = explorer.events(Wanted())
    seen = [
        (one.block, one.index)
        for page in range(1, first.pages + 1)
        for one in explorer.events(Wanted(), page).lines
    ]
    assert len(seen) == first.total == len(set(seen))
    assert seen == sorted(seen, reverse=True)
    assert explorer.events(Wanted(), 10**6).page == first.pages
    assert explorer.events(Wanted(), -3).page == 1


def test_the_coordinator_has_a_name_without_being_enrolled(
    explorer: Explorer, federation: Federation
) -> None:
    names = explorer.names()
    assert names[federation.coordinator.account] == "Coordinator"
    assert names[federation.nodes[0].account] == "Node 1"


def test_the_chain_is_told_as_far_as_it_is_known(
    read: Database, explorer: Explorer, federation: Federation
) -> None:
    (copy,) = explorer.copies()
    assert (copy.contract, copy.kind) == (federation.coordinator.contract, "")
    with read.transaction() as session:
        session.add(
            DeploymentRow(
                chain_id=copy.chain_id,
                chain_kind="embedded",
                genesis_hash=copy.genesis_hash,
                contract=copy.contract,
            )
        )
    assert explorer.copies()[0].kind == "embedded"


def test_a_timeline_has_each_attempt_in_order_with_gas_and_time(
    read: Database, federation: Federation
) -> None:
    failed, finalised = round_timeline(read, federation.training.hex(), 1)
    assert (failed.number, finalised.number) == (1, 2)
    done = [step.transaction.function for step in failed.steps]
    assert done == ["openAttempt", *["join"] * 4, "callForSubmissions", "fail"]
    receipts = [
        federation.coordinator.transaction(step.transaction.hash) for step in finalised.steps
    ]
    assert finalised.gas == sum(one.gas for one in receipts)
    for shares in (finalised.by_sender, finalised.by_function):
        assert sum(one.gas for one in shares) == finalised.gas
        assert sum(one.transactions for one in shares) == len(finalised.steps)
    votes = next(one for one in finalised.by_function if one.name == "vote")
    assert votes.gas == sum(one.gas for one in receipts if one.function == "vote")
    assert round_timeline(read, federation.training.hex(), 77) == []


def test_latency_is_the_time_between_the_blocks(read: Database, federation: Federation) -> None:
    training = federation.training.hex()
    _, attempt = round_timeline(read, training, 1)
    assert attempt.steps[0].waited is None
    # On a quick machine all blocks bear the same second: the last ones come later here.
    later = [step.transaction.hash for step in attempt.steps[-2:]]
    with read.transaction() as session:
        for hash in later:
            row = session.get_one(LedgerTransactionRow, hash)
            row.block_time += timedelta(seconds=9)
    _, delayed = round_timeline(read, training, 1)
    assert delayed.steps[-2].waited == (attempt.steps[-2].waited or 0) + 9
    assert delayed.steps[-1].waited == attempt.steps[-1].waited
    assert delayed.seconds == attempt.seconds + 9


def test_the_rounds_of_a_training_are_listed_in_their_order(
    explorer: Explorer, federation: Federation
) -> None:
    assert explorer.rounds(5) == {federation.training.hex(): [0, 1]}


@pytest.mark.parametrize("kind", ["event", "function"])
def test_everything_that_the_contract_can_record_is_told_in_words(kind: str) -> None:
    known = EVENTS if kind == "event" else FUNCTIONS
    every = [one for contract in CONTRACTS for one in load_artifact(contract).abi]
    abi = [one for one in every if one["type"] == kind]
    names = {one["name"] for one in abi if one.get("stateMutability", "") not in ("view", "pure")}
    assert names == set(known)


def test_every_event_has_a_title_of_its_own_and_a_sentence() -> None:
    titles = [words.title for words in EVENTS.values()]
    assert len(set(titles)) == len(titles)
    assert all(words.meaning.endswith(".") for words in EVENTS.values())


def test_what_a_later_contract_records_is_told_by_its_name() -> None:
    assert event_words("ModelAnchored").title == "Model anchored"
    assert function_title("anchorModel") == "Anchor model"
    assert function_title("") == "Another call"


def test_values_are_told_in_units_that_people_know() -> None:
    account = "0x" + "Ab" * 20
    told = facts(
        {
            "round": 1 << 30,
            "balanced_accuracy": 15,
            "reference_accuracy": 255,
            "bits": 3,
            "opens": False,
            "state": "left_out",
            "update_hash": "ab" * 32,
            "set_hash": "00" * 32,
            "disputes": [{"hospital": account, "node": "0x" + "1" * 40}],
            "accepted": [],
            "attempt": 4,
        },
        {account: "Hungary"},
        without=("attempt",),
    )
    assert {fact.label: [part.value for part in fact.parts] for fact in told} == {
        "Round": ["Donated rows"],
        "Balanced accuracy": ["0.75"],
        "Reference": ["not opened"],
        "What holds, and warnings": ["in range, in norm"],
        "A sum is opened": ["no"],
        "State": ["left out"],
        "Update hash": ["ab" * 32],
        "Set hash": ["none"],
        "Disputes": ["Hungary and 0x" + "1" * 40],
        "Accepted": [],
    }


def test_the_parties_names_do_not_depend_on_the_copy(database: Database) -> None:
    with database.transaction() as session:
        assert session.scalars(select(PartyRow)).all() == []
    assert Explorer(database).names() == {}
    assert Explorer(database).copies() == []
