"""Steps end at a block; who is late is refused, and anybody may end what hangs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.chain import ChainEndpoint
from contracts.ledger import AttemptState, Policy
from tests.contracts.parties import Federation, digest, point, refusal

pytestmark = pytest.mark.slow

STEP = 12


@pytest.fixture
def hurried(chain: ChainEndpoint) -> Iterator[Federation]:
    """A federation whose steps may take twelve blocks."""
    federation = Federation(chain.url, policy=Policy(step_blocks=STEP, most_attempts=2))
    federation.register()
    federation.open_training()
    yield federation
    federation.close()


def let_blocks_pass(federation: Federation) -> None:
    """Mine past the deadline by transactions that touch no attempt."""
    own = federation.hospitals[3]
    for number in range(STEP + 1):
        own.registry.rotate_key(point(f"key {number}"))


def test_a_step_has_the_blocks_of_the_policy(hurried: Federation) -> None:
    receipt = hurried.coordinator.open_attempt(hurried.key(), hurried.model)
    assert hurried.coordinator.attempt(hurried.key()).deadline == receipt.block + STEP


@pytest.mark.parametrize(
    "state",
    [
        AttemptState.OPENED,
        AttemptState.SUBMITTING,
        AttemptState.REVEALING,
        AttemptState.CHECKING,
    ],
)
def test_who_is_late_is_refused_and_anybody_ends_the_attempt(
    hurried: Federation, state: AttemptState
) -> None:
    key, node, hospital = hurried.key(), hurried.nodes[0], hurried.hospitals[0]
    hurried.advance(key, state)
    assert refusal(hurried.stranger.expire, key).reason == "NotLate"
    let_blocks_pass(hurried)
    late = {
        AttemptState.OPENED: lambda: hurried.join(key, hurried.ledger(9)),
        AttemptState.SUBMITTING: lambda: hospital.submit(key, digest("x"), digest("y"), 3),
        AttemptState.REVEALING: lambda: node.reveal(key, hurried.nonce(key, node)),
        AttemptState.CHECKING: lambda: node.agree(key, digest("set"), True),
    }[state]
    problem = refusal(late)
    assert problem.reason == "Late"
    assert problem.details["deadline"] == hurried.coordinator.attempt(key).deadline
    hurried.stranger.expire(key)
    record = hurried.coordinator.attempt(key)
    assert record.state is AttemptState.FAILED
    assert record.reason == "the deadline of a step passed"


@pytest.mark.parametrize("chain", ["embedded"], indirect=True)
def test_a_call_is_tried_in_the_block_that_its_transaction_would_be_in(
    hurried: Federation,
) -> None:
    key = hurried.key()
    deadline = hurried.coordinator.open_attempt(hurried.key(), hurried.model).block + STEP
    own = hurried.hospitals[3]
    while hurried.coordinator.head().number < deadline - 1:
        own.registry.rotate_key(point(f"key {hurried.coordinator.head().number}"))
    # The next block is the last one.
    early = refusal(hurried.stranger.expire, key)
    assert (early.reason, early.details) == ("NotLate", {"deadline": deadline, "number": deadline})
    hurried.join(key, hurried.nodes[0])
    sent = hurried.nodes[1].traffic[0]
    late = refusal(hurried.join, key, hurried.nodes[1])
    assert (late.reason, late.details) == ("Late", {"deadline": deadline, "number": deadline + 1})
    assert hurried.nodes[1].traffic[0] == sent, "what cannot be is not sent"
    hurried.stranger.expire(key)
    assert hurried.coordinator.attempt(key).state is AttemptState.FAILED


def test_what_was_agreed_to_open_does_not_expire(hurried: Federation) -> None:
    key = hurried.key()
    hurried.advance(key, AttemptState.VOTING)
    let_blocks_pass(hurried)
    assert refusal(hurried.stranger.expire, key).reason == "WrongState"
    for node in hurried.nodes[:3]:
        node.vote(key, digest("result"))
    assert hurried.coordinator.attempt(key).state is AttemptState.FINALISED


def test_a_training_has_so_many_attempts(hurried: Federation) -> None:
    for number in (1, 2):
        key = hurried.key(0, number)
        hurried.coordinator.open_attempt(key, hurried.model)
        hurried.coordinator.fail(key, "tried")
    problem = refusal(hurried.coordinator.open_attempt, hurried.key(0, 3), hurried.model)
    assert (problem.reason, problem.details) == ("BudgetSpent", {"training": hurried.training})
