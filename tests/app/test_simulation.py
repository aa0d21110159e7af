"""Who attacks in a simulation: drawn by the seed or named, the same each time."""

from __future__ import annotations

import pytest

from app.errors import RequestError
from app.services.requests import TrainingRequest
from app.services.simulation import Simulation, simulation_of
from app.setup import commandline
from fl.attacks import ATTACKS, get_attack

HOSPITALS = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")


def asked(**more: object) -> TrainingRequest:
    return TrainingRequest(**({"attack": "label-flip"} | more))


def attackers(request: TrainingRequest) -> tuple[str, ...]:
    found = simulation_of(request, HOSPITALS)
    assert found is not None
    return found.attackers


def test_nobody_attacks_unless_asked() -> None:
    assert simulation_of(TrainingRequest(), HOSPITALS) is None


@pytest.mark.parametrize(("number", "expected"), [(None, 1), (1, 1), (3, 3), (4, 4)])
def test_so_many_are_drawn_in_the_training_s_order(number: int | None, expected: int) -> None:
    chosen = attackers(asked(attackers=number))
    assert len(chosen) == expected
    assert list(chosen) == [name for name in HOSPITALS if name in chosen]


def test_the_seed_draws_them() -> None:
    drawn = [attackers(asked(attackers=2, seed=seed)) for seed in range(30)]
    assert drawn == [attackers(asked(attackers=2, seed=seed)) for seed in range(30)]
    assert {name for pair in drawn for name in pair} == set(HOSPITALS)
    assert len(set(drawn)) > 3


def test_more_attackers_contain_the_fewer() -> None:
    fewer, more = (set(attackers(asked(attackers=number))) for number in (1, 3))
    assert fewer < more


def test_the_named_attack_whatever_the_seed() -> None:
    chosen = asked(attackers=("VA Long Beach", "Hungary"), seed=3)
    assert attackers(chosen) == ("Hungary", "VA Long Beach")


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (asked(attackers=5), "expected 1 to 4 attackers, got 5"),
        (asked(attackers=0), "expected 1 to 4 attackers, got 0"),
        (asked(attackers=("Zurich",)), "attackers among Cleveland.*; got Zurich"),
        (asked(attack="bribery"), "bribery"),
        (TrainingRequest(attackers=1), "expected an attack for the attackers"),
    ],
)
def test_what_cannot_be_is_told(request_: TrainingRequest, sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence):
        simulation_of(request_, HOSPITALS)


def test_the_attackers_behave_as_the_attack_says() -> None:
    known = Simulation("sign-flip", ("Hungary",))
    assert known.behaviours == {"Hungary": get_attack("sign-flip").behaviour}
    assert Simulation.from_row(known.to_row()) == known
    assert Simulation.from_row(None) is None


def test_a_request_reads_back_with_its_attackers() -> None:
    for request in (
        asked(attackers=("Hungary", "Cleveland"), review=False),
        asked(attackers=2),
        TrainingRequest(),
    ):
        assert TrainingRequest.from_json(request.to_json()) == request


def test_a_request_from_before_there_was_a_review_reads_back() -> None:
    old = (
        '{"alpha":null,"hospitals":null,"learning_rate":null,"local_epochs":null,'
        '"partition":null,"rounds":2,"seed":7,"task":"heart"}'
    )
    assert TrainingRequest.from_json(old) == TrainingRequest(rounds=2)


