"""Simulated attackers: what each sends, that it is seeded, and that it keeps to the bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crypto.field import F61
from fl.attacks import ATTACKS, HONEST, Scene, get_attack
from fl.attacks.behaviour import Vector
from fl.attacks.data import TRIGGER_INPUTS, TRIGGER_VALUE, stamp
from fl.errors import UnknownAttackError
from fl.networks import NetworkSpec, flatten, initial_parameters, parameter_count, unflatten

SPEC = NetworkSpec("mlp", 4, 2)
LENGTH = parameter_count(SPEC)
START = initial_parameters(SPEC, 3)
NAMES = (
    "label-flip",
    "targeted-flip",
    "sign-flip",
    "model-replacement",
    "gaussian",
    "random-weights",
    "alie",
    "min-max",
    "ipm",
    "backdoor",
    "free-rider",
    "inflated-count",
    "tainted-slice",
    "out-of-range",
)


def updates() -> dict[str, Vector]:
    """Three honest updates of norm 1 around a common direction."""
    generator = np.random.Generator(np.random.PCG64(1))
    common = generator.normal(size=LENGTH)
    drawn = [common + 0.5 * generator.normal(size=LENGTH) for _ in range(3)]
    return {name: d / np.linalg.norm(d) for name, d in zip("BCD", drawn, strict=True)}


SCENE = Scene(SPEC, "A", ("A",), 4, 2, 7, 1.5, START, updates)
DELTA = np.linspace(-0.02, 0.02, LENGTH)


def rows(count: int = 30) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.Generator(np.random.PCG64(2))
    x = generator.normal(size=(count, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int64)


def test_the_table_has_every_attack_with_its_source() -> None:
    assert tuple(ATTACKS) == NAMES
    for name, attack in ATTACKS.items():
        assert get_attack(name) is attack
        assert attack.name == name
        assert attack.title
        assert attack.source
        assert attack.effect.endswith(".")
    assert {name for name, attack in ATTACKS.items() if not attack.poisons} == {
        "free-rider",
        "inflated-count",
        "tainted-slice",
    }


def test_an_unknown_attack_is_refused_with_the_names() -> None:
    with pytest.raises(UnknownAttackError, match=r"label-flip.*got 'bribery'"):
        get_attack("bribery")


def test_an_honest_hospital_changes_nothing() -> None:
    x, y = rows()
    assert HONEST.rows(x, y, SCENE) == (x, y)
    assert HONEST.donated(x, y, SCENE) == (x, y)
    assert HONEST.samples(30) == 30
    assert HONEST.sent_update(DELTA, SCENE) is DELTA
    integers = np.arange(LENGTH)
    assert HONEST.vector(integers) is integers


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_is_a_function_of_its_scene_alone(name: str) -> None:
    x, y = rows()
    x.flags.writeable = y.flags.writeable = False
    behaviour = get_attack(name).behaviour
    before = flatten(SPEC, START).tobytes()
    for scene in (SCENE, replace(SCENE, round=3)):
        once, again = behaviour.rows(x, y, scene), behaviour.rows(x, y, scene)
        assert all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
        assert once[0].dtype == np.float32
        assert once[1].dtype == np.int64
        one, two = behaviour.sent_update(DELTA, scene), behaviour.sent_update(DELTA, scene)
        assert one.tobytes() == two.tobytes()
        assert one.shape == DELTA.shape
    assert flatten(SPEC, START).tobytes() == before


@pytest.mark.parametrize("name", NAMES)
def test_attackers_keep_to_the_bound(name: str) -> None:
    behaviour = get_attack(name).behaviour
    for bound in (0.01, 1.5):
        sent = behaviour.sent_update(DELTA, replace(SCENE, norm_bound=bound))
        if behaviour.clips:
            assert np.linalg.norm(sent) <= bound * (1 + 1e-12)
    assert behaviour.clips == (name != "out-of-range")


def test_flips_change_labels_and_nothing_else() -> None:
    x, y = rows()
    flipped_x, flipped_y = get_attack("label-flip").behaviour.rows(x, y, SCENE)
    assert np.array_equal(flipped_x, x)
    assert flipped_y.tolist() == (1 - y).tolist()
    aimed_x, aimed_y = get_attack("targeted-flip").behaviour.rows(x, y, SCENE)
    assert np.array_equal(aimed_x, x)
    assert not aimed_y.any()
    assert get_attack("label-flip").behaviour.donated(x, y, SCENE) == (x, y)


def test_a_tainted_slice_is_flipped_and_its_donor_trains_honestly() -> None:
    x, y = rows()
    behaviour = get_attack("tainted-slice").behaviour
    assert behaviour.donated(x, y, SCENE)[1].tolist() == (1 - y).tolist()
    assert behaviour.rows(x, y, SCENE)[1] is y
    assert behaviour.rows is HONEST.rows
    assert behaviour.sent_update(DELTA, SCENE) is DELTA


def test_the_backdoor_stamps_half_of_the_rows_and_aims_them() -> None:
    x, y = rows(400)
    stamped, labels = get_attack("backdoor").behaviour.rows(x, y, SCENE)
    marked = (stamped[:, :TRIGGER_INPUTS] == TRIGGER_VALUE).all(axis=1)
    assert 150 < marked.sum() < 250
    assert not labels[marked].any()
    assert labels[~marked].tolist() == y[~marked].tolist()
    assert np.array_equal(stamped[~marked], x[~marked])
    assert np.array_equal(stamped[marked], stamp(x)[marked])
    assert np.array_equal(stamped[:, TRIGGER_INPUTS:], x[:, TRIGGER_INPUTS:])


def test_boosts_are_shared_by_those_who_work_together() -> None:
    behaviour = get_attack("model-replacement").behaviour
    assert behaviour.rows is not HONEST.rows
    np.testing.assert_allclose(behaviour.update(DELTA, SCENE), 4 * DELTA)
    pair = replace(SCENE, attackers=("A", "B"))
    np.testing.assert_allclose(behaviour.update(DELTA, pair), 2 * DELTA)


def test_simple_updates_by_hand() -> None:
    np.testing.assert_allclose(get_attack("sign-flip").behaviour.update(DELTA, SCENE), -3 * DELTA)
    assert not get_attack("free-rider").behaviour.update(DELTA, SCENE).any()
    assert get_attack("inflated-count").behaviour.samples(31) == 310


def test_noise_has_the_length_of_the_bound_and_is_each_attackers_own() -> None:
    behaviour = get_attack("gaussian").behaviour
    one = behaviour.update(DELTA, SCENE)
    assert np.linalg.norm(one) == pytest.approx(1.5)
    assert not np.array_equal(one, behaviour.update(DELTA, replace(SCENE, hospital="B")))
    assert not np.array_equal(one, behaviour.update(DELTA, replace(SCENE, round=3)))


def test_random_weights_lead_to_a_fresh_model() -> None:
    sent = get_attack("random-weights").behaviour.update(DELTA, SCENE)
    arrived = unflatten(SPEC, flatten(SPEC, START) + sent)
    for name, fan_in in (("0.weight", 4), ("2.weight", 64), ("4.weight", 32)):
        assert 0.8 / fan_in**0.5 < np.abs(arrived[name]).max() <= 1 / fan_in**0.5 + 1e-6
        assert not np.array_equal(arrived[name], START[name])


def test_alie_moves_the_mean_by_the_quantile_of_its_paper() -> None:
    honest = SCENE.honest_updates()
    mean, deviation = honest.mean(axis=0), honest.std(axis=0)
    # n = 4, m = 1: s = 2 supporters of 3, the quantile is negative, so the least shift is taken.
    few = get_attack("alie").behaviour.update(DELTA, SCENE)
    np.testing.assert_allclose(few, mean - 0.5 * deviation)
    # n = 50, m = 24: s = 2, quantile (26 - 2) / 26 = 0.923, z = 1.4261 (the paper's example).
    crowd = replace(SCENE, hospitals=50, attackers=tuple(f"A{i}" for i in range(24)))
    many = get_attack("alie").behaviour.update(DELTA, crowd)
    np.testing.assert_allclose(many, mean - 1.42608 * deviation, atol=1e-6)


def test_min_max_goes_as_far_as_honest_updates_are_apart() -> None:
    honest = SCENE.honest_updates()
    sent = get_attack("min-max").behaviour.update(DELTA, SCENE)
    widest = max(np.linalg.norm(a - b) for a in honest for b in honest)
    farthest = max(np.linalg.norm(sent - one) for one in honest)
    assert farthest == pytest.approx(widest, rel=1e-6)
    assert farthest <= widest
    assert (sent - honest.mean(axis=0)) @ honest.std(axis=0) < 0


def test_inner_product_manipulation_turns_the_mean_round() -> None:
    honest = SCENE.honest_updates()
    sent = get_attack("ipm").behaviour.update(DELTA, SCENE)
    assert (honest.sum(axis=0) + sent) @ honest.mean(axis=0) < 0


def test_attacks_without_knowledge_ask_for_none() -> None:
    def honest() -> dict[str, Vector]:
        raise AssertionError("the honest updates were asked for")

    scene = replace(SCENE, honest=honest)
    for name in set(NAMES) - {"alie", "min-max", "ipm"}:
        get_attack(name).behaviour.sent_update(DELTA, scene)


def test_out_of_range_wraps_to_a_small_sum_of_squares() -> None:
    integers = np.arange(LENGTH, dtype=np.int64)
    sent = get_attack("out-of-range").behaviour.vector(integers)
    words = F61.from_signed(sent)
    assert [int(w) for w in words[:4]] == [(F61.modulus + 1) // 2] * 4
    assert sum(int(w) ** 2 for w in words[:4]) % F61.modulus == 1
    assert np.array_equal(sent[4:], integers[4:])
    assert integers[0] == 0


@pytest.mark.parametrize("name", ["alie", "min-max", "ipm"])
def test_without_honest_hospitals_in_a_round_there_is_nothing_to_hide_among(name: str) -> None:
    alone = replace(SCENE, attackers=("A", "B", "C"), hospitals=3, honest=dict)
    assert (get_attack(name).behaviour.update(DELTA, alone) == DELTA).all()
