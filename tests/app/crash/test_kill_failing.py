"""A training that must end with a reason is killed on its way there: it ends with that reason.

Killing it buys no attempt that the protocol forbids, and a permitted one draws everything anew.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.records import TrainingState
from tests.app.crash.nursery import FAILED, FINISHED, Course, Install, Undisturbed
from tests.app.crash.promises import Remains, check_consistent, check_finished, remains

# Two of three nodes are more than can be missing.
NO_SHARES = {"Node 2": "release", "Node 3": "release"}
NO_SEATS = {"Node 2": "join", "Node 3": "join"}


def check_failed(found: Remains, reason: str, attempts: int, undisturbed: Undisturbed) -> None:
    """Round 1 failed with a reason after so many attempts; the model of round 0 stands."""
    check_consistent(found)
    record = found.ledger.training(bytes.fromhex(found.row.id))
    assert record.state == TrainingState.ENDED
    assert reason in record.reason
    assert (found.row.state, found.row.reason) == ("failed", record.reason)
    assert [event.values["result_hash"].hex() for event in found.summed()] == [
        undisturbed.results[0]
    ]
    assert found.row.model_sha256 == record.initial_model.hex() == found.row.initial_sha256
    assert [one.number for one in found.attempts if one.round == 1] == [*range(1, attempts + 1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kill",
    [
        "1/vote/sends fail",
        "1/vote/commits UPDATE attempts",
        "1/vote/sends endTraining",
        "1/vote/commits UPDATE trainings",
    ],
)
def test_a_locked_round_is_never_tried_again(
    install: Install, undisturbed: Undisturbed, kill: str
) -> None:
    installation = install(Course(broken=NO_SHARES))
    assert installation.live(kill) is None
    # The nodes are well again, but the set was agreed: another sum may not be opened.
    installation.course = replace(installation.course, broken={})
    assert installation.live() == FAILED
    with remains(installation) as found:
        check_failed(found, "no node could decode the sum", 1, undisturbed)


@pytest.mark.slow
def test_a_failed_attempt_that_was_killed_is_followed_by_a_fresh_one(
    install: Install, undisturbed: Undisturbed
) -> None:
    installation = install(Course(broken=NO_SEATS))
    assert installation.live("1/open/commits UPDATE attempts") is None
    installation.course = replace(installation.course, broken={})
    assert installation.live("1/share/commits INSERT INTO messages") is None
    assert installation.live() == FINISHED
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(1))
        assert [one.number for one in found.attempts if one.round == 1] == [1, 2]
        named = [fault.party for one in found.attempts for fault in one.faults]
        assert named == ["Node 2", "Node 3"]


@pytest.mark.slow
def test_kills_buy_no_third_attempt(install: Install, undisturbed: Undisturbed) -> None:
    installation = install(Course(broken=NO_SEATS))
    assert installation.live("1/open/sends fail", after=True) is None
    assert installation.live("1/open/commits UPDATE attempts") is None
    assert installation.live("start/sends endTraining") is None
    assert installation.live() == FAILED
    with remains(installation) as found:
        check_failed(found, "1 of 3 nodes joined, 2 are needed", 2, undisturbed)
