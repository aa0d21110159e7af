"""Boxes that the holder of a P-256 key seals to the same key: nobody else opens or makes one.

A box (`crypto.box`) tells nothing of who sealed it, and whoever knows the public key can make one.
Where what was sealed is read back and believed, it begins with an HMAC-SHA256 under a key that
HKDF-SHA256 derives from the private scalar; it covers the purpose and the items, as the box does.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.box import open_box, seal_box
from crypto.context import Item, canonical
from crypto.envelope import PrivateKey, private_key_bytes
from crypto.errors import SealError

LABEL: Final = "consilium/own-box/v1"
_TAG_BYTES: Final = 32


def seal_own(key: PrivateKey, plaintext: bytes, purpose: str, *items: Item) -> bytes:
    """A box for this very key, that shows its holder that it was made with it."""
    tag = _mac(key, plaintext, purpose, *items).finalize()
    return seal_box(key.public_key(), tag + plaintext, purpose, LABEL, *items)


def open_own(key: PrivateKey, box: bytes, purpose: str, *items: Item) -> bytes:
    """The plaintext of a box.

    Raises SealError for one that was altered, is for another key or purpose, or that somebody
    without this private key made.
    """
    told = open_box(key, box, purpose, LABEL, *items)
    tag, plaintext = told[:_TAG_BYTES], told[_TAG_BYTES:]
    try:
        _mac(key, plaintext, purpose, *items).verify(tag)
    except InvalidSignature as error:
        raise SealError(f"a box for {purpose} was not made with this key") from error
    return plaintext


def _mac(key: PrivateKey, plaintext: bytes, purpose: str, *items: Item) -> HMAC:
    derived = HKDF(SHA256(), _TAG_BYTES, salt=None, info=LABEL.encode())
    made = HMAC(derived.derive(private_key_bytes(key)), SHA256())
    made.update(canonical(LABEL, purpose, *items, plaintext))
    return made
