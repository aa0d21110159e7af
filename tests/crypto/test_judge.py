"""Who is left out when a sharing is in dispute: the public rule, case by case.

Four nodes Ada, Ben, Cem and Dana hold degree-1 shares at the points 1 to 4, unless a test says
otherwise; hospitals deal to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.field import F61
from crypto.kernels import Words
from crypto.prg import Stream
from crypto.shamir import share
from crypto.vss import DISPUTED, MASKS, MISSING, Answer, Judgement, answer, challenge_scalars, judge
from tests.crypto.words import P61

Table = dict[str, dict[str, Answer]]

NODES = {"Ada": 1, "Ben": 2, "Cem": 3, "Dana": 4}
HOSPITALS = ("north", "south", "east", "west")
RHOS = challenge_scalars(b"a challenge that nobody knew")


def dealt(dealer: str, points: Mapping[str, int], threshold: int) -> Words:
    stream = Stream(dealer.encode().ljust(32, b"."), "test")
    return share(stream.elements(5 + MASKS), threshold, list(points.values()), stream)


def answers_to(shares: Words, points: Mapping[str, int]) -> dict[str, Answer]:
    return {node: answer(row, RHOS) for node, row in zip(points, shares, strict=True)}


def honest(
    points: Mapping[str, int] = NODES,
    dealers: tuple[str, ...] = HOSPITALS,
    threshold: int = 1,
) -> Table:
    return {dealer: answers_to(dealt(dealer, points, threshold), points) for dealer in dealers}


def lie(table: Table, dealer: str, node: str, by: int = 1) -> None:
    """Move the first of a node's two values."""
    first, second = table[dealer][node]
    assert isinstance(first, int)
    table[dealer][node] = ((first + by) % P61, int(second))


def judged(table: Table, points: Mapping[str, int] = NODES, threshold: int = 1) -> Judgement:
    return judge(points, table, threshold, max_left_out=1)


def test_honest_sharings_stand_and_nobody_is_named() -> None:
    assert judged(honest()) == Judgement(HOSPITALS, {}, {}, (), opens=True)


@pytest.mark.parametrize(("n", "t"), [(3, 1), (5, 2), (7, 2)])
def test_honest_sharings_stand_with_other_numbers_of_nodes(n: int, t: int) -> None:
    points = {f"node {k}": k for k in range(1, n + 1)}
    assert judged(honest(points, threshold=t), points, t).standing == HOSPITALS


@pytest.mark.parametrize("liar", NODES)
def test_a_node_that_lies_about_everybody_is_left_out_and_the_others_stand_on_three(
    liar: str,
) -> None:
    table = honest()
    for dealer in HOSPITALS:
        lie(table, dealer, liar)
    found = judged(table)
    assert found.left_out == {liar: "in dispute with 4 of 4 hospitals"}
    assert found.standing == HOSPITALS
    assert found.disputes == ()
    assert found.opens


def test_one_lie_about_the_second_value_counts_as_well() -> None:
    table = honest()
    first, second = table["east"]["Cem"]
    table["east"]["Cem"] = (int(first), (int(second) + 1) % P61)
    assert judged(table).disputes == (("east", "Cem"),)


@pytest.mark.parametrize("node", NODES)
@pytest.mark.parametrize("how", ["a lie", "a dispute of the digest"])
def test_a_pair_in_dispute_is_named_and_the_hospital_sits_out(node: str, how: str) -> None:
    table = honest()
    if how == "a lie":
        lie(table, "east", node)
    else:
        table["east"][node] = DISPUTED
    found = judged(table)
    assert found.disputes == (("east", node),)
    assert found.refused == {"east": f"its sharing is in dispute with {node}"}
    assert found.standing == ("north", "south", "west")
    assert found.left_out == {}
    assert found.opens


def test_three_fitting_answers_are_not_enough_beside_a_dispute() -> None:
    # With one node's help a dealer could otherwise choose which sum is opened.
    table = honest()
    table["east"]["Dana"] = DISPUTED
    fitting = {node: table["east"][node] for node in ("Ada", "Ben", "Cem")}
    assert judge({n: NODES[n] for n in fitting}, {"east": fitting}, 1, 0).standing == ("east",)
    assert "east" not in judged(table).standing


