"""Error correction: how many wrong shares are corrected and named, and what one more does.

A second decoder, from linear equations, has to agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import ShareError
from crypto.kernels import Words
from crypto.prg import Stream
from crypto.shamir import correctable, decode, share
from tests.crypto.words import F7, F31, P61, Scripted, array

# Nodes, threshold and how many wrong shares the protocol's table promises to correct.
TABLE = [(3, 1, 0), (4, 1, 1), (5, 2, 1), (7, 2, 2)]
settings = pytest.mark.parametrize(("n", "t", "e"), TABLE)
seeds = st.binary(min_size=32, max_size=32)


@settings
def test_what_can_be_corrected_is_what_the_protocol_promises(n: int, t: int, e: int) -> None:
    assert correctable(n, t) == e


def test_nothing_can_be_corrected_below_two_spare_shares() -> None:
    assert [correctable(m, 2) for m in range(8)] == [0, 0, 0, 0, 0, 1, 1, 2]


@dataclass
class Case:
    """A sharing of (5, 0, P61 - 1) with errors of the drawn size in the drawn rows."""

    secret: list[int]
    shares: Words
    wrong: tuple[int, ...]


def spoiled(data: st.DataObject, n: int, t: int, errors: int) -> Case:
    secret = [5, 0, P61 - 1]
    shares = share(array(secret), t, list(range(1, n + 1)), Stream(data.draw(seeds), "test"))
    rows = sorted(data.draw(st.permutations(range(n)))[:errors])
    for row in rows:
        # At least one entry is off; the others may be.
        first = data.draw(st.integers(0, 2))
        offsets = [data.draw(st.integers(0, P61 - 1)) for _ in secret]
        offsets[first] = offsets[first] or 1
        shares[row] = array(
            (int(word) + off) % P61 for word, off in zip(shares[row], offsets, strict=True)
        )
    return Case(secret, shares, tuple(row + 1 for row in rows))


@settings
@given(data=st.data())
def test_wrong_shares_are_corrected_and_exactly_they_are_named(
    n: int, t: int, e: int, data: st.DataObject
) -> None:
    case = spoiled(data, n, t, data.draw(st.integers(0, e)))
    decoded = decode(range(1, n + 1), case.shares, t)
    assert decoded.values.tolist() == case.secret
    assert decoded.wrong == case.wrong


def random_offsets(seed: bytes, label: str) -> Words:
    return Stream(seed, label).elements(3)


@settings
@given(seed=seeds)
def test_one_independent_error_more_is_refused(n: int, t: int, e: int, seed: bytes) -> None:
    honest = share(array([1, 2, 3]), t, list(range(1, n + 1)), Stream(seed, "shares"))
    for rows in combinations(range(n), e + 1):
        shares = honest.copy()
        for row in rows:
            offset = random_offsets(seed, f"error {row}")
            shares[row] = (shares[row] + offset) % np.uint64(P61)
        with pytest.raises(ShareError, match=f"at most {e} wrong"):
            decode(range(1, n + 1), shares, t)


@pytest.mark.parametrize(("n", "t"), [(3, 1), (4, 1), (5, 2)])
def test_up_to_n_t_1_errors_never_pass_as_none(n: int, t: int) -> None:
    # The code's distance is n - t: every pattern of errors on p = 7 is tried.
    points = list(range(1, n + 1))
    for errors in range(1, n - t):
        for rows in combinations(range(n), errors):
            for offsets in product(range(1, 7), repeat=errors):
                shares = np.zeros((n, 1), dtype=np.uint64)
                shares[list(rows), 0] = offsets
                with pytest.raises(ShareError):
                    decode(points, shares, t, max_errors=0, field=F7)


def test_two_liars_of_four_who_agree_can_blame_another_but_not_pass_unseen() -> None:
    # Rows 3 and 4 move to the line through the share of row 1: row 2 is named, wrongly.
    shares = np.array([[1], [2], [1], [1]], dtype=np.uint64)
    decoded = decode([1, 2, 3, 4], shares, 1, field=F7)
    assert decoded.wrong == (2,)


def test_rows_wrong_in_different_entries_count_together() -> None:
    shares = share(array([1, 2]), 1, [1, 2, 3, 4], Scripted([3, 4]), F7)
    shares[0, 0] ^= np.uint64(1)
    shares[1, 1] ^= np.uint64(1)
    with pytest.raises(ShareError):
        decode([1, 2, 3, 4], shares, 1, field=F7)


def test_a_caller_may_ask_for_detection_instead_of_correction() -> None:
    shares = share(array([1]), 1, [1, 2, 3, 4], Scripted([3]), F7)
    assert decode([1, 2, 3, 4], shares, 1, max_errors=0, field=F7).wrong == ()
    shares[2, 0] ^= np.uint64(1)
    assert decode([1, 2, 3, 4], shares, 1, max_errors=1, field=F7).wrong == (3,)
    with pytest.raises(ShareError, match="at most 0 wrong"):
        decode([1, 2, 3, 4], shares, 1, max_errors=0, field=F7)


def test_more_corrections_than_are_safe_cannot_be_asked_for() -> None:
    with pytest.raises(ShareError, match="at most 0 wrong"):
        decode([1, 2, 3], np.array([[0], [0], [1]], dtype=np.uint64), 1, max_errors=1, field=F7)


# The decoder of Berlekamp and Welch: with E the monic polynomial that vanishes at the wrong points
# and Q = P E, every share satisfies Q(x) = y E(x), which is linear in the coefficients of Q and E.


def solve(rows: list[list[int]], p: int) -> list[int] | None:
    """One solution of the linear system whose last column is its right side, or None."""
    rows = [row[:] for row in rows]
    unknowns, pivots, at = len(rows[0]) - 1, [], 0
    for column in range(unknowns):
        pivot = next((r for r in range(at, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[at], rows[pivot] = rows[pivot], rows[at]
        scale = pow(rows[at][column], -1, p)
        rows[at] = [value * scale % p for value in rows[at]]
        for r, row in enumerate(rows):
            if r != at:
                rows[r] = [(v - row[column] * w) % p for v, w in zip(row, rows[at], strict=True)]
        pivots.append(column)
        at += 1
    if any(row[-1] for row in rows[at:]):
        return None
    solution = [0] * unknowns
    for r, column in enumerate(pivots):
        solution[column] = rows[r][-1]
    return solution


def divide(numerator: list[int], monic: list[int], p: int) -> list[int] | None:
    """The quotient, lowest coefficient first, or None when there is a remainder."""
    rest, quotient = numerator[:], [0] * max(1, len(numerator) - len(monic) + 1)
    for k in range(len(numerator) - len(monic), -1, -1):
        quotient[k] = rest[k + len(monic) - 1]
        for i, value in enumerate(monic):
            rest[k + i] = (rest[k + i] - quotient[k] * value) % p
    return None if any(rest) else quotient


def berlekamp_welch(ys: list[int], t: int, errors: int, p: int) -> tuple[int, list[int]] | None:
    """Secret and wrong points of shares at 1, 2, ..., or None with more than `errors` wrong."""
    points = range(1, len(ys) + 1)
    system = [
        [x**i % p for i in range(t + errors + 1)]
        + [-y * x**i % p for i in range(errors)]
        + [y * x**errors % p]
        for x, y in zip(points, ys, strict=True)
    ]
    solution = solve(system, p)
    if solution is None:
        return None
    q, locator = solution[: t + errors + 1], [*solution[t + errors + 1 :], 1]
    found = divide(q, locator, p)
    if found is None or any(found[t + 1 :]):
        return None
    values = {x: sum(c * x**i for i, c in enumerate(found)) % p for x in points}
    wrong = [x for x, y in zip(points, ys, strict=True) if values[x] != y]
    return (found[0], wrong) if len(wrong) <= errors else None


def first_decoder(ys: list[int], t: int) -> tuple[int, list[int]] | None:
    column = np.array(ys, dtype=np.uint64).reshape(-1, 1)
    try:
        decoded = decode(range(1, len(ys) + 1), column, t, field=F31)
    except ShareError:
        return None
    return int(decoded.values[0]), list(decoded.wrong)


@settings
@given(data=st.data())
def test_a_second_decoder_agrees_on_near_words(n: int, t: int, e: int, data: st.DataObject) -> None:
    coefficients = data.draw(st.lists(st.integers(0, 30), min_size=t + 1, max_size=t + 1))
    ys = [sum(c * x**i for i, c in enumerate(coefficients)) % 31 for x in range(1, n + 1)]
    for row in data.draw(st.sets(st.integers(0, n - 1), max_size=e + 1)):
        ys[row] = data.draw(st.integers(0, 30))
    assert first_decoder(ys, t) == berlekamp_welch(ys, t, e, 31)


@settings
@given(data=st.data())
def test_a_second_decoder_agrees_on_any_word(n: int, t: int, e: int, data: st.DataObject) -> None:
    ys = data.draw(st.lists(st.integers(0, 30), min_size=n, max_size=n))
    assert first_decoder(ys, t) == berlekamp_welch(ys, t, e, 31)
