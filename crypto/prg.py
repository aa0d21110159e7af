"""AES-CTR streams: the only source of shares, masks and salts.

A stream is AES-128 in counter mode under a key that HKDF-SHA256 (RFC 5869) derives from a 256-bit
seed, a label and a context. Whoever holds the seed can repeat the stream, which is how an auditor
checks a dealer; whoever does not cannot tell it from uniform words. A stream must never serve two
purposes: the label and the context are what keep them apart.
"""

from __future__ import annotations

import secrets

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.errors import EncodingError
from crypto.field import F61, Field
from crypto.kernels import Words

SEED_BYTES = 32
_KEY_BYTES = 16


def new_seed() -> bytes:
    """A 256-bit seed of the operating system's entropy."""
    return secrets.token_bytes(SEED_BYTES)


class Stream:
    """Words, field elements and bytes of one AES-CTR stream, in the order in which they are drawn.

    Raises EncodingError when the seed does not have 32 bytes.
    """

    def __init__(self, seed: bytes, label: str, context: bytes = b"") -> None:
        if len(seed) != SEED_BYTES:
            raise EncodingError(f"expected a seed of {SEED_BYTES} bytes, got {len(seed)}")
        info = label.encode() + b"\x00" + context
        key = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=info).derive(seed)
        # The key is used once, so a zero initial counter repeats no block.
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        return self._encryptor.update(bytes(count))

    def words(self, count: int) -> Words:
        """The next `count` 64-bit words, shape (count,)."""
        return np.frombuffer(self.bytes(8 * count), dtype="<u8").astype(np.uint64)

    def elements(self, count: int, field: Field = F61) -> Words:
        """`count` uniform elements of the field, shape (count,), by rejection (no modulo bias)."""
        mask = np.uint64(field.modulus)
        drawn = self.words(count) & mask
        while (rejected := drawn == mask).any():
            drawn[rejected] = self.words(int(rejected.sum())) & mask
        return drawn
