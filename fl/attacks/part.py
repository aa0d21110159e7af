"""The part that a hospital plays in a simulated attack, and what it then knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fl.attacks.behaviour import HONEST, Behaviour
from fl.datasets import Table


@dataclass(frozen=True, eq=False)
class Part:
    """What a hospital does, by default what an honest one does.

    A simulated attacker knows more than a real one could: `attackers` names those who work
    together, `tables` holds every hospital's rows, from which it works out the honest updates.
    """

    behaviour: Behaviour = HONEST
    attackers: tuple[str, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)


HONEST_PART = Part()
