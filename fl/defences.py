"""Published defences against poisoned updates, in plaintext: baselines for comparison only.

Each sees every update in the clear, which this protocol shows nobody. Updates are float64
(hospitals, parameters), differences to the global model; each function returns the difference that
the global model takes, float64 (parameters,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.errors import SettingsError
from fl.strategies import weighted_mean

Vector = NDArray[np.float64]
TINY = 1e-12


@dataclass(frozen=True, eq=False)
class Round:
    """What a defence is given: all updates, their weights, and what it may know beside them.

    `attackers` is the number that it assumes (here the true one), `root` the update that the server
    trained on rows of its own (`fltrust`), `honest` the truth, bool (hospitals,) (`oracle`).
    """

    updates: Vector
    weights: tuple[int, ...]
    attackers: int
    root: Vector
    honest: NDArray[np.bool_]


@dataclass(frozen=True)
class Defence:
    """A baseline by name, as it is listed."""

    name: str
    title: str
    source: str
    combine: Callable[[Round], Vector]
    needs_root: bool = False


def none(given: Round) -> Vector:
    """The weighted mean of all updates: FedAvg, with nobody left out.

    McMahan, Moore, Ramage, Hampson, Agüera y Arcas, AISTATS 2017, algorithm 1.
    """
    return weighted_mean(list(given.updates), given.weights)


def krum(given: Round) -> Vector:
    """The one update that is closest to its n - f - 2 nearest neighbours.

    Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine Learning with Adversaries: Byzantine Tolerant
    Gradient Descent", NeurIPS 2017, section 4.
    """
    best: Vector = given.updates[np.argmin(krum_scores(given.updates, given.attackers))]
    return best


def multi_krum(given: Round) -> Vector:
    """The weighted mean of the n - f updates with the lowest Krum scores.

    Blanchard et al., NeurIPS 2017, section 4 (m = n - f).
    """
    kept = max(len(given.updates) - given.attackers, 1)
    best = np.argsort(krum_scores(given.updates, given.attackers), kind="stable")[:kept]
    return _mean_of(given, best)


def krum_scores(updates: Vector, attackers: int) -> Vector:
    """Each update's sum of squared distances to its n - f - 2 (at least one) nearest others."""
    count = len(updates)
    neighbours = min(max(count - attackers - 2, 1), count - 1)
    squares = (updates * updates).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2.0 * updates @ updates.T
    np.fill_diagonal(distances, np.inf)
    scores: Vector = np.sort(distances, axis=1)[:, :neighbours].sum(axis=1)
    return scores


def coordinate_median(given: Round) -> Vector:
    """The median of each coordinate, unweighted.

    Yin, Chen, Kannan, Bartlett, "Byzantine-Robust Distributed Learning: Towards Optimal Statistical
    Rates", ICML 2018, arXiv 1803.01498, definition 1.
    """
    median: Vector = np.median(given.updates, axis=0)
    return median


def trimmed_mean(given: Round) -> Vector:
    """The mean of each coordinate without its f largest and f smallest values, unweighted.

    Yin et al., ICML 2018, definition 2 (beta = f / n, as far as it leaves a value).
    """
    count = len(given.updates)
    trim = min(given.attackers, (count - 1) // 2)
    mean: Vector = np.sort(given.updates, axis=0)[trim : count - trim].mean(axis=0)
    return mean


def fltrust(given: Round) -> Vector:
    """Updates scaled to the server's own length, weighted by their cosine with it, if positive.

    Cao, Fang, Liu, Gong, "FLTrust: Byzantine-robust Federated Learning via Trust Bootstrapping",
    NDSS 2021, arXiv 2012.13995, algorithm 2.
    """
    length = float(np.linalg.norm(given.root))
    norms = np.maximum(np.linalg.norm(given.updates, axis=1), TINY)
    trust = np.maximum(given.updates @ given.root / (norms * max(length, TINY)), 0.0)
    if not trust.any():
        return np.zeros_like(given.root)
    mean: Vector = (trust * length / norms) @ given.updates / trust.sum()
    return mean


def oracle(given: Round) -> Vector:
    """The weighted mean of the honest updates alone: nobody can know them; the mark to reach.

    Raises SettingsError when there is no honest hospital.
    """
    if not given.honest.any():
        raise SettingsError("expected at least one honest hospital; got none")
    return _mean_of(given, np.flatnonzero(given.honest))


def _mean_of(given: Round, chosen: NDArray[np.intp]) -> Vector:
    weights = [given.weights[index] for index in chosen]
    return weighted_mean([given.updates[index] for index in chosen], weights)


_ALL = (
    Defence("none", "Bounded mean", "McMahan et al., AISTATS 2017", none),
    Defence("krum", "Krum", "Blanchard et al., NeurIPS 2017", krum),
    Defence("multi-krum", "Multi-Krum", "Blanchard et al., NeurIPS 2017", multi_krum),
    Defence("median", "Median", "Yin et al., ICML 2018", coordinate_median),
    Defence("trimmed-mean", "Trimmed mean", "Yin et al., ICML 2018", trimmed_mean),
    Defence("fltrust", "FLTrust", "Cao et al., NDSS 2021", fltrust, needs_root=True),
    Defence("oracle", "Oracle", "the truth", oracle),
)

DEFENCES = {defence.name: defence for defence in _ALL}
