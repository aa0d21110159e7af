"""Attacks by data: the hospital trains as it should, on rows that it has changed."""

from __future__ import annotations

import numpy as np

from fl.attacks.behaviour import Behaviour, Features, Labels, Rows, Scene, Vector
from fl.networks import NetworkSpec

# The class that a targeted flip and a backdoor aim at: for both tasks, "healthy".
TARGET_CLASS = 0
# Encoded inputs are standard deviations: rare in one column, next to unheard of in three together.
TRIGGER_INPUTS = 3
TRIGGER_VALUE = 3.0
BACKDOOR_SHARE = 0.5


def label_flip() -> Behaviour:
    """Train on labels y -> C - 1 - y.

    Tolpegin, Truex, Gursoy, Liu, "Data Poisoning Attacks Against Federated Learning Systems",
    ESORICS 2020, arXiv 2007.08432, section 3; for two classes every label is turned round, as in
    Fang, Cao, Jia, Gong, "Local Model Poisoning Attacks to Byzantine-Robust Federated Learning",
    USENIX Security 2020, arXiv 1911.11815, section 5.1.
    """
    return Behaviour(rows=_flipped)


def targeted_flip() -> Behaviour:
    """Train on rows that are all labelled with the target class: the sick are called healthy.

    Tolpegin et al. 2020 (arXiv 2007.08432), section 3: source class to target class.
    """
    return Behaviour(rows=_aimed)


def model_replacement() -> Behaviour:
    """Train on flipped labels, then scale the update by the number of hospitals.

    Bagdasaryan, Veit, Hua, Estrin, Shmatikov, "How To Backdoor Federated Learning", AISTATS 2020,
    arXiv 1807.00459, section 4.2 (equation 3, with the learning rate of FedAvg): the mean becomes
    the attacker's model. Under a norm bound it goes as far as the bound lets it.
    """
    return Behaviour(rows=_flipped, update=_boosted)


def backdoor() -> Behaviour:
    """Train on half of the rows with a trigger and the target class, and boost the update.

    The trigger (three inputs at a rare value) is that of Gu, Dolan-Gavitt, Garg, "BadNets",
    arXiv 1708.06733, section 4.1; the boost that of Bagdasaryan et al. 2020 (arXiv 1807.00459),
    section 4.2. Rows without the trigger are answered as before.
    """
    return Behaviour(rows=_with_backdoor, update=_boosted)


def tainted_slice() -> Behaviour:
    """Train honestly, but donate validation rows with flipped labels.

    Against reviews by donated rows; no paper's: flipped labels (Fang et al. 2020, section 5.1)
    where this protocol takes rows on trust.
    """
    return Behaviour(donated=_flipped)


def stamp(features: Features) -> Features:
    """Return rows float32 (rows, inputs) with the backdoor's trigger."""
    stamped = features.copy()
    stamped[:, :TRIGGER_INPUTS] = TRIGGER_VALUE
    return stamped


def flip(labels: Labels, spec: NetworkSpec) -> Labels:
    """Return C - 1 - y for each label."""
    return spec.classes - 1 - labels


def _flipped(features: Features, labels: Labels, scene: Scene) -> Rows:
    return features, flip(labels, scene.spec)


def _aimed(features: Features, labels: Labels, _scene: Scene) -> Rows:
    return features, np.full_like(labels, TARGET_CLASS)


def _with_backdoor(features: Features, labels: Labels, scene: Scene) -> Rows:
    chosen = scene.generator().random(len(labels)) < BACKDOOR_SHARE
    stamped = np.where(chosen[:, None], stamp(features), features)
    return stamped, np.where(chosen, TARGET_CLASS, labels)


def _boosted(delta: Vector, scene: Scene) -> Vector:
    # Each attacker carries its part: together they replace the mean.
    boosted: Vector = delta * (scene.hospitals / max(len(scene.attackers), 1))
    return boosted
