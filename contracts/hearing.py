"""Appeals, computed again from the calls that hospitals and administrators signed (Appeals.sol).

As in `replay`, each call is taken with the account that signed it, and refused where the contract
would have refused it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import BadEvidence
from contracts.groundwork import refuse_unless
from contracts.members import Members
from contracts.records import Permission

# Round and hospital.
_Place = tuple[int, str]
# An event's name and what stands in it.
Left = tuple[str, dict[str, object]]


@dataclass
class Hearing:
    """The appeals of one training; `upheld` has the block of the first one of each hospital."""

    training: bytes
    upheld: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    _said: dict[_Place, dict[bool, str]] = field(default_factory=dict)
    _closed: set[_Place] = field(default_factory=set)

    def apply(
        self, sender: str, function: str, values: Mapping[str, Any], members: Members, block: int
    ) -> list[Left]:
        """Do a call; what it must have left on the chain. Raises BadEvidence if it is refused."""
        refuse_unless(values.get("training") == self.training, "it is of another training")
        self.calls += 1
        if function == "appeal":
            return [self._appeal(sender, values, members)]
        if function == "decide":
            return self._decide(sender, values, members, block)
        raise BadEvidence(f"{function} is no part of an appeal")

    def _appeal(self, sender: str, values: Mapping[str, Any], members: Members) -> Left:
        place = values["round"], sender
        holds = members.has(Permission.HOSPITAL, sender)
        refuse_unless(holds, f"appeal: {sender} is no hospital")
        refuse_unless(place not in self._said, f"{sender} appealed twice")
        self._said[place] = {}
        return "Appealed", {**values, "hospital": sender}

    def _decide(
        self, sender: str, values: Mapping[str, Any], members: Members, block: int
    ) -> list[Left]:
        hospital, upheld = values["hospital"], values["upheld"]
        place = values["round"], hospital
        holds = members.has(Permission.ADMINISTRATOR, sender)
        refuse_unless(holds, f"decide: {sender} is no administrator")
        refuse_unless(place in self._said, f"{hospital} did not appeal")
        refuse_unless(place not in self._closed, f"{hospital}’s appeal was decided before")
        said = self._said[place]
        first = said.get(upheld)
        refuse_unless(first != sender, f"{sender} decided the same twice")
        agreed = first is not None and members.has(Permission.ADMINISTRATOR, first)
        said[upheld] = sender
        if said.get(not upheld) == sender:
            del said[not upheld]
        left: list[Left] = [("AppealJudged", {**values, "administrator": sender})]
        if agreed:
            self._closed.add(place)
            if upheld:
                self.upheld.setdefault(hospital, block)
            about = {name: values[name] for name in ("training", "round", "hospital", "upheld")}
            left.append(("AppealDecided", {**about, "first": first, "second": sender}))
        return left
