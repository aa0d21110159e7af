"""The picture of a round: everybody is in it once, and what is under way is said, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.flow import WIDTH, flow_of
from fl.round import STEPS


def parties(hospitals: int, nodes: int, state: str = "waiting") -> list[dict[str, Any]]:
    rows = [("hospital", hospitals), ("node", nodes)]
    return [
        {"name": f"{role} {number}", "role": role, "state": state, "text": ""}
        for role, count in rows
        for number in range(count)
    ]


@given(st.integers(3, 20), st.integers(3, 9), st.sampled_from(STEPS))
def test_everybody_stands_in_the_picture_beside_nobody_else(
    hospitals: int, nodes: int, step: str
) -> None:
    flow = flow_of(parties(hospitals, nodes), step)
    assert flow is not None
    assert (len(flow.hospitals), len(flow.nodes)) == (hospitals, nodes)
    width, height = flow.box
    for column in (flow.hospitals, flow.nodes, [flow.chain]):
        tops = [box.y for box in column]
        assert tops[0] >= 0
        assert tops[-1] + height <= flow.height
        assert all(below - above >= height for above, below in pairwise(tops))
        assert all(0 <= box.x <= WIDTH - width for box in column)
    places = [flow.hospitals[0].x, flow.nodes[0].x, flow.chain.x]
    assert all(right - left > width for left, right in pairwise(places))


def drawn(path: str) -> Iterator[tuple[float, float]]:
    """Points of an SVG path of M, L and C with absolute coordinates, close to each other."""
    at = (0.0, 0.0)
    for command, text in re.findall(r"([MLC])([^MLC]*)", path):
        numbers = [float(one) for one in text.split()]
        given = list(zip(numbers[::2], numbers[1::2], strict=True))
        ends = [at, *given] if command == "C" else [at, at, given[0], given[0]]
        for step in range(101 if command != "M" else 0):
            t = step / 100
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            x, y = (sum(w * p[i] for w, p in zip(weights, ends, strict=True)) for i in (0, 1))
            yield x, y
        at = given[-1]


@given(st.integers(3, 20), st.integers(3, 9))
def test_what_a_hospital_submits_reaches_the_chain_behind_nobody(
    hospitals: int, nodes: int
) -> None:
    flow = flow_of(parties(hospitals, nodes), "submit")
    assert flow is not None
    width, height = flow.box
    others = [*flow.hospitals, *flow.nodes, flow.chain]
    for hospital in flow.hospitals:
        first, second = list(drawn(flow.to_lane(hospital))), list(drawn(flow.lane))
        assert first[-1] == second[0]
        points = first + second
        assert points[0] == hospital.right
        assert points[-1] == flow.chain.bottom
        assert all(0 <= x <= WIDTH and 0 <= y <= flow.height for x, y in points)
        hidden = [
            box.name
            for box in others
            for x, y in points
            if box.x < x < box.x + width and box.y < y < box.y + height
        ]
        assert hidden == []


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_a_sentence_and_something_under_way(step: str) -> None:
    known = parties(3, 3)
    known[1]["state"] = "working"
    flow = flow_of(known, step)
    assert flow is not None
    assert flow.active
    assert flow.sentence in flow.words
    assert "At work: hospital 1." in flow.words


def test_before_the_first_step_there_is_no_picture() -> None:
    assert flow_of(parties(3, 3), None) is None
    assert flow_of([], "train") is None


def test_a_long_name_is_cut_in_the_picture() -> None:
    known = parties(3, 3)
    known[0]["name"] = "The Royal Infirmary of Long Names"
    flow = flow_of(known, "train")
    assert flow is not None
    assert flow.hospitals[0].name == "The Royal Infirmary…"
