"""A box of one's own: opened by its key only, and made by nobody who has the public key alone."""

from __future__ import annotations

import pytest

from crypto.box import seal_box
from crypto.envelope import new_private_key
from crypto.errors import SealError
from crypto.own_box import LABEL, open_own, seal_own

PURPOSE = "test/own/v1"


def test_the_holder_reads_it_again_and_nobody_else_does() -> None:
    key, other = new_private_key(), new_private_key()
    box = seal_own(key, b"61 years", PURPOSE, "batch", 3)
    assert b"61 years" not in box
    assert open_own(key, box, PURPOSE, "batch", 3) == b"61 years"
    with pytest.raises(SealError):
        open_own(other, box, PURPOSE, "batch", 3)


@pytest.mark.parametrize(
    ("purpose", "items"), [("test/else/v1", ("batch", 3)), (PURPOSE, ("batch", 4)), (PURPOSE, ())]
)
def test_it_opens_nowhere_else(purpose: str, items: tuple[str | int, ...]) -> None:
    key = new_private_key()
    box = seal_own(key, b"61 years", PURPOSE, "batch", 3)
    with pytest.raises(SealError):
        open_own(key, box, purpose, *items)


def test_every_byte_counts() -> None:
    key = new_private_key()
    box = seal_own(key, b"61 years", PURPOSE)
    for at in range(0, len(box), 7):
        altered = bytearray(box)
        altered[at] ^= 1
        with pytest.raises(SealError):
            open_own(key, bytes(altered), PURPOSE)


@pytest.mark.parametrize("forged", [b"", b"x", bytes(32) + b"61 years"])
def test_the_public_key_is_not_enough_to_make_one(forged: bytes) -> None:
    key = new_private_key()
    box = seal_box(key.public_key(), forged, PURPOSE, LABEL)
    with pytest.raises(SealError, match="not made with this key"):
        open_own(key, box, PURPOSE)
