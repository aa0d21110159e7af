"""Comparisons are exact and truncations right within a unit, at range ends and through wraps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crypto.errors import MpcError
from crypto.field import F61, Field
from crypto.mpc import activation
from crypto.mpc.activation import relu
from crypto.mpc.compare import at_most, not_negative
from crypto.mpc.kernels.bits import CHUNK
from crypto.mpc.session import Role
from crypto.mpc.truncate import truncate
from tests.crypto.mpc.trio import COMMITTEES, P61, Trio

F127, F8191 = Field(7), Field(13)
committees = st.sampled_from(COMMITTEES)
degrees = st.sampled_from([1, 2])


def limit(m: int, f: int) -> int:
    """The largest magnitude for which truncation is promised."""
    return (1 << (f + m)) - (1 << f) - 1


def near(*ends: int) -> list[int]:
    return [end + step for end in ends for step in (-2, -1, 0, 1, 2)]


def check_truncation(got: Any, x: Any, f: int) -> None:
    excess = got - (x >> f)
    assert ((excess == 0) | (excess == 1)).all()


def check_relu(got: Any, x: Any, f: int) -> None:
    excess = got - np.maximum(x >> f, 0)
    assert ((excess == 0) | ((excess == 1) & (x >= 0))).all()


@given(points=committees, degree=degrees, m=st.integers(1, 59), data=st.data())
def test_the_sign_is_exact(
    points: tuple[int, int, int], degree: int, m: int, data: st.DataObject
) -> None:
    end = (1 << m) - 2
    drawn = data.draw(st.lists(st.integers(-end, end), max_size=5))
    y = np.clip([*near(0, -end, end), *drawn], -end, end)
    trio = Trio(points)
    shares = trio.run(not_negative, trio.share(y, degree), m=m)
    assert np.array_equal(trio.values(shares), y >= 0)


@given(
    points=committees,
    degree=degrees,
    top=st.integers(0, P61 - 2),
    y=st.lists(st.integers(0, P61 - 1)),
)
@example(points=(1, 2, 3), degree=1, top=0, y=[])
@example(points=(1, 2, 3), degree=1, top=P61 - 2, y=[])
@example(points=(1, 2, 4), degree=2, top=P61 // 2, y=[])
def test_the_interval_is_exact_at_full_length(
    points: tuple[int, int, int], degree: int, top: int, y: list[int]
) -> None:
    y = [value % P61 for value in [*y, *near(0, top, P61 - 1, P61 // 2)]]
    trio = Trio(points)
    shares = trio.run(at_most, trio.share(y, degree), top=top)
    assert trio.values(shares).tolist() == [value <= top for value in y]


def test_the_interval_for_every_element_and_mask_of_a_small_field() -> None:
    p = F127.modulus
    y, r = (grid.reshape(-1) for grid in np.meshgrid(np.arange(p), np.arange(p)))
    for top in (0, 1, 62, 63, 64, 124, 125):
        trio = Trio(field=F127)
        trio.prepare(Role.B, Role.C, masks(r, p))
        assert y.size < CHUNK
        shares = trio.run(at_most, trio.share(y), top=top)
        assert np.array_equal(trio.values(shares), y <= top)


def masks(r: Any, p: int) -> Any:
    """Words a and a' that sum to r."""
    a = (np.arange(r.size) * 37) % p
    return np.concatenate([a, (r - a) % p])


@pytest.mark.parametrize(("f", "m"), [(1, 3), (2, 2), (3, 2), (0, 4), (0, 5), (4, 1), (1, 4)])
def test_every_value_and_mask_of_a_small_field(f: int, m: int) -> None:
    """All wraps, all remainders, all ends: every x in range with every r."""
    p, end = F127.modulus, limit(m, f)
    x, r = (grid.reshape(-1) for grid in np.meshgrid(np.arange(-end, end + 1), np.arange(p)))
    assert x.size < CHUNK

    def run(program: Any, **sizes: int) -> Any:
        trio = Trio(field=F127)
        trio.prepare(Role.B, Role.C, masks(r, p))
        return trio.signed(trio.run(program, trio.share(x, 2), **sizes))

    check_truncation(run(truncate, m=m, fraction_bits=f), x, f)
    check_relu(run(relu, m=m, fraction_bits=f), x, f)
    inside = np.abs(x) < (1 << m) - 1
    assert np.array_equal(run(not_negative, m=m)[inside], (x >= 0)[inside])


