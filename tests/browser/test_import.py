"""Importing a CSV by keyboard: every step a good page, and the new task ready to be trained."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.app.importing import stroke_csv
from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_file_becomes_a_task(view: View, arrive: Callable[..., Person]) -> None:
    # Each view imports hospitals and a task of its own into the one installation.
    place = {1280: "North", 390: "South"}[view.width] + {"light": "", "dark": "land"}[view.scheme]
    ada = arrive(view, "administrator")
    ada.through_menu("Data sets")
    ada.press("Import a CSV", role="link")
    content = stroke_csv(clinics=tuple(f"{place} {letter}" for letter in "ABC"))
    broken = f"\n{place} A,old,100,f,1\n".encode()
    file = {"name": "stroke.csv", "mimeType": "text/csv", "buffer": content + broken}
    ada.page.get_by_label("CSV file").set_input_files(file)
    ada.press("Upload")
    expect(ada.page.get_by_role("heading", name="What the file becomes")).to_be_visible()
    ada.require_good_page()
    ada.page.get_by_label("What it becomes").select_option("new")
    ada.press("Next")
    expect(ada.page.get_by_text("Title: expected 1 to 80 characters.")).to_be_visible()
    ada.require_good_page()
    ada.fill("Title of a new task", f"Stroke {place}")
    ada.page.get_by_label("or column that names it").select_option("clinic")
    ada.press("Next")
    expect(ada.page.get_by_role("heading", name="Columns")).to_be_visible()
    ada.fill("Name of age", "Age at onset")
    ada.require_good_page()
    ada.press("Back")
    expect(ada.page.get_by_label("Title of a new task")).to_have_value(f"Stroke {place}")
    ada.press("Next")
    expect(ada.page.get_by_label("Name of age", exact=True)).to_have_value("Age at onset")
    ada.press("Next")
    ada.fill("First class: without", "no stroke")
    ada.fill("Second class: with", "stroke")
    ada.require_good_page()
    ada.press("Check")
    expect(ada.page.get_by_role("heading", name="Refused rows: 1")).to_be_visible()
    ada.require_good_page()
    ada.press("Import")
    ada.page.wait_for_url(re.compile("/datasets/stroke-"))
    expect(ada.page.get_by_role("status").first).to_contain_text("Imported.")
    ada.require_good_page()
    ada.press(f"{place} A", role="link")
    expect(ada.page.get_by_role("heading", level=1, name=f"{place} A")).to_be_visible()
    ada.press_summary("Remove these rows")
    ada.require_good_page()
    ada.page.go_back()
    ada.press("New training", role="link")
    expect(ada.page.get_by_role("checkbox", name=f"{place} C")).to_be_checked()
