"""Any order of calls: the contract does what a small model says, and finalises a round once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.chain import ChainEndpoint
from contracts.ledger import AttemptState, Refused, set_digest
from tests.contracts.parties import Federation, digest

STATE = AttemptState
NODES = st.integers(0, 3)


class AttemptMachine(RuleBasedStateMachine):
    """Calls of any party at any time, against `self.state`, `self.locked` and a few counts."""

    url: str

    @initialize()
    def open_training(self) -> None:
        self.federation = Federation(self.url)
        self.federation.register()
        self.federation.open_training()
        self.attempt = 0
        self.round = 0
        self.locked: set[int] = set()
        self.finalised: dict[int, bytes] = {}
        self.reset(STATE.NONE)

    def reset(self, state: AttemptState) -> None:
        self.state = state
        self.joined: set[int] = set()
        self.submitted: set[int] = set()
        self.revealed: set[int] = set()
        self.signed: set[int] = set()
        self.voted: dict[int, bytes] = {}

    @property
    def key(self) -> Any:
        return self.federation.key(self.round, max(self.attempt, 1))

    def expect(self, allowed: bool, call: Any, *arguments: Any) -> bool:
        """Make the call; it must not be refused when the model allows it."""
        refused: Refused | None = None
        try:
            call(*arguments)
        except Refused as problem:
            refused = problem
        # What is repeated word for word is answered with the first receipt, not refused.
        assert not (allowed and refused), refused
        return allowed

    @rule()
    def open_attempt(self) -> None:
        allowed = self.state in (STATE.NONE, STATE.FAILED) and self.round not in self.locked
        key = self.federation.key(self.round, self.attempt + 1)
        model = self.federation.coordinator.training(self.federation.training).model
        if self.expect(allowed, self.federation.coordinator.open_attempt, key, model):
            self.attempt += 1
            self.reset(STATE.OPENED)

    @rule(node=NODES)
    def join(self, node: int) -> None:
        allowed = self.state is STATE.OPENED and node not in self.joined
        if self.expect(allowed, self.federation.join, self.key, self.federation.nodes[node]):
            self.joined.add(node)

    @rule()
    def call_for_submissions(self) -> None:
        allowed = self.state is STATE.OPENED and len(self.joined) >= 3
        if self.expect(allowed, self.federation.coordinator.call_for_submissions, self.key):
            self.state = STATE.SUBMITTING

    @rule(hospital=NODES)
    def submit(self, hospital: int) -> None:
        allowed = self.state is STATE.SUBMITTING and hospital not in self.submitted
        one = self.federation.hospitals[hospital]
        if self.expect(allowed, self.federation.submit, self.key, one):
            self.submitted.add(hospital)

    @rule()
    def close_submissions(self) -> None:
        allowed = self.state is STATE.SUBMITTING and len(self.submitted) >= 3
        if self.expect(allowed, self.federation.coordinator.close_submissions, self.key):
            self.state = STATE.REVEALING

    @rule(node=NODES)
    def reveal(self, node: int) -> None:
        allowed = self.state is STATE.REVEALING and node in self.joined - self.revealed
        one = self.federation.nodes[node]
        nonce = self.federation.nonce(self.key, one)
        if self.expect(allowed, one.reveal, self.key, nonce):
            self.revealed.add(node)

    @rule()
    def close_reveals(self) -> None:
        allowed = self.state is STATE.REVEALING and len(self.revealed) >= 3
        if self.expect(allowed, self.federation.coordinator.close_reveals, self.key):
            self.state = STATE.CHECKING

    @rule(node=NODES)
    def agree(self, node: int) -> None:
        open_ = self.state in (STATE.CHECKING, STATE.AGREED)
        allowed = open_ and node in self.revealed - self.signed
        if self.state is STATE.NONE:
            return
        agreed = set_digest(self.key, self.federation.agreed_set(self.key))
        one = self.federation.nodes[node]
        if self.expect(allowed, one.agree, self.key, agreed, True):
            self.signed.add(node)
            if len(self.signed) == 3:
                self.state = STATE.AGREED
                self.locked.add(self.round)

    @rule()
    def publish(self) -> None:
        if self.state is STATE.NONE:
            return
        agreed = self.federation.agreed_set(self.key)
        allowed = self.state is STATE.AGREED
        if self.expect(allowed, self.federation.stranger.publish_set, self.key, agreed):
            self.state = STATE.VOTING

    @rule(node=NODES, name=st.sampled_from(["right", "right", "right", "wrong"]))
    def vote(self, node: int, name: str) -> None:
        open_ = self.state in (STATE.VOTING, STATE.FINALISED)
        allowed = open_ and node in self.revealed and node not in self.voted
        result = digest(f"{name} {self.key}")
        if self.expect(allowed, self.federation.nodes[node].vote, self.key, result):
            self.voted[node] = result
            if list(self.voted.values()).count(result) == 3:
                self.finalised[self.round] = result
                self.round, self.attempt = self.round + 1, 0
                self.reset(STATE.NONE)

    @rule()
    def fail(self) -> None:
        allowed = STATE.OPENED <= self.state < STATE.FINALISED
        if self.expect(allowed, self.federation.coordinator.fail, self.key, "given up"):
            self.state = STATE.FAILED

    @rule()
    def everybody_does_the_next_step(self) -> None:
        """Reach the late states more often than chance would."""
        each = {
            STATE.OPENED: (self.join, self.call_for_submissions),
            STATE.SUBMITTING: (self.submit, self.close_submissions),
            STATE.REVEALING: (self.reveal, self.close_reveals),
            STATE.CHECKING: (self.agree, self.nothing_more),
            STATE.VOTING: (lambda node: self.vote(node, "right"), self.nothing_more),
        }
        one, then = each.get(self.state, (lambda _: None, self.open_or_publish))
        before = self.round
        for party in range(4):
            if self.round == before:
                one(party)
        then()

    def nothing_more(self) -> None:
        pass

    def open_or_publish(self) -> None:
        if self.state is STATE.AGREED:
            self.publish()
        else:
            self.open_attempt()

    @invariant()
    def contract_agrees_with_the_model(self) -> None:
        if not hasattr(self, "federation"):
            return
        ledger = self.federation.coordinator
        training = ledger.training(self.federation.training)
        assert training.next_round == len(self.finalised)
        assert training.statistics == self.finalised.get(0)
        record = ledger.round(self.federation.training, self.round)
        assert (record.attempts, record.locked) == (self.attempt, self.round in self.locked)
        if self.state is not STATE.NONE:
            attempt = ledger.attempt(self.key)
            assert attempt.state is self.state
            assert (attempt.joined, attempt.submitted, attempt.revealed) == (
                len(self.joined),
                len(self.submitted),
                len(self.revealed),
            )
            assert len(ledger.votes(self.key)) == len(self.voted)

    def teardown(self) -> None:
        if hasattr(self, "federation"):
            self.federation.close()


@pytest.mark.slow
def test_any_order_of_calls(embedded_chain: ChainEndpoint) -> None:
    machine = type("Machine", (AttemptMachine,), {"url": embedded_chain.url})
    case = machine.TestCase
    case.settings = settings(max_examples=12, stateful_step_count=60, deadline=None)
    case().runTest()
