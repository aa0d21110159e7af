"""The form of a patient's values in the browser: units, what is asked again, what is not lost."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Site
from tests.browser.person import VIEWS, WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

WIDE = VIEWS[0]
HEART = "/doctor/predictions/heart/new"
NEW_PATIENT = "/patients/new"
KEPT = "JSON.stringify(sessionStorage)"


def end_sessions(site: Site) -> None:
    with closing(sqlite3.connect(site.folder / "consilium.db", timeout=30)) as database:
        database.execute("DELETE FROM sessions")
        database.commit()


def press_too_late(person: Person, site: Site, button: str) -> None:
    end_sessions(site)
    person.press(button)
    expect(person.page.get_by_text("Your session ended. Sign in to go on.")).to_be_visible()


def type_at_sign_in(person: Person, email: str, password: str) -> None:
    person.fill("E-mail address", email)
    person.fill("Password", password)
    person.press("Sign in")


@pytest.mark.parametrize("view", VIEWS, ids=str)
def test_a_number_in_another_unit_and_an_unlikely_one_by_keyboard(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ines = arrive(view, "doctor")
    ines.open(HEART)
    ines.fill("Age", "61")
    ines.fill("Serum cholesterol", "14,5")
    unit = ines.page.get_by_label("Unit of Serum cholesterol")
    ines.tab_to(unit)
    ines.page.keyboard.press("ArrowDown")
    expect(unit).to_have_value("mmol/l")
    expect(ines.page.get_by_text("If empty, the model assumes")).not_to_have_count(0)
    ines.press("Estimate the risk")
    asked = ines.page.get_by_label("Yes, 14.5 mmol/l is right")
    expect(asked).to_be_focused()
    expect(asked).to_have_accessible_description(
        re.compile(r"Is 14\.5 mmol/l right\? Of 100 published patients, 99 have 3\.2 to 13 mmol/l")
    )
    ines.require_good_page()
    ines.page.keyboard.press("Space")
    ines.press("Estimate the risk")
    entered = ines.page.get_by_role("region", name="What you entered")
    expect(entered).to_contain_text("14.5 mmol/l")
    expect(entered).to_contain_text("the model got 560.643 mg/dl")
    expect(entered).to_contain_text(re.compile("the model assumed [0-9.]+ mmHg"))
    ines.require_good_page()
    ines.press("Change the values")
    expect(ines.page.get_by_label("Serum cholesterol", exact=True)).to_have_value("14,5")
    expect(asked).to_be_checked()
    ines.open(HEART)
    expect(unit).to_have_value("mmol/l")


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_values_are_back_after_the_session_ended(
    view: View, trained: str, site: Site, arrive: Callable[..., Person]
) -> None:
    ines = arrive(view, "doctor")
    ines.open(HEART)
    ines.fill("Age", "61,37519")
    ines.page.get_by_label("Female").check()
    ines.page.get_by_label("Chest pain").select_option("atypical angina")
    ines.page.get_by_label("Unit of Serum cholesterol").select_option("mmol/l")
    press_too_late(ines, site, "Estimate the risk")
    type_at_sign_in(ines, *site.accounts["doctor"])
    main = ines.page.get_by_role("main")
    expect(main.get_by_text("What you typed is back as you left it")).to_be_visible()
    expect(ines.page.get_by_label("Age", exact=True)).to_have_value("61,37519")
    expect(ines.page.get_by_label("Female")).to_be_checked()
    expect(ines.page.get_by_label("Chest pain")).to_have_value("atypical angina")
    expect(ines.page.get_by_label("Unit of Serum cholesterol")).to_have_value("mmol/l")
    ines.require_good_page()
    for file in site.folder.rglob("*"):
        assert not file.is_file() or b"61,37519" not in file.read_bytes(), file
    ines.press("Estimate the risk")
    expect(ines.page.get_by_role("region", name="What you entered")).to_be_visible()
    assert ines.page.evaluate(KEPT) == "{}"


def test_a_new_patient_is_back_after_the_session_ended(
    site: Site, arrive: Callable[..., Person]
) -> None:
    ines = arrive(VIEWS[3], "doctor")
    ines.open(NEW_PATIENT)
    ines.fill("Given name", "Tjorven")
    ines.fill("Notes", "Allergic to latex")
    ines.page.get_by_role("radio", name="The patient agreed").first.check()
    ines.page.get_by_role("checkbox", name="Dr. Jonas Keller").check()
    press_too_late(ines, site, "Seal the patient")
    type_at_sign_in(ines, *site.accounts["doctor"])
    main = ines.page.get_by_role("main")
    expect(main.get_by_text("tick again what you had ticked")).to_be_visible()
    expect(ines.page.get_by_label("Given name", exact=True)).to_have_value("Tjorven")
    expect(ines.page.get_by_label("Notes", exact=True)).to_have_value("Allergic to latex")
    expect(ines.page.get_by_role("radio", name="The patient agreed").first).to_be_checked()
    ines.require_good_page()
    for file in site.folder.rglob("*"):
        assert not file.is_file() or b"Tjorven" not in file.read_bytes(), file
    ines.fill("Family name", "Nygren")
    ines.page.get_by_label("Date of birth", exact=True).fill("1951-03-08")
    for colleague in ("Dr. Jonas Keller", "Dr. Mira Sato"):
        ines.page.get_by_role("checkbox", name=colleague).check()
    ines.press("Seal the patient")
    expect(ines.page.get_by_text("The patient is sealed.")).to_be_visible()
    assert ines.page.evaluate(KEPT) == "{}"


def test_values_that_were_left_are_offered_and_not_put_back_by_themselves(
    trained: str, arrive: Callable[..., Person]
) -> None:
    ines = arrive(WIDE, "doctor")
    ines.open(HEART)
    ines.fill("Age", "61")
    ines.open("/doctor/")
    ines.open(HEART)
    age = ines.page.get_by_label("Age", exact=True)
    main = ines.page.get_by_role("main")
    expect(main.get_by_text("only for the same patient")).to_be_visible()
    expect(age).to_have_value("")
    ines.require_good_page()
    ines.press("Put it back")
    expect(age).to_have_value("61")
    ines.open(HEART)
    ines.press("Begin empty")
    expect(age).to_be_focused()
    assert ines.page.evaluate(KEPT) == "{}"


def test_values_go_when_the_person_signs_out_in_any_tab(
    trained: str, site: Site, arrive: Callable[..., Person]
) -> None:
    ines = arrive(WIDE, "doctor")
    ines.open(HEART)
    ines.fill("Age", "61")
    other = Person(ines.page.context.new_page(), site.address)
    other.open(HEART)
    other.fill("Age", "62")
    other.press("Sign out")
    expect(other.page.get_by_text("You are signed out.")).to_be_visible()
    assert other.page.evaluate(KEPT) == "{}"
    ines.page.wait_for_function(f"{KEPT} === '{{}}'")


def test_values_go_when_somebody_else_signs_in(
    trained: str, site: Site, arrive: Callable[..., Person]
) -> None:
    ines = arrive(WIDE, "doctor")
    ines.open(HEART)
    ines.fill("Age", "61")
    press_too_late(ines, site, "Estimate the risk")
    assert '\\"age\\":\\"61\\"' in ines.page.evaluate(KEPT)
    type_at_sign_in(ines, *site.accounts["administrator"])
    ines.page.wait_for_function(f"document.body.dataset.person && {KEPT} === '{{}}'")
