"""Hospitals that attack on purpose: which of them, and how. Only a simulation knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.errors import RequestError
from app.services.requests import SEVERAL, TrainingRequest
from fl.attacks import Attack, Behaviour, get_attack
from fl.errors import FlError
from fl.training import local_seed

# Under which the attackers are drawn, as a hospital's training is under its name.
_LABEL = "attackers"
# Who attack in several ways at once must leave so many others: a sum of fewer updates is refused.
FEWEST_HONEST = 3


@dataclass(frozen=True)
class Simulation:
    """An attack by its name, and the hospitals that carry it out, in the training's order.

    Where attacks are of several kinds, `attack` names them all and `kinds` each attacker's.
    """

    attack: str
    attackers: tuple[str, ...]
    kinds: tuple[str, ...] = ()

    def kind_of(self, hospital: str) -> str | None:
        """The name of the attack that a hospital carries out; None for an honest one."""
        if hospital not in self.attackers:
            return None
        return self.kinds[self.attackers.index(hospital)] if self.kinds else self.attack

    @property
    def by_kind(self) -> dict[str, tuple[str, ...]]:
        """The attackers of each kind, kinds in the order in which they were asked for."""
        return {
            kind: tuple(name for name in self.attackers if self.kind_of(name) == kind)
            for kind in self.attack.split(SEVERAL)
        }

    @property
    def described(self) -> list[tuple[Attack, tuple[str, ...]]]:
        """Each attack with its attackers. Raises FlError for one that is not known."""
        return [(get_attack(kind), attackers) for kind, attackers in self.by_kind.items()]

    @property
    def title(self) -> str:
        """The titles of the attacks. Raises FlError for one that is not known."""
        return SEVERAL.join(attack.title for attack, _ in self.described)

    @property
    def behaviours(self) -> Mapping[str, Behaviour]:
        """What each attacker does otherwise than the protocol says."""
        found = {name: attack.behaviour for attack, names in self.described for name in names}
        return {name: found[name] for name in self.attackers}

    def to_row(self) -> dict[str, Any]:
        """As it is stored with the training."""
        row: dict[str, Any] = {"attack": self.attack, "attackers": list(self.attackers)}
        return row | ({"kinds": list(self.kinds)} if self.kinds else {})

    @classmethod
    def from_row(cls, stored: Any | None) -> Simulation | None:
        """The inverse of `to_row`; None where nobody attacks."""
        if stored is None:
            return None
        kinds = tuple(stored.get("kinds", ()))
        return cls(stored["attack"], tuple(stored["attackers"]), kinds)


def attackers_asked(request: TrainingRequest) -> int:
    """How many hospitals a request has attack."""
    if request.attacks is not None:
        return sum(number for _, number in request.attacks)
    if request.attack is None:
        return 0
    asked = request.attackers
    return len(asked) if isinstance(asked, tuple) else asked or 1


def majority_warning(attackers: int, hospitals: int) -> str:
    """What so many attackers among a training's hospitals mean; "" where honest ones prevail."""
    honest = hospitals - attackers
    if not attackers:
        return ""
    if attackers >= honest:
        return (
            f"No honest majority: {attackers} of {hospitals} hospitals attack. The review compares "
            "hospitals with each other, so here it can keep poison in and honest updates out."
        )
    if honest < FEWEST_HONEST:
        return (
            f"Only {honest} of {hospitals} hospitals are honest: where the review keeps all "
            f"attackers out, fewer than the {FEWEST_HONEST} updates are left that a sum needs, and "
            "the model stays as it was."
        )
    return ""


def simulation_of(request: TrainingRequest, hospitals: Sequence[str]) -> Simulation | None:
    """Who attacks, of the training's `hospitals`; None where no attack was asked for.

    A number of attackers is drawn by the request's seed. Raises RequestError.
    """
    if request.attacks is not None:
        return _several(request, request.attacks, hospitals)
    if request.attack is None:
        if request.attackers is not None:
            raise RequestError("expected an attack for the attackers to carry out, got none")
        return None
    _require_known(request.attack)
    asked = 1 if request.attackers is None else request.attackers
    chosen = (
        _named(asked, hospitals)
        if isinstance(asked, tuple)
        else _drawn(asked, hospitals, request.seed)
    )
    return Simulation(request.attack, tuple(name for name in hospitals if name in chosen))


def _several(
    request: TrainingRequest, attacks: Sequence[tuple[str, int]], hospitals: Sequence[str]
) -> Simulation:
    """Attackers of several kinds: each kind takes its number of those that the seed draws."""
    names = [name for name, _ in attacks]
    if request.attack is not None or request.attackers is not None:
        raise RequestError("expected one attack or several with their numbers, got both")
    if len(set(names)) < max(len(names), 2):
        raise RequestError(f"expected several different attacks, got {', '.join(names)}")
    for name in names:
        _require_known(name)
    numbers = [number for _, number in attacks]
    most = max(len(hospitals) - FEWEST_HONEST, 0)
    if min(numbers) < 1 or sum(numbers) > most:
        raise RequestError(
            f"expected attackers of several kinds to leave {FEWEST_HONEST} of {len(hospitals)} "
            f"hospitals honest, so at most {most} and one of each kind; got {sum(numbers)}"
        )
    order = iter(_order(hospitals, request.seed))
    kind_of = {next(order): name for name, number in attacks for _ in range(number)}
    attackers = tuple(name for name in hospitals if name in kind_of)
    return Simulation(SEVERAL.join(names), attackers, tuple(kind_of[one] for one in attackers))


def _require_known(attack: str) -> None:
    try:
        get_attack(attack)
    except FlError as error:
        raise RequestError(str(error)) from error


def _named(asked: tuple[str, ...], hospitals: Sequence[str]) -> set[str]:
    if unknown := [name for name in asked if name not in hospitals]:
        raise RequestError(
            f"expected attackers among {', '.join(hospitals)}; got {', '.join(unknown)}"
        )
    return set(asked)


def _drawn(number: int, hospitals: Sequence[str], seed: int) -> set[str]:
    if not 1 <= number <= len(hospitals):
        raise RequestError(f"expected 1 to {len(hospitals)} attackers, got {number}")
    return set(_order(hospitals, seed)[:number])


def _order(hospitals: Sequence[str], seed: int) -> list[str]:
    """The hospitals in the order in which they are drawn."""
    generator = np.random.default_rng(local_seed(seed, 0, _LABEL))
    drawn: list[str] = generator.permutation(list(hospitals)).tolist()
    return drawn
