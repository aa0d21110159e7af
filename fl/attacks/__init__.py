"""Simulated attackers, a function each with its source; ``get_attack`` finds one by name."""

from __future__ import annotations

from dataclasses import dataclass

from fl.attacks import data, updates
from fl.attacks.behaviour import HONEST, Behaviour, Scene
from fl.errors import UnknownAttackError

__all__ = ["ATTACKS", "HONEST", "Attack", "Behaviour", "Scene", "get_attack"]


@dataclass(frozen=True)
class Attack:
    """An attack as it is listed: what it is called, does, and who described it.

    ``poisons`` says whether it is meant to spoil the model, so that a review should reject it;
    the others (a free rider, a false count, a tainted slice) send updates that do no harm.
    """

    name: str
    title: str
    effect: str
    source: str
    behaviour: Behaviour
    poisons: bool = True


_ALL = (
    Attack(
        "label-flip",
        "Label flip",
        "Trains on turned labels, so the model learns the opposite.",
        "Fang et al., USENIX Security 2020, section 5.1",
        data.label_flip(),
    ),
    Attack(
        "targeted-flip",
        "Targeted flip",
        "Trains on rows that are all labelled healthy, so the sick are missed.",
        "Tolpegin et al., ESORICS 2020, section 3",
        data.targeted_flip(),
    ),
    Attack(
        "sign-flip",
        "Scaled sign flip",
        "Sends its update backwards and three times as long.",
        "Li et al. (RSA), AAAI 2019, section 5",
        updates.sign_flip(),
    ),
    Attack(
        "model-replacement",
        "Model replacement",
        "Scales a model trained on turned labels so that it takes the place of the mean.",
        "Bagdasaryan et al., AISTATS 2020, section 4.2",
        data.model_replacement(),
    ),
    Attack(
        "gaussian",
        "Gaussian noise",
        "Sends noise as long as the norm bound allows.",
        "Blanchard et al. (Krum), NeurIPS 2017, section 5",
        updates.gaussian(),
    ),
    Attack(
        "random-weights",
        "Random weights",
        "Sends the way to a freshly drawn model.",
        "Lin et al., arXiv 1911.12560",
        updates.random_weights(),
    ),
    Attack(
        "alie",
        "A little is enough",
        "Shifts the honest mean by so few deviations that it still looks usual.",
        "Baruch et al., NeurIPS 2019, section 3",
        updates.alie(),
    ),
    Attack(
        "min-max",
        "Min-max",
        "Goes against the honest mean as far as no distance becomes unusual.",
        "Shejwalkar and Houmansadr, NDSS 2021, section IV",
        updates.min_max(),
    ),
    Attack(
        "ipm",
        "Inner product manipulation",
        "Sends the honest mean backwards, so that the mean of all turns round.",
        "Xie et al., UAI 2019, section 3",
        updates.ipm(),
    ),
    Attack(
        "backdoor",
        "Backdoor",
        "Teaches the model to call every patient with a trigger healthy, and nothing else.",
        "Gu et al. (BadNets), arXiv 1708.06733; Bagdasaryan et al., AISTATS 2020",
        data.backdoor(),
    ),
    Attack(
        "free-rider",
        "Free rider",
        "Sends the global model back without training.",
        "Fraboni et al., AISTATS 2021",
        updates.free_rider(),
        poisons=False,
    ),
    Attack(
        "inflated-count",
        "Inflated sample count",
        "Declares ten times its rows to weigh more.",
        "McMahan et al., AISTATS 2017, algorithm 1 (unchecked counts)",
        updates.inflated_count(),
        poisons=False,
    ),
    Attack(
        "tainted-slice",
        "Tainted slice",
        "Donates validation rows with turned labels, so that good models look bad.",
        "Fang et al., USENIX Security 2020, section 5.1 (flipped labels), on donated rows",
        data.tainted_slice(),
        poisons=False,
    ),
    Attack(
        "out-of-range",
        "Out of range",
        "Shares field elements that wrap round, so that a naive norm check passes.",
        "Rothblum et al. (PINE), arXiv 2311.10237",
        updates.out_of_range(),
    ),
)

ATTACKS = {attack.name: attack for attack in _ALL}


def get_attack(name: str) -> Attack:
    """Return the attack called ``name``. Raises UnknownAttackError, which lists the names."""
    try:
        return ATTACKS[name]
    except KeyError:
        raise UnknownAttackError(name, ATTACKS) from None
