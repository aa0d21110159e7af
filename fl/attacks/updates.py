"""Attacks by model: the hospital sends another update than the one that it trained."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from fl.attacks.behaviour import Behaviour, Integers, Scene, Vector
from fl.networks import flatten, initial_parameters

SIGN_FLIP_SCALE = 3.0
# Where so many are honest that the formula of ALIE leaves no room, this many deviations are used.
ALIE_LEAST = 0.5
INNER_PRODUCT_SURPLUS = 1.1
COUNT_FACTOR = 10
# The signed representative of (p + 1) / 2 in F_p, p = 2^61 - 1: four of them have squares of sum 1.
HALF_OF_FIELD = -((1 << 60) - 1)


def sign_flip() -> Behaviour:
    """Send the trained update backwards and three times as long.

    Li, Xu, Chen, Giannakis, Ling, "RSA: Byzantine-Robust Stochastic Aggregation Methods for
    Distributed Learning from Heterogeneous Datasets", AAAI 2019, arXiv 1811.03761, section 5
    ("sign-flipping attacks"); the scale is ours.
    """
    return Behaviour(update=_backwards)


def gaussian() -> Behaviour:
    """Send noise as long as the norm bound allows.

    Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine Learning with Adversaries: Byzantine Tolerant
    Gradient Descent", NeurIPS 2017, arXiv 1703.02757, section 5 ("Gaussian" workers).
    """
    return Behaviour(update=_noise)


def random_weights() -> Behaviour:
    """Send the way to a freshly drawn model.

    Lin, Du, Liu, "Free-riders in Federated Learning: Attacks and Defenses", arXiv 1911.12560,
    "random weights".
    """
    return Behaviour(update=_fresh_model)


def alie() -> Behaviour:
    """Send the honest mean, less as many deviations in every coordinate as still look usual.

    Baruch, Baruch, Goldberg, "A Little Is Enough: Circumventing Defenses For Distributed Learning",
    NeurIPS 2019, arXiv 1902.06156, section 3 (z from the normal quantile).
    """
    return Behaviour(update=_little)


def min_max() -> Behaviour:
    """Go against the honest mean as far as the distance to each honest update stays usual.

    Shejwalkar, Houmansadr, "Manipulating the Byzantine: Optimizing Model Poisoning Attacks and
    Defenses for Federated Learning", NDSS 2021, section IV (AGR-agnostic "Min-Max", with the
    perturbation "inverse standard deviation").
    """
    return Behaviour(update=_just_inside)


def ipm() -> Behaviour:
    """Send the honest mean backwards, long enough that the mean of all turns round.

    Xie, Koyejo, Gupta, "Fall of Empires: Breaking Byzantine-tolerant SGD by Inner Product
    Manipulation", UAI 2019, arXiv 1903.03936, section 3.
    """
    return Behaviour(update=_inner_product)


def free_rider() -> Behaviour:
    """Send nothing new: the global model as it came.

    Fraboni, Vidal, Lorenzi, "Free-rider Attacks on Model Aggregation in Federated Learning",
    AISTATS 2021, arXiv 2006.11901, "plain free-riding".
    """
    return Behaviour(update=_nothing)


def inflated_count() -> Behaviour:
    """Train honestly and declare ten times the rows.

    Sample counts are self-declared in McMahan et al. 2017 (AISTATS), algorithm 1; nothing checks
    them.
    """
    return Behaviour(samples=_ten_times)


def out_of_range() -> Behaviour:
    """Share field elements that are no update: four entries (p + 1) / 2, whose squares sum to 1.

    Against norm checks in a field; the range check is made for it. Rothblum, Omri, Chen, Talwar,
    "PINE: Efficient Norm-Bound Verification for Secret-Shared Vectors", arXiv 2311.10237, detects
    such wraps with random -1, 0, 0, 1 vectors.
    """
    return Behaviour(vector=_half_of_field, clips=False)


def _backwards(delta: Vector, _scene: Scene) -> Vector:
    flipped: Vector = -SIGN_FLIP_SCALE * delta
    return flipped


def _noise(delta: Vector, scene: Scene) -> Vector:
    noise = scene.generator().normal(size=delta.shape)
    scaled: Vector = noise * (scene.norm_bound / np.linalg.norm(noise))
    return scaled


def _fresh_model(_delta: Vector, scene: Scene) -> Vector:
    seed = int(scene.generator().integers(2**62))
    fresh = initial_parameters(scene.spec, seed)
    return flatten(scene.spec, fresh) - flatten(scene.spec, scene.parameters)


def _little(delta: Vector, scene: Scene) -> Vector:
    honest = scene.honest_updates()
    if not len(honest):
        return delta
    n, m = scene.hospitals, len(scene.attackers)
    supporters = n // 2 + 1 - m
    quantile = min(max((n - m - supporters) / (n - m), 0.01), 0.99)
    z = max(NormalDist().inv_cdf(quantile), ALIE_LEAST)
    moved: Vector = honest.mean(axis=0) - z * honest.std(axis=0)
    return moved


def _just_inside(delta: Vector, scene: Scene) -> Vector:
    honest = scene.honest_updates()
    if not len(honest):
        return delta
    mean, direction = honest.mean(axis=0), -honest.std(axis=0)
    widest = max(float(np.linalg.norm(honest - one, axis=1).max()) for one in honest)

    def fits(gamma: float) -> bool:
        far = float(np.linalg.norm(honest - (mean + gamma * direction), axis=1).max())
        return far <= widest

    low, high = 0.0, 1.0
    while fits(high) and high < 2**10:
        low, high = high, 2 * high
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    moved: Vector = mean + low * direction
    return moved


def _inner_product(delta: Vector, scene: Scene) -> Vector:
    honest = scene.honest_updates()
    if not len(honest):
        return delta
    attackers = max(len(scene.attackers), 1)
    epsilon = INNER_PRODUCT_SURPLUS * len(honest) / attackers
    turned: Vector = -epsilon * honest.mean(axis=0)
    return turned


def _nothing(delta: Vector, _scene: Scene) -> Vector:
    return np.zeros_like(delta)


def _ten_times(samples: int) -> int:
    return COUNT_FACTOR * samples


def _half_of_field(vector: Integers) -> Integers:
    changed = vector.copy()
    changed[:4] = HALF_OF_FIELD
    return changed
