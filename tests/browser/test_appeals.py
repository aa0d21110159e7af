"""A rejected hospital's operator asks for a second look, an administrator decides, others read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.browser.person import LONG, VIEWS, Person

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(900)]

REJECTED = (
    "SELECT s.hospital FROM submissions s JOIN attempts a ON a.id = s.attempt_id "
    "WHERE a.training_id = ? AND s.verdict = 'rejected' ORDER BY s.hospital"
)


def require_good(person: Person, role: str, arrive: Callable[..., Person]) -> None:
    """The page that somebody is at is good in every width and theme."""
    person.require_good_page()
    for view in VIEWS[1:]:
        other = arrive(view, role)
        other.open(person.page.url.removeprefix(person.address))
        other.require_good_page()


def test_a_rejected_hospital_appeals_and_an_administrator_upholds(
    site: Site, poisoned: str, arrive: Callable[..., Person]
) -> None:
    training = poisoned.rsplit("/", 1)[1]
    with closing(sqlite3.connect(site.folder / "consilium.db", timeout=30)) as database:
        hospital = database.execute(REJECTED, (training,)).fetchall()[0][0]
    oskar, ada, audra = (arrive(VIEWS[0], who) for who in ("operator", "administrator", "auditor"))
    ada.open("/admin/users")
    ada.press_summary("Oskar Lind")
    ada.page.get_by_label("Hospital of Oskar Lind").select_option(hospital)
    ada.press("Set the hospital of Oskar Lind")
    expect(ada.page.get_by_text(f"Oskar Lind acts for {hospital}.")).to_be_visible()

    oskar.open("/operator/")
    oskar.require_good_page()
    oskar.page.get_by_role("link", name="Ask for a second look").click()
    heading = oskar.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Ask for a second look")
    require_good(oskar, "operator", arrive)
    oskar.press("Ask for a second look")
    expect(oskar.page.get_by_text("Give the reason")).to_be_visible()
    oskar.require_good_page()
    oskar.fill("Reason", "Our patients are older")
    oskar.press("Ask for a second look")
    expect(oskar.page.get_by_text("Appeal is being written")).to_be_visible()

    ada.open("/appeals/")
    require_good(ada, "administrator", arrive)
    ada.page.get_by_role("link", name=f"{hospital}, round 1").click()
    expect(ada.page.get_by_text("Agrees with the ledger", exact=True)).to_be_visible(timeout=LONG)
    ada.require_good_page()
    ada.fill("Reason", "So they are")
    ada.press("Uphold")
    waits = ada.page.get_by_text("Another administrator has to say the same")
    expect(waits).to_be_visible(timeout=LONG)
    require_good(ada, "administrator", arrive)

    path = ada.page.url.removeprefix(ada.address)
    audra.open(path)
    expect(audra.page.get_by_text("for administrators only")).to_be_visible()
    audra.require_good_page()
    ada.open(f"{poisoned}/rounds/1")
    expect(ada.page.get_by_text("Appeal waits").first).to_be_visible()
    ada.require_good_page()
