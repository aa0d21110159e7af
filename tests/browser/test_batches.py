"""A file of patients in the browser: read, answered while its page is open, found again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from app.doctor.batch_columns import REFERENCE
from app.services.batches import PIECE
from tests.browser.person import WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

ROWS = 2 * PIECE + 20
PIECES = "**/pieces"


def file_of_patients() -> bytes:
    """Good rows, one with an unusual value, and two with problems."""
    lines = [f"{REFERENCE};age;sex;cp;trestbps;chol (mmol/l);Ward"]
    lines += [
        f"B-{n:04};{35 + n % 38};male;no symptoms;{110 + n % 60};6,{n % 10};7" for n in range(ROWS)
    ]
    lines += ["odd;54;male;no symptoms;230;6,1;7"]
    lines += ["wrong;fifty;male;no symptoms;130;6,1;7", "cells;54;male"]
    return "\r\n".join(lines).encode("cp1252")


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_a_file_is_read_answered_left_and_found_again(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ines = arrive(view, "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.press("A file of patients", role="link")
    heading = ines.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Heart disease: a file of patients")
    ines.require_good_page()
    sent = {"name": "patients.csv", "mimeType": "text/csv", "buffer": b"name;town\r\nA;B\r\n"}
    ines.page.get_by_label("CSV file").set_input_files([sent])
    ines.press("Upload and check")
    expect(ines.page.get_by_text("No column of this file is one of heart disease")).to_be_visible()
    ines.require_good_page()
    ines.page.get_by_label("CSV file").set_input_files([sent | {"buffer": file_of_patients()}])
    ines.press("Upload and check")
    expect(ines.page.get_by_text(f"{ROWS + 1} rows can be predicted")).to_be_visible()
    ines.require_good_page()

    ines.tab_to(ines.page.get_by_label(re.compile("Predict the rows with unusual values")))
    ines.page.keyboard.press("Space")
    # No piece comes back before the page is left: the file is found again half done.
    ines.page.route(PIECES, lambda _: None)
    ines.press("Estimate the risks")
    expect(ines.page.get_by_role("progressbar", name="Rows answered")).to_be_visible()
    ines.open("/doctor/")
    ines.page.unroute(PIECES)
    ines.press(f"A file of {ROWS + 1} patients", role="link")
    expect(heading).to_have_text("Heart disease: results")
    ines.require_good_page()
    _read_results(ines)


def _read_results(ines: Person) -> None:
    order = ines.page.get_by_label("Order")
    order.select_option("Highest risk first")
    ines.press("Sort")
    expect(ines.page.get_by_text("Page 1 of 5")).to_be_visible()
    ines.press("Next", role="link")
    expect(ines.page.get_by_text("Page 2 of 5")).to_be_visible()
    expect(order).to_have_value("risk")
    with ines.page.expect_download() as got:
        ines.press("XLSX", role="link")
    assert got.value.suggested_filename == "consilium-heart-predictions.xlsx"
    ines.press("Delete the file and its results")
    expect(ines.page.get_by_text("The file and its results are erased.")).to_be_visible()
    ines.require_good_page()
