"""The page on which a doctor enters a patient's values, as far as no model is needed."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing

from flask.sessions import SecureCookieSessionInterface

from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site

HEART = "/doctor/predictions/heart/new"
DIABETES = "/doctor/predictions/diabetes/new"
# Digits that stand nowhere else.
ODD = "61.73319"


def chosen_unit(page: str, field: str) -> str:
    start = page.index(f'name="{field}"')
    found = re.search(
        r'<option selected value="([^"]*)"', page[start : page.index("</select>", start)]
    )
    assert found is not None
    return found[1]


def test_values_are_asked_in_groups_with_what_may_stay_empty(
    open_as: Callable[[str], Browser],
) -> None:
    page = open_as("doctor").get(HEART).text
    legends = re.findall(r'<fieldset class="section">\s*<legend>([^<]+)</legend>', page)
    assert legends == [
        "Person",
        "Symptoms",
        "Blood pressure and blood",
        "Heart tracing and exercise",
    ]
    # There is no model yet, so it is not told what it would assume.
    assert page.count("May stay ") == 10
    assert not Parts(page).inline


def test_what_is_wrong_is_listed_with_links_and_tied_to_its_field(
    open_as: Callable[[str], Browser],
) -> None:
    doctor = open_as("doctor")
    typed = {"age": "sixty", "trestbps": "195", "thalch": "140", "oldpeak": "1,000"}
    answer = doctor.send(HEART, typed)
    assert answer.status_code == 422
    page = answer.text
    assert "<title>Look again:" in page
    assert "3 values need another look" in page
    parts = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>: ([^<]+)</li>', page)
    assert [(anchor, label) for anchor, label, _ in parts] == [
        ("age", "Age"),
        ("trestbps-sure", "Resting blood pressure"),
        ("oldpeak", "ST depression by exercise"),
    ]
    assert "Is 195 mmHg right?" in parts[1][2]
    assert "nothing between thousands" in parts[2][2]
    ids = set(re.findall(r'\bid="([^"]+)"', page))
    assert {anchor for anchor, _, _ in parts} <= ids
    described = {
        one for group in re.findall(r'aria-describedby="([^"]*)"', page) for one in group.split()
    }
    assert {"age-hint", "age-empty", "age-error", "trestbps-sure-question"} <= described <= ids
    for name, value in typed.items():
        assert re.search(rf'name="{name}"[^>]* value="{value}"', page), name


def test_the_unit_is_kept_from_form_to_form(open_as: Callable[[str], Browser]) -> None:
    doctor = open_as("doctor")
    assert chosen_unit(doctor.get(HEART).text, "chol-unit") == "mg/dl"
    answer = doctor.send(HEART, {"chol": "300", "chol-unit": "mmol/l"})
    assert answer.status_code == 422
    assert chosen_unit(answer.text, "chol-unit") == "mmol/l"
    assert chosen_unit(doctor.get(HEART).text, "chol-unit") == "mmol/l"
    # Of something else that is measured nothing was chosen.
    assert chosen_unit(doctor.get(DIABETES).text, "Glucose-unit") == "mg/dl"
    # Who sends no unit means the column's own, whatever was chosen before.
    assert "60 to 700 mg/dl, got" in doctor.send(HEART, {"chol": "6.2"}).text


def test_no_value_is_left_in_cookie_address_or_database(site: Site) -> None:
    doctor = site.browser("doctor")
    assert doctor.send(HEART, {"age": ODD, "chol": "1"}).status_code == 422
    serializer = SecureCookieSessionInterface().get_signing_serializer(site.app)
    assert serializer is not None
    assert ODD not in str(serializer.loads(doctor.cookie()))
    with closing(sqlite3.connect(site.services.settings.instance_dir / "consilium.db")) as database:
        database.execute("DELETE FROM sessions")
        database.commit()
    ended = doctor.send(HEART, {"age": ODD})
    assert ended.status_code == 303
    assert ended.location.startswith("/sign-in?")
    assert ODD not in ended.location
    assert ODD not in str(serializer.loads(doctor.cookie()))
    for file in site.services.settings.instance_dir.rglob("*"):
        assert not file.is_file() or ODD.encode() not in file.read_bytes(), file
