"""The trainer is killed with SIGKILL; started again, it ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.records import DONATION
from fl.round import STEPS
from tests.app.crash.actions import NEXT
from tests.app.crash.nursery import FINISHED, Course, Install, Installation, Undisturbed
from tests.app.crash.promises import check_finished, remains


def in_round(name: str, number: int) -> str:
    """The action of round 1, in another round."""
    return name.replace("1/", f"{number}/", 1).replace("'s 1/", f"'s {number}/")


def live_through(installation: Installation, kills: Sequence[str]) -> None:
    """Be killed before each of these actions, one life after the other, then finish."""
    for name in kills:
        assert installation.live(name) is None, f"{name} never came"
    assert installation.live() == FINISHED


@pytest.mark.slow
def test_killed_twice_in_every_round_at_two_steps_in_a_row(
    install: Install, undisturbed: Undisturbed
) -> None:
    kills = []
    for number in range(len(STEPS)):
        actions = undisturbed.step(STEPS[number])
        kills.append(in_round(actions[len(actions) // 2], 1 + number // 2))
    rounds = 1 + (len(STEPS) - 1) // 2
    installation = install(Course(rounds))
    live_through(installation, kills)
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(rounds))


@pytest.mark.slow
def test_killed_while_the_installation_is_made(install: Install, undisturbed: Undisturbed) -> None:
    installation = install(Course())
    kills = [
        "start/CREATE TABLE steps",
        "start/commits INSERT INTO alembic_version",
        "start/installation's keystore.passphrase writes",
        "start/coordinator's keystore.json writes",
        "start/coordinator's signing.pem writes",
        "start/sends deploy",
        "start/commits INSERT INTO deployments",
        "start/cleveland's keystore.json writes",
        "start/cleveland's signing.pem writes",
        "start/sends register#2",
        "start/commits INSERT INTO parties#2",
        "start/commits INSERT INTO trainings",
        "start/sends openTraining",
    ]
    live_through(installation, kills)
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(1))


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_when_the_training_ends(
    install: Install, undisturbed: Undisturbed, after: bool
) -> None:
    installation = install(Course())
    assert installation.live("1/distribute/sends endTraining", after=after) is None
    live_through(installation, ["start/commits UPDATE trainings"])
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(1))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_action_of_a_step(
    install: Install, undisturbed: Undisturbed, step: str
) -> None:
    actions = undisturbed.step(step)
    kills = [in_round(name, number) for number, name in enumerate(actions, start=1)]
    installation = install(Course(rounds=len(kills)))
    live_through(installation, kills)
    with remains(installation) as found:
        results = [event.values["result_hash"].hex() for event in found.summed()]
        check_finished(found, results)
    assert results[: len(undisturbed.results)] == undisturbed.results[: len(results)]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_life_does_a_single_action(install: Install, undisturbed: Undisturbed) -> None:
    installation = install(Course())
    rounds = tuple(f"{number}/" for number in ("start", DONATION, 0, 1))
    once = [name for name in undisturbed.actions if name.startswith(rounds)]
    most = len(once) + len(once) // 2
    while (status := installation.live(NEXT, after=True)) is None:
        assert installation.lives < most, "the training does not come on"
    assert status == FINISHED
    assert installation.lives > len(undisturbed.step("check"))
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(1))
