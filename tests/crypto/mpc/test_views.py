"""What a party sees: always as much, in the same order, and uniform; what it lacks masks it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from crypto.errors import MpcError
from crypto.field import Field
from crypto.mpc.activation import relu
from crypto.mpc.compare import at_most, not_negative
from crypto.mpc.kernels.bits import CHUNK
from crypto.mpc.layers import Linear, ReLU, predictions
from crypto.mpc.multiply import reduce_degree
from crypto.mpc.session import Inbox, Outbox, Program, Role, Session
from crypto.mpc.truncate import truncate
from tests.crypto.mpc.trio import Trio

F127 = Field(7)
LAYERS = [Linear(4, 6), ReLU(), Linear(6, 3)]

# 255 degrees of freedom: a uniform byte exceeds this with probability below 10^-9.
CHI_SQUARE_255 = 420.0


def shape_of(view: list[Inbox]) -> list[list[tuple[Role, int]]]:
    return [[(role, len(message)) for role, message in inbox.items()] for inbox in view]


def views(program: Any, x: Any, seed: int = 1, **public: Any) -> list[list[dict[Role, bytes]]]:
    trio = Trio(seed=seed)
    trio.run(program, trio.share(x), **public)
    return trio.views


PROGRAMS: list[tuple[Any, dict[str, int], int]] = [
    (reduce_degree, {}, 20_000),
    (truncate, {"m": 24}, 20_000),
    (not_negative, {"m": 38}, 20_000),
    (relu, {"m": 24}, 20_000),
    (at_most, {"top": 1000}, 20_000),
]
by_program = pytest.mark.parametrize(
    ("program", "public", "count"), PROGRAMS, ids=lambda p: getattr(p, "__name__", "")
)


@by_program
def test_lengths_and_order_do_not_depend_on_secrets(
    program: Any, public: dict[str, int], count: int
) -> None:
    low = views(program, np.zeros(count, dtype=int), **public)
    high = views(program, np.full(count, 2**36 - 5), seed=2, **public)
    for role in Role:
        assert shape_of(low[role]) == shape_of(high[role])


@by_program
@pytest.mark.parametrize("value", [0, 1, 2**36 - 5, -(2**30)])
def test_every_message_is_uniform(
    program: Any, public: dict[str, int], count: int, value: int
) -> None:
    """One message repeats the same secret thousands of times and still has all bytes alike."""
    seen = views(program, np.full(count, value), **public)
    messages = [m for view in seen for inbox in view for m in inbox.values()]
    assert messages
    for message in messages:
        # The highest byte of a field element has five bits.
        octets = np.frombuffer(message, dtype=np.uint8).reshape(-1, 8)[:, :7].reshape(-1)
        counts = np.bincount(octets, minlength=256)
        expected = octets.size / 256
        if expected >= 5:
            assert ((counts - expected) ** 2 / expected).sum() < CHI_SQUARE_255


@by_program
def test_two_secrets_give_views_that_do_not_correlate(
    program: Any, public: dict[str, int], count: int
) -> None:
    """Under fresh streams the bits of two views agree in half of the places."""
    first = views(program, np.zeros(count, dtype=int), **public)
    second = views(program, np.ones(count, dtype=int), seed=2, **public)
    for role in Role:
        for one, two in zip(first[role], second[role], strict=True):
            for sender, message in one.items():
                a, b = (np.frombuffer(m, dtype=np.uint8) for m in (message, two[sender]))
                equal = 8 * a.size - int(np.bitwise_count(a ^ b).sum())
                # The highest three bits of a field element are always zero.
                constant = a.reshape(-1, 8)[:, 7].max() < 32
                bits, same = (
                    a.size * 8 - 3 * a.size // 8 * constant,
                    equal - 3 * a.size // 8 * constant,
                )
                assert abs(same - bits / 2) < 6 * np.sqrt(bits) / 2


def test_a_sees_every_masked_opening_for_every_value() -> None:
    """On F127: whatever x is, each pair of words of B and C gives A another pair of messages."""
    p, x = F127.modulus, (0, 5, -9, 13)
    a, a2 = (grid.reshape(-1) for grid in np.meshgrid(np.arange(p), np.arange(p)))
    for value in x:
        trio = Trio(field=F127)
        trio.prepare(Role.B, Role.C, np.concatenate([a, a2]))
        shares = [np.repeat(share, p * p) for share in trio.share([value])]
        trio.run(truncate, shares, m=3, fraction_bits=1)
        view = trio.views[Role.A][0]
        rows = [np.frombuffer(view[role], dtype="<u8").astype(int) for role in (Role.B, Role.C)]
        assert np.unique(rows[0] * p + rows[1]).size == p * p


@pytest.mark.parametrize(("dealer", "receiver"), [(Role.B, Role.C), (Role.C, Role.B)])
@pytest.mark.parametrize("value", [0, 5, -9])
def test_b_and_c_see_every_dealing_for_every_value(
    dealer: Role, receiver: Role, value: int
) -> None:
    """On F127: each word with A that the receiver lacks gives another message, whatever x is."""
    p = F127.modulus
    trio = Trio(field=F127)
    zeros, words = np.zeros(2 * p, dtype=int), np.arange(p)
    trio.prepare(Role.B, Role.C, zeros)
    # B draws masks of two words an element with A before those of the lines, C only the latter.
    trio.prepare(Role.A, Role.B, np.concatenate([zeros, words]))
    trio.prepare(Role.A, Role.C, words)
    shares = [np.repeat(share, p) for share in trio.share([value])]
    trio.run(truncate, shares, m=3, fraction_bits=1)
    message = trio.views[receiver][2][dealer]
    assert sorted(np.frombuffer(message, dtype="<u8").tolist()) == list(range(p))


@pytest.mark.parametrize("value", [0, 5, -9])
def test_c_sees_every_word_of_a_for_every_value(value: int) -> None:
    """On F127: each pair of words with B that C lacks gives another pair of messages."""
    p = F127.modulus
    first, second = (grid.reshape(-1) for grid in np.meshgrid(np.arange(p), np.arange(p)))
    trio = Trio(field=F127)
    trio.prepare(Role.B, Role.C, np.zeros(2 * p * p, dtype=int))
    trio.prepare(Role.A, Role.B, np.concatenate([first, second, first]))
    shares = [np.repeat(share, p * p) for share in trio.share([value])]
    assert p * p < CHUNK
    trio.run(truncate, shares, m=3, fraction_bits=1)
    message = np.frombuffer(trio.views[Role.C][1][Role.A], dtype="<u8").astype(int)
    assert np.unique(message[: p * p] * p + message[p * p :]).size == p * p


def network(session: Session, *parts: Any) -> Program[Any]:
    weights, biases, weights2, biases2, inputs = parts
    parameters = [(weights, biases), (weights2, biases2)]
    return (yield from predictions(session, LAYERS, parameters, inputs, (24, 24)))


def network_trio(seed: int, scale: int) -> tuple[Trio, list[Any]]:
    rng = np.random.default_rng(seed)
    trio = Trio(seed=seed)
    shapes = [(1, 6, 4), (1, 6), (1, 3, 6), (1, 3), (4, 7)]
    return trio, [trio.share(rng.integers(-scale, scale + 1, shape)) for shape in shapes]


def test_a_review_of_another_model_looks_the_same() -> None:
    seen = []
    for seed, scale in ((3, 1), (4, 1 << 18)):
        trio, parts = network_trio(seed, scale)
        trio.run(network, *parts)
        seen.append([shape_of(view) for view in trio.views])
    assert seen[0] == seen[1]


def test_every_message_of_a_network_that_is_cut_or_lost_is_noticed() -> None:
    trio, parts = network_trio(5, 1 << 10)
    trio.run(network, *parts)
    rounds = trio.traffic.rounds
    changes = [lambda m: m[:-8], lambda m: bytes(m) + bytes(8), None]
    noticed = 0
    for number in range(rounds):
        for sender in Role:
            for change in changes:
                sent: list[int] = []

                def tamper(
                    current: int,
                    role: Role,
                    outbox: Outbox,
                    number: int = number,
                    sender: Role = sender,
                    change: Any = change,
                    sent: list[int] = sent,
                ) -> Outbox:
                    if (current, role) != (number, sender) or not outbox:
                        return outbox
                    sent.append(1)
                    return {} if change is None else {r: change(m) for r, m in outbox.items()}

                trio, parts = network_trio(5, 1 << 10)
                try:
                    trio.run(network, *parts, tamper=tamper)
                except MpcError:
                    noticed += 1
                else:
                    assert not sent
    assert noticed > 2 * rounds
