"""Parts of a live page: made once for all who watch, and how often each of them may ask."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.admin import trainings
from app.models import JobRow
from app.models.base import now
from app.services.jobs import LEASE, Jobs
from app.services.requests import TrainingRequest
from app.web.pace import GONE_SECONDS, HEADER, MOST_A_SECOND, Pace
from app.web.shared_parts import TIMES_MAKING, SharedParts
from tests.app import reviewed
from tests.app.web.conftest import Site


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Maker:
    """Counts how often a part is made; each takes some seconds."""

    def __init__(self, clock: Clock, seconds: float = 0.0) -> None:
        self.made = 0
        self._clock = clock
        self._seconds = seconds

    def __call__(self) -> int:
        self._clock.now += self._seconds
        self.made += 1
        return self.made


def test_a_part_is_made_once_in_a_moment_and_again_after_it() -> None:
    clock = Clock()
    parts, make = SharedParts(clock), Maker(clock)
    assert [parts.get("a", make), parts.get("a", make)] == [1, 1]
    clock.now += 0.89
    assert parts.get("a", make) == 1
    clock.now += 0.02
    assert parts.get("a", make) == 2


def test_who_waits_longer_shares_longer() -> None:
    clock = Clock()
    parts, make = SharedParts(clock), Maker(clock)
    parts.get("a", make, 5)
    clock.now += 4.4
    assert parts.get("a", make, 5) == 1
    clock.now += 0.2
    assert parts.get("a", make, 5) == 2


def test_a_part_that_takes_long_serves_so_many_times_as_long() -> None:
    clock = Clock()
    parts, make = SharedParts(clock), Maker(clock, 2.0)
    parts.get("a", make)
    clock.now += 2.0 * TIMES_MAKING - 0.1
    assert parts.get("a", make) == 1
    clock.now += 0.2
    assert parts.get("a", make) == 2


def test_another_key_is_another_part_and_an_error_is_not_kept() -> None:
    parts, make = SharedParts(Clock()), Maker(Clock())
    assert (parts.get("a", make), parts.get("b", make)) == (1, 2)
    with pytest.raises(ZeroDivisionError):
        parts.get("c", lambda: 1 // 0)
    assert parts.get("c", make) == 3


def test_who_asks_while_a_part_is_made_waits_for_it() -> None:
    parts, begun, go_on = SharedParts(), threading.Event(), threading.Event()
    made: list[object] = []

    def make() -> str:
        begun.set()
        assert go_on.wait(30)
        return "part"

    def other() -> str:
        return "made twice"

    first = threading.Thread(target=lambda: made.append(parts.get("a", make)))
    first.start()
    assert begun.wait(30)
    second = threading.Thread(target=lambda: made.append(parts.get("a", other)))
    second.start()
    go_on.set()
    first.join(30)
    second.join(30)
    assert made == ["part", "part"]


def test_watchers_together_ask_only_so_often() -> None:
    clock = Clock()
    pace = Pace(clock)
    waits = [pace.seconds(f"watcher {number}") for number in range(5 * MOST_A_SECOND)]
    assert waits[:MOST_A_SECOND] == [1] * MOST_A_SECOND
    assert waits[-1] == 5
    assert pace.seconds("watcher 0") == 5
    clock.now += GONE_SECONDS + 1
    assert pace.seconds("watcher 0") == 1


def test_who_watches_together_gets_one_rendering(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = running(site)
    browsers = [site.browser("administrator") for _ in range(3)]
    asked: list[str] = []
    view = trainings.training_view

    def watched(*given: Any, **chosen: Any) -> Any:
        asked.append("figures" if chosen.get("figures") else "parties")
        return view(*given, **chosen)

    monkeypatch.setattr(trainings, "training_view", watched)
    told = [browser.get(f"{path}/now") for browser in browsers]
    assert len({answer.text for answer in told}) == 1
    assert {answer.headers[HEADER] for answer in told} == {"1"}
    rounds = {browser.get(f"{path}/rounds").text for browser in browsers}
    assert len(rounds) == 1
    assert "Round 1" in rounds.pop()
    assert asked == ["parties", "figures"]


def test_what_a_person_did_and_the_end_of_a_round_show_at_once(site: Site) -> None:
    path, recorded = running(site)
    alice = site.browser("administrator")
    assert "Stopping" not in alice.get(f"{path}/now").text
    assert "Round 2" not in alice.get(f"{path}/rounds").text
    jobs = Jobs(site.services.database)
    jobs.request_stop(1)
    assert "Stopping: the step under way is finished first." in alice.get(f"{path}/now").text
    recorded.note(2, reviewed.update(), reviewed.EVALUATION)
    assert 'data-finalised="2"' in alice.get(f"{path}/now").text
    assert "Round 2" in alice.get(f"{path}/rounds").text


def running(site: Site) -> tuple[str, reviewed.Recorded]:
    """A training under way with one finished round: its page's path; its job has the number 1."""
    database = site.services.database
    recorded = reviewed.Recorded(database, reviewed.plan())
    recorded.note(1, reviewed.update(), reviewed.EVALUATION)
    with database.transaction() as session:
        session.add(
            JobRow(
                request=TrainingRequest().to_json(),
                state="running",
                training_id=recorded.identifier,
                lease_expires=now() + LEASE,
            )
        )
    return f"/admin/trainings/{recorded.identifier}", recorded


def test_a_part_of_no_training_is_not_found(site: Site) -> None:
    alice = site.browser("administrator")
    for part in ("now", "rounds"):
        assert alice.get(f"/admin/trainings/{'0' * 64}/{part}").status_code == 404
