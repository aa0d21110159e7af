"""The pages of the data: what each hospital publishes, as pages and as files."""

from __future__ import annotations

import csv
import io
import json

import pytest

from app.services.datasets import task_data
from fl.datasets import Partition, get_task
from tests.app.web.conftest import Site


@pytest.mark.parametrize("who", ["administrator", "auditor"])
def test_readers_find_every_hospital_from_the_first_page_on(site: Site, who: str) -> None:
    browser = site.browser(who)
    first = browser.get("/datasets").text
    for hospital in ("Cleveland", "Hungary", "Switzerland", "VA%20Long%20Beach"):
        assert f'href="/datasets/heart/hospitals/{hospital}"' in first
    assert 'href="/datasets/heart"' in first
    task = browser.get("/datasets/heart").text
    assert "/datasets/heart/hospitals/VA%20Long%20Beach" in task
    assert "Checked now: the published file" in task
    assert "CC BY 4.0" in task
    page = browser.get("/datasets/heart/hospitals/VA%20Long%20Beach").text
    assert "200" in page
    assert "First rows" in page


def test_small_counts_are_kept_back_on_the_page(site: Site) -> None:
    page = site.browser("auditor").get("/datasets/heart/hospitals/Switzerland").text
    assert "&lt;5" in page


def test_a_total_says_what_is_known_where_a_hospital_keeps_its_part_back(site: Site) -> None:
    data = task_data(get_task("heart"))
    position = [column.name for column in data.task.columns].index("trestbps")
    parts = [summary.distributions[position].missing for summary in data.summaries]
    known = [part for part in parts if part is not None]
    assert known
    assert len(known) < len(parts)
    page = site.browser("auditor").get("/datasets/heart").text
    row = page[page.index("Resting blood pressure") :].split("</tr>")[0]
    assert f"at least {sum(known)}" in row
    assert "keep" in row


def test_what_is_not_there_is_not_found(site: Site) -> None:
    browser = site.browser("administrator")
    for path in (
        "nothing",
        "heart/hospitals/Atlantis",
        "nothing/summary.csv",
        "heart/summary.xml",
        "diabetes/hospitals/Hospital%20A?hospitals=99",
        "heart/hospitals/..%2f..%2fetc",
    ):
        assert browser.get(f"/datasets/{path}").status_code == 404, path


def test_the_files_have_the_figures_of_the_pages(site: Site) -> None:
    browser = site.browser("auditor")
    document = json.loads(browser.get("/datasets/heart/summary.json").text)
    cleveland = document["hospitals"][0]
    assert (cleveland["hospital"], cleveland["patients"]) == ("Cleveland", 303)
    assert cleveland["classes"] == {"no heart disease": 164, "heart disease": 139}
    answer = browser.get("/datasets/heart/summary.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=heart-summary.csv"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    found = {
        (line["class"], line["value"]): line["patients"]
        for line in lines
        if (line["hospital"], line["column"]) == ("Cleveland", "sex")
    }
    assert found == {
        ("", "missing"): "0",
        ("no heart disease", "female"): "72",
        ("no heart disease", "male"): "92",
        ("heart disease", "female"): "25",
        ("heart disease", "male"): "114",
    }
    assert {"<5"} < {line["patients"] for line in lines}


def test_a_table_is_dealt_as_the_address_says(site: Site) -> None:
    browser = site.browser("auditor")
    query = "hospitals=6&kind=iid&alpha=1&seed=3"
    document = json.loads(browser.get(f"/datasets/diabetes/summary.json?{query}").text)
    expected = get_task("diabetes").load(Partition("iid", 6, 1.0, 3))
    found = {one["hospital"]: one["patients"] for one in document["hospitals"]}
    assert found == {name: len(table) for name, table in expected.items()}
    page = browser.get(f"/datasets/diabetes/hospitals/Hospital%20F?{query}").text
    assert "6 hospitals, evenly, seed 3" in page


def test_a_choice_that_cannot_be_is_told_and_kept(site: Site) -> None:
    answer = site.browser("auditor").get("/datasets/diabetes?hospitals=99&kind=iid&alpha=1&seed=3")
    assert answer.status_code == 422
    assert "Expected a whole number, 4 to 10." in answer.text
    assert 'value="99"' in answer.text


def test_an_altered_file_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fl.datasets.source._content", lambda _file: b"id,age\n1,2\n")
    browser = site.browser("administrator")
    page = browser.get("/datasets/heart").text
    assert "Altered" in page
    assert "expected heart_disease_uci.csv with SHA-256 574f2fa2" in page
    assert "Not readable" in browser.get("/datasets").text
