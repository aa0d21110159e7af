"""One scalar, shared verifiably: known answers, every quorum, wrong shares by name, moving on."""

from __future__ import annotations

import hmac
from hashlib import sha256
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.errors import EncodingError, ShareError
from crypto.feldman import (
    ORDER,
    Dealing,
    Moved,
    WrongShares,
    deal,
    deal_polynomial,
    derive_key,
    fits,
    new_secret,
    recover,
    take_over,
)

# P-256 (SEC 2, section 2.4.2), written out once more to have something to compare with.
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
GENERATOR = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int]


def added(one: Point | None, other: Point | None) -> Point | None:
    """The sum of two points in affine coordinates; None is the point at infinity."""
    if one is None or other is None:
        return one or other
    (x, y), (u, v) = one, other
    if x == u and (y + v) % PRIME == 0:
        return None
    if one == other:
        slope = (3 * x * x - 3) * pow(2 * y, -1, PRIME) % PRIME
    else:
        slope = (v - y) * pow(u - x, -1, PRIME) % PRIME
    across = (slope * slope - x - u) % PRIME
    return across, (slope * (x - across) - y) % PRIME


def times(scalar: int) -> bytes:
    """The uncompressed point of a scalar times the generator."""
    result, power = None, GENERATOR
    while scalar:
        if scalar & 1:
            result = added(result, power)
        power = added(power, power) or power
        scalar >>= 1
    assert result is not None
    return b"\x04" + result[0].to_bytes(32, "big") + result[1].to_bytes(32, "big")


def scalar(value: int) -> bytes:
    return (value % ORDER).to_bytes(32, "big")


secrets = st.integers(1, ORDER - 1)
dealings = st.integers(1, 4).flatmap(
    lambda threshold: st.tuples(
        st.just(threshold),
        st.lists(st.integers(1, 2**32), min_size=threshold + 1, max_size=7, unique=True),
    )
)


def test_known_dealing() -> None:
    """f(x) = 11 + 5 x + 2 x^2, by hand."""
    dealing = deal_polynomial([11, 5, 2], [1, 2, 3, 10])
    assert dealing.shares == {1: scalar(18), 2: scalar(29), 3: scalar(44), 10: scalar(261)}
    assert dealing.commitments == (times(11), times(5), times(2))


def test_known_dealing_beyond_the_order() -> None:
    """f(x) = -1 + (n - 7) x: the scalars wrap."""
    dealing = deal_polynomial([ORDER - 1, ORDER - 7], [1, 2])
    assert dealing.shares == {1: scalar(-8), 2: scalar(-15)}
    assert dealing.commitments == (times(ORDER - 1), times(ORDER - 7))


@settings(max_examples=25)
@given(secrets, dealings)
def test_any_quorum_opens_and_every_share_fits(secret: int, who: tuple[int, list[int]]) -> None:
    threshold, points = who
    dealing = deal(scalar(secret), threshold, points)
    assert len(dealing.commitments) == threshold + 1
    assert dealing.commitments[0] == times(secret)
    assert all(fits(dealing.commitments, x, share) for x, share in dealing.shares.items())
    for quorum in list(combinations(points, threshold + 1))[:3]:
        given_shares = {x: dealing.shares[x] for x in quorum}
        assert recover(dealing.commitments, given_shares) == scalar(secret)


@pytest.mark.parametrize("point", [1, 2, 3, 255, 2**16 - 1, 2**16, 2**16 + 1, ORDER - 1])
def test_a_share_fits_at_its_own_point_only(point: int) -> None:
    """Small points are multiplied in another way than large ones."""
    dealing = deal(scalar(77), 2, [point, 7, 8])
    assert fits(dealing.commitments, point, dealing.shares[point])
    assert not fits(dealing.commitments, point % (ORDER - 1) + 1, dealing.shares[point])


@given(secrets, secrets, st.integers(1, 3))
def test_fewer_shares_are_those_of_any_other_secret_as_well(
    secret: int, other: int, threshold: int
) -> None:
    """For each other secret there is one polynomial with the same t shares."""
    points = list(range(1, threshold + 1))
    shares = deal(scalar(secret), threshold, [*points, threshold + 1]).shares
    known = [int.from_bytes(shares[x], "big") for x in points]
    # Lagrange through (0, other) and the t shares: it has degree t, so it could have been dealt.
    at = [0, *points]
    values = [other, *known]

    def through(x: int) -> int:
        total = 0
        for x_i, y_i in zip(at, values, strict=True):
            part = y_i
            for other_x in at:
                if other_x != x_i:
                    part = part * (x - other_x) * pow(x_i - other_x, -1, ORDER) % ORDER
            total += part
        return total % ORDER

    assert [through(x) for x in points] == known
    assert through(0) == other % ORDER
    with pytest.raises(ShareError, match=f"at least {threshold + 1}"):
        recover((times(1),) * (threshold + 1), {x: shares[x] for x in points})


@given(st.data())
def test_a_wrong_share_is_named_and_nothing_is_opened(data: st.DataObject) -> None:
    dealing = deal(new_secret(), 1, [1, 2, 3])
    culprits = data.draw(st.sets(st.sampled_from([1, 2, 3]), min_size=1))
    shares = dict(dealing.shares)
    for x in culprits:
        wrong = data.draw(st.binary(min_size=32, max_size=32).filter(lambda b: b != shares[x]))  # noqa: B023
        shares[x] = wrong
    with pytest.raises(WrongShares) as refused:
        recover(dealing.commitments, shares)
    assert set(refused.value.points) == culprits


