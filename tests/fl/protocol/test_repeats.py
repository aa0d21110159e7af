"""A step that is asked again: the same bytes, one record on the ledger, one answer ever."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from contracts.digests import challenge_digest, submissions_root
from contracts.records import AttemptKey, AttemptState
from fl.errors import ConflictError, PartyFailed, StepRefused
from fl.messages import OUTCOME, REPORT, SET, pack
from fl.party import attempt_place
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Fault, Place, Recorder, Saboteur, Twice
from tests.fl.protocol.federation import HOSPITALS, NODES, Federation, attempt_key

pytestmark = [on_all_chains, pytest.mark.slow]

ONCE_A_PARTY = ("NodeJoined", "Submitted", "NonceRevealed", "SetSigned", "Voted")
ONCE_AN_ATTEMPT = ("ChallengeDrawn", "SetPublished", "Finalised")


def test_every_step_asked_twice_answers_the_same_and_counts_once(federate: Federate) -> None:
    federation = federate()
    assert federation.run(Twice(federation.engine())).finished
    for number in range(2):
        key = attempt_key(number)
        assert federation.result(key) == federation.expected_result(key)
        assert set(federation.accepted(key)) == set(HOSPITALS)
        assert federation.faults(key) == {}
    counts = Counter(event.name for event in federation.ledger.events())
    parties = {"Submitted": len(HOSPITALS)}
    for name in ONCE_A_PARTY:
        assert counts[name] == 2 * parties.get(name, len(NODES)), name
    for name in ONCE_AN_ATTEMPT:
        assert counts[name] == 2, name


@pytest.mark.slow
def test_what_was_sent_is_sent_again_long_after(federate: Federate) -> None:
    """Shares and seats are erased by then; what was said stays said."""
    federation = federate()
    recorder = Recorder(federation.engine())
    assert federation.run(recorder).finished
    again = [one for one in recorder.passed if one.question in ("share", "answer", "release")]
    assert len(again) == 2 * (len(HOSPITALS) + 2 * len(NODES))
    for one in again:
        party = federation.parties[one.party]
        assert party.ask(one.question, one.key, one.message) == one.answer
    for one in recorder.passed:
        if one.question in ("judge", "vote", "adopt", "submit"):
            answer = federation.parties[one.party].ask(one.question, one.key, one.message)
            assert answer == one.answer, one.question


def test_a_party_says_one_thing_for_a_purpose_in_an_attempt(federate: Federate) -> None:
    federation = federate()
    federation.run_statistics()
    node, key = federation.node("Node 1"), attempt_key(0)
    for purpose in (SET, OUTCOME, REPORT):
        said = node.state_once(purpose, attempt_key(5), pack(1))
        assert node.state_once(purpose, attempt_key(5), pack(1)) == said
        with pytest.raises(ConflictError):
            node.state_once(purpose, attempt_key(5), pack(2))
    assert node.store.get(f"{attempt_place(key)}/said/{SET}") is not None


class Forged:
    """A ledger that tells a node of another nonce, hence of another challenge: a forked chain."""

    def __init__(self, ledger: Any, key: AttemptKey) -> None:
        self._ledger = ledger
        self._key = key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def submissions(self, key: AttemptKey) -> Any:
        """The submissions in another order: another root."""
        return tuple(reversed(self._ledger.submissions(key)))

    def attempt(self, key: AttemptKey) -> Any:
        true = self._ledger.attempt(key)
        root = submissions_root(self.submissions(key))
        nonces = [join.nonce for join in self._ledger.joins(key)]
        chain, contract = self._ledger.chain_id, self._ledger.contract
        fields = {name: getattr(true, name) for name in true.__slots__}
        fields["submissions_root"] = root
        fields["challenge"] = challenge_digest(chain, contract, key, root, nonces)
        return type(true)(**fields)


def test_a_node_answers_one_challenge_for_a_submission_ever(federate: Federate) -> None:
    federation = federate()
    node = federation.node("Node 1")
    true, seen = node.ledger, []

    def on_a_fork(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        first = ask(message)
        forged = Forged(true, key)
        assert forged.attempt(key).challenge != true.attempt(key).challenge
        node.ledger = forged  # type: ignore[assignment]
        seen.append((first, ask(message)))
        node.ledger = true
        return first

    engine = Saboteur(federation.engine(), {(0, "Node 1", "answer"): on_a_fork})
    federation.attempt(attempt_key(0), engine).run()
    ((first, second),) = seen
    assert first == second


def test_a_node_asked_on_a_fork_first_would_have_answered_it(federate: Federate) -> None:
    """The fork of the test above is one that a node takes for the chain, if it knows no other."""
    federation = federate()
    node = federation.node("Node 1")
    true = node.ledger

    def only_on_a_fork(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        node.ledger = Forged(true, key)  # type: ignore[assignment]
        answer = ask(message)
        node.ledger = true
        # And never again, on the true chain neither.
        assert ask(message) == answer
        return answer

    engine = Saboteur(federation.engine(), {(0, "Node 1", "answer"): only_on_a_fork})
    federation.attempt(attempt_key(0), engine).run()
    # Its answers are to another challenge than the others': it looks like a liar, and is left out.
    assert set(federation.faults(attempt_key(0))) == {"Node 1"}


def test_a_node_refuses_what_comes_too_early(federate: Federate) -> None:
    federation = federate()
    refusals: dict[tuple[str, AttemptState], str] = {}
    asked = {"share": ("receive", "reveal", "answer", "erase"), "receive": ("answer", "judge")}

    def early(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        state = federation.ledger.attempt(key).state
        step = "share" if state == AttemptState.SUBMITTING else "receive"
        for question in asked[step]:
            sent = pack([]) if question in ("receive", "judge") else b""
            with pytest.raises(PartyFailed) as failed:
                federation.engine().ask("Node 2", question, key, sent)
            refusals[question, state] = failed.value.reason
        return ask(message)

    places: dict[Place, Fault] = {
        (0, "Cleveland", "share"): early,
        (0, "Node 1", "receive"): early,
    }
    federation.attempt(attempt_key(0), Saboteur(federation.engine(), places)).run()
    submitting, revealing = AttemptState.SUBMITTING, AttemptState.REVEALING
    closes = "Node 2 waits until the ledger closes the submissions"
    assert refusals["receive", submitting] == closes
    assert refusals["answer", submitting] == closes
    assert "WrongState" in refusals["reveal", submitting]
    assert "keeps its shares" in refusals["erase", submitting]
    # The submissions are closed, but no challenge is drawn.
    assert "computes another challenge" in refusals["answer", revealing]
    assert federation.faults(attempt_key(0)) == {}
    assert federation.result(attempt_key(0)) == federation.expected_result(attempt_key(0))


def test_a_hospital_shares_nothing_before_the_seats_are_taken(federate: Federate) -> None:
    federation = federate()
    refused: list[str] = []

    def early(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        hospital = federation.hospital("Hungary")
        with pytest.raises(StepRefused, match="has no update"):
            hospital.ask("share", key, b"")
        hospital.ask("train", key, pack(federation.plan.initial_model(), b""))
        with pytest.raises(StepRefused, match="waits until the ledger calls"):
            hospital.ask("share", key, b"")
        with pytest.raises(StepRefused, match="dealt nothing"):
            hospital.ask("submit", key, b"")
        refused.append(hospital.name)
        return ask(message)

    engine = Saboteur(federation.engine(), {(0, "Node 1", "join"): early})
    federation.attempt(attempt_key(0), engine).run()
    assert refused == ["Hungary"]
    assert federation.faults(attempt_key(0)) == {}


def test_a_node_refuses_a_chain_that_forgot(federate: Federate) -> None:
    """It signed a head; a chain without that block is another chain."""
    federation: Federation = federate()
    federation.run_statistics()
    node = federation.node("Node 4")
    true = node.ledger

    class Rewritten:
        def __getattr__(self, name: str) -> Any:
            return getattr(true, name)

        def block(self, number: int) -> Any:
            return true.block(number - 1)

    node.ledger = Rewritten()  # type: ignore[assignment]
    with pytest.raises(StepRefused, match="the chain changed"):
        node.ask("join", attempt_key(1), b"")
