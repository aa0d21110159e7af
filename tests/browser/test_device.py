"""Predicting on the doctor's own device: the server's answers, and nothing goes back to it."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from app.database import Database
from app.doctor.reading import Reading
from app.doctor.reasons import bars
from app.services.chain_access import ChainAccess
from app.services.predictions import Prediction, Predictions
from fl.datasets import Task, get_task
from tests.app.installations import settings_of
from tests.app.patients import random_patients
from tests.browser.conftest import Site
from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(900)]

DESK = View(1280, "light")
PATIENTS = 120
# The page's own script on the page's own file, for many patients at once.
PREDICT = """async (patients) => {
  const { model, modelSha256, statisticsSha256 } = document.getElementById("device").dataset;
  const file = await (await fetch(model)).text();
  const opened = await DeviceModel.open(file, { model: modelSha256, statistics: statisticsSha256 });
  const risk = (values) => opened.predict(values).risk;
  return patients.map((values) => ({
    ...opened.predict(values),
    familiarity: opened.compare(values),
    why: DeviceReasons.explain(risk, values),
  }));
}"""
KEPT = """async () => [
  localStorage.length, sessionStorage.length, (await indexedDB.databases()).length,
  (await caches.keys()).length, location.search, location.hash,
]"""


@dataclass(frozen=True)
class Ward:
    """The server's own predictions, without a page."""

    predictions: Predictions

    def of(self, task: Task, patient: dict[str, float | None]) -> tuple[Prediction, Reading]:
        found = self.predictions.predict(task.name, patient)
        shares = tuple(found.probability[name] for name in task.classes)
        return found, Reading(task, shares, found.interval)


@pytest.fixture(scope="module")
def ward(site: Site, trained: str, diabetes: str) -> Iterator[Ward]:
    """The site with a model in use for heart disease and one for diabetes."""
    settings = settings_of(site.folder)
    database = Database(settings.database)
    yield Ward(Predictions(database, ChainAccess(settings, database).open))
    database.close()


def path_of(task: str) -> str:
    return f"/doctor/predictions/{task}/device"


def open_device(doctor: Person, task: str = "heart") -> Page:
    doctor.open(path_of(task))
    expect(doctor.page.get_by_role("form", name="The patient's values")).to_be_visible()
    return doctor.page


@pytest.mark.parametrize("task", ["heart", "diabetes"])
def test_every_patient_gets_the_servers_answer(
    task: str, ward: Ward, arrive: Callable[..., Person]
) -> None:
    """To 1e-6, over missing values and ends of ranges; with its reasons and warnings."""
    data = get_task(task)
    patients = random_patients(data, PATIENTS)
    page = open_device(arrive(DESK, "doctor"), task)
    rows = [[patient[column.name] for column in data.columns] for patient in patients]
    answers = page.evaluate(PREDICT, rows)
    assert len({answer["risk"] for answer in answers}) > PATIENTS / 2
    for patient, answer in zip(patients, answers, strict=True):
        found, reading = ward.of(data, patient)
        assert answer["score"] == pytest.approx(found.score, abs=1e-6)
        assert answer["risk"] == pytest.approx(reading.risk, abs=1e-6)
        assert answer["interval"] == pytest.approx(found.interval, abs=1e-6)
        near, seen = found.explanation.familiarity, answer["familiarity"]
        assert [one["column"]["name"] for one in seen["unusual"]] == [
            one.column.name for one in near.unusual
        ]
        assert seen["distance"] == pytest.approx(near.distance, abs=1e-9)
        assert answer["why"]["baseline"] == pytest.approx(found.explanation.baseline, abs=1e-6)
        effects = {data.columns[one["at"]].name: one["effect"] for one in answer["why"]["reasons"]}
        reasons = {one.column.name: one.effect for one in found.explanation.reasons}
        assert effects == pytest.approx(reasons, abs=1e-6)


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_doctor_predicts_by_keyboard_and_reads_what_the_server_would_say(
    view: View, ward: Ward, arrive: Callable[..., Person]
) -> None:
    dora = arrive(view, "doctor")
    page = open_device(dora)
    dora.require_good_page()
    dora.fill("Age", "70")
    dora.fill("Serum cholesterol", "590")
    dora.fill("ST depression by exercise", "2,3")
    dora.press("Estimate the risk here")
    # Possible, but of a hundred published patients 99 have less: it is asked about first.
    tick = page.get_by_role("checkbox", name="Yes, 590 mg/dl is right", exact=True)
    expect(tick).to_be_focused()
    dora.require_good_page()
    page.keyboard.press("Space")
    dora.press("Estimate the risk here")
    known = {"age": 70.0, "chol": 590.0, "oldpeak": 2.3}
    found, reading = ward.of(get_task("heart"), known)
    risk = page.get_by_role("region", name="Risk")
    expect(risk).to_be_focused()
    expect(risk).to_contain_text(f"{reading.percent}risk of heart disease")
    expect(risk).to_contain_text(f"95 % interval: {reading.range}")
    expect(risk).to_contain_text(f"From 3 of {len(get_task('heart').columns)} values")
    expect(risk).to_contain_text(f"about {reading.of_hundred} have heart disease")
    shown = risk.locator("[data-level]:visible")
    expect(shown).to_have_text(reading.words)
    rows = page.get_by_role("region", name="Why this answer").locator("tbody tr")
    expect(rows).to_have_count(3)
    for row, bar in zip(rows.all(), bars(found.explanation), strict=True):
        expect(row).to_have_text(re.compile(rf"{bar.label}\s+{bar.value}"))
        expect(row.locator("[data-reason=points]")).to_have_text(bar.points)
        expect(row.locator("[data-reason=sentence]")).to_have_text(bar.sentence)
        assert float(row.locator("rect").get_attribute("width")) == pytest.approx(bar.width, 0.02)
    unlike = page.get_by_role("region", name="This patient is unlike most")
    expect(unlike).to_contain_text("Serum cholesterol, 590 mg/dl")
    checked = page.get_by_role("region", name="This browser computed the model")
    expect(checked).to_contain_text(found.model_sha256[:10])
    dora.require_good_page()
    # What is typed on makes the result one of other values: it goes.
    dora.fill("Age", "50")
    expect(risk).to_be_hidden()
    dora.press("Empty the form")
    assert page.get_by_label("Serum cholesterol", exact=True).input_value() == ""