@pytest.mark.parametrize("share", [b"", bytes(32), scalar(-1)[:31], b"\xff" * 32])
def test_what_is_no_scalar_fits_nothing(share: bytes) -> None:
    assert not fits(deal(new_secret(), 1, [1, 2]).commitments, 1, share)


def test_a_share_of_another_point_does_not_fit() -> None:
    dealing = deal(new_secret(), 1, [1, 2])
    assert not fits(dealing.commitments, 1, dealing.shares[2])


@pytest.mark.parametrize("points", [[1], [1, 1], [0, 1], [-1, 2], [1, ORDER]])
def test_points_that_cannot_be(points: list[int]) -> None:
    with pytest.raises(ShareError):
        deal(new_secret(), 1, points)


@pytest.mark.parametrize("secret", [bytes(32), b"\xff" * 32, b"\x01" * 31])
def test_what_is_no_secret(secret: bytes) -> None:
    with pytest.raises(EncodingError):
        deal(secret, 1, [1, 2])


def test_commitments_off_the_curve_are_refused() -> None:
    dealing = deal(new_secret(), 1, [1, 2])
    off = dealing.commitments[1][:-1] + bytes([dealing.commitments[1][-1] ^ 1])
    with pytest.raises(EncodingError):
        fits((dealing.commitments[0], off), 1, dealing.shares[1])


def handed(
    old: Dealing, helpers: list[int], threshold: int, points: list[int]
) -> dict[int, Dealing]:
    """What each helper deals to the new holders."""
    return {x: deal(old.shares[x], threshold, points) for x in helpers}


def taken(old: Dealing, dealt: dict[int, Dealing], point: int) -> Moved:
    commitments = {x: one.commitments for x, one in dealt.items()}
    parts = {x: one.shares[point] for x, one in dealt.items()}
    return take_over(old.commitments, commitments, point, parts)


@settings(max_examples=10)
@given(st.data())
def test_shares_move_to_others_and_the_secret_stays(data: st.DataObject) -> None:
    """Other holders, another quorum; any helpers that suffice."""
    threshold, points = data.draw(dealings)
    fresh, others = data.draw(dealings)
    secret = new_secret()
    old = deal(secret, threshold, points)
    helpers = data.draw(st.permutations(points))[: threshold + 1]
    dealt = handed(old, helpers, fresh, others)
    moved = {x: taken(old, dealt, x) for x in others}
    (commitments,) = {one.commitments for one in moved.values()}
    assert commitments[0] == old.commitments[0]
    assert all(fits(commitments, x, one.share) for x, one in moved.items())
    quorum = data.draw(st.permutations(others))[: fresh + 1]
    assert recover(commitments, {x: moved[x].share for x in quorum}) == secret


def test_refreshed_shares_do_not_fit_old_ones() -> None:
    old = deal(new_secret(), 1, [1, 2, 3])
    dealt = handed(old, [1, 2], 1, [1, 2])
    new = {x: taken(old, dealt, x) for x in (1, 2)}
    assert new[1].share != old.shares[1]
    # The one who left holds an old share: with a new one it opens nothing.
    with pytest.raises(WrongShares) as refused:
        recover(new[1].commitments, {1: new[1].share, 3: old.shares[3]})
    assert refused.value.points == (3,)


def test_a_lost_share_is_replaced_by_the_others() -> None:
    secret = new_secret()
    old = deal(secret, 1, [1, 2, 3])
    dealt = handed(old, [1, 3], 1, [1, 2, 3])
    moved = taken(old, dealt, 2)
    kept = taken(old, dealt, 3)
    assert recover(moved.commitments, {2: moved.share, 3: kept.share}) == secret


def test_a_helper_who_deals_something_else_is_named() -> None:
    old = deal(new_secret(), 1, [1, 2, 3])
    dealt = handed(old, [1, 2], 1, [4, 5])
    dealt[2] = deal(new_secret(), 1, [4, 5])
    with pytest.raises(WrongShares) as refused:
        taken(old, dealt, 4)
    assert refused.value.points == (2,)


def test_a_helper_who_hands_over_a_wrong_part_is_named() -> None:
    old = deal(new_secret(), 1, [1, 2, 3])
    dealt = handed(old, [1, 2], 1, [4, 5])
    parts = {1: dealt[1].shares[4], 2: dealt[2].shares[5]}
    with pytest.raises(WrongShares) as refused:
        take_over(old.commitments, {x: one.commitments for x, one in dealt.items()}, 4, parts)
    assert refused.value.points == (2,)


def test_too_few_helpers_move_nothing() -> None:
    old = deal(new_secret(), 1, [1, 2, 3])
    with pytest.raises(ShareError, match="at least 2"):
        taken(old, handed(old, [1], 1, [4, 5]), 4)


def test_known_key() -> None:
    """HKDF-SHA256 of the scalar 1, computed once more with hmac."""
    secret, info = scalar(1), b"consilium/record-key/v1"
    extracted = hmac.digest(bytes(32), secret, sha256)
    assert derive_key(secret, info) == hmac.digest(extracted, info + b"\x01", sha256)
    assert derive_key(secret, b"other") != derive_key(secret, info)