def test_half_of_the_hospitals_is_enough_to_leave_a_node_out() -> None:
    table = honest()
    for dealer in HOSPITALS[:2]:
        lie(table, dealer, "Dana")
    found = judged(table)
    assert set(found.left_out) == {"Dana"}
    assert found.standing == HOSPITALS


def test_fewer_than_half_of_the_hospitals_are_not_enough() -> None:
    table = honest(dealers=("a", "b", "c", "d", "e"))
    for dealer in ("a", "b"):
        lie(table, dealer, "Dana")
    found = judged(table)
    assert found.left_out == {}
    assert found.disputes == (("a", "Dana"), ("b", "Dana"))


def test_two_of_four_hospitals_out_by_disputes_open_nothing() -> None:
    table = honest()
    lie(table, "north", "Ada")
    lie(table, "east", "Ben")
    found = judged(table)
    assert not found.opens
    assert found.reason == "2 of 4 hospitals are out, more than a quarter"
    assert found.disputes == (("north", "Ada"), ("east", "Ben"))


@pytest.mark.parametrize(("hospitals", "opens"), [(3, False), (4, True), (7, False), (8, True)])
def test_a_quarter_of_the_hospitals_may_be_out_and_no_more(hospitals: int, opens: bool) -> None:
    dealers = tuple(f"hospital {k}" for k in range(hospitals))
    table = honest(dealers=dealers)
    for dealer, node in zip(dealers[: -(-hospitals // 4)], NODES, strict=False):
        lie(table, dealer, node)
    assert judged(table).opens == opens


def test_a_missing_envelope_refuses_the_hospital_and_names_no_pair() -> None:
    table = honest()
    table["west"]["Ben"] = MISSING
    found = judged(table)
    assert found.refused == {"west": "no envelope reached Ben"}
    assert found.disputes == ()
    assert found.left_out == {}
    assert found.opens


def test_a_node_that_misses_half_of_the_envelopes_is_left_out_without_an_accusation() -> None:
    table = honest()
    for dealer in ("north", "west"):
        table[dealer]["Ben"] = MISSING
    found = judged(table)
    assert found.left_out == {"Ben": "reports no envelope from 2 of 4 hospitals"}
    assert found.standing == HOSPITALS
    assert found.disputes == ()


def test_a_dispute_is_heard_where_another_envelope_is_missing() -> None:
    table = honest()
    table["west"]["Ben"] = MISSING
    table["west"]["Ada"] = DISPUTED
    assert judged(table).disputes == (("west", "Ada"),)


def test_an_error_among_three_points_cannot_be_located_and_names_no_pair() -> None:
    three = {"Ada": 1, "Ben": 2, "Cem": 3}
    table = honest(three)
    lie(table, "south", "Ben")
    found = judged(table, three)
    assert found.refused == {"south": "its shares lie on no polynomial of the agreed degree"}
    assert found.disputes == ()
    assert found.left_out == {}


def test_two_errors_among_four_points_cannot_be_located_and_name_no_pair() -> None:
    table = honest()
    lie(table, "south", "Ben", by=1)
    lie(table, "south", "Dana", by=5)
    found = judged(table)
    assert list(found.refused) == ["south"]
    assert found.disputes == ()


def test_after_a_node_is_left_out_the_rest_detects_and_does_not_correct() -> None:
    table = honest()
    for dealer in HOSPITALS:
        lie(table, dealer, "Dana")
    lie(table, "south", "Ben", by=7)
    found = judged(table)
    assert set(found.left_out) == {"Dana"}
    assert found.refused == {"south": "its shares lie on no polynomial of the agreed degree"}
    assert found.standing == ("north", "east", "west")
    assert found.disputes == ()


def test_two_wrong_nodes_of_seven_are_located() -> None:
    points = {f"node {k}": k for k in range(1, 8)}
    table = honest(points, threshold=2)
    lie(table, "south", "node 2")
    lie(table, "south", "node 7")
    found = judged(table, points, threshold=2)
    assert found.disputes == (("south", "node 2"), ("south", "node 7"))


def test_more_nodes_left_out_than_can_be_spared_open_nothing() -> None:
    table = honest()
    for dealer in ("north", "south"):
        lie(table, dealer, "Dana")
    for dealer in ("east", "west"):
        table[dealer]["Ada"] = MISSING
    found = judged(table)
    assert set(found.left_out) == {"Ada", "Dana"}
    assert found.standing == ()
    assert not found.opens
    assert found.reason == "2 nodes are left out, at most 1 can be"
    assert set(found.refused) == set(HOSPITALS)


@pytest.mark.parametrize("entry", range(5 + MASKS))
def test_a_dealer_whose_one_entry_is_off_for_one_node_is_refused(entry: int) -> None:
    table = honest()
    shares = dealt("west", NODES, 1)
    shares[2, entry] = (int(shares[2, entry]) + 1) % P61
    table["west"] = answers_to(shares, NODES)
    found = judged(table)
    assert found.disputes == (("west", "Cem"),)
    assert found.standing == ("north", "south", "east")


def test_a_dealer_of_a_higher_degree_is_refused() -> None:
    table = honest()
    table["west"] = answers_to(dealt("west", NODES, 2), NODES)
    found = judged(table)
    assert list(found.refused) == ["west"]


def drop_order(table: Table) -> Table:
    return {d: dict(reversed(given.items())) for d, given in reversed(table.items())}


def same(one: Judgement, other: Judgement) -> bool:
    """Equal up to the order in which dealers and holders were listed."""
    return (
        set(one.standing) == set(other.standing)
        and set(one.disputes) == set(other.disputes)
        and one.left_out == other.left_out
        and set(one.refused) == set(other.refused)
        and one.opens == other.opens
    )


REPORTS: dict[str, Callable[[Table, str, str], None]] = {
    "honest": lambda table, dealer, node: None,
    # Lies of several nodes about one hospital that lie on no line, so that they never fit together.
    "lie": lambda table, dealer, node: lie(table, dealer, node, by=1000 ** NODES[node]),
    "missing": lambda table, dealer, node: table[dealer].update({node: MISSING}),
    "disputed": lambda table, dealer, node: table[dealer].update({node: DISPUTED}),
}


@given(
    told=st.dictionaries(
        st.tuples(st.sampled_from(HOSPITALS), st.sampled_from(list(NODES))),
        st.sampled_from(list(REPORTS)),
    )
)
def test_whatever_is_reported_the_judgement_keeps_its_promises(
    told: dict[tuple[str, str], str],
) -> None:
    table = honest()
    for (dealer, node), report in told.items():
        REPORTS[report](table, dealer, node)
    found = judged(table)
    assert {*found.standing, *found.refused} == set(HOSPITALS)
    assert not set(found.standing) & set(found.refused)
    assert {dealer for dealer, _ in found.disputes} <= set(found.refused)
    assert {node for _, node in found.disputes}.isdisjoint(found.left_out)
    assert found.opens != bool(found.reason)
    if found.opens:
        assert len(found.left_out) <= 1
        assert len(found.refused) <= 1
        kept = {node: x for node, x in NODES.items() if node not in found.left_out}
        for dealer in found.standing:
            rows = [table[dealer][node] for node in kept]
            honest_rows = [honest()[dealer][node] for node in kept]
            assert rows == honest_rows, "only a submission that all confirm may stand"
    points = dict(reversed(NODES.items()))
    assert same(found, judge(points, drop_order(table), 1, 1))


def test_the_check_sees_only_public_answers_of_the_field() -> None:
    values = [value for given in honest().values() for pair in given.values() for value in pair]
    assert all(isinstance(value, int) and 0 <= value < F61.modulus for value in values)
    assert np.unique(np.array(values, dtype=np.uint64)).size == len(values)