@pytest.mark.parametrize(("f", "m"), [(16, 18), (16, 24), (16, 31), (16, 38), (18, 38), (2, 40)])
def test_masks_in_and_around_the_zones_where_sums_wrap(f: int, m: int) -> None:
    k, end = f + m, limit(m, f)
    edges = near(P61 - (1 << k), P61 - (2 << k), P61 - (3 << k), 1 << k, 2 << k)
    edges += [0, 1, P61 - 1, P61 - 2, P61 - (1 << k) // 2, P61 - 3 * (1 << k) // 2]
    values = [v for v in near(0, end, -end, 1 << f, -(1 << f), 1 << (k - 1)) if abs(v) <= end]
    x, r = (np.repeat(values, len(edges)), np.tile(edges, len(values)))
    for program, check in ((truncate, check_truncation), (relu, check_relu)):
        trio = Trio()
        a = (np.arange(r.size, dtype=object) * (P61 // 7)) % P61
        trio.prepare(Role.B, Role.C, np.concatenate([a, (r - a) % P61]))
        got = trio.signed(trio.run(program, trio.share(x), m=m, fraction_bits=f))
        check(got, x, f)


def test_both_branches_of_the_missing_term_occur() -> None:
    """With dB set, dA is set for some and not for others; without the term this would be off."""
    f, m = 16, 24
    k = f + m
    r = np.full(2, P61 - 3 * (1 << (k - 1)))
    x = np.array([(1 << k) - (1 << f) - 1, -(1 << k) + (1 << f) + 1])
    trio = Trio()
    trio.prepare(Role.B, Role.C, np.concatenate([np.zeros(2, int), r]))
    got = trio.signed(trio.run(relu, trio.share(x), m=m, fraction_bits=f))
    opened = (x + (1 << k) + r) % P61
    assert (opened < 1 << k).tolist() == [True, False]
    check_relu(got, x, f)


@given(
    points=committees,
    degree=degrees,
    sizes=st.sampled_from([(16, 18), (16, 24), (16, 31), (16, 38), (18, 24), (0, 9)]),
    data=st.data(),
)
def test_truncation_is_right_within_a_unit(
    points: tuple[int, int, int], degree: int, sizes: tuple[int, int], data: st.DataObject
) -> None:
    f, m = sizes
    end = limit(m, f)
    drawn = data.draw(st.lists(st.integers(-end, end), max_size=5))
    x = np.clip([*near(0, end, -end, 1 << f), *drawn], -end, end)
    trio = Trio(points)
    check_truncation(
        trio.signed(trio.run(truncate, trio.share(x, degree), m=m, fraction_bits=f)), x, f
    )
    assert trio.traffic.rounds == 3
    check_relu(trio.signed(trio.run(relu, trio.share(x, degree), m=m, fraction_bits=f)), x, f)


@pytest.mark.parametrize("count", [1, 63, 64, 65, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 70])
def test_every_number_of_elements_is_cut_into_chunks_alike(count: int) -> None:
    x = (np.arange(count) * 1_000_003) % (1 << 20) - (1 << 19)
    trio = Trio()
    shares = trio.share(x)
    check_relu(trio.signed(trio.run(relu, shares, m=18, fraction_bits=4)), x, 4)
    check_truncation(trio.signed(trio.run(truncate, shares, m=18, fraction_bits=4)), x, 4)
    assert np.array_equal(trio.values(trio.run(not_negative, shares, m=33)), x >= 0)


def test_rounds_follow_from_the_width_alone() -> None:
    trio = Trio()
    for count in (1, 300):
        shares = trio.share(np.arange(count))
        for m, levels in ((1, 0), (4, 0), (5, 1), (18, 3), (32, 3), (33, 4), (38, 4)):
            trio.run(not_negative, shares, m=m)
            assert trio.traffic.rounds == 5 + levels
        trio.run(relu, shares, m=24)
        assert trio.traffic.rounds == 8
        trio.run(at_most, shares, top=5)
        assert trio.traffic.rounds == 9


@pytest.mark.parametrize("count", [64, 65, 200])
def test_a_relu_in_batches_is_that_of_all_at_once(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activation, "BATCH", 64)
    f, m = 16, 24
    x = np.random.default_rng(count).integers(-limit(m, f), limit(m, f), count)
    trio = Trio()
    check_relu(trio.signed(trio.run(relu, trio.share(x, 2), m=m)), x, f)
    assert trio.traffic.rounds == 8 * -(-count // 64)


@pytest.mark.parametrize(("f", "m"), [(16, 44), (0, 60), (16, 0), (-1, 5)])
def test_what_the_field_has_no_room_for_is_refused(f: int, m: int) -> None:
    trio = Trio()
    with pytest.raises(MpcError, match="below p"):
        trio.run(relu, trio.share([1]), m=m, fraction_bits=f)


@pytest.mark.parametrize("top", [-1, P61 - 1, P61])
def test_an_interval_that_is_none_is_refused(top: int) -> None:
    trio = Trio()
    with pytest.raises(MpcError, match="upper end"):
        trio.run(at_most, trio.share([1]), top=top)


def test_fields_differ_in_size_only() -> None:
    trio = Trio(field=F8191)
    x = np.arange(-400, 401)
    assert np.array_equal(trio.values(trio.run(not_negative, trio.share(x), m=9)), x >= 0)
    assert F61.bits == 61
