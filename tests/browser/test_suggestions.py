"""Suggestions in the browser: under the reasons of a result, and the page of all rules."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_doctor_reads_why_something_is_suggested_and_all_rules(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ines = arrive(view, "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.fill("Resting blood pressure", "150")
    ines.press("Estimate the risk")
    part = ines.page.get_by_role("region", name="First suggestions")
    expect(part.get_by_role("listitem")).to_have_count(1)
    expect(part).to_contain_text("Because of Resting blood pressure: 150 mmHg")
    expect(part).to_contain_text("this is not a medical device")
    ines.require_good_page()
    ines.press("All rules and their sources", role="link")
    rules = ines.page.get_by_role("region", name="10 rules")
    expect(rules).to_contain_text("Resting blood pressure: at least 140 mmHg")
    expect(ines.page.get_by_text("No clinician has reviewed the rules yet.")).to_be_visible()
    ines.require_good_page()
