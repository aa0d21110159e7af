"""Shamir's secret sharing of vectors (Shamir 1979), with error correction.

Any t shares of a vector are jointly uniform and independent of it, provided that the stream behind
the coefficients is unknown to their holders. Any t + 1 shares determine it. m shares with at most
floor((m - t - 1) / 2) wrong ones determine it as well and show which are wrong: the shares of one
entry are a word of a Reed-Solomon code (McEliece and Sarwate 1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np

from crypto import kernels
from crypto.errors import ShareError
from crypto.field import F61, Field
from crypto.kernels import Words


class Elements(Protocol):
    """Where coefficients come from: uniform elements of a field, as `prg.Stream` draws them."""

    def elements(self, count: int, field: Field = ...) -> Words:
        """`count` elements, shape (count,)."""
        ...


@dataclass(frozen=True)
class Decoded:
    """The shared vector, shape (L,), and the points whose shares were wrong."""

    values: Words
    wrong: tuple[int, ...]


def correctable(shares: int, threshold: int) -> int:
    """How many wrong ones among so many shares of degree `threshold` can be corrected."""
    return max(0, (shares - threshold - 1) // 2)


def share(
    secret: Words, threshold: int, points: Sequence[int], stream: Elements, field: Field = F61
) -> Words:
    """Share a vector of shape (L,) among the points: shape (n, L), row j for points[j].

    The coefficients of degree 1 to t are drawn from the stream, degree by degree. Raises ShareError
    when the points are not distinct and non-zero, or fewer than threshold + 1.
    """
    _check_points(points, threshold, field)
    coefficients = np.empty((threshold + 1, secret.size), dtype=np.uint64)
    coefficients[0] = field.vector(secret)
    for degree in range(1, threshold + 1):
        coefficients[degree] = stream.elements(secret.size, field)
    shares = np.empty((len(points), secret.size), dtype=np.uint64)
    for row, point in enumerate(points):
        kernels.evaluate(coefficients, np.uint64(point), shares[row], np.uint64(field.bits))
    return shares


def lagrange_weights(points: Sequence[int], at: int, field: Field = F61) -> Words:
    """Weights w_i, one a point, with q(at) = sum_i w_i q(points_i) for deg q < len(points)."""
    weights = []
    for i, x_i in enumerate(points):
        numerator, denominator = 1, 1
        for k, x_k in enumerate(points):
            if k != i:
                numerator = numerator * (at - x_k) % field.modulus
                denominator = denominator * (x_i - x_k) % field.modulus
        weights.append(numerator * field.inverse(denominator) % field.modulus)
    return np.array(weights, dtype=np.uint64)


def consistent(points: Sequence[int], shares: Words, threshold: int, field: Field = F61) -> bool:
    """Whether all shares, shape (m, L), lie on polynomials of degree at most `threshold`."""
    base = threshold + 1
    for row in range(base, len(points)):
        weights = lagrange_weights(points[:base], points[row], field)
        if not np.array_equal(
            field.combine(np.ascontiguousarray(shares[:base]), weights), shares[row]
        ):
            return False
    return True


def decode(
    points: Sequence[int],
    shares: Words,
    threshold: int,
    max_errors: int | None = None,
    field: Field = F61,
) -> Decoded:
    """The shared vector of shape (L,) from shares of shape (m, L), some of whose rows may be wrong.

    Looks for the smallest set of rows, at most `max_errors` (by default all that can be corrected),
    without which the rest is consistent. A row counts as wrong when any of its entries is. Raises
    ShareError when there are too few shares or no such set.
    """
    shares = field.matrix(shares)
    _check_points(points, threshold, field)
    if shares.shape[0] != len(points):
        raise ShareError(f"expected {len(points)} shares, got {shares.shape[0]}")
    limit = correctable(len(points), threshold)
    limit = limit if max_errors is None else min(limit, max_errors)
    for errors in range(limit + 1):
        for dropped in combinations(range(len(points)), errors):
            kept = [row for row in range(len(points)) if row not in dropped]
            kept_points = [points[row] for row in kept]
            if consistent(kept_points, shares[kept], threshold, field):
                base = kept[: threshold + 1]
                weights = lagrange_weights([points[row] for row in base], 0, field)
                values = field.combine(np.ascontiguousarray(shares[base]), weights)
                return Decoded(values, tuple(points[row] for row in dropped))
    raise ShareError(
        f"expected shares on a polynomial of degree {threshold} with at most {limit} wrong, "
        f"got {len(points)} shares that none explains"
    )


def _check_points(points: Sequence[int], threshold: int, field: Field) -> None:
    if len(set(points)) != len(points) or not all(0 < x < field.modulus for x in points):
        raise ShareError(f"expected distinct points from 1 to p - 1, got {list(points)}")
    if threshold < 0 or len(points) < threshold + 1:
        raise ShareError(f"expected at least {threshold + 1} points, got {len(points)}")
