"""Messages of a session: what goes in comes out, and nothing else is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.carried import pack_carried, unpack_carried
from fl.errors import MessageError

PARTIES = st.dictionaries(st.text(max_size=12), st.binary(max_size=200), max_size=4)


@given(sealed=PARTIES, session=st.integers(0, 2**32), statement=st.binary(max_size=80))
def test_what_is_packed_is_read(sealed: dict[str, bytes], session: int, statement: bytes) -> None:
    message = pack_carried(sealed.items(), session, statement)
    head, carried = unpack_carried(message, int, bytes)
    assert head == [session, statement]
    assert carried == sealed


def test_the_layout_is_the_documented_one() -> None:
    message = pack_carried([("Node 2", b"\xaa\xbb")], 3, 0)
    lead = "82" + "820300" + "81" + "82" + "66" + b"Node 2".hex() + "02"
    assert message.hex() == f"{len(lead) // 2:08x}" + lead + "aabb"


@given(sealed=PARTIES, place=st.integers(0), value=st.integers(1, 255))
def test_an_altered_message_is_never_read_as_the_same(
    sealed: dict[str, bytes], place: int, value: int
) -> None:
    message = bytearray(pack_carried(sealed.items(), 1, 2))
    message[place % len(message)] ^= value
    try:
        found = unpack_carried(bytes(message), int, int)
    except MessageError:
        return
    assert found != ([1, 2], sealed)


@pytest.mark.parametrize("cut", range(1, 20))
def test_a_message_cut_short_or_too_long_is_refused(cut: int) -> None:
    message = pack_carried([("A", b"12345"), ("B", b"")], 1)
    for wrong in (message[:-cut], message + bytes(cut)):
        with pytest.raises(MessageError):
            unpack_carried(wrong, int)


@pytest.mark.parametrize(
    ("sealed", "head"),
    [
        ([("A", b"1"), ("A", b"2")], (1,)),
        ([], (b"1",)),
        ([], (True,)),
        ([], (1, 2)),
        ([(1, b"1")], (1,)),
    ],
)
def test_another_form_is_refused(sealed: list[tuple[str, bytes]], head: tuple[object]) -> None:
    with pytest.raises(MessageError):
        unpack_carried(pack_carried(sealed, *head), int)


def test_a_negative_length_is_refused() -> None:
    message = pack_carried([("A", b"")], 1)
    altered = message.replace(b"\x61A\x00", b"\x61A\x20")
    assert altered != message
    with pytest.raises(MessageError):
        unpack_carried(altered, int)
