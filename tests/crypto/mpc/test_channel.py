"""The driver in one process: rounds in lock step, bytes counted, endings together."""

from __future__ import annotations

from typing import Any

import pytest

from crypto.errors import MpcError
from crypto.mpc.channel import run_local
from crypto.mpc.session import Program, Role, exchange


def greeter(role: Role) -> Program[list[bytes]]:
    """A greets B; B answers A and C; nobody speaks; done."""
    heard = []
    if role is Role.A:
        yield from exchange({Role.B: b"hello"}, {})
        heard.append((yield from exchange({}, {Role.B: 2}))[Role.B])
    elif role is Role.B:
        heard.append((yield from exchange({}, {Role.A: 5}))[Role.A])
        yield from exchange({Role.A: b"hi", Role.C: b"you"}, {})
    else:
        yield from exchange({}, {})
        heard.append((yield from exchange({}, {Role.B: 3}))[Role.B])
    yield from exchange({}, {})
    return heard


def test_messages_arrive_and_are_counted_by_pair() -> None:
    results, traffic = run_local([greeter(role) for role in Role])
    assert results == [[b"hi"], [b"hello"], [b"you"]]
    assert (traffic.rounds, traffic.messages, traffic.bytes) == (2, 3, 10)
    assert traffic.bytes_between == {
        (Role.A, Role.B): 5,
        (Role.B, Role.A): 2,
        (Role.B, Role.C): 3,
    }
    assert traffic.messages_between[Role.B, Role.C] == 1


def speaker(outboxes: list[Any], sizes: list[Any]) -> Program[None]:
    for outbox, expected in zip(outboxes, sizes, strict=True):
        yield from exchange(outbox, expected)


@pytest.mark.parametrize(
    ("sent", "match"),
    [
        ({}, "expected 4 bytes from A, got 0"),
        ({Role.B: b"123"}, "expected 4 bytes from A, got 3"),
        ({Role.B: b"12345"}, "expected 4 bytes from A, got 5"),
        ({Role.B: b"1234", Role.C: b"x"}, "expected messages from"),
        ({Role.A: b"1234"}, "to itself"),
    ],
    ids=["missing", "short", "long", "unexpected", "own"],
)
def test_a_receiver_refuses_what_it_does_not_expect(sent: Any, match: str) -> None:
    programs = [speaker([sent], [{}]), speaker([{}], [{Role.A: 4}]), speaker([{}], [{}])]
    with pytest.raises(MpcError, match=match):
        run_local(programs)


def test_all_end_in_the_same_round() -> None:
    programs = [speaker([{}], [{}]), speaker([{}], [{}]), speaker([{}, {}], [{}, {}])]
    with pytest.raises(MpcError, match="same round"):
        run_local(programs)


def test_there_are_three() -> None:
    with pytest.raises(MpcError, match="3 parties"):
        run_local([speaker([{}], [{}])])


def test_the_others_are_closed_when_one_fails() -> None:
    closed = []

    def patient(role: Role) -> Program[None]:
        try:
            while True:
                yield {}
        finally:
            closed.append(role)

    def failing() -> Program[None]:
        yield {}
        raise MpcError("stop")

    with pytest.raises(MpcError, match="stop"):
        run_local([patient(Role.A), failing(), patient(Role.C)])
    assert closed == [Role.A, Role.C]
