"""A patient's way through the clinic, and those whom it is closed to: in the browser, by keyboard.

From a file of the record system to an answer on paper, kept with the patient; an emergency, the
diagnosis, the case that trainings learn from, consent taken back, export and erasure.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.app.test_fhir import observation, quantity
from tests.app.test_fhir_patient import patient as person_of
from tests.browser.conftest import Site
from tests.browser.person import WAYS, Person, View
from tests.browser.test_patients import choose, seal

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

RESOURCES = (
    person_of(birthDate="1965-11-20", gender="male"),
    observation("8480-6", quantity(148)),
)
BUNDLE = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": one} for one in RESOURCES],
}
HOSPITAL = "Hungary"
PASSWORD = "quiet river under seven bridges"
NOTHING = "There is nothing here"
EMERGENCY = "Unconscious, brought in at night"


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_patient_from_a_file_to_erasure(
    view: View, site: Site, trained: str, arrive: Callable[..., Person]
) -> None:
    del trained
    _work_at(arrive(view, "administrator"), "Dr. Ines Brandt")
    ines, jonas = arrive(view, "doctor"), arrive(view, "doctor 2")
    path = seal(ines, f"Vestergaard{view.width}{view.scheme}", "The patient agreed")
    _ask_from_a_file(ines)
    _on_paper(ines)
    _keep(ines, path)

    ines.fill("Reason", EMERGENCY)
    ines.tab_to(ines.page.get_by_role("checkbox", name="This is an emergency"))
    ines.page.keyboard.press("Space")
    ines.press("Ask the care group")
    _open(ines, site)
    _confirm(ines)
    expect(ines.page.get_by_text("in an emergency nobody agreed")).to_be_visible()
    expect(ines.page.get_by_role("button", name="Erase the patient")).to_have_count(0)
    _close(ines)

    jonas.through_menu("Today")
    expect(jonas.page.get_by_text(EMERGENCY).first).to_be_visible()
    jonas.require_good_page()

    ines.fill("Reason", "The patient asks for it")
    ines.press("Ask the care group")
    expect(ines.page.get_by_text("1 of 2 doctors agree")).to_be_visible()
    jonas.open(path)
    _give_password(jonas, site, "doctor 2")
    jonas.press("Approve what Dr. Ines Brandt asks")
    expect(jonas.page.get_by_text("You approved")).to_be_visible()
    ines.open(path)
    _open(ines, site)
    _take_back(ines)
    _hand_over_and_erase(ines)
    for one in (ines, jonas):
        one.open(path)
        expect(_heading(one)).to_have_text(NOTHING)


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_who_is_not_of_the_group_finds_nothing(view: View, arrive: Callable[..., Person]) -> None:
    """A doctor outside of it, an administrator, and a stranger; also by the record's address."""
    ines = arrive(view, "doctor")
    name = f"Oldenburg{view.width}{view.scheme}"
    path = seal(ines, name)
    email = f"otto.vos.{view}@clinic.example"
    otto, ada, stranger = arrive(view), arrive(view, "administrator"), arrive(view)
    _register(otto, email)
    ada.through_menu("People")
    waiting = ada.page.get_by_role("region", name="Waiting for a decision")
    applicant = waiting.get_by_role("listitem").filter(has_text=email)
    ada.tab_to(applicant.get_by_role("button", name="Authorise Dr. Otto Vos"))
    ada.page.keyboard.press("Enter")
    expect(ada.page.get_by_role("status").first).to_contain_text("is authorised: Doctor.")
    otto.sign_in(email, PASSWORD)

    otto.through_menu("Patients")
    expect(otto.page.get_by_text("No patient is sealed to you yet")).to_be_visible()
    otto.require_good_page()
    refused = "This page is not for your role"
    for address in (path, f"{path}/record", f"{path}/record/consent", f"{path}/ledger"):
        for one, heading in ((otto, NOTHING), (ada, refused), (stranger, "Sign in")):
            one.open(address)
            expect(_heading(one)).to_have_text(heading)
            expect(one.page.locator("body")).not_to_contain_text(name)
            expect(one.page.locator("main")).not_to_contain_text("G.O.")
    for one in (otto, ada, stranger):
        one.require_good_page()


def _heading(person: Person) -> Locator:
    return person.page.get_by_role("heading", level=1)


def _work_at(ada: Person, doctor: str) -> None:
    ada.through_menu("People")
    ada.press_summary(doctor)
    ada.tab_to(ada.page.get_by_label(f"Hospital of {doctor}"))
    ada.page.keyboard.type(HOSPITAL)
    ada.press(f"Set the hospital of {doctor}")
    expect(ada.page.get_by_text(f"{doctor} works at {HOSPITAL}.")).to_be_visible()
    ada.require_good_page()


