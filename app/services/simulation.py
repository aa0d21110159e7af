"""Hospitals that attack on purpose: which of them, and how. Only a simulation knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import RequestError
from app.services.requests import TrainingRequest
from fl.attacks import Attack, Behaviour, get_attack
from fl.errors import FlError
from fl.training import local_seed

# Under which the attackers are drawn, as a hospital's training is under its name.
_LABEL = "attackers"


@dataclass(frozen=True)
class Simulation:
    """An attack by its name, and the hospitals that carry it out, in the training's order."""

    attack: str
    attackers: tuple[str, ...]

    @property
    def described(self) -> Attack:
        """The attack's title, effect and source. Raises FlError for one that is not known."""
        return get_attack(self.attack)

    @property
    def behaviours(self) -> Mapping[str, Behaviour]:
        """What each attacker does otherwise than the protocol says."""
        return dict.fromkeys(self.attackers, self.described.behaviour)

    def to_row(self) -> dict[str, Any]:
        """As it is stored with the training."""
        return {"attack": self.attack, "attackers": list(self.attackers)}

    @classmethod
    def from_row(cls, stored: Any | None) -> Simulation | None:
        """The inverse of `to_row`; None where nobody attacks."""
        if stored is None:
            return None
        return cls(stored["attack"], tuple(stored["attackers"]))


def simulation_of(request: TrainingRequest, hospitals: Sequence[str]) -> Simulation | None:
    """Who attacks, of the training's `hospitals`; None where no attack was asked for.

    A number of attackers is drawn by the request's seed. Raises RequestError.
    """
    if request.attack is None:
        if request.attackers is not None:
            raise RequestError("expected an attack for the attackers to carry out, got none")
        return None
    try:
        get_attack(request.attack)
    except FlError as error:
        raise RequestError(str(error)) from error
    asked = 1 if request.attackers is None else request.attackers
    chosen = (
        _named(asked, hospitals)
        if isinstance(asked, tuple)
        else _drawn(asked, hospitals, request.seed)
    )
    return Simulation(request.attack, tuple(name for name in hospitals if name in chosen))


def _named(asked: tuple[str, ...], hospitals: Sequence[str]) -> set[str]:
    if unknown := [name for name in asked if name not in hospitals]:
        raise RequestError(
            f"expected attackers among {', '.join(hospitals)}; got {', '.join(unknown)}"
        )
    return set(asked)


def _drawn(number: int, hospitals: Sequence[str], seed: int) -> set[str]:
    if not 1 <= number <= len(hospitals):
        raise RequestError(f"expected 1 to {len(hospitals)} attackers, got {number}")
    generator = np.random.default_rng(local_seed(seed, 0, _LABEL))
    return set(generator.permutation(list(hospitals))[:number].tolist())