def test_up_to_twelve_known_values_are_explained(ward: Ward, arrive: Callable[..., Person]) -> None:
    page = open_device(arrive(DESK, "doctor"))
    explain = "count => DeviceReasons.explain(() => 0.5, Array(count).fill(1))"
    assert page.evaluate(explain, 13) is None
    assert len(page.evaluate(explain, 12)["reasons"]) == 12


def test_values_that_cannot_be_are_told_beside_their_fields(
    ward: Ward, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    page = open_device(dora)
    dora.press("Estimate the risk here")
    expect(page.get_by_text("Enter at least one value.")).to_be_visible()
    dora.fill("Age", "17.9")
    dora.fill("Serum cholesterol", "1,000")
    dora.press("Estimate the risk here")
    age = page.get_by_label("Age", exact=True)
    expect(age).to_be_focused()
    expect(age).to_have_attribute("aria-invalid", "true")
    told = "Expected a number from 18 to 100 years, got “17.9”."
    expect(page.locator("#age-error")).to_have_text(told)
    expect(page.locator("#chol-error")).to_contain_text("nothing between thousands")
    dora.require_good_page()
    expect(page.get_by_role("region", name="Risk")).to_be_hidden()
    # The source writes 0 for what was not measured.
    dora.fill("Serum cholesterol", "0")
    dora.fill("Age", "18")
    dora.press("Estimate the risk here")
    page.get_by_role("checkbox", name="Yes, 18 years is right", exact=True).check()
    dora.press("Estimate the risk here")
    expect(page.get_by_role("region", name="Risk")).to_contain_text("From 1 of 10 values")
    expect(page.locator("[aria-invalid]")).to_have_count(0)


def test_a_value_in_another_unit_is_the_same_value(
    ward: Ward, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    page = open_device(dora)
    dora.fill("Serum cholesterol", "232")
    page.get_by_label("Unit of Serum cholesterol", exact=True).select_option("mmol/l")
    dora.press("Estimate the risk here")
    told = "Expected a number from 1.6 to 18.1 mmol/l, got “232”. In mg/dl it would be possible"
    expect(page.locator("#chol-error")).to_contain_text(told)
    dora.fill("Serum cholesterol", "6")
    dora.press("Estimate the risk here")
    _, reading = ward.of(get_task("heart"), {"chol": 231.99})
    expect(page.get_by_role("region", name="Risk")).to_contain_text(reading.percent)
    expect(page.get_by_role("region", name="Why this answer")).to_contain_text("231.99 mg/dl")
    # A tick is for the number and the unit that it was asked about.
    dora.fill("Serum cholesterol", "15")
    dora.press("Estimate the risk here")
    page.get_by_role("checkbox", name="Yes, 15 mmol/l is right", exact=True).check()
    dora.fill("Serum cholesterol", "15.5")
    dora.press("Estimate the risk here")
    again = page.get_by_role("checkbox", name="Yes, 15.5 mmol/l is right", exact=True)
    expect(again).not_to_be_checked()
    expect(page.get_by_role("region", name="Risk")).to_be_hidden()
    dora.press("Empty the form")
    expect(again).to_have_count(0)


def test_nothing_is_asked_of_the_server_and_nothing_is_kept(
    ward: Ward, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    page = open_device(dora)
    cookies = page.context.cookies()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(_told(request)))
    for age in ("40", "63", "not a number", "75"):
        dora.fill("Age", age)
        page.keyboard.press("Enter")
    page.get_by_label("Male", exact=True).check()
    dora.press("Estimate the risk here")
    expect(page.get_by_role("region", name="Risk")).to_contain_text("From 2 of 10 values")
    # Past the script, too: the browser itself has nowhere to send this form.
    page.evaluate("document.querySelector('#device form').submit()")
    page.evaluate("HTMLFormElement.prototype.submit.call(document.querySelector('#device form'))")
    page.wait_for_load_state("networkidle")
    assert asked == []
    assert page.evaluate(KEPT) == [0, 0, 0, 0, "", ""]
    assert page.context.cookies() == cookies
    page.reload()
    expect(page.get_by_label("Age", exact=True)).to_have_value("")
    dora.fill("Age", "63")
    dora.press("Diabetes", role="link")
    expect(page.get_by_role("heading", level=1)).to_have_text("Diabetes on this device")
    page.go_back()
    expect(page.get_by_label("Age", exact=True)).to_have_value("")


def _told(request: Request) -> str:
    return f"{request.method} {request.url} {request.post_data or ''}"


def _altered(part: str) -> Callable[[Route], None]:
    """Answers with the server's file after one byte of a part was changed."""

    def handle(route: Route) -> None:
        answer = route.fetch()
        file = answer.json()
        if part == "model":
            body = bytearray(b64decode(file["model"]))
            body[-1] ^= 1
            file["model"] = b64encode(body).decode()
        else:
            file["statistics"] = re.sub(r"(\d)\.0", r"\g<1>.5", file["statistics"], count=1)
        route.fulfill(response=answer, body=json.dumps(file))

    return handle


@pytest.mark.parametrize(
    ("handle", "sentence"),
    [
        (_altered("model"), "The model that arrived has the hash"),
        (_altered("statistics"), "The statistics that arrived have the hash"),
        (lambda route: route.fulfill(body="[1, 2]"), "no model that this page can read"),
        (lambda route: route.fulfill(status=409, body="The chain is gone."), "The chain is gone."),
        (lambda route: route.abort(), "The server does not answer."),
        (
            lambda route: route.fulfill(status=303, headers={"Location": "/sign-in"}),
            "Your session ended.",
        ),
    ],
    ids=["model", "statistics", "other", "refused", "silent", "ended"],
)
def test_without_the_ledgers_model_there_is_no_result(
    handle: Callable[[Route], None], sentence: str, ward: Ward, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    dora.page.route(f"**{path_of('heart')}/model", handle)
    dora.open(path_of("heart"))
    refusal = dora.page.get_by_role("alert").filter(has_text="No prediction on this device")
    expect(refusal).to_contain_text(sentence)
    expect(dora.page.locator("#device form")).to_be_hidden()
    expect(dora.page.get_by_role("region", name="This browser computed")).to_be_hidden()


def test_where_the_browser_computes_no_hashes_nothing_is_computed(
    ward: Ward, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    dora.page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    asked: list[str] = []
    dora.page.on("request", lambda request: asked.append(request.url))
    dora.open(path_of("heart"))
    expect(dora.page.get_by_role("alert")).to_contain_text("This browser computes no hashes here")
    expect(dora.page.locator("#device form")).to_be_hidden()
    assert not [url for url in asked if url.endswith("/model")]
    dora.require_good_page()


def test_without_javascript_the_page_says_what_it_needs(
    ward: Ward, browser: Browser, arrive: Callable[..., Person]
) -> None:
    dora = arrive(DESK, "doctor")
    kept = dora.page.context.storage_state()
    plain = browser.new_context(java_script_enabled=False, storage_state=kept)
    page = plain.new_page()
    page.goto(dora.address + path_of("heart"))
    expect(page.get_by_text("needs JavaScript for it")).to_be_visible()
    expect(page.locator("#device form")).to_be_hidden()
    page.get_by_role("link", name="ask the server").click()
    expect(page.get_by_role("button", name="Estimate the risk")).to_be_visible()
    plain.close()