def _register(otto: Person, email: str) -> None:
    otto.open("/register")
    otto.fill("Name", "Dr. Otto Vos")
    otto.fill("E-mail address", email)
    otto.fill("Address", "Clinic of Examplestadt, Long Street 2")
    otto.tab_to(otto.page.get_by_role("radio", name="Doctor"))
    otto.page.keyboard.press("Space")
    otto.fill("Password", PASSWORD)
    otto.fill("Password again", PASSWORD)
    otto.press("Register")
    expect(_heading(otto)).to_have_text("Waiting for authorisation")


def _ask_from_a_file(ines: Person) -> None:
    ines.open("/doctor/predictions/heart/new")
    ines.press_summary("Fill from a file of your record system")
    file = {
        "name": "bundle.json",
        "mimeType": "application/json",
        "buffer": json.dumps(BUNDLE).encode(),
    }
    ines.page.get_by_label("FHIR bundle of observations (JSON)").set_input_files(file)
    ines.press("Fill the form")
    expect(ines.page.get_by_label("Resting blood pressure", exact=True)).to_have_value("148")
    expect(ines.page.get_by_label("Age", exact=True)).to_have_value("61")
    ines.require_good_page()
    ines.fill("Maximum heart rate in exercise", "105")
    ines.press("Estimate the risk")
    expect(_heading(ines)).to_have_text("Heart disease: result")
    ines.require_good_page()


def _on_paper(ines: Person) -> None:
    for name in ("Report for the file", "Sheet for the patient"):
        with ines.page.expect_download() as begun:
            ines.press(name)
        assert begun.value.path().read_bytes().startswith(b"%PDF-")


def _keep(ines: Person, path: str) -> None:
    short = path.rsplit("/", 1)[1][:8]
    choice = ines.page.get_by_role("combobox", name="Patient")
    ines.tab_to(choice)
    ines.page.keyboard.type(f"G.V. {short}")
    expect(choice.locator("option:checked")).to_have_text(f"G.V. {short}")
    ines.press("Keep it")
    expect(ines.page.get_by_text("The answer is kept with the patient.")).to_be_visible()
    ines.require_good_page()


def _give_password(person: Person, site: Site, role: str) -> None:
    """Enter the password where it is asked for: once a session."""
    if person.page.get_by_label("Your password", exact=True).count():
        person.fill("Your password", site.accounts[role][1])


def _open(ines: Person, site: Site) -> None:
    expect(ines.page.get_by_role("button", name="Open the record")).to_be_visible()
    _give_password(ines, site, "doctor")
    ines.press("Open the record")
    expect(ines.page.get_by_role("heading", name="Answers kept")).to_be_visible()
    ines.require_good_page()


def _confirm(ines: Person) -> None:
    """Record the diagnosis, which becomes a case of the hospital."""
    ines.press_summary("Record the diagnosis")
    choose(ines, "Was it confirmed?", "Yes")
    ines.fill("On what it rests", "Angiography")
    ines.require_good_page()
    ines.press("Seal the diagnosis")
    expect(ines.page.get_by_text("Diagnosis: yes")).to_be_visible()
    expect(ines.page.get_by_text(f"Among the cases of {HOSPITAL}")).to_be_visible()
    ines.require_good_page()


def _close(ines: Person) -> None:
    ines.press("Close it now")
    expect(ines.page.get_by_text("Opening it again needs a new approval")).to_be_visible()


def _take_back(ines: Person) -> None:
    """The consent to training, and with it the case."""
    ines.press("Consent", role="link")
    expect(ines.page.get_by_role("button", name="Seal it")).to_be_visible()
    refused = "The patient refused, or took the consent back"
    choose(ines, "May the patient’s data train models?", refused)
    ines.press("Seal it")
    expect(
        ines.page.get_by_text("No case for training: the patient has not agreed")
    ).to_be_visible()
    ines.require_good_page()


def _hand_over_and_erase(ines: Person) -> None:
    with ines.page.expect_download() as begun:
        ines.press("Export everything")
    told = json.loads(begun.value.path().read_text(encoding="utf-8"))
    assert told["versions"][0]["attributes"]["given_name"] == "Greta"
    assert told["outcomes"][0]["entry"]["basis"] == "Angiography"
    ines.press_summary("Erase the patient")
    ines.press("Erase the patient")
    expect(ines.page.locator("[aria-invalid=true]")).to_have_count(1)
    ines.require_good_page()
    ines.tab_to(ines.page.locator("[aria-invalid=true]"))
    ines.page.keyboard.press("Space")
    ines.press("Erase the patient")
    expect(ines.page.get_by_text("The patient is erased.")).to_be_visible()
    ines.require_good_page()
