"""What stands above every page: navigation by role, and how often the ledger is asked."""

from __future__ import annotations

from datetime import datetime

import pytest

from app.errors import ModelRefused
from app.services.predictions import ModelInUse
from app.web.header import TRUSTED_SECONDS, LedgerTicks
from tests.app.web.conftest import UNDECIDED, Site


class Ledger:
    """Counts the comparisons; refuses while `altered`."""

    def __init__(self) -> None:
        self.asked = 0
        self.altered = False

    def check(self, task: str) -> None:
        self.asked += 1
        if self.altered:
            raise ModelRefused(f"The stored {task} model was altered.")


def model(training: str = "ab" * 32) -> ModelInUse:
    return ModelInUse(training, 2, 3, "cd" * 32, datetime(2026, 1, 1), 0.8)  # noqa: DTZ001


def test_ledger_is_asked_once_in_a_while() -> None:
    moment = 1000.0
    ticks, ledger = LedgerTicks(lambda: moment), Ledger()
    assert ticks.agrees(ledger, "heart", model())
    ledger.altered = True
    moment += TRUSTED_SECONDS - 1
    assert ticks.agrees(ledger, "heart", model())
    assert ledger.asked == 1
    moment += 2
    assert not ticks.agrees(ledger, "heart", model())
    assert ledger.asked == 2


def test_what_a_prediction_found_is_not_contradicted() -> None:
    ticks, ledger = LedgerTicks(lambda: 0.0), Ledger()
    assert ticks.agrees(ledger, "heart", model())
    ledger.altered = True
    ticks.forget("heart")
    assert not ticks.agrees(ledger, "heart", model())


def test_another_model_or_task_is_asked_for_at_once() -> None:
    ticks, ledger = LedgerTicks(lambda: 0.0), Ledger()
    ticks.agrees(ledger, "heart", model())
    ticks.agrees(ledger, "diabetes", model())
    ticks.agrees(ledger, "heart", model("ef" * 32))
    assert ledger.asked == 3


@pytest.mark.parametrize(
    ("who", "shown", "hidden"),
    [
        (
            "administrator",
            ["Overview", "People", "Trainings", "Models", "Ledger", "Audit log"],
            ["Today"],
        ),
        ("doctor", ["Today"], ["People", "Trainings", "Models", "Ledger", "Audit log"]),
        ("auditor", ["Home", "Models", "Ledger", "Audit log"], ["People", "Trainings"]),
        ("operator", ["My hospital"], ["Home", "People", "Audit log"]),
        ("waiting", [], ["Home", "Today", "People"]),
    ],
)
def test_navigation_shows_what_the_role_may_open(
    site: Site, who: str, shown: list[str], hidden: list[str]
) -> None:
    page = site.browser(who).get("/about").text
    navigation = page.split("<nav", 1)[1].split("</nav>", 1)[0]
    assert all(f">{name}</a>" in navigation for name in shown)
    assert not any(f">{name}</a>" in navigation for name in hidden)
    assert site.rows[who].name in page


@pytest.mark.parametrize("who", UNDECIDED)
def test_who_has_no_role_sees_no_facts_of_the_federation(site: Site, who: str) -> None:
    page = site.browser(who).get("/waiting").text
    assert site.rows[who].name in page
    assert "status-strip" not in page
    assert "Model in use" not in page
    assert "status-strip" in site.browser("doctor").get("/about").text


def test_stranger_sees_no_status(site: Site) -> None:
    page = site.browser().get("/about").text
    assert "Sign in</a>" in page
    assert "Federation" not in page
