"""The AES-CTR streams that two of the three parties share.

Both know a key that nobody else has; the words that they draw from it, in the same order, are
equal, uniform to the third party, and cost no message. A draw is a stream of its own: its number
stands in the upper half of the counter block and the lower half counts blocks, so no block can be
encrypted twice under a key. All parties run the same program, so the number says which layer, step
and chunk a draw belongs to, and its place among the step's draws which message it masks. What
the program does not determine (version, chain, training, attempt, committee, roles) is in the key.
"""

from __future__ import annotations

import struct

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from crypto.field import Field
from crypto.kernels import Words
from crypto.mpc.kernels import lines

KEY_BYTES = 16
# Key stream bytes a call: what AES wrote is still in the cache when it is masked.
_CHUNK = 1 << 19
_WORD = np.dtype("<u8")
_COUNTER = struct.Struct(">QQ")
_ZEROS = memoryview(bytes(_CHUNK))


class PairStream:
    """Words that the two holders of a 16-byte key draw alike."""

    def __init__(self, key: bytes) -> None:
        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        self._number = 0

    def words(self, count: int) -> Words:
        """`count` uniform 64-bit words, shape (count,), of the next stream."""
        self._next_stream()
        out = np.empty(count, dtype=_WORD)
        self._fill(out)
        return out

    def elements(self, count: int, field: Field, into: Words | None = None) -> Words:
        """`count` uniform elements of the field, shape (count,), by rejection (no modulo bias).

        They are written over `into`, where that is given, contiguous and of this shape.
        """
        self._next_stream()
        out = np.empty(count, dtype=_WORD) if into is None else into
        self._fill(out)
        mask = np.uint64(field.modulus)
        rejected = int(lines.mask_words(out, mask))
        while rejected:
            again = np.empty(rejected, dtype=_WORD)
            self._fill(again)
            rejected = int(lines.mask_words(again, mask))
            out[out == mask] = again
        return out

    def _next_stream(self) -> None:
        self._encryptor.reset_nonce(_COUNTER.pack(self._number, 0))
        self._number += 1

    def _fill(self, out: Words) -> None:
        """Write the next key stream bytes of the current stream over `out`."""
        target, size = out.data.cast("B"), out.nbytes
        if size <= _CHUNK:
            self._encryptor.update_into(_ZEROS[:size], target)
            return
        for start in range(0, size, _CHUNK):
            part = target[start : start + _CHUNK]
            self._encryptor.update_into(_ZEROS[: len(part)], part)
