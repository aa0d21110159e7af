"""Feldman's verifiable sharing of one scalar of P-256 (Feldman 1987, section 4).

The dealer hides the scalar s in a polynomial f of degree t over the scalars, f(0) = s, hands f(i)
to the holder at point i and publishes C_j = f_j G for each coefficient. A holder checks the share
with f(i) G = sum_j i^j C_j. Any t + 1 right shares give s and wrong ones are named; t shares and
the commitments give no more than s G does, which hides a uniform s (discrete logarithm in P-256)
but not a guessable one. So what is shared is a fresh scalar, and keys are derived from it.

Shares move to other holders without anybody learning s: each of t + 1 holders shares its own share
among the new ones, which add what they get with Lagrange's weights (Desmedt and Jajodia 1997;
checked as Wong, Wang and Wing 2002, section 4.2, do). In the same way shares are refreshed when a
holder leaves, and a lost one is replaced. Old shares do not fit new ones; but who keeps t + 1 old
ones still has s, and to be kept from what comes needs another s.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from Crypto.PublicKey import ECC
from Crypto.PublicKey.ECC import EccPoint
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from crypto.envelope import load_private_key, load_public_key, public_key_bytes
from crypto.errors import EncodingError, ShareError

# The order of the group (SEC 2, section 2.4.2).
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SCALAR_BYTES: Final = 32
KEY_BYTES: Final = 32
# Below this, doubling and adding is quicker than the library's product.
_SMALL: Final = 1 << 16

Commitments = tuple[bytes, ...]


class WrongShares(ShareError):
    """Shares that do not fit the commitments; `points` says whose."""

    def __init__(self, points: Iterable[int]) -> None:
        self.points = tuple(sorted(points))
        super().__init__(f"the shares at {list(self.points)} do not fit the commitments")


@dataclass(frozen=True)
class Dealing:
    """A share, 32 bytes, for each point, and the t + 1 commitments, uncompressed points."""

    shares: Mapping[int, bytes]
    commitments: Commitments


@dataclass(frozen=True)
class Moved:
    """A share that came from other holders, and the commitments that it fits."""

    share: bytes
    commitments: Commitments


def new_secret() -> bytes:
    """A uniform scalar other than zero, 32 bytes."""
    return _bytes(_draw())


def derive_key(secret: bytes, info: bytes) -> bytes:
    """The AES-256 key of a shared scalar for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(secret)


def deal(secret: bytes, threshold: int, points: Sequence[int]) -> Dealing:
    """Share a scalar so that any threshold + 1 of the points give it back.

    Raises EncodingError for what is no scalar other than zero, ShareError for points that are not
    distinct, not positive, or fewer than threshold + 1.
    """
    coefficients = [_scalar(secret), *(_draw() for _ in range(threshold))]
    return deal_polynomial(coefficients, points)


def deal_polynomial(coefficients: Sequence[int], points: Sequence[int]) -> Dealing:
    """The dealing of a given polynomial, whose coefficients are scalars other than zero.

    Raises ShareError for points that are not distinct, not positive, or too few.
    """
    _check_points(points, len(coefficients))
    commitments = tuple(_commitment(_bytes(one)) for one in coefficients)
    return Dealing({x: _bytes(_evaluate(coefficients, x)) for x in points}, commitments)


def fits(commitments: Commitments, point: int, share: bytes) -> bool:
    """Whether a share is what the commitments say of its point.

    Raises EncodingError for commitments that are no points of the curve.
    """
    try:
        own = _commitment(share)
    except EncodingError:
        return False
    return own == _encode(_expected([_point(one) for one in commitments], point))


def recover(commitments: Commitments, shares: Mapping[int, bytes]) -> bytes:
    """The shared scalar from threshold + 1 shares or more, each by its point.

    Raises WrongShares, which names every share that does not fit, ShareError for too few of them,
    and EncodingError for commitments that are no points.
    """
    needed = len(commitments)
    _check_points(list(shares), needed)
    if wrong := [x for x, share in shares.items() if not fits(commitments, x, share)]:
        raise WrongShares(wrong)
    points = list(shares)[:needed]
    weights = _weights(points)
    secret = sum(weights[x] * int.from_bytes(shares[x], "big") for x in points) % ORDER
    return _bytes(secret)


