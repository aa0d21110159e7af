"""What each value of one patient adds to a model's answer: Shapley values (Shapley 1953).

A game of n players with a payoff v(S) for each coalition S: player i gets the mean, over all orders
in which the players may come, of what v grows by when i comes. These parts add up to v(all) -
v(none), and a player who never changes anything gets nothing. For a model the players are a
patient's known values; one that is not in the coalition counts as missing (the baseline Shapley
value of Sundararajan and Najmi 2020, section 3).

Up to MOST_EXACT players all 2^n coalitions are asked. Beyond, the mean is over random orders, each
taken forwards and backwards (Strumbelj and Kononenko 2014; antithetic as in Mitchell et al. 2022,
section 4.2): every order's parts add up alike, so the sum stays exact and only the shares are
estimates.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_EXACT = 12
# Random orders, each taken forwards and backwards: as many as these payoffs allow, within bounds.
PAYOFFS = 20_000
LEAST_ORDERS, MOST_ORDERS = 25, 400
BLOCK = 4096  # coalitions that are asked for at once
SEED = 20_170_712  # the same patient gets the same answer

Coalitions = NDArray[np.bool_]  # (coalitions, players), True where the player is in it
Payoff = Callable[[Coalitions], NDArray[np.float64]]  # -> (coalitions,)


@dataclass(frozen=True)
class Attribution:
    """The players' parts, (players,), which add up to `full` - `baseline`.

    `error` holds each part's standard error, (players,), zero where all coalitions were asked.
    """

    baseline: float
    full: float
    parts: NDArray[np.float64]
    error: NDArray[np.float64]

    @property
    def exact(self) -> bool:
        """Whether nothing was sampled."""
        return not self.error.any()


def attribute(payoff: Payoff, players: int) -> Attribution:
    """Each player's part of `payoff`, which is asked for blocks of coalitions."""

    def worth(coalitions: Coalitions) -> NDArray[np.float64]:
        starts = range(0, len(coalitions), BLOCK)
        return np.concatenate([payoff(coalitions[start : start + BLOCK]) for start in starts])

    return _exact(worth, players) if players <= MOST_EXACT else _sampled(worth, players)


def _exact(payoff: Payoff, players: int) -> Attribution:
    members = np.arange(1 << players)
    coalitions = (members[:, None] >> np.arange(players)) & 1 == 1
    worth = payoff(coalitions)
    sizes = coalitions.sum(axis=1)
    parts = np.empty(players)
    for player in range(players):
        without = members[~coalitions[:, player]]
        # |S|! (n - |S| - 1)! / n!, by the size of S.
        weights = np.array([1 / (players * math.comb(players - 1, k)) for k in range(players)])
        grown = worth[without | (1 << player)] - worth[without]
        parts[player] = weights[sizes[without]] @ grown
    return Attribution(float(worth[0]), float(worth[-1]), parts, np.zeros(players))


def _sampled(payoff: Payoff, players: int) -> Attribution:
    generator = np.random.Generator(np.random.PCG64(SEED))
    count = min(MOST_ORDERS, max(LEAST_ORDERS, PAYOFFS // (2 * players)))
    forwards = np.stack([generator.permutation(players) for _ in range(count)])
    orders = np.concatenate([forwards, forwards[:, ::-1]])  # (2 count, players)
    place = np.argsort(orders, axis=1)
    # After k players of an order have come; k = 0 and k = players are the same for all orders.
    coalitions = place[:, None, :] < np.arange(1, players)[None, :, None]
    ends = np.stack([np.zeros(players, dtype=bool), np.ones(players, dtype=bool)])
    worth = payoff(np.concatenate([ends, coalitions.reshape(-1, players)]))
    baseline, full = float(worth[0]), float(worth[1])
    along = np.empty((len(orders), players + 1))
    along[:, 0], along[:, -1] = baseline, full
    along[:, 1:-1] = worth[2:].reshape(len(orders), players - 1)
    grown = np.take_along_axis(np.diff(along, axis=1), place, axis=1)
    pairs = (grown[:count] + grown[count:]) / 2
    error = pairs.std(axis=0, ddof=1) / math.sqrt(count)
    return Attribution(baseline, full, pairs.mean(axis=0), error)
