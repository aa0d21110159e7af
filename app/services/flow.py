"""A round as a picture: hospitals, nodes and the chain, and what goes between them at each step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.services.federation import HOSPITAL

WIDTH: Final = 1000
_BOX = (200, 34)
_GAP: Final = 12
_MARGIN: Final = 8
# Below everybody: by it lines from hospitals reach the chain without passing behind a node.
_LANE: Final = 18
_HOSPITALS_AT, _NODES_AT, _CHAIN_AT = 8, 420, 792
_LONGEST_NAME: Final = 20

# What goes where: hospitals to nodes, nodes to the chain, ...
SHARES, SUBMITS, BETWEEN, WRITES, RETURNS, TRAINS = (
    "shares", "submits", "between", "writes", "returns", "trains",
)  # fmt: skip

# What is under way at each step, and in a sentence.
_STEPS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "open": ((WRITES,), "The round is opened on the chain, and the nodes take their seats."),
    "train": ((TRAINS,), "Each hospital trains on its own rows. Nothing leaves it."),
    "share": ((SHARES,), "Each hospital sends every node a sealed share; one alone says nothing."),
    "submit": ((SUBMITS,), "Each hospital puts the hash of what it shared on the chain."),
    "check": (
        (BETWEEN, WRITES),
        "The nodes check that the shares lie on one polynomial, by a challenge of the chain.",
    ),
    "review": (
        (BETWEEN,),
        "Three nodes test every update on donated rows. They see neither: both are shares.",
    ),
    "agree": ((WRITES,), "The nodes sign the set of updates that count."),
    "aggregate": ((BETWEEN,), "Each node sums its shares; only the sum is ever put together."),
    "vote": ((WRITES,), "Each node votes on the chain for the hash of the result."),
    "distribute": ((RETURNS,), "The new model goes back to the hospitals, who test it."),
}


@dataclass(frozen=True)
class Box:
    """A party, or the chain: where it stands, and how it is."""

    name: str
    x: int
    y: int
    state: str
    title: str

    @property
    def left(self) -> tuple[int, int]:
        """The middle of its left side."""
        return self.x, self.y + _BOX[1] // 2

    @property
    def right(self) -> tuple[int, int]:
        """The middle of its right side."""
        return self.x + _BOX[0], self.y + _BOX[1] // 2

    @property
    def bottom(self) -> tuple[int, int]:
        """The middle of its lower side."""
        return self.x + _BOX[0] // 2, self.y + _BOX[1]


@dataclass(frozen=True)
class Flow:
    """The picture, in units of its view box; `active` names what is under way."""

    height: int
    box: tuple[int, int]
    hospitals: Sequence[Box]
    nodes: Sequence[Box]
    chain: Box
    active: tuple[str, ...]
    sentence: str

    @property
    def width(self) -> int:
        """The width of the view box."""
        return WIDTH

    def to_lane(self, hospital: Box) -> str:
        """An SVG path from a hospital down to where `lane` begins."""
        (x, y), (end, lane) = hospital.right, self._lane_begins
        bend = (x + end) // 2
        return f"M{x} {y} C{bend} {y} {bend} {lane} {end} {lane}"

    @property
    def lane(self) -> str:
        """An SVG path below the nodes and up to the chain, for what all hospitals send there."""
        (begin, y), (end, chain) = self._lane_begins, self.chain.bottom
        behind = _NODES_AT + _BOX[0] + _LANE
        return f"M{begin} {y} L{behind} {y} C{end} {y} {end} {y} {end} {chain}"

    @property
    def _lane_begins(self) -> tuple[int, int]:
        return _NODES_AT - _LANE, self.height - _LANE // 2

    @property
    def words(self) -> str:
        """The picture for whoever does not see it."""
        busy = [one.name for one in (*self.hospitals, *self.nodes) if one.state == "working"]
        at_work = f" At work: {', '.join(busy)}." if busy else ""
        return f"{self.sentence}{at_work} The list below says where each party is."


def flow_of(parties: Sequence[Mapping[str, Any]], step: str | None) -> Flow | None:
    """The picture of a training's `parties` (see `live.training_view`); None before a step."""
    if not parties or step is None or step not in _STEPS:
        return None
    hospitals = [one for one in parties if one["role"] == HOSPITAL]
    nodes = [one for one in parties if one["role"] != HOSPITAL]
    rows = max(len(hospitals), len(nodes), 3)
    height = rows * (_BOX[1] + _GAP) - _GAP + 2 * _MARGIN
    active, sentence = _STEPS[step]
    chain = Box(
        "Chain", _CHAIN_AT, _top(0, 1, height), "working" if WRITES in active else "waiting", ""
    )
    return Flow(
        height=height + _LANE,
        box=_BOX,
        hospitals=_column(hospitals, _HOSPITALS_AT, height),
        nodes=_column(nodes, _NODES_AT, height),
        chain=chain,
        active=active,
        sentence=sentence,
    )


def _column(parties: Sequence[Mapping[str, Any]], x: int, height: int) -> list[Box]:
    return [
        Box(_short(one["name"]), x, _top(place, len(parties), height), one["state"], one["text"])
        for place, one in enumerate(parties)
    ]


def _top(place: int, count: int, height: int) -> int:
    """The upper edge of a box of a column that stands in the middle."""
    whole = count * (_BOX[1] + _GAP) - _GAP
    return (height - whole) // 2 + place * (_BOX[1] + _GAP)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
