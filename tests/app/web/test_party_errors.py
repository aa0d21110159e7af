"""The errors of parties on a training's pages: who, where, how, when, and what follows."""

from __future__ import annotations

import pytest

from app.models import FaultRow, TrainingRow
from app.stores.rounds import Rounds
from contracts.records import AttemptKey
from fl.store import AttemptNote
from tests.app import reviewed
from tests.app.reviewed import Recorded
from tests.app.web.browser import Browser
from tests.app.web.conftest import Site
from tests.app.web.test_training_pages import section, text


class Course:
    """A training whose attempts are written down as the coordinator would, one by one."""

    def __init__(self, site: Site) -> None:
        self._database = site.services.database
        self.identifier = Recorded(self._database, reviewed.plan()).identifier
        self._rounds = Rounds(self._database, bytes.fromhex(self.identifier))

    def begin(self, attempt: int = 1, number: int = 1) -> AttemptKey:
        key = AttemptKey(bytes.fromhex(self.identifier), number, attempt)
        self._rounds.begin_attempt(key)
        return key

    def fault(self, key: AttemptKey, party: str, step: str, reason: str, kind: str = "") -> None:
        self._rounds.keep_fault(key, party, step, reason, kind)

    def end(self, key: AttemptKey, finalised: bool) -> None:
        self._rounds.end_attempt(key, AttemptNote(finalised, reason="" if finalised else "no"))

    def stop(self) -> None:
        with self._database.transaction() as session:
            session.get_one(TrainingRow, self.identifier).state = "failed"


class Told:
    """What the live page says of a party."""

    def __init__(self, alice: Browser, address: str) -> None:
        self.alice = alice
        self.address = address

    def of(self, party: str) -> str:
        answer = self.alice.get(f"{self.address}/now")
        rows = section(answer.text, "errors-title").split("<tr")
        return text(next("<tr" + one for one in rows if f">{party}" in one))


@pytest.fixture
def course(site: Site) -> Course:
    return Course(site)


@pytest.fixture
def told(site: Site, course: Course) -> Told:
    return Told(site.browser("administrator"), f"/admin/trainings/{course.identifier}")


def test_an_error_says_who_where_how_and_when(course: Course, told: Told) -> None:
    key = course.begin()
    course.fault(key, "Hungary", "train", "Hungary was handed another model", "StepRefused")
    said = told.of("Hungary")
    assert "Hungary hospital Round 1, attempt 1: training" in said
    assert "Refused the step: Hungary was handed another model. StepRefused" in said
    assert "UTC" in said
    assert "Hungary" in section(told.alice.get(told.address).text, "errors-title")


def test_an_error_of_unknown_kind_is_told_without_a_text(course: Course, told: Told) -> None:
    course.fault(course.begin(), "Node 2", "review", "ZeroDivisionError", "ZeroDivisionError")
    assert "testing, encrypted Broke down inside. ZeroDivisionError" in told.of("Node 2")


def test_who_is_absent_on_the_ledger_needs_no_error(course: Course, told: Told) -> None:
    course.fault(course.begin(), "Node 3", "open", "took no seat on the ledger")
    assert "Did not do its part: took no seat on the ledger." in told.of("Node 3")


def test_what_follows_changes_with_the_round(course: Course, told: Told) -> None:
    first = course.begin()
    course.fault(first, "Hungary", "submit", "submitted nothing to the ledger")
    course.fault(first, "Node 1", "check", "withheld its nonce")
    assert "goes on without its update while enough hospitals are left" in told.of("Hungary")
    assert "other nodes go on while they are enough" in told.of("Node 1")
    course.end(first, finalised=False)
    assert "tried again with everybody, if the ledger allows" in told.of("Hungary")
    second = course.begin(2)
    assert "The round was tried again, as attempt 2." in told.of("Hungary")
    course.fault(second, "Cleveland", "train", "it crashed")
    course.end(second, finalised=True)
    without = "The round was finished without its update."
    assert f"{without} It is asked again in the next round." in told.of("Cleveland")
    third = course.begin(1, 2)
    assert f"{without} It was asked again in round 2." in told.of("Cleveland")
    assert f'{told.address}/rounds/1">Round 1</a>' in told.alice.get(f"{told.address}/now").text
    course.fault(third, "Node 4", "vote", "voted for another hash than the quorum")
    course.end(third, finalised=False)
    course.stop()
    assert "It was not tried again: the training ended there." in told.of("Node 4")


def test_the_newest_stand_first_and_the_rest_on_their_rounds(course: Course, told: Told) -> None:
    key = course.begin()
    for number in range(12):
        course.fault(key, "Node 1", "review", f"problem {number} of many")
    shown = section(told.alice.get(told.address).text, "errors-title")
    assert "the newest 8 of 12" in text(shown)
    assert shown.index("problem 11 of") < shown.index("problem 4 of")
    assert "problem 3 of" not in shown
    course.end(key, finalised=True)
    page = told.alice.get(f"{told.address}/rounds/1").text
    assert "problem 3 of" in section(page, "faults-title")


def test_an_error_of_before_says_that_its_time_was_not_noted(
    course: Course, told: Told, site: Site
) -> None:
    course.fault(course.begin(), "Hungary", "train", "it crashed")
    with site.services.database.transaction() as session:
        session.query(FaultRow).one().at = None
    assert "it crashed. not noted" in told.of("Hungary")


def test_without_an_error_there_is_no_list(course: Course, told: Told) -> None:
    course.begin()
    assert "errors-title" not in told.alice.get(f"{told.address}/now").text
