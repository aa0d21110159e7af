"""Doctors seal a patient, one asks for the record, a colleague approves: by keyboard."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.browser.person import LONG, WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

# What stands on the ledger of one opening, the newest first.
STEPS = (
    "Closed or withdrawn", "Opened", "Approved", "Asked for", "Sealed among the care group",
)  # fmt: skip
REASON = "Fell in the bath, blood pressure unknown"


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_record_is_sealed_and_opened_with_a_colleague(
    view: View, site: Site, arrive: Callable[..., Person]
) -> None:
    ines, jonas = arrive(view, "doctor"), arrive(view, "doctor 2")
    name = f"Lindqvist{view.width}{view.scheme}"
    path = seal(ines, name)
    _measure(ines)
    ines.fill("Reason", REASON)
    ines.press("Ask the care group")
    expect(ines.page.get_by_text("1 of 2 doctors agree")).to_be_visible()
    ines.require_good_page()

    jonas.through_menu("Patients")
    expect(jonas.page.get_by_text(REASON).first).to_be_visible()
    jonas.require_good_page()
    jonas.open(path)
    jonas.press("Approve what Dr. Ines Brandt asks")
    expect(jonas.page.get_by_text("Enter your password.")).to_be_visible()
    jonas.require_good_page()
    jonas.fill("Your password", site.accounts["doctor 2"][1])
    jonas.press("Approve what Dr. Ines Brandt asks")
    expect(jonas.page.get_by_text("You approved")).to_be_visible()
    expect(jonas.page.locator("main")).not_to_contain_text(name)

    ines.open(path)
    ines.fill("Your password", site.accounts["doctor"][1])
    ines.press("Open the record")
    expect(ines.page.get_by_role("heading", name=f"Greta {name}")).to_be_visible()
    expect(ines.page.locator("canvas")).to_have_count(1)
    expect(ines.page.get_by_role("rowheader", name="2024-05-06")).to_be_visible()
    ines.require_good_page()
    _agree(ines)
    _change(ines)
    ines.press("Care group", role="link")
    expect(ines.page.get_by_role("button", name="Save the new care group")).to_be_visible()
    ines.require_good_page()
    ines.press("Leave it as it is", role="link")
    ines.press("Close it now")
    expect(ines.page.get_by_text("Opening it again needs a new approval")).to_be_visible()
    ines.require_good_page()
    ines.open(f"{path}/record")
    expect(ines.page.get_by_text("The record is closed.")).to_be_visible()

    _on_the_ledger(ines, path)

    ada = arrive(view, "administrator")
    ada.open(path)
    expect(ada.page.locator("body")).not_to_contain_text("G.L.")


def seal(ines: Person, name: str, training: str = "") -> str:
    """Enter a patient, first without a name; the address of the page.

    `training` is what the patient said of it, where that was asked.
    """
    ines.through_menu("Patients")
    ines.press("New patient", role="link")
    ines.fill("Given name", "Greta")
    ines.press("Seal the patient")
    expect(ines.page.get_by_text("Enter the family name.")).to_be_visible()
    expect(ines.page.get_by_label("Given name", exact=True)).to_have_value("Greta")
    ines.require_good_page()
    ines.fill("Family name", name)
    ines.page.get_by_label("Date of birth", exact=True).fill("1951-03-08")
    choose(ines, "May the patient be recorded?", "The patient agreed")
    if training:
        choose(ines, "May the patient’s data train models?", training)
    for colleague in ("Dr. Jonas Keller", "Dr. Mira Sato"):
        box = ines.page.get_by_role("checkbox", name=colleague)
        if not box.is_checked():
            ines.tab_to(box)
            ines.page.keyboard.press("Space")
    ines.press("Seal the patient")
    expect(ines.page.get_by_text("The patient is sealed.")).to_be_visible()
    expect(ines.page.locator("main")).not_to_contain_text(name)
    ines.require_good_page()
    return ines.page.url.removeprefix(ines.address).removesuffix("?added=1")


def choose(ines: Person, question: str, answer: str) -> None:
    """Choose one of a question's answers: Tab leads to the chosen one, or the first, arrows on."""
    group = ines.page.get_by_role("group", name=question)
    wanted = group.get_by_role("radio", name=answer)
    chosen = group.locator("input:checked")
    ines.tab_to(chosen if chosen.count() else group.get_by_role("radio").first)
    for _ in range(group.get_by_role("radio").count()):
        if wanted.evaluate("one => one === document.activeElement"):
            break
        ines.page.keyboard.press("ArrowRight")
    ines.page.keyboard.press("Space")
    expect(wanted).to_be_checked()


def _measure(ines: Person) -> None:
    """Add vitals to the record, which stays closed."""
    ines.press("Vitals: heart disease", role="link")
    ines.page.get_by_label("Measured on", exact=True).fill("2024-05-06")
    ines.fill("Resting blood pressure", "137")
    ines.require_good_page()
    ines.press("Seal the vitals")
    expect(ines.page.get_by_text("The vitals are sealed to the record")).to_be_visible()
    ines.require_good_page()


def _agree(ines: Person) -> None:
    """Note that the patient was asked again."""
    ines.press("Consent", role="link")
    expect(ines.page.get_by_role("button", name="Seal it")).to_be_visible()
    ines.require_good_page()
    ines.press("Seal it")
    expect(ines.page.get_by_text("What was noted before is kept")).to_be_visible()


def _on_the_ledger(ines: Person, path: str) -> None:
    """Wait until the worker has brought all five steps to the ledger; the pages that say so."""
    end = time.monotonic() + LONG / 1000
    ines.open(f"{path}/ledger")
    while ines.page.get_by_text("On the ledger", exact=True).count() < len(STEPS) + 1:
        assert time.monotonic() < end, "the worker did not bring the steps to the ledger"
        ines.open(f"{path}/ledger")
    titles = ines.page.locator("main h3")
    for place, title in enumerate(STEPS):
        expect(titles.nth(place)).to_contain_text(title)
    expect(ines.page.get_by_text("Transaction", exact=True)).to_have_count(len(STEPS))
    ines.require_good_page()
    ines.open(path)
    expect(ines.page.get_by_text("Refused by the ledger")).to_have_count(0)
    ines.require_good_page()


def _change(ines: Person) -> None:
    ines.press("Change", role="link")
    expect(ines.page.get_by_role("button", name="Seal the change")).to_be_visible()
    ines.require_good_page()
    ines.fill("Contact", "0170 5550199")
    ines.press("Seal the change")
    expect(ines.page.get_by_text("0170 5550199")).to_be_visible()
    ines.press_summary("Version 1,")
    ines.require_good_page()
