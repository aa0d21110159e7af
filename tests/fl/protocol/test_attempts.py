"""When a round cannot go on: the old model stands, and no retry opens the sum of another set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.models import AttemptRow, MessageRow
from contracts.errors import ChainUnreachable, Refused
from contracts.records import AttemptKey, AttemptState, TrainingState
from contracts.rpc import Rpc
from crypto.field import F61
from fl.agreement import pack_set
from fl.channel import Engine
from fl.errors import ConflictError, PartyFailed, RoundFailed, StepRefused
from fl.messages import (
    ANSWERS,
    OUTCOME,
    SET,
    SUM,
    Statement,
    Submission,
    pack,
    pack_answers,
    unpack,
    unpack_answers,
)
from fl.party import attempt_place, round_place
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Fault, Place, Recorder, Saboteur, alters, crash
from tests.fl.protocol.federation import HOSPITALS, NODES, TRAINING, Federation, attempt_key

pytestmark = pytest.mark.slow

FIRST, SECOND = "Node 1", "Node 4"


def opened(federation: Federation, number: int = 1) -> list[str]:
    """The nodes that released a share of a round's sum, by the database and their folders."""
    with federation.database.transaction() as session:
        query = select(MessageRow.sender).join(AttemptRow, MessageRow.attempt_id == AttemptRow.id)
        query = query.where(MessageRow.kind == SUM, AttemptRow.round == number)
        carried = set(session.scalars(query))
    place = f"{round_place(attempt_key(number))}/sum"
    held = {name for name in NODES if federation.parties[name].store.get(place)}
    return sorted(carried | held)


def lie_in_check(federation: Federation) -> Fault:
    def change(key: AttemptKey, honest: bytes) -> bytes:
        given = unpack_answers(unpack(honest, str, str, bytes, bytes)[2])
        lies = dict.fromkeys(given, (5, 5))
        return federation.node(SECOND).state(ANSWERS, key, pack_answers(lies))

    return alters(change)


def lie_in_sum(federation: Federation) -> Fault:
    def change(key: AttemptKey, honest: bytes) -> bytes:
        words = F61.from_bytes(unpack(honest, str, str, bytes, bytes)[2])
        return federation.node(SECOND).state(SUM, key, F61.to_bytes(F61.add(words, words)))

    return alters(change)


def lie_in_vote(federation: Federation) -> Fault:
    def vote(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        receipt = federation.node(SECOND).ledger.vote(key, bytes(range(1, 33)))
        body = pack(bytes(range(1, 33)), receipt.transaction, [])
        return federation.node(SECOND).state(OUTCOME, key, body)

    return vote


def end_with(federation: Federation, faults: dict[str, Fault], step: str, number: int = 1) -> str:
    """Let a round fail for these nodes' faults at a step; return the reason why it ends."""
    places = {(number, name, step): fault for name, fault in faults.items()}
    ending = federation.run(Saboteur(federation.engine(), places))
    assert not ending.finished
    record = federation.ledger.training(TRAINING)
    assert (record.state, record.reason) == (TrainingState.ENDED, ending.reason)
    # The old model stands.
    assert (record.model, record.next_round) == (record.initial_model, number)
    assert ending.reason
    return ending.reason


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("join", "2 of 4 nodes joined, 3 are needed"),
        ("receive", "2 nodes are left out, at most 1 can be"),
        ("reveal", "2 nodes revealed their nonce, 3 are needed"),
        ("answer", "2 nodes answered, 3 are needed"),
        ("judge", "no quorum of nodes agreed on a set"),
    ],
)
def test_two_crash_before_the_agreement_and_nothing_is_opened(
    federate: Federate, step: str, reason: str
) -> None:
    federation = federate()
    told = end_with(federation, {FIRST: crash, SECOND: crash}, step, number=0)
    assert opened(federation, 0) == []
    assert {FIRST, SECOND} <= set(federation.faults(attempt_key(0)))
    if step == "judge":
        # The two that agreed join no other attempt, so the second one fails for that.
        assert told == "2 of 4 nodes joined, 3 are needed"
    else:
        assert told == reason
    assert federation.ledger.attempt(attempt_key(0)).reason == reason
    assert federation.ledger.training(TRAINING).statistics is None


@pytest.mark.parametrize("step", ["release", "vote"])
def test_two_crash_after_the_agreement(federate: Federate, step: str) -> None:
    federation = federate()
    reason = end_with(federation, {FIRST: crash, SECOND: crash}, step)
    if step == "release":
        assert reason.startswith("no node could decode the sum")
    else:
        assert reason == "2 nodes voted for 1 different results, 3 equal votes are needed"
    assert federation.ledger.round(TRAINING, 1).locked
    assert federation.ledger.round(TRAINING, 1).attempts == 1


