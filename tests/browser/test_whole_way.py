"""The whole way by keyboard: register, authorise, train, watch, predict, sign out."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import Site
from tests.browser.person import LONG, WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

PASSWORD = "quiet river under seven bridges"


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_from_registration_to_prediction(
    view: View, site: Site, arrive: Callable[..., Person]
) -> None:
    email = f"hanna.weiss.{view}@clinic.example"
    _register(arrive(view), email)

    ada = arrive(view, "administrator")
    _authorise(ada, email)
    version = _train_and_watch(ada)
    _promote(ada, version)
    ada.sign_out()

    hanna = arrive(view)
    hanna.sign_in(email, PASSWORD)
    _predict(hanna, version)
    hanna.sign_out()
    hanna.open("/doctor/")
    expect(hanna.page.get_by_role("heading", name="Sign in")).to_be_visible()


def _register(hanna: Person, email: str) -> None:
    hanna.open("/")
    hanna.page.keyboard.press("Tab")
    expect(hanna.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    hanna.through_menu("Register")
    hanna.fill("Name", "Dr. Hanna Weiss")
    hanna.fill("E-mail address", email)
    hanna.fill("Address", "Clinic of Examplestadt, Long Street 1")
    hanna.tab_to(hanna.page.get_by_role("radio", name="Doctor"))
    hanna.page.keyboard.press("Space")
    hanna.fill("Password", PASSWORD)
    hanna.fill("Password again", PASSWORD)
    hanna.press("Register")
    expect(hanna.page.get_by_role("heading", name="Waiting for authorisation")).to_be_visible()
    hanna.require_good_page()
    hanna.sign_in(email, PASSWORD)
    expect(hanna.page.locator("body")).not_to_contain_text("New prediction")


def _authorise(ada: Person, email: str) -> None:
    ada.through_menu("People")
    waiting = ada.page.get_by_role("region", name="Waiting for a decision")
    applicant = waiting.get_by_role("listitem").filter(has_text=email)
    expect(applicant).to_contain_text("Dr. Hanna Weiss")
    ada.require_good_page()
    ada.tab_to(applicant.get_by_role("button", name="Authorise Dr. Hanna Weiss"))
    ada.page.keyboard.press("Enter")
    expect(ada.page.get_by_role("status").first).to_contain_text("is authorised: Doctor.")
    expect(ada.page.get_by_role("listitem").filter(has_text=email)).to_contain_text("Active")


def _train_and_watch(ada: Person) -> str:
    """Train one round and see it end without touching the page; the model's version."""
    ada.through_menu("Trainings")
    ada.press("New training", role="link")
    ada.fill("Rounds", "1")
    ada.press("Start the training")
    ada.page.wait_for_url(re.compile(r"/admin/trainings/[0-9a-f]{64}$"), timeout=LONG)
    steps = ada.page.get_by_role("list", name=re.compile("^Steps of"))
    expect(steps).to_be_visible(timeout=LONG)
    ada.require_good_page()
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
    expect(ada.page.get_by_text("1 of 1 rounds", exact=True)).to_be_visible()
    expect(ada.page.locator("#announcer")).to_have_text("Training finished, 1 of 1 rounds complete")
    # The charts took the round's figures without a reload.
    expect(ada.page.locator("#figures-loss tbody tr")).to_have_count(1)
    losses = "window.Chart.getChart(document.getElementById('chart-loss')).data.datasets[0].data"
    # The pages' policy forbids what waits for a function; the chart is drawn right after its table.
    ada.page.locator("#rounds:not(.htmx-settling):not(.htmx-request)").wait_for(state="attached")
    assert ada.page.evaluate(f"{losses}.length") == 1
    rounds = ada.page.get_by_role("group", name="Rounds", exact=True)
    expect(rounds.get_by_role("row").filter(has_text="Round 1")).to_contain_text("of 4")
    verdicts = ada.page.get_by_role("group", name="Verdicts of round 1")
    expect(verdicts.get_by_role("row").filter(has_text="Cleveland")).to_contain_text("4 of 4")
    expect(ada.page.locator("#poisoning")).to_contain_text("of 4 updates in 1 round")
    expect(ada.page.get_by_role("banner")).to_contain_text("none under way")
    ada.require_good_page()
    return ada.page.url.rsplit("/", 1)[1][:8] + ", round 1"


def _promote(ada: Person, version: str) -> None:
    """Put the model into use, unless it is the first of its task and that is done already."""
    ada.page.reload()
    used = ada.page.get_by_text("Doctors use this model")
    promote = ada.page.get_by_role("link", name="promote it")
    expect(used.or_(promote)).to_be_visible(timeout=LONG)
    if promote.is_visible():
        ada.press("promote it", role="link")
        ada.fill("Reason", "Watched from its first step to its last")
        ada.tab_to(ada.page.get_by_role("button", name=re.compile("^Promote version")))
        ada.page.keyboard.press("Enter")
        expect(_row_in_use(ada, version)).to_be_visible(timeout=LONG)
    ada.open("/models/")
    expect(_row_in_use(ada, version)).to_be_visible(timeout=LONG)


def _row_in_use(ada: Person, version: str) -> Locator:
    """The version's row, if it is in use; models of other tasks have such rows, too."""
    return ada.page.locator(f"#version-{version[:8]}.used")


def _predict(hanna: Person, version: str) -> None:
    expect(hanna.page.get_by_role("heading", name="Today")).to_be_visible()
    hanna.press("New heart disease prediction", role="link")
    hanna.fill("Age", "63")
    hanna.fill("Resting blood pressure", "148")
    hanna.tab_to(hanna.page.get_by_label("Chest pain"))
    hanna.page.keyboard.type("No symptoms")
    hanna.fill("ST depression by exercise", "2,3")
    hanna.press("Estimate the risk")
    main = hanna.page.get_by_role("main")
    expect(main).to_contain_text(re.compile(r"\d+ % *risk of heart disease"))
    expect(main).to_contain_text("This model’s hash was checked against the chain just now")
    expect(main).to_contain_text(version)
    for value in ("63 years", "148 mmHg", "no symptoms", "2.3 mm"):
        expect(main).to_contain_text(value)
    hanna.require_good_page()