def take_over(
    commitments: Commitments,
    dealt: Mapping[int, Commitments],
    point: int,
    parts: Mapping[int, bytes],
) -> Moved:
    """The new share at `point`, of what old holders (by their points) dealt and handed over.

    Each of them shared its own share with `deal`, for the threshold that is to hold.
    `commitments` are the old ones, `dealt` those of the old holders' dealings, `parts` what each of
    them handed to this point. Every new holder must take over from the same old ones.

    Raises WrongShares, which names the old holders whose dealing is not of their share or whose
    part does not fit it; ShareError for too few of them, or dealings of different degrees.
    """
    _check_points(list(dealt), len(commitments))
    if set(parts) != set(dealt) or len({len(one) for one in dealt.values()}) != 1:
        raise ShareError("expected one part of each dealing, and dealings of one degree")
    old = [_point(one) for one in commitments]
    wrong = [
        x
        for x, own in dealt.items()
        if own[0] != _encode(_expected(old, x)) or not fits(own, point, parts[x])
    ]
    if wrong:
        raise WrongShares(wrong)
    helpers = sorted(dealt)[: len(commitments)]
    weights = _weights(helpers)
    share = sum(weights[x] * int.from_bytes(parts[x], "big") for x in helpers) % ORDER
    degrees = range(len(dealt[helpers[0]]))
    summed = [_sum(_point(dealt[x][j]) * weights[x] for x in helpers) for j in degrees]
    return Moved(_bytes(share), tuple(_encode(one) for one in summed))


def _draw() -> int:
    return 1 + secrets.randbelow(ORDER - 1)


def _bytes(value: int) -> bytes:
    return value.to_bytes(SCALAR_BYTES, "big")


def _scalar(data: bytes) -> int:
    return load_private_key(data).private_numbers().private_value


def _commitment(data: bytes) -> bytes:
    """The scalar times the generator, by OpenSSL, for it may be secret. Raises EncodingError."""
    return public_key_bytes(load_private_key(data).public_key())


def _point(data: bytes) -> EccPoint:
    numbers = load_public_key(data).public_numbers()
    return EccPoint(numbers.x, numbers.y, curve="P-256")


def _encode(point: EccPoint) -> bytes:
    """The uncompressed point; b"" is the point at infinity, which no commitment is."""
    if point.is_point_at_infinity():
        return b""
    return bytes(ECC.EccKey(curve="P-256", point=point).export_key(format="SEC1"))


def _evaluate(coefficients: Sequence[int], x: int) -> int:
    return reduce(lambda value, one: (value * x + one) % ORDER, reversed(coefficients), 0)


def _expected(commitments: Sequence[EccPoint], x: int) -> EccPoint:
    """The share at x times the generator (Horner's rule)."""
    highest, *rest = reversed(commitments)
    value = highest.copy()
    for one in rest:
        value = _times(value, x)
        value += one
    return value


def _times(point: EccPoint, x: int) -> EccPoint:
    """x times a point. Not in constant time: x is a holder's point, which everybody knows.

    The library's product takes as long for 2 as for a scalar of 256 bits.
    """
    if x >= _SMALL:
        return point * x
    value = point.copy()
    for bit in bin(x)[3:]:
        value.double()
        if bit == "1":
            value += point
    return value


def _sum(points: Iterable[EccPoint]) -> EccPoint:
    first, *rest = points
    for one in rest:
        first += one  # In place: copying a point costs more than adding it.
    return first


def _weights(points: Sequence[int]) -> dict[int, int]:
    """Lagrange's weights at zero."""
    weights = {}
    for x in points:
        numerator, denominator = 1, 1
        for other in points:
            if other != x:
                numerator = numerator * other % ORDER
                denominator = denominator * (other - x) % ORDER
        weights[x] = numerator * pow(denominator, -1, ORDER) % ORDER
    return weights


def _check_points(points: Sequence[int], needed: int) -> None:
    if len(set(points)) != len(points) or not all(0 < x < ORDER for x in points):
        raise ShareError(f"expected distinct points from 1 on, got {list(points)}")
    if len(points) < needed:
        raise ShareError(f"expected at least {needed} points, got {len(points)}")