@pytest.mark.parametrize(
    ("step", "lie", "reason"),
    [
        ("answer", lie_in_check, "4 of 4 hospitals are out, more than a quarter"),
        ("release", lie_in_sum, "no node could decode the sum"),
        ("vote", lie_in_vote, "3 nodes voted for 2 different results, 3 equal votes are needed"),
    ],
)
def test_one_crashes_and_one_lies(
    federate: Federate, step: str, lie: Callable[[Federation], Fault], reason: str
) -> None:
    federation = federate()
    told = end_with(federation, {FIRST: crash, SECOND: lie(federation)}, step)
    assert told.startswith(reason)
    if step == "answer":
        assert opened(federation) == []


@on_all_chains
def test_an_attempt_that_failed_before_the_agreement_is_tried_again_afresh(
    federate: Federate,
) -> None:
    federation = federate()

    def crash_once(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        return crash(ask, key, message) if key.attempt == 1 else ask(message)

    recorder = Recorder(federation.engine())
    places: dict[Place, Fault] = {(1, n, "answer"): crash_once for n in (FIRST, SECOND)}
    assert federation.run(Saboteur(recorder, places)).finished
    first, second = attempt_key(1, 1), attempt_key(1, 2)
    states = [federation.ledger.attempt(key).state for key in (first, second)]
    assert states == [AttemptState.FAILED, AttemptState.FINALISED]
    assert federation.result(second) == federation.expected_result(second)
    assert federation.faults(second) == {}
    once, again = (drawn(federation, recorder, key) for key in (first, second))
    assert len(once) == len(again)
    assert not once & again


def drawn(federation: Federation, recorder: Recorder, key: AttemptKey) -> set[bytes]:
    """All that parties drew for an attempt, or that depends on it: no value may come twice."""
    values: list[bytes] = [federation.ledger.attempt(key).challenge or b""]
    for join in federation.ledger.joins(key):
        values += [join.nonce_commitment, join.nonce or b"", join.receiving_key]
    for one in federation.ledger.submissions(key):
        values += [one.share_root, one.update_hash]
    for name in HOSPITALS:
        hospital = federation.hospital(name)
        stored = hospital.store.get(f"{attempt_place(key)}/dealing") or b""
        seed, sent = unpack(stored, bytes, bytes)
        dealing, submission = hospital.dealing(key), Submission.from_bytes(sent)
        values += [seed, *dealing.salts.values(), *submission.digests, *submission.envelopes]
        values += [F61.to_bytes(share) for share in dealing.shares.values()]
    assert len(values) == len(set(values))
    return set(values)


@on_all_chains
def test_no_retry_once_a_quorum_agreed(federate: Federate) -> None:
    """The contract and every node refuse it, each for itself."""
    federation = federate()
    federation.run_statistics()
    key, again = attempt_key(1, 1), attempt_key(1, 2)
    places: dict[Place, Fault] = {(1, node, "release"): crash for node in NODES}
    with pytest.raises(RoundFailed) as failure:
        federation.attempt(key, Saboteur(federation.engine(), places)).run()
    assert not failure.value.retryable
    assert federation.ledger.attempt(key).state == AttemptState.FAILED
    model = federation.ledger.training(TRAINING).model
    with pytest.raises(Refused) as refused:
        federation.ledger.open_attempt(again, model)
    assert refused.value.reason == "RoundLocked"
    for name in NODES:
        with pytest.raises(StepRefused, match="agreed to a set in another attempt"):
            federation.node(name).ask("join", again, b"")
        # The shares stay until the training is over: nothing else may be done with them.
        with pytest.raises(StepRefused, match="keeps its shares"):
            federation.node(name).ask("erase", key, b"")


@on_all_chains
def test_nodes_that_agreed_join_no_other_attempt(federate: Federate) -> None:
    """Also where the ledger would allow one, as no quorum agreed."""
    federation = federate()
    federation.run_statistics()
    places: dict[Place, Fault] = {(1, name, "judge"): crash for name in (FIRST, SECOND)}
    with pytest.raises(RoundFailed) as failure:
        federation.attempt(attempt_key(), Saboteur(federation.engine(), places)).run()
    assert failure.value.retryable
    again = attempt_key(1, 2)
    with pytest.raises(RoundFailed, match="2 of 4 nodes joined"):
        federation.attempt(again).run()
    assert set(federation.standings(again)) == {FIRST, SECOND}
    assert set(federation.faults(again)) == {"Node 2", "Node 3"}
    assert opened(federation) == []


class Stopped(Exception):
    """The test wants to look before this question is asked."""


class StopAt:
    def __init__(self, engine: Engine, question: str) -> None:
        self._engine = engine
        self._question = question

    def ask(self, party: str, step: str, key: AttemptKey, message: bytes) -> bytes:
        if step == self._question:
            raise Stopped
        return self._engine.ask(party, step, key, message)


def stop_at(federation: Federation, question: str) -> Recorder:
    """Bring round 1 to where this question would be asked for the first time."""
    federation.run_statistics()
    recorder = Recorder(federation.engine())
    with pytest.raises(Stopped):
        federation.attempt(attempt_key(), StopAt(recorder, question)).run()
    return recorder


def test_a_node_that_agreed_refuses_another_set_in_the_same_attempt(federate: Federate) -> None:
    federation = federate()
    recorder = stop_at(federation, "release")
    node, key = federation.node("Node 2"), attempt_key()
    statements = [recorder.answer(name, "answer") for name in NODES]
    node.ask("judge", key, pack(statements, []))
    with pytest.raises(ConflictError):
        # Without node 4's answers, it would be left out: another set.
        node.ask("judge", key, pack(statements[:3], []))
    assert {event["node"] for event in federation.events_named("SetSigned")} == {
        member.account for member in federation.plan.nodes
    }


def test_a_node_releases_its_share_only_for_the_set_that_a_quorum_signed(
    federate: Federate,
) -> None:
    federation = federate()
    recorder = stop_at(federation, "release")
    node, key = federation.node("Node 2"), attempt_key()
    agreed = pack_set(federation.attempt(key).verdicts().agreed)
    signed = [recorder.answer(name, "judge") for name in NODES]
    other = [*agreed[:4], [weight + 1 for weight in agreed[4]], *agreed[5:]]
    with pytest.raises(StepRefused, match="did not agree to this set"):
        node.ask("release", key, pack(other, signed))
    with pytest.raises(StepRefused, match="expected 3 signatures of the set, got 2"):
        node.ask("release", key, pack(agreed, signed[:2]))
    with pytest.raises(StepRefused, match="expected 3 signatures of the set, got 1"):
        node.ask("release", key, pack(agreed, [signed[0], signed[0], signed[0]]))
    forged = [Statement(name, SET, pack(b"", True), b"").to_bytes() for name in NODES]
    with pytest.raises(StepRefused, match="got 0"):
        node.ask("release", key, pack(agreed, forged))
    assert opened(federation) == []
    share = node.ask("release", key, pack(agreed, signed))
    assert node.ask("release", key, pack(agreed, signed[:3])) == share
    assert opened(federation) == ["Node 2"]


def test_a_node_decodes_no_fewer_shares_than_a_quorum(federate: Federate) -> None:
    """Two shares lie on a line whatever they are: nobody could see that one is wrong."""
    federation = federate()
    recorder = stop_at(federation, "vote")
    node, key = federation.node("Node 2"), attempt_key()
    agreed = pack_set(federation.attempt(key).verdicts().agreed)
    shares = [recorder.answer(name, "release") for name in NODES]
    model = federation.model_before(key)
    with pytest.raises(StepRefused, match="expected 3 shares of the sum, got 2"):
        node.ask("vote", key, pack(agreed, shares[:2], model))
    with pytest.raises(StepRefused, match="another model"):
        node.ask("vote", key, pack(agreed, shares, federation.result(attempt_key(0))))
    node.ask("vote", key, pack(agreed, shares[:3], model))


@on_all_chains
def test_a_chain_that_is_gone_is_nobody_s_fault_and_the_training_resumes(
    federate: Federate,
) -> None:
    federation = federate()

    def unreachable(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        federation.node("Node 2").ledger._rpc = Gone()
        return ask(message)

    rpc = federation.node("Node 2").ledger._rpc
    for step in ("join", "judge", "vote"):
        with pytest.raises(ChainUnreachable):
            federation.run(Saboteur(federation.engine(), {(1, "Node 2", step): unreachable}))
        federation.node("Node 2").ledger._rpc = rpc
        assert federation.ledger.training(TRAINING).state == TrainingState.OPEN
    assert federation.run().finished
    key = attempt_key()
    assert federation.ledger.round(TRAINING, 1).attempts == 1
    assert federation.faults(key) == {}
    assert federation.result(key) == federation.expected_result(key)


class Gone(Rpc):
    """A connection to a chain that does not answer."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:0")

    def call(self, method: str, *params: Any) -> Any:
        raise ChainUnreachable(self.url, "nothing answers")


def test_a_party_s_failure_is_its_own(federate: Federate) -> None:
    """Whatever breaks inside a party reaches the coordinator as that party's failure."""
    federation = federate()
    with pytest.raises(PartyFailed) as failed:
        federation.engine().ask("Node 1", "reveal", attempt_key(), b"")
    assert (failed.value.party, failed.value.step) == ("Node 1", "reveal")
    assert "has no seat" in failed.value.reason
