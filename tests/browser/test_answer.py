"""Beside an answer: sliders that say what the server would, the passport's checks, the papers."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from pypdf import PdfReader

from app.database import Database
from app.doctor.reading import percent_words
from app.services.chain_access import ChainAccess
from app.services.predictions import Predictions
from tests.app.installations import settings_of
from tests.browser.conftest import Site
from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(900)]

DESK = View(1280, "light")
PANEL = "#what-if-panel"


@pytest.fixture(scope="module")
def risk(site: Site, trained: str) -> Iterator[Callable[..., float]]:
    """The server's own answer to values, without a page."""
    settings = settings_of(site.folder)
    database = Database(settings.database)
    predictions = Predictions(database, ChainAccess(settings, database).open)
    yield lambda **values: predictions.predict("heart", values).explanation.risk
    database.close()


def open_result(doctor: Person) -> Page:
    doctor.open("/doctor/predictions/heart/new")
    doctor.fill("Age", "54")
    doctor.page.get_by_label("Unit of Serum cholesterol").select_option("mmol/l")
    doctor.fill("Serum cholesterol", "6.2")
    doctor.press("Estimate the risk")
    expect(doctor.page.get_by_role("heading", level=1)).to_have_text("Heart disease: result")
    return doctor.page


def open_sliders(doctor: Person) -> Locator:
    doctor.press_summary("Move the values")
    panel = doctor.page.locator(PANEL)
    expect(panel.get_by_role("button", name="Back to what was entered")).to_be_visible()
    return panel


def require_told(panel: Locator, now: float, entered: float) -> None:
    """The panel shows these two answers of the server, and says so to a reader."""
    points = f"{abs(now - entered) * 100:.1f}"
    told = "as for the values" if points == "0.0" else f"{points} points"
    expect(panel.locator("[data-part=percent]")).to_have_text(percent_words(now))
    expect(panel.locator("[data-part=against]")).to_contain_text(told)
    expect(panel.get_by_role("status")).to_contain_text(f"{percent_words(now)}, {told}")


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_slider_moved_by_keyboard_says_what_the_server_would(
    view: View, risk: Callable[..., float], arrive: Callable[..., Person]
) -> None:
    dora = arrive(view, "doctor")
    page = open_result(dora)
    panel = open_sliders(dora)
    entered = risk(age=54.0, chol=239.723)
    require_told(panel, entered, entered)
    dora.require_good_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    age = panel.get_by_role("slider", name="Age, slider")
    dora.tab_to(age)
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    moved = float(panel.get_by_label("Age years", exact=True).input_value())
    assert moved > 54
    require_told(panel, risk(age=moved, chol=239.723), entered)

    # In the unit that was typed, as the server converts it; a value that was not known, too.
    chol = panel.get_by_label("Serum cholesterol mmol/l", exact=True)
    chol.fill("7,5")
    stored = float(f"{7.5 * 38.665:.6g}")
    require_told(panel, risk(age=moved, chol=stored), entered)
    rate = panel.get_by_role("slider", name="Maximum heart rate in exercise, slider")
    expect(rate).to_have_attribute("aria-valuetext", "not known")
    rate.press("Home")
    lowest = float(rate.input_value())
    require_told(panel, risk(age=moved, chol=stored, thalch=lowest), entered)

    chol.fill("70")
    expect(chol).to_have_attribute("aria-invalid", "true")
    expect(panel.locator("[data-part=percent]")).to_have_text("No answer")
    expect(panel).to_contain_text("Expected a number from")
    dora.require_good_page()
    panel.get_by_role("button", name="Back to what was entered").press("Enter")
    require_told(panel, entered, entered)
    assert asked == []


def test_a_model_that_is_not_the_ledgers_moves_no_slider(
    trained: str, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    page = open_result(dora)
    page.route("**/device/model", lambda route: route.fulfill(body="[1, 2]"))
    dora.press_summary("Move the values")
    told = page.locator(PANEL).get_by_role("alert")
    expect(told).to_contain_text("no model that this page can read")
    expect(page.locator(PANEL).get_by_role("slider")).to_have_count(0)


def test_the_passport_leads_to_checks_that_agree(
    on_chain: dict[str, str], arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    page = open_result(dora)
    dora.press_summary("Passport of this answer")
    dora.require_good_page()
    page.get_by_role("link", name=re.compile("^Check the hash of the plan")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The same on the chain")
    dora.require_good_page()


def test_the_papers_come_as_files_and_without_a_script_there_is_a_form(
    trained: str, browser: Browser, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    page = open_result(dora)
    for name, word in (("Report for the file", "6.2 mmol/l"), ("Sheet for the patient", "Of 100")):
        with page.expect_download() as waited:
            page.get_by_role("button", name=name).click()
        written = waited.value.path().read_bytes()
        told = " ".join(PdfReader(io.BytesIO(written)).pages[0].extract_text().split())
        assert word in told
    kept = page.context.storage_state()
    plain = browser.new_context(java_script_enabled=False, storage_state=kept)
    other = plain.new_page()
    other.goto(dora.address + "/doctor/predictions/heart/new")
    other.get_by_label("Age", exact=True).fill("54")
    other.get_by_role("button", name="Estimate the risk").click()
    expect(other.get_by_text("Sliders need JavaScript.")).to_be_visible()
    expect(other.locator(PANEL)).to_be_hidden()
    other.get_by_role("button", name="Change the values").click()
    expect(other.get_by_label("Age", exact=True)).to_have_value("54")
    plain.close()
