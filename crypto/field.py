"""Arithmetic on arrays in F_p for a Mersenne prime p.

An element is a word of numpy's uint64 below p; a vector is a one-dimensional C-contiguous array of
words. Everything that the protocol shares lives in `F61`, p = 2^61 - 1; the small fields exist so
that tests can look at every polynomial there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crypto import kernels
from crypto.errors import FieldError
from crypto.kernels import Words

# Exponents of the Mersenne primes that fit the kernels' word size.
_MERSENNE_EXPONENTS = (2, 3, 5, 7, 13, 17, 19, 31, 61)


@dataclass(frozen=True)
class Field:
    """The prime field of 2^bits - 1 elements' arithmetic; `bits` is a Mersenne exponent up to 61.

    Raises FieldError for another exponent.
    """

    bits: int

    def __post_init__(self) -> None:
        if self.bits not in _MERSENNE_EXPONENTS:
            raise FieldError(
                f"expected a Mersenne exponent of {_MERSENNE_EXPONENTS}, got {self.bits}"
            )

    @property
    def modulus(self) -> int:
        """The prime p."""
        return (1 << self.bits) - 1

    def vector(self, values: npt.ArrayLike) -> Words:
        """A checked vector, shape (L,), of words below p. Raises FieldError for anything else."""
        array = _as_array(values)
        if array.ndim != 1 or array.dtype.kind not in "ui":
            raise FieldError(
                f"expected a vector of words, got {array.dtype} with shape {array.shape}"
            )
        if array.dtype.kind == "i" and array.size and int(array.min()) < 0:
            raise FieldError(f"expected words from 0 to p - 1, got {int(array.min())}")
        words = np.ascontiguousarray(array, dtype=np.uint64)
        if words.size and int(words.max()) >= self.modulus:
            raise FieldError(f"expected words below 2^{self.bits} - 1, got {int(words.max())}")
        return words

    def matrix(self, rows: npt.ArrayLike) -> Words:
        """A checked matrix, shape (m, L), of words below p. Raises FieldError for anything else."""
        array = _as_array(rows)
        if array.ndim != 2:
            raise FieldError(f"expected a matrix of words, got shape {array.shape}")
        return self.vector(array.reshape(-1)).reshape(array.shape)

    def add(self, a: Words, b: Words) -> Words:
        """a + b, entry by entry."""
        total = a + b
        return np.where(total >= self.modulus, total - np.uint64(self.modulus), total)

    def subtract(self, a: Words, b: Words) -> Words:
        """a - b, entry by entry."""
        return self.add(a, np.where(b == 0, b, np.uint64(self.modulus) - b))

    def multiply(self, a: Words, b: Words) -> Words:
        """a b, entry by entry; both of shape (L,)."""
        if a.shape != b.shape:
            raise FieldError(f"expected equal shapes, got {a.shape} and {b.shape}")
        out = np.empty_like(a)
        kernels.multiply(a, b, out, np.uint64(self.bits))
        return out

    def combine(self, rows: Words, weights: Words) -> Words:
        """sum_i weights_i rows_i, shape (L,), for rows of shape (m, L) and weights (m,)."""
        if rows.ndim != 2 or weights.shape != rows.shape[:1]:
            raise FieldError(f"expected {rows.shape[0]} weights, got shape {weights.shape}")
        out = np.empty(rows.shape[1], dtype=np.uint64)
        kernels.combine(rows, weights, out, np.uint64(self.bits))
        return out

    def inverse(self, value: int) -> int:
        """The inverse of a non-zero scalar. Raises FieldError for zero."""
        if value % self.modulus == 0:
            raise FieldError("expected a value with an inverse, got zero")
        return pow(value, -1, self.modulus)

    def from_signed(self, values: npt.NDArray[np.int64]) -> Words:
        """Integers in (-p/2, p/2) as words. Raises FieldError beyond that range."""
        half = self.modulus // 2
        if values.dtype != np.int64:
            raise FieldError(f"expected integers of type int64, got {values.dtype}")
        if values.size and (int(values.max()) > half or int(values.min()) < -half):
            raise FieldError(f"expected integers of magnitude up to {half}")
        return np.where(values < 0, values + np.int64(self.modulus), values).astype(np.uint64)

    def to_signed(self, words: Words) -> npt.NDArray[np.int64]:
        """The representative of each word in (-p/2, p/2)."""
        signed = words.astype(np.int64)
        return np.where(signed > self.modulus // 2, signed - np.int64(self.modulus), signed)

    def to_bytes(self, words: Words) -> bytes:
        """Eight bytes a word, little-endian, in the order of the vector."""
        return words.astype("<u8").tobytes()

    def from_bytes(self, data: bytes) -> Words:
        """The inverse of `to_bytes`. Raises FieldError for a bad length or a word from p on."""
        if len(data) % 8:
            raise FieldError(f"expected a multiple of 8 bytes, got {len(data)}")
        return self.vector(np.frombuffer(data, dtype="<u8").astype(np.uint64))


def _as_array(values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise FieldError(f"expected an array of words: {error}") from error


F61 = Field(61)
