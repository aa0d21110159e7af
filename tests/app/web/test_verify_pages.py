"""Checking everything from a page: the button, what is shown meanwhile, what was found."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlalchemy import select, update

from app.models import AuditRow, CheckRow
from app.models.base import now
from app.services.check_report import Report
from app.services.checks import MOST_DIFFERENCES, SILENT_AFTER
from app.services.requests import TrainingRequest
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.services.verification_progress import Progress
from tests.app.web.conftest import Site

WATCHED = [ADMINISTRATOR, AUDITOR]


def text(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def found(*differences: tuple[str, str, str]) -> Report:
    report = Report(trainings=1, checked=7)
    for difference in differences:
        report.compare(*difference)
    return report


def begin(site: Site, who: str = AUDITOR) -> int:
    """A check that a worker is at."""
    number = site.services.checks.submit(site.rows[who])
    assert site.services.checks.begin() == number
    return number


@pytest.mark.parametrize("who", WATCHED)
def test_the_button_asks_for_a_check_and_leads_to_it(site: Site, who: str) -> None:
    browser = site.browser(who)
    assert "No check was asked for here yet" in browser.get("/ledger/verify").text
    assert 'href="/ledger/verify"' in browser.get("/ledger").text
    answer = browser.send("/ledger/verify")
    assert (answer.status_code, answer.location) == (303, "/ledger/verify/1")
    page = browser.get("/ledger/verify/1").text
    assert 'data-hx-get="/ledger/verify/1/now"' in page
    assert f"by {site.rows[who].name}" in text(page)
    assert "It begins as soon as the worker is free" in page
    with site.services.database.transaction() as session:
        entry = session.scalars(select(AuditRow).filter_by(action="check.requested")).one()
    assert (entry.actor_id, entry.subject) == (site.rows[who].id, "check 1")


def test_pressing_again_leads_to_the_check_under_way(site: Site) -> None:
    browser = site.browser(AUDITOR)
    begin(site, ADMINISTRATOR)
    assert browser.send("/ledger/verify").location == "/ledger/verify/1"
    page = browser.get("/ledger/verify").text
    assert 'href="/ledger/verify/1"' in page
    assert "The check under way" in page
    assert '<form method="post" action="/ledger/verify"' not in page


def test_a_check_without_a_token_is_not_asked_for(site: Site) -> None:
    answer = site.browser(AUDITOR).open("/ledger/verify", "POST")
    assert answer.status_code == 400
    assert not site.services.checks.has_work()


def test_a_check_says_that_it_waits_for_a_training(site: Site) -> None:
    site.services.jobs.submit(TrainingRequest(), None)
    assert site.services.jobs.claim("worker") is not None
    number = site.services.checks.submit(site.rows[AUDITOR])
    page = site.browser(AUDITOR).get(f"/ledger/verify/{number}").text
    assert "A training runs and is not disturbed" in page


def test_progress_is_what_is_checked_and_how_many_of_how_many(site: Site) -> None:
    number = begin(site)
    site.services.checks.tell(number, Progress("training 22a7, round 3", 4, 9, 1234, 2))
    answer = site.browser(AUDITOR).get(f"/ledger/verify/{number}/now")
    assert answer.status_code == 200
    assert "4 of 9 trainings, now: training 22a7, round 3" in text(answer.text)
    assert '<progress class="progress-line" max="9" value="4"' in answer.text
    assert "1,234" in answer.text
    assert "2 so far" in answer.text


def test_a_silent_worker_is_told(site: Site) -> None:
    number = begin(site)
    with site.services.database.transaction() as session:
        session.execute(update(CheckRow).values(seen_at=now() - SILENT_AFTER * 2))
    assert (
        "The worker does not answer" in site.browser(AUDITOR).get(f"/ledger/verify/{number}").text
    )


def test_the_end_stops_asking_and_says_that_all_is_well(site: Site) -> None:
    number = begin(site)
    site.services.checks.finish(number, found())
    browser = site.browser(AUDITOR)
    answer = browser.get(f"/ledger/verify/{number}/now")
    assert answer.status_code == 286
    assert "All is well" in answer.text
    page = browser.get(f"/ledger/verify/{number}").text
    assert "data-hx-get" not in page
    assert "All is well" in browser.get("/ledger/verify").text


def test_each_difference_tells_what_expected_and_found_with_copy_buttons(site: Site) -> None:
    number = begin(site)
    long = "plan " * 60
    site.services.checks.finish(
        number,
        found(
            ("training 22a7, Node 2's vote", "a" * 64, "b" * 64),
            ("training 22a7, Cleveland's sample count", "210", "999"),
            ("<script>alert(1)</script>", long, "nothing"),
        ),
    )
    page = site.browser(AUDITOR).get(f"/ledger/verify/{number}").text
    said = text(page)
    assert "3 differences" in said
    assert "Training 22a7, Node 2's vote aaaaaaaaaaaa… bbbbbbbbbbbb…" in said
    assert "Cleveland's sample count 210 999" in said
    for value in ("a" * 64, "b" * 64, long):
        assert f'data-copy="{value}"' in page
    assert "<script>alert" not in page
    assert "All is well" not in page
    assert "3 differences" in text(site.browser(AUDITOR).get("/ledger/verify").text)


def test_more_differences_than_a_page_shows_are_told(site: Site) -> None:
    number = begin(site)
    many = [(f"vote {one}", "1", "2") for one in range(MOST_DIFFERENCES + 1)]
    site.services.checks.finish(number, found(*many))
    page = site.browser(AUDITOR).get(f"/ledger/verify/{number}").text
    assert f"the first {MOST_DIFFERENCES}; “python3 run.py verify” names all" in page


def test_what_broke_off_is_not_said_to_be_well(site: Site) -> None:
    number = begin(site)
    site.services.checks.fail(number, "the check broke off: no room left")
    page = site.browser(AUDITOR).get(f"/ledger/verify/{number}").text
    assert "no room left" in page
    assert "Broke off" in page
    assert "All is well" not in page


def test_trainings_on_another_chain_are_told(site: Site) -> None:
    number = begin(site)
    report = found()
    report.elsewhere = 3
    site.services.checks.finish(number, report)
    page = site.browser(AUDITOR).get(f"/ledger/verify/{number}").text
    assert "Trainings on another chain: 3" in page


@pytest.mark.parametrize("number", ["1", "2147483648", "x"])
def test_a_check_that_is_not_there_is_not_found(site: Site, number: str) -> None:
    assert site.browser(AUDITOR).get(f"/ledger/verify/{number}").status_code == 404
