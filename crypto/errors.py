"""What can go wrong in `crypto`, one tree.

CryptoError
├── FieldError          a value that is no element of the field, or a wrong shape
├── RangeError          a real that fixed point cannot hold: NaN, infinity, beyond the bound
├── ShareError          shares that no polynomial of the agreed degree explains
├── EnvelopeError       an envelope that does not open or is not its sender's
├── LockError           a password that does not open what it is tried on
├── EncodingError       bytes that are not in the agreed form
└── MpcError            a computation among three parties that cannot go on
    └── UnsupportedLayer    a layer of a network that it cannot evaluate
"""

from __future__ import annotations


class CryptoError(Exception):
    """Base of every error that this package raises on purpose."""


class FieldError(CryptoError):
    """A value outside the field, or arrays whose shapes do not fit."""


class RangeError(CryptoError):
    """A real number that fixed point cannot hold exactly enough."""


class ShareError(CryptoError):
    """Shares that do not lie on one polynomial, with more errors than can be corrected."""


class EnvelopeError(CryptoError):
    """An envelope that was altered, misdirected, replayed or signed by somebody else."""


class SealError(EnvelopeError):
    """An envelope that is signed by its sender and yet does not open."""


class LockError(CryptoError):
    """A password, or a purpose, with which a locked secret does not open."""


class EncodingError(CryptoError):
    """Bytes that do not follow the documented form."""


class MpcError(CryptoError):
    """A computation among three parties that cannot start or cannot go on."""


class UnsupportedLayer(MpcError):
    """A layer that cannot be evaluated on shares, or not at its place in the network."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name} cannot be evaluated on shares: {reason}")
