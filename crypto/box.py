"""Sealed boxes: bytes that only the holder of a P-256 key opens, from nobody in particular.

ECIES as in `crypto.envelope` (SEC 1, section 5.1, with HKDF-SHA256 and AES-256-GCM) without a
sender: an ephemeral key agrees on a secret with the receiver's, and the derived key and the tag
both cover the purpose, so that a box opens only where it belongs. Who sealed it, it does not tell.
A box is the ephemeral point, uncompressed, and the ciphertext with its tag.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.context import Item, canonical
from crypto.envelope import (
    PUBLIC_KEY_BYTES,
    PrivateKey,
    PublicKey,
    derive_sealing_key,
    load_public_key,
    new_private_key,
    public_key_bytes,
)
from crypto.errors import EncodingError, SealError

LABEL: Final = "consilium/box/v1"
# A key encrypts one message, so a constant nonce never meets the same key twice.
_NONCE: Final = bytes(12)


def seal_box(receiving_key: PublicKey, plaintext: bytes, purpose: str, *items: Item) -> bytes:
    """A box for the holder of `receiving_key`, to be opened for this purpose and these items."""
    ephemeral = new_private_key()
    point = public_key_bytes(ephemeral.public_key())
    bound = canonical(LABEL, purpose, *items, point)
    key = derive_sealing_key(ephemeral.exchange(ec.ECDH(), receiving_key), bound, receiving_key)
    return point + AESGCM(key).encrypt(_NONCE, plaintext, bound)


def open_box(receiving_key: PrivateKey, box: bytes, purpose: str, *items: Item) -> bytes:
    """The plaintext of a box.

    Raises SealError for one that was altered, is for another key, or for another purpose.
    """
    point, ciphertext = box[:PUBLIC_KEY_BYTES], box[PUBLIC_KEY_BYTES:]
    bound = canonical(LABEL, purpose, *items, point)
    try:
        shared = receiving_key.exchange(ec.ECDH(), load_public_key(point))
        key = derive_sealing_key(shared, bound, receiving_key.public_key())
        return AESGCM(key).decrypt(_NONCE, ciphertext, bound)
    except (InvalidTag, EncodingError, ValueError) as error:
        raise SealError(f"a box for {purpose} does not open with this key") from error
