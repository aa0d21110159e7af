"""A prediction's result in the browser: the reasons beside the risk, and when to take care."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]


def number(text: str) -> float:
    found = re.search(r"[+\N{MINUS SIGN}]?\d+\.\d", text)
    assert found is not None, text
    return float(found[0].replace("\N{MINUS SIGN}", "-"))


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_the_reasons_add_up_from_the_average_patient_to_this_one(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ines = arrive(view, "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.fill("Age", "70")
    ines.fill("Serum cholesterol", "590")
    ines.fill("Maximum heart rate in exercise", "95")
    ines.press("Estimate the risk")
    expect(ines.page.get_by_label("Yes, 590 mg/dl is right")).to_be_focused()
    ines.page.keyboard.press("Space")
    ines.press("Estimate the risk")
    why = ines.page.get_by_role("region", name="Why this answer")
    rows = why.locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.filter(has_text="Age")).to_contain_text(re.compile("(raises|lowers) the risk by"))
    start = number(why.get_by_text("average patient the estimate is").inner_text())
    effects = [number(row.locator("td").last.inner_text()) for row in rows.all()]
    end = number(why.locator("tfoot td").last.inner_text())
    # Each of five figures is rounded to a tenth.
    assert start + sum(effects) == pytest.approx(end, abs=0.26)
    expect(why).to_contain_text("Not known, so without an effect: Sex, Chest pain")
    ines.tab_to(why.locator("summary"))
    ines.page.keyboard.press("Enter")
    expect(why.get_by_text("Shapley values")).to_be_visible()
    unlike = ines.page.get_by_role("region", name="This patient is unlike most")
    expect(unlike).to_contain_text("Serum cholesterol, 590 mg/dl")
    ines.require_good_page()


def test_an_ordinary_patient_is_not_warned_of(trained: str, arrive: Callable[..., Person]) -> None:
    ines = arrive(View(1280, "light"), "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.fill("Age", "55")
    ines.press("Estimate the risk")
    expect(ines.page.get_by_role("region", name="Why this answer")).to_be_visible()
    expect(ines.page.get_by_role("region", name="This patient is unlike most")).to_have_count(0)
    ines.press("model card", role="link")
    heading = ines.page.get_by_role("heading", level=1)
    expect(heading).to_have_text(re.compile(r"Model card: heart disease, version \d"))
    ines.open("/doctor/")
    ines.press("Model card, heart disease", role="link")
    expect(heading).to_have_text(re.compile(r"Model card: heart disease, version \d"))
