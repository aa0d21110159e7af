"""A rejected hospital's operator asks for a second look, two administrators decide, others read."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Site
from tests.browser.person import LONG, VIEWS, Person, View
from tests.browser.test_control_room import PASSWORD, register

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(900)]

DESKTOP, PHONE = VIEWS[0], VIEWS[3]
REJECTED = (
    "SELECT s.hospital FROM submissions s JOIN attempts a ON a.id = s.attempt_id "
    "WHERE a.training_id = ? AND s.verdict = 'rejected' ORDER BY s.hospital"
)
WHY = "Our patients are older"
TRANSACTION = re.compile(r"^/ledger/transactions/0x[0-9a-f]{64}$")

Arrive = Callable[..., Person]
Look = Callable[[Person, str], None]


@pytest.fixture
def require_good(arrive: Arrive) -> Look:
    """Require that the page somebody is at is good there, and on a phone in dark."""
    phones: dict[str, Person] = {}

    def look(person: Person, role: str) -> None:
        person.require_good_page()
        if role not in phones:
            phones[role] = arrive(PHONE, role)
        phones[role].open(person.page.url.removeprefix(person.address))
        phones[role].require_good_page()

    return look


def second_administrator(view: View, ada: Person, arrive: Arrive) -> tuple[str, Person]:
    """Somebody who registers and is made an administrator, signed in; the name first."""
    name, email = f"Eva {view}", f"eva.{view}@clinic.example"
    eva = arrive(view)
    register(eva, name, email)
    ada.open("/admin/users")
    ada.tab_to(ada.page.get_by_label(f"Role of {name}"))
    ada.page.keyboard.type("Administrator")
    ada.press(f"Authorise {name}")
    expect(ada.page.get_by_role("status").first).to_contain_text(f"{name} is authorised")
    eva.sign_in(email, PASSWORD)
    return name, eva


def act_for_rejected(site: Site, training: str, ada: Person) -> str:
    """Oskar acts for the hospital that a training's round rejected: its name."""
    with closing(sqlite3.connect(site.folder / "consilium.db", timeout=30)) as database:
        hospital: str = database.execute(REJECTED, (training,)).fetchall()[0][0]
    ada.open("/admin/users")
    ada.press_summary("Oskar Lind")
    ada.page.get_by_label("Hospital of Oskar Lind").select_option(hospital)
    ada.press("Set the hospital of Oskar Lind")
    expect(ada.page.get_by_text(f"Oskar Lind acts for {hospital}.")).to_be_visible()
    return hospital


def ask(oskar: Person, training: str) -> None:
    """Give a reason, by keyboard from the operator's own page."""
    oskar.open("/operator/")
    oskar.press(f"Ask for a second look at Round 1 of {training[:8]}", role="link")
    expect(oskar.page.get_by_role("heading", level=1)).to_have_text("Ask for a second look")
    oskar.fill("Reason", WHY)
    oskar.press("Ask for a second look")
    expect(row_of(oskar, training)).to_contain_text("Appeal is being written")


def row_of(oskar: Person, training: str) -> Locator:
    """What the operator's page says of round 1 of a training."""
    rows = oskar.page.get_by_role("group", name="Submissions", exact=True).get_by_role("row")
    return rows.filter(has_text=training[:8]).filter(has_text="Round 1")


def open_appeal(person: Person, hospital: str, training: str) -> str:
    """Find the appeal on the list and wait until it is on the ledger; its path."""
    person.open("/appeals/")
    rows = person.page.get_by_role("row").filter(has_text=training[:8])
    person.tab_to(rows.get_by_role("link", name=f"{hospital}, round 1"))
    person.page.keyboard.press("Enter")
    expect(badge(person, "Agrees with the ledger")).to_be_visible(timeout=LONG)
    return person.page.url.removeprefix(person.address)


def badge(person: Person, words: str) -> Locator:
    return person.page.get_by_role("main").get_by_text(words, exact=True)


def opinions(person: Person) -> Locator:
    """What the appeal's page says of administrators' opinions, in their order."""
    return person.page.get_by_role("region", name="What administrators say").get_by_role("listitem")


def say(person: Person, number: int, decision: str, reason: str) -> None:
    """Say something by keyboard; it is on the ledger as the `number`-th opinion afterwards."""
    person.fill("Reason", reason)
    person.press(decision)
    said = opinions(person).nth(number - 1)
    expect(said.get_by_text("Hash of the reason")).to_be_visible(timeout=LONG)
    link = said.locator("a[href^='/ledger/transactions/']")
    expect(link).to_have_attribute("href", TRANSACTION)


