"""Sealed boxes: who opens them, and for what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.box import open_box, seal_box
from crypto.envelope import load_private_key, new_private_key
from crypto.errors import SealError

KEY = load_private_key(bytes(31) + b"\x07")
OTHER = load_private_key(bytes(31) + b"\x08")

# Made once with this code, with the ephemeral scalar 5: what was sealed must open in years.
KNOWN = bytes.fromhex(
    "0451590b7a515140d2d784c85608668fdfef8c82fd1f5be52421554a0dc3d033ede0c17da8904a727d8ae1bf"
    "36bf8a79260d012f00d4d80888d1d0bb44fda16da47eee64bc5a6cf2fe8db09432a90323102b9fbfdb920437"
    "0645e135bf9afa7e954dbcb0"
)


def test_a_box_of_long_ago_opens() -> None:
    assert open_box(KEY, KNOWN, "consilium/test", b"patient", 1) == b"a share of long ago"


@given(plaintext=st.binary(max_size=200), items=st.lists(st.binary(max_size=8) | st.integers(0, 9)))
def test_the_holder_of_the_key_opens_it(plaintext: bytes, items: list[bytes | int]) -> None:
    box = seal_box(KEY.public_key(), plaintext, "consilium/test", *items)
    assert open_box(KEY, box, "consilium/test", *items) == plaintext
    assert plaintext == b"" or plaintext not in box or len(plaintext) < 4


def test_another_key_purpose_or_item_does_not() -> None:
    box = seal_box(KEY.public_key(), b"share", "consilium/test", b"patient")
    for key, purpose, item in (
        (OTHER, "consilium/test", b"patient"),
        (KEY, "consilium/other", b"patient"),
        (KEY, "consilium/test", b"another"),
    ):
        with pytest.raises(SealError):
            open_box(key, box, purpose, item)


@given(place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_an_altered_box_does_not_open(place: int, flip: int) -> None:
    box = bytearray(KNOWN)
    box[place % len(box)] ^= flip
    with pytest.raises(SealError):
        open_box(KEY, bytes(box), "consilium/test", b"patient", 1)


@pytest.mark.parametrize("box", [b"", b"\x04", bytes(65), bytes(100)])
def test_what_is_no_box_is_told(box: bytes) -> None:
    with pytest.raises(SealError):
        open_box(new_private_key(), box, "consilium/test")