def test_the_command_line_knows_every_attack() -> None:
    assert tuple(ATTACKS) == commandline.ATTACKS


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (None, None, True)),
        (("--attack", "ipm"), ("ipm", None, True)),
        (("--attack", "ipm", "--attackers", "2"), ("ipm", 2, True)),
        (("--attack", "ipm", "--attackers", "Hungary"), ("ipm", ("Hungary",), True)),
        (
            ("--attack", "alie", "--attackers", "VA Long Beach, Hungary"),
            ("alie", ("VA Long Beach", "Hungary"), True),
        ),
        (("--no-review",), (None, None, False)),
    ],
)
def test_options_say_who_attacks(arguments: tuple[str, ...], expected: tuple[object, ...]) -> None:
    args = commandline.parse(["train", *arguments])
    assert (args.attack, args.attackers, args.review) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("--attackers", "1"),
        ("--attack", "bribery"),
        ("--attack", "ipm", "--attackers", "0"),
        ("--attack", "ipm", "--attackers", "-1"),
        ("--attack", "ipm", "--attackers", "Hungary,Hungary"),
        ("--attack", "ipm", "--attackers", ""),
    ],
)
def test_wrong_options_end_with_status_2(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        commandline.parse(["train", *arguments])
    assert ended.value.code == 2
    assert "attack" in capsys.readouterr().err


def test_the_first_start_tests_updates_and_nobody_attacks() -> None:
    args = commandline.parse([])
    assert (args.attack, args.attackers, args.review) == (None, None, True)


EIGHT = [f"Hospital {letter}" for letter in "ABCDEFGH"]


def several(**more: object) -> TrainingRequest:
    return TrainingRequest(**({"attacks": (("sign-flip", 2), ("label-flip", 1))} | more))


def test_attackers_of_several_kinds_are_those_that_the_seed_draws_for_one() -> None:
    found = simulation_of(several(), EIGHT)
    one = simulation_of(asked(attackers=3), EIGHT)
    assert found is not None
    assert one is not None
    assert found.attackers == one.attackers
    assert {kind: len(names) for kind, names in found.by_kind.items()} == {
        "sign-flip": 2,
        "label-flip": 1,
    }
    assert found.behaviours == {
        name: get_attack(found.kind_of(name)).behaviour for name in found.attackers
    }
    honest = next(name for name in EIGHT if name not in found.attackers)
    assert found.kind_of(honest) is None
    assert found.title == "Scaled sign flip + Label flip"


def test_attackers_of_several_kinds_are_read_back_and_of_one_kind_stored_as_ever() -> None:
    found = simulation_of(several(), EIGHT)
    assert found is not None
    assert Simulation.from_row(found.to_row()) == found
    assert Simulation("ipm", ("A",)).to_row() == {"attack": "ipm", "attackers": ["A"]}
    assert Simulation.from_row({"attack": "ipm", "attackers": ["A"]}) == Simulation("ipm", ("A",))


def test_a_request_of_one_kind_has_the_bytes_that_it_always_had() -> None:
    assert "attacks" not in asked().to_json()
    assert TrainingRequest.from_json(asked().to_json()) == asked()
    assert TrainingRequest.from_json(several().to_json()) == several()
    assert several().attack_words == "sign-flip + label-flip"
    assert (asked().attack_words, TrainingRequest().attack_words) == ("label-flip", "")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (several(attacks=(("sign-flip", 3), ("ipm", 3))), "at most 5 and one of each kind; got 6"),
        (several(attacks=(("sign-flip", 1), ("ipm", 0))), "one of each kind; got 1"),
        (several(attacks=(("ipm", 1), ("ipm", 1))), "several different attacks, got ipm, ipm"),
        (several(attacks=(("ipm", 1),)), "several different attacks, got ipm"),
        (several(attacks=(("ipm", 1), ("bribery", 1))), "bribery"),
        (several(attack="ipm"), "one attack or several with their numbers, got both"),
    ],
)
def test_several_kinds_that_cannot_be(request_: TrainingRequest, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        simulation_of(request_, EIGHT)


def test_options_give_several_kinds_with_their_numbers() -> None:
    args = commandline.parse(["train", "--attack", "sign-flip=2", "--attack", "label-flip"])
    assert (args.attack, args.attackers) == (None, None)
    assert args.attacks == (("sign-flip", 2), ("label-flip", 1))
    one = commandline.parse(["train", "--attack", "sign-flip=2"])
    assert (one.attack, one.attackers, one.attacks) == ("sign-flip", 2, None)
    assert commandline.parse([]).attacks is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("--attack", "ipm=0"),
        ("--attack", "ipm=two"),
        ("--attack", "ipm", "--attack", "ipm"),
        ("--attack", "ipm", "--attack", "alie", "--attackers", "2"),
        ("--attack", "ipm=1", "--attackers", "2"),
    ],
)
def test_options_that_contradict_each_other_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as refused:
        commandline.parse(["train", *arguments])
    assert refused.value.code == 2