def test_a_rejected_hospital_appeals_and_two_administrators_uphold(
    site: Site, poisoned: str, arrive: Arrive, require_good: Look
) -> None:
    training = poisoned.rsplit("/", 1)[1]
    oskar, ada, vera = (arrive(DESKTOP, who) for who in ("operator", "administrator", "auditor"))
    name, eva = second_administrator(DESKTOP, ada, arrive)
    hospital = act_for_rejected(site, training, ada)

    oskar.open("/operator/")
    oskar.require_good_page()
    oskar.press(f"Ask for a second look at Round 1 of {training[:8]}", role="link")
    oskar.press("Ask for a second look")
    expect(oskar.page.get_by_text("Give the reason")).to_be_visible()
    require_good(oskar, "operator")
    ask(oskar, training)

    path = open_appeal(ada, hospital, training)
    ada.require_good_page()
    say(ada, 1, "Uphold", "So they are")
    waits = ada.page.get_by_text("Another administrator has to say the same")
    expect(waits).to_be_visible()
    expect(ada.page.get_by_role("button", name="Uphold")).to_have_count(0)
    require_good(ada, "administrator")
    vera.open(path)
    expect(vera.page.get_by_text("for administrators only")).to_be_visible()
    expect(badge(vera, "Appeal waits")).to_be_visible()

    eva.open(path)
    expect(opinions(eva)).to_contain_text(["So they are"])
    say(eva, 2, "Uphold", "Compared with the registry")
    expect(badge(eva, "Appeal upheld")).to_be_visible()
    expect(eva.page.get_by_role("heading", name="Decide")).to_have_count(0)
    require_good(eva, "administrator")

    vera.open("/appeals/")
    listed = vera.page.get_by_role("row").filter(has_text=training[:8])
    expect(listed).to_contain_text("Appeal upheld")
    expect(listed).to_contain_text(f"Upheld by Ada BergUpheld by {name}")
    require_good(vera, "auditor")
    vera.press(f"{hospital}, round 1", role="link")
    expect(opinions(vera)).to_contain_text(["So they are", "Compared with the registry"])
    deciding = opinions(vera).last.locator("a[href^='/ledger/transactions/']")
    block = vera.page.get_by_role("region", name="What is asked").locator("a[href^='/ledger/bl']")
    number = block.inner_text()
    vera.tab_to(deciding)
    vera.page.keyboard.press("Enter")
    expect(vera.page.get_by_role("main")).to_contain_text("Appeal decided")
    expect(vera.page.get_by_role("link", name=number, exact=True).first).to_be_visible()
    vera.require_good_page()
    vera.open("/audit?text=appeal.upheld")
    log = vera.page.get_by_role("group", name="Entries of the audit log")
    expect(log.get_by_text("appeal.upheld", exact=True).first).to_be_visible()

    oskar.open("/operator/")
    row = row_of(oskar, training)
    expect(row).to_contain_text("Appeal upheld")
    require_good(oskar, "operator")
    oskar.tab_to(row.get_by_role("link", name="what was said of"))
    oskar.page.keyboard.press("Enter")
    expect(oskar.page.get_by_role("heading", level=1)).to_have_text("Second look at round 1")
    said = oskar.page.get_by_role("region", name="What administrators said")
    expect(said.get_by_role("listitem")).to_contain_text(
        ["So they are", "Compared with the registry"]
    )
    require_good(oskar, "operator")
    ada.open(f"{poisoned}/rounds/1")
    expect(ada.page.get_by_text("Appeal upheld").first).to_be_visible()
    require_good(ada, "administrator")


def test_administrators_who_disagree_leave_it_open_until_both_dismiss(
    site: Site, poisoned_again: str, arrive: Arrive
) -> None:
    training = poisoned_again.rsplit("/", 1)[1]
    oskar, ada = arrive(PHONE, "operator"), arrive(PHONE, "administrator")
    _, eva = second_administrator(PHONE, ada, arrive)
    hospital = act_for_rejected(site, training, ada)
    ask(oskar, training)

    path = open_appeal(ada, hospital, training)
    say(ada, 1, "Uphold", "Their patients are older")
    eva.open(path)
    say(eva, 2, "Dismiss", "They are not")
    expect(badge(eva, "Appeal waits")).to_be_visible()
    eva.require_good_page()

    ada.page.reload()
    expect(badge(ada, "Appeal waits")).to_be_visible()
    say(ada, 3, "Dismiss", "I looked at the wrong column")
    expect(opinions(ada).first).to_contain_text("Changed since")
    expect(badge(ada, "Appeal dismissed")).to_be_visible()
    ada.require_good_page()
    oskar.open("/operator/")
    expect(row_of(oskar, training)).to_contain_text("Appeal dismissed")
    oskar.require_good_page()
