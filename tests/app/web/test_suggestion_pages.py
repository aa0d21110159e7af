"""Suggestions on a result and the page of their rules: reasons, sources, and what they are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from app.doctor.reading import Reading
from app.doctor.suggestions import NO_RULES, NOT_REVIEWED, Suggested, band_words, suggested
from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR
from fl.datasets import BUILT_IN, get_task
from fl.datasets.suggestion_file import find_rules
from tests.app.web import test_device_page
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site

# The same trained installation, with a doctor signed in.
ward = test_device_page.ward

FORM = "/doctor/predictions/heart/new"
PART = re.compile(r'<section class="card" aria-labelledby="suggestions">.*?</section>', re.DOTALL)


def told(risk: float, task: str = "heart", **values: float) -> Suggested:
    return suggested(Reading(get_task(task), (1 - risk, risk)), values)


def part(page: str) -> str:
    (found,) = PART.findall(page)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found)))


def test_a_suggestion_says_which_values_and_which_risk_chose_it() -> None:
    (pressure,) = told(0.9, trestbps=150).suggestions
    assert pressure.kind == "Next examination"
    assert pressure.why == (
        "Resting blood pressure: 150 mmHg (at least 140 mmHg and below 180 mmHg); at any risk."
    )
    (drugs,) = told(0.9, cp=0, exang=1).suggestions
    assert drugs.kind == "Treatment"
    why = "Chest pain: typical angina; Angina in exercise: yes; the risk is more likely than not."
    assert drugs.why == why


@pytest.mark.parametrize(
    ("risk", "habits"), [(0.05, True), (0.39, True), (0.45, True), (0.59, True), (0.61, False)]
)
def test_the_risk_counts_by_its_band_alone(risk: float, habits: bool) -> None:
    ids = [one.id for one in told(risk, trestbps=150, fbs=0).suggestions]
    assert ids == ["confirm-raised-pressure", *(["diet-and-activity"] if habits else [])]


def test_bands_are_told_with_their_ends() -> None:
    assert band_words() == (
        "less likely than not (up to 40 %)",
        "undecided (between 40 % and 60 %)",
        "more likely than not (from 60 % on)",
    )


def test_a_result_shows_suggestions_with_sources_and_what_they_are_not(
    ward: test_device_page.Ward,
) -> None:
    page = ward.doctor.send(FORM, {"age": "62", "trestbps": "150", "cp": "typical angina"}).text
    assert not Parts(page).inline
    text = part(page)
    assert "Next examination Measure the blood pressure again at this visit" in text
    assert "Because of Resting blood pressure: 150 mmHg (at least 140 mmHg and below" in text
    assert ", 2019, 1.2.2 to 1.2.4, read in a copy or summary;" in text
    assert "US Preventive Services Task Force, Hypertension in Adults: Screening" in text
    assert "2021, Recommendation summary (grade A)" in text
    assert "this is not a medical device" in text
    assert NOT_REVIEWED in text
    assert "CT coronary angiography as the first examination" in text
    # Leaving is the doctor's own step, which tells nobody from where; nothing is fetched.
    for link in re.findall(r"<a [^>]*href=\"http[^>]*>", page):
        assert 'rel="external noopener noreferrer"' in link
    assert 'href="/doctor/suggestions/heart"' in page


def test_a_result_without_a_suggestion_says_so(ward: test_device_page.Ward) -> None:
    text = part(ward.doctor.send(FORM, {"age": "55"}).text)
    assert "No rule of the file applies to these values." in text
    assert "Because of" not in text
    assert "this is not a medical device" in text


def test_of_a_task_without_rules_it_is_said_that_there_are_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.doctor.suggestions.find_rules", lambda name: None)
    found = told(0.9, trestbps=150)
    assert (found.any_rules, found.suggestions, found.no_rules) == (False, (), NO_RULES)


@pytest.mark.parametrize("task", BUILT_IN)
@pytest.mark.parametrize("who", [ADMINISTRATOR, AUDITOR, DOCTOR])
def test_all_rules_and_sources_can_be_read(
    open_as: Callable[[str], Browser], who: str, task: str
) -> None:
    answer = open_as(who).get(f"/doctor/suggestions/{task}")
    assert answer.status_code == 200
    page, book = unescape(answer.text), find_rules(task)
    assert book is not None
    for rule in book.rules:
        assert f'id="rule-{rule.id}"' in page
        assert rule.text in page
    for source in book.sources:
        for wanted in (source.title, source.section, source.fact, source.address, source.copy):
            assert wanted in page
    assert book.read_how[1:] in page
    for one in book.not_found:
        assert one in page
    assert NOT_REVIEWED in page
    assert "this is not a medical device" in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {one for one in re.findall(r'href="#([^"]+)"', page) if one.startswith("source")} == {
        f"source-{number}" for number in range(1, len(book.sources) + 1)
    }
    assert not Parts(answer.text).inline


def test_rules_of_a_task_that_does_not_exist_or_has_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctor = site.browser(DOCTOR)
    assert doctor.get("/doctor/suggestions/gout").status_code == 404
    monkeypatch.setattr("app.doctor.rules.find_rules", lambda name: None)
    answer = doctor.get("/doctor/suggestions/heart")
    assert answer.status_code == 200
    assert NO_RULES in answer.text


def test_opening_the_rules_is_not_written_on_the_audit_log(site: Site) -> None:
    doctor = site.browser(DOCTOR)
    before = site.services.audit.entries().entries[0].id
    assert doctor.get("/doctor/suggestions/heart").status_code == 200
    assert site.services.audit.entries().entries[0].id == before
