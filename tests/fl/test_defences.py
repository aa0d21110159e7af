"""Published defences on toy updates, the answers worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fl.defences import DEFENCES, Round, krum_scores
from fl.errors import SettingsError

# Four honest updates near (1, 1) and one far away.
UPDATES = np.array([[1.0, 1.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [50.0, -50.0]])
WEIGHTS = (1, 2, 3, 4, 10)
ROOT = np.array([0.0, 2.0])


def given(**changes: object) -> Round:
    fields: dict[str, object] = {
        "updates": UPDATES,
        "weights": WEIGHTS,
        "attackers": 1,
        "root": ROOT,
        "honest": np.array([True, True, True, True, False]),
    }
    return Round(**(fields | changes))  # type: ignore[arg-type]


def combined(name: str, **changes: object) -> list[float]:
    result: list[float] = DEFENCES[name].combine(given(**changes)).tolist()
    return result


def test_the_table_names_every_baseline() -> None:
    assert tuple(DEFENCES) == (
        "none",
        "krum",
        "multi-krum",
        "median",
        "trimmed-mean",
        "fltrust",
        "oracle",
    )
    assert [name for name, one in DEFENCES.items() if one.needs_root] == ["fltrust"]
    assert all(one.title and one.source for one in DEFENCES.values())


def test_none_is_the_weighted_mean_of_all() -> None:
    # Sums: 1 + 2 + 6 + 8 + 500 and 1 + 4 + 3 + 8 - 500, over 20.
    assert combined("none") == [517 / 20, -484 / 20]


def test_krum_takes_the_update_with_the_nearest_neighbours() -> None:
    # n - f - 2 = 2 neighbours: a corner of the square has two at distance 1.
    assert krum_scores(UPDATES, 1)[:4].tolist() == [2.0, 2.0, 2.0, 2.0]
    assert krum_scores(UPDATES, 1)[4] == (48**2 + 51**2) + (49**2 + 51**2)
    nearer = UPDATES.copy()
    nearer[3] = [1.5, 1.5]
    # From the middle, the three others are at 0.5 each: 1.0 for two; from a corner 0.5 + 1.
    assert krum_scores(nearer, 1)[:4].tolist() == [1.5, 1.5, 1.5, 1.0]
    assert combined("krum", updates=nearer) == [1.5, 1.5]


def test_krum_needs_one_neighbour_at_least() -> None:
    assert combined("krum", attackers=4) == [1.0, 1.0]


def test_multi_krum_is_the_weighted_mean_without_the_farthest() -> None:
    # Sums: 1 + 2 + 6 + 8 and 1 + 4 + 3 + 8, over 10.
    assert combined("multi-krum") == [1.7, 1.6]


def test_the_median_is_taken_in_each_coordinate() -> None:
    assert combined("median") == [2.0, 1.0]


def test_the_trimmed_mean_leaves_out_both_ends_of_each_coordinate() -> None:
    # 1 | 1 2 2 | 50 and -50 | 1 1 2 | 2.
    assert combined("trimmed-mean") == pytest.approx([5 / 3, 4 / 3])
    # Of five at most two can go on each side.
    assert combined("trimmed-mean", attackers=4) == [2.0, 1.0]


def test_fltrust_scales_to_the_servers_length_and_weighs_by_the_cosine() -> None:
    # Cosines with (0, 2): 1/sqrt 2, 2/sqrt 5, 1/sqrt 5, 1/sqrt 2, negative, which counts nothing.
    trust = [1 / math.sqrt(2), 2 / math.sqrt(5), 1 / math.sqrt(5), 1 / math.sqrt(2)]
    units = [UPDATES[i] / np.linalg.norm(UPDATES[i]) for i in range(4)]
    expected = sum(t * 2 * u for t, u in zip(trust, units, strict=True)) / sum(trust)
    assert combined("fltrust") == pytest.approx(list(expected))


def test_fltrust_stays_where_it_is_when_it_trusts_nobody() -> None:
    assert combined("fltrust", root=np.array([-1.0, -0.01]), updates=UPDATES[:4]) == [0.0, 0.0]


def test_the_oracle_leaves_out_exactly_the_attackers() -> None:
    assert combined("oracle") == [1.7, 1.6]
    with pytest.raises(SettingsError, match="honest"):
        combined("oracle", honest=np.zeros(5, dtype=np.bool_))
