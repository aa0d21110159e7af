"""Products, zero sharings and openings agree with integers, for every committee."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import MpcError
from crypto.field import Field
from crypto.kernels import Words
from crypto.mpc.multiply import multiply, open_shares, reduce_degree, zero_sharing
from crypto.mpc.session import Committee, Outbox, Program, Role, Session
from tests.crypto.mpc.trio import COMMITTEES, P61, Trio

F7, F127 = Field(3), Field(7)
committees = st.sampled_from(COMMITTEES)
words = st.one_of(
    st.sampled_from([0, 1, 2, P61 // 2, P61 // 2 + 1, P61 - 2, P61 - 1]), st.integers(0, P61 - 1)
)
pairs = st.lists(st.tuples(words, words), min_size=1, max_size=8)


@given(points=committees, pairs=pairs)
def test_a_product_is_that_of_integers_on_a_line(
    points: tuple[int, int, int], pairs: list[Any]
) -> None:
    trio = Trio(points)
    a, b = ([pair[side] for pair in pairs] for side in (0, 1))
    shares = trio.run(multiply, trio.share(a), trio.share(b))
    assert [int(word) for word in trio.values(shares)] == [x * y % P61 for x, y in pairs]
    assert trio.traffic.rounds == 1
    assert trio.traffic.bytes == 3 * 8 * len(pairs)


@given(
    points=committees,
    values=st.lists(words, min_size=1, max_size=5),
    degree=st.sampled_from([1, 2]),
)
def test_degree_reduction_keeps_the_value_and_changes_the_shares(
    points: tuple[int, int, int], values: list[int], degree: int
) -> None:
    trio = Trio(points)
    given_shares = trio.share(values, degree)
    shares = trio.run(reduce_degree, given_shares)
    assert [int(word) for word in trio.values(shares)] == values
    assert not any(np.array_equal(old, new) for old, new in zip(given_shares, shares, strict=True))


def test_shapes_are_kept() -> None:
    trio = Trio()
    a = trio.share(np.arange(24).reshape(2, 3, 4))
    shares = trio.run(multiply, a, a)
    assert np.array_equal(trio.values(shares), np.arange(24).reshape(2, 3, 4) ** 2)
    assert trio.run(open_shares, a)[0].shape == (2, 3, 4)


@pytest.mark.parametrize("points", COMMITTEES)
def test_a_zero_sharing_is_of_zero_and_of_full_degree(points: tuple[int, int, int]) -> None:
    trio = Trio(points)
    shares = [zero_sharing(session, (4, 25)) for session in trio.sessions]
    assert not trio.values(shares, degree=2).any()
    with pytest.raises(AssertionError):
        trio.values(shares, degree=1)


def opened_product(session: Session, a: Words, b: Words) -> Program[Words]:
    product = session.field.multiply(a, b)
    masked = session.field.add(product, zero_sharing(session, product.shape))
    return (yield from open_shares(session, masked, degree=2))


@pytest.mark.parametrize("points", COMMITTEES)
def test_all_learn_what_is_opened(points: tuple[int, int, int]) -> None:
    trio = Trio(points)
    a, b = trio.share([3, P61 - 1, 0]), trio.share([5, 7, 9])
    assert all(opened.tolist() == [3, P61 - 1, 0] for opened in trio.run(open_shares, a))
    for opened in trio.run(opened_product, a, b):
        assert opened.tolist() == [15, P61 - 7, 0]


def test_an_opened_product_shows_the_value_only() -> None:
    """On F7: for two factorisations of the same product, what A sees has the same distribution."""

    def seen(a: int, b: int) -> set[tuple[int, ...]]:
        rows = set()
        for word in range(7):
            trio = Trio(field=F7, context=b"fixed")
            shares = [np.array([share], dtype=np.uint64) for share in (a, a, a)]
            others = [np.array([share], dtype=np.uint64) for share in (b, b, b)]
            trio.prepare(Role.A, Role.B, [3])
            trio.prepare(Role.A, Role.C, [5])
            trio.prepare(Role.B, Role.C, [word])
            trio.run(opened_product, shares, others)
            (view,) = trio.views[Role.A]
            rows.add(tuple(int.from_bytes(view[role], "little") for role in (Role.B, Role.C)))
        return rows

    assert seen(1, 6) == seen(2, 3)
    assert len(seen(1, 6)) == 7


def test_a_wrong_share_is_noticed_when_opened() -> None:
    trio = Trio()
    shares = trio.share([1, 2, 3])
    shares[1][2] += np.uint64(1)
    with pytest.raises(MpcError, match="line"):
        trio.run(open_shares, shares)


def test_what_a_receiver_of_a_dealing_sees_fits_every_value() -> None:
    """For each receiver, each word of the stream that it lacks gives another message."""
    p = F127.modulus
    for receiver in Role:
        sender, third = Role((receiver + 2) % 3), Role((receiver + 1) % 3)
        for value in (0, 1, 63, 126):
            trio = Trio(field=F127)
            trio.prepare(sender, third, np.arange(p))
            shares = [np.full(p, value, dtype=np.uint64)] * 3
            trio.run(reduce_degree, shares)
            (view,) = trio.views[receiver]
            assert sorted(np.frombuffer(view[sender], dtype="<u8").tolist()) == list(range(p))


def tampered(number: int, sender: Role, change: Any) -> Any:
    def tamper(current: int, role: Role, outbox: Outbox) -> Outbox:
        if (current, role) != (number, sender):
            return outbox
        return {receiver: change(message) for receiver, message in outbox.items()}

    return tamper


@pytest.mark.parametrize("program", [reduce_degree, open_shares])
@pytest.mark.parametrize("sender", list(Role))
@pytest.mark.parametrize(
    "change",
    [lambda m: m[:-1], lambda m: m + b"\x00" * 8, lambda m: b"", lambda m: b"\xff" * len(m)],
    ids=["short", "long", "empty", "not below p"],
)
def test_a_malformed_message_stops_its_receiver(program: Any, sender: Role, change: Any) -> None:
    trio = Trio()
    with pytest.raises(MpcError):
        trio.run(program, trio.share([1, 2, 3]), tamper=tampered(0, sender, change))


@pytest.mark.parametrize("points", [(1, 1, 2), (0, 1, 2), (1, 2, P61), (1, 2, -1)])
def test_points_are_distinct_and_not_zero(points: tuple[int, int, int]) -> None:
    with pytest.raises(MpcError, match="distinct"):
        Committee(points)


def test_the_weights_of_a_committee_open_parabolas() -> None:
    assert Committee((1, 2, 3)).weights.tolist() == [3, P61 - 3, 1]
    # 8/3, -2, 1/3 for 1, 2, 4
    third = pow(3, -1, P61)
    assert Committee((1, 2, 4)).weights.tolist() == [8 * third % P61, P61 - 2, third]


@pytest.mark.parametrize(
    "secrets",
    [
        {Role.B: bytes(32)},
        {Role.A: bytes(32), Role.B: bytes(32), Role.C: bytes(32)},
        {Role.A: bytes(32), Role.C: bytes(32)},
        {Role.B: bytes(32), Role.C: bytes(31)},
    ],
)
def test_a_session_wants_the_secrets_with_the_other_two(secrets: dict[Role, bytes]) -> None:
    with pytest.raises(MpcError, match="secrets"):
        Session(Role.A, Committee((1, 2, 3)), secrets, b"")
