"""Shapley values: known games, the axioms, and samples that keep the sum."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fl.explanation import MOST_EXACT, Coalitions, Payoff, attribute

worths = st.integers(1, 4).flatmap(
    lambda players: st.lists(
        st.floats(-1, 1, allow_nan=False), min_size=1 << players, max_size=1 << players
    )
)


def game(worth: list[float]) -> Payoff:
    """The payoff of each coalition by its bits."""

    def payoff(coalitions: Coalitions) -> NDArray[np.float64]:
        return np.array(worth)[coalitions @ (1 << np.arange(coalitions.shape[1]))]

    return payoff


def by_definition(worth: list[float], players: int) -> list[float]:
    """The mean growth over every order, one order after another."""
    parts = [0.0] * players
    orders = list(permutations(range(players)))
    for order in orders:
        there = 0
        for player in order:
            parts[player] += worth[there | 1 << player] - worth[there]
            there |= 1 << player
    return [part / len(orders) for part in parts]


def test_known_game_of_gloves() -> None:
    """One has a left glove, two a right one; a pair is worth 1: 2/3, 1/6, 1/6 (Shapley 1953)."""
    pairs = [float(bool(there & 1) and bool(there & 6)) for there in range(8)]
    assert attribute(game(pairs), 3).parts == pytest.approx([2 / 3, 1 / 6, 1 / 6])


@given(worths)
def test_parts_are_the_mean_over_all_orders_and_add_up(worth: list[float]) -> None:
    players = len(worth).bit_length() - 1
    found = attribute(game(worth), players)
    assert found.parts == pytest.approx(by_definition(worth, players), abs=1e-12)
    assert (found.baseline, found.full) == (worth[0], worth[-1])
    assert found.parts.sum() == pytest.approx(worth[-1] - worth[0], abs=1e-12)
    assert found.exact


def test_nobody_plays() -> None:
    found = attribute(game([0.4]), 0)
    assert (found.baseline, found.full, found.parts.size) == (0.4, 0.4, 0)


def with_pairs(alone: NDArray[np.float64], together: NDArray[np.float64]) -> Payoff:
    """Each member's own worth, and what each two members add: half of it is each one's part."""

    def payoff(coalitions: Coalitions) -> NDArray[np.float64]:
        there = coalitions.astype(np.float64)
        worth: NDArray[np.float64] = there @ alone
        return worth + np.einsum("ci,ij,cj->c", there, np.triu(together, 1), there)

    return payoff


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(MOST_EXACT + 1, MOST_EXACT + 8))
def test_samples_keep_the_sum_and_lie_near_the_truth(seed: int, players: int) -> None:
    generator = np.random.default_rng(seed)
    alone = generator.normal(size=players)
    together = generator.normal(size=(players, players))
    payoff = with_pairs(alone, together)
    found = attribute(payoff, players)
    both = np.triu(together, 1) + np.triu(together, 1).T
    truth = alone + both.sum(axis=1) / 2
    assert found.parts.sum() == pytest.approx(found.full - found.baseline, abs=1e-9)
    # A pair's worth comes to one of two: forwards and backwards give the mean, with no error.
    assert found.parts == pytest.approx(truth, abs=1e-9)


def test_samples_tell_how_sure_they_are() -> None:
    """Three of the players together are worth 1, so each of them has a third."""
    players = MOST_EXACT + 3

    def payoff(coalitions: Coalitions) -> NDArray[np.float64]:
        return coalitions[:, :3].all(axis=1).astype(np.float64)

    found = attribute(payoff, players)
    assert not found.exact
    assert found.parts[3:] == pytest.approx(0)
    assert np.all(np.abs(found.parts[:3] - 1 / 3) < 5 * found.error[:3])
    assert np.all(found.error[:3] < 0.05)
    assert found.parts.sum() == pytest.approx(1)
    assert np.array_equal(attribute(payoff, players).parts, found.parts)
