"""The results of trainings: pages, files and comparisons, from what is stored."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from openpyxl import load_workbook
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import delete, select

from app.models import AppealRow, TrainingRow, UserRow
from app.services.results import training_document
from fl.evaluation import Evaluation
from fl.store import AttemptNote
from tests.app import reviewed
from tests.app.reviewed import HOSPITALS, Recorded
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site
from tests.app.web.test_training_pages import row, section, text

TABLES = (
    "accuracy",
    "confusion",
    "reliability",
    "rounds",
    "submissions",
    "verdicts",
    "truth",
    "detection",
    "attacks",
)
FIGURES = ("accuracy", "rounds", "loss", "statistic", "ratio", "verdicts", "detection")


@pytest.fixture
def attacked(site: Site) -> Recorded:
    return reviewed.attacked_training(site.services.database)


@pytest.fixture
def path(attacked: Recorded) -> str:
    return f"/trainings/{attacked.identifier}/results"


@pytest.fixture
def document(site: Site, attacked: Recorded) -> dict[str, Any]:
    return training_document(site.services.database, attacked.identifier)


@pytest.fixture
def alice(site: Site) -> Browser:
    return site.browser("administrator")


def old_training(site: Site) -> Recorded:
    """One without review, whose hospitals reported a test matrix alone."""
    made = Recorded(site.services.database, reviewed.plan(review=None))
    note = AttemptNote(True, accepted=dict.fromkeys(HOSPITALS, 100))
    made.note(1, note, Evaluation(((5, 1), (2, 8))))
    return made


def chart(page: str, name: str) -> dict[str, Any]:
    """What a canvas of the page is drawn from."""
    found = re.search(rf"id=\"chart-{name}\"[^>]*data-chart='([^']*)'", page)
    assert found
    drawn: dict[str, Any] = json.loads(found[1])
    return drawn


def test_each_hospital_and_all_of_them_have_their_figures(alice: Browser, path: str) -> None:
    told = section(alice.get(path).text, "accuracy-title")
    # 170 of 200 and 80 of 100 right; 1800 of 2500 pairs in order or, by half, in one bin.
    figures = "200 85.0 % 85.0 % 100 80.0 % 80.0 % 0.800"
    assert f"Cleveland {figures}" in row(told, "Cleveland")
    assert "800 85.0 % 85.0 % 400 80.0 % 80.0 % 0.800" in row(told, "All hospitals")
    assert "Confusion matrices of Hungary" in text(told)
    assert "Test rows, All hospitals; n = 400" in text(told)


def test_a_training_of_before_says_what_was_not_recorded(alice: Browser, site: Site) -> None:
    page = alice.get(f"/trainings/{old_training(site).identifier}/results").text
    told = row(section(page, "accuracy-title"), "Hungary")
    assert told == ("Hungary not recorded not recorded not recorded 16 81.2 % 81.7 % not recorded")
    assert "summed untested" in page
    assert "chart-ratio" not in page
    assert chart(page, "accuracy")["series"][0]["values"] == [None] * 4


def test_a_training_without_a_round_says_that_there_is_no_result(
    alice: Browser, site: Site
) -> None:
    made = Recorded(site.services.database, reviewed.plan())
    page = alice.get(f"/trainings/{made.identifier}/results").text
    assert "there is no result yet" in page
    assert "canvas" not in page


def test_submissions_are_chosen_by_hospital_round_and_verdict(alice: Browser, path: str) -> None:
    whole = section(alice.get(path).text, "submissions-title")
    assert "8 of 8" in text(whole)
    hungary = section(alice.get(f"{path}?hospital=Hungary&round=2").text, "submissions-title")
    assert "1 of 8" in text(hungary)
    found = row(hungary, "Round 2")
    assert "Hungary Rejected Its balanced accuracy (0.45, rounded down)" in found
    assert "0.450 0.675 3 Against the others 0x" in found
    assert 'href="/ledger/transactions/0x' in hungary
    refused = section(alice.get(f"{path}?verdict=refused").text, "submissions-title")
    assert "Switzerland" in row(refused, "Round 2")
    none = section(alice.get(f"{path}?hospital=Nobody").text, "submissions-title")
    assert "No submission is of this choice" in none


def test_an_appeal_stands_beside_its_submission_on_the_page_and_in_the_files(
    alice: Browser, path: str, site: Site, attacked: Recorded
) -> None:
    assert "Appeal" not in section(alice.get(path).text, "submissions-title")
    for state, word in (("open", "asked"), ("upheld", "upheld"), ("dismissed", "dismissed")):
        with site.services.database.transaction() as session:
            session.execute(delete(AppealRow))
            person = session.scalars(select(UserRow.id).limit(1)).one()
            session.add(
                AppealRow(
                    deployment_id=session.get_one(TrainingRow, attacked.identifier).deployment_id,
                    training_id=attacked.identifier,
                    round=2,
                    hospital="Hungary",
                    reason="We are older",
                    salt="00" * 32,
                    reason_sha256="00" * 32,
                    state=state,
                    asked_by=person,
                )
            )
        submitted = section(alice.get(f"{path}?round=2").text, "submissions-title")
        assert f"Against the others {word.capitalize()} 0x" in row(submitted, "Hungary")
        answer = alice.get(f"{path}/tables/submissions.csv")
        rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
        told = {(one["round"], one["hospital"]): one["appeal"] for one in rows if one["appeal"]}
        assert told == {("2", "Hungary"): word}


def test_submissions_come_page_by_page(
    alice: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.results.routes.PAGE", 3)
    last = section(alice.get(f"{path}?page=99").text, "submissions-title")
    assert "Page 3 of 3" in last
    assert last.count('scope="row"') == 2
    assert "page=2" in last


def test_the_truth_stands_apart_with_intervals(alice: Browser, path: str) -> None:
    page = alice.get(path).text
    truth = section(page, "truth-title")
    told = text(truth)
    assert "kept out (true rejections) 2 2 100.0 % 34.2 % 100.0 %" in told
    assert "kept out (false rejections) 1 6 16.7 % 3.0 % 56.4 %" in told
    assert "Hungary Yes Label flip 0 2 0" in row(truth, "Hungary")
    assert "Attacker" not in section(page, "submissions-title")
    assert chart(page, "detection")["series"][0]["low"] == [34.24, 3.01]


def test_charts_have_the_figures_of_their_tables_and_say_of_what(alice: Browser, path: str) -> None:
    page = alice.get(path).text
    ratio = chart(page, "ratio")
    assert ratio["labels"] == ["Accepted", "Rejected", "Refused"]
    assert ratio["series"][0]["values"] == [5, 2, 1]
    assert "8 updates in 2 rounds" in ratio["caption"]
    accuracy = chart(page, "accuracy")
    assert accuracy["labels"] == list(HOSPITALS)
    assert [one["values"] for one in accuracy["series"]] == [[85.0] * 4, [80.0] * 4]
    assert "800 training rows and 400 test rows" in accuracy["caption"]
    for name in FIGURES:
        assert f'id="table-{chart(page, name)["table"]}"' in page
    assert Parts(page).inline == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_s_files_hold_the_same(alice: Browser, path: str, name: str) -> None:
    answers = {form: alice.get(f"{path}/tables/{name}.{form}") for form in ("csv", "xlsx", "json")}
    for form, answer in answers.items():
        assert answer.headers["Content-Disposition"].endswith(f"-{name}.{form}")
    records = json.loads(answers["json"].data)["tables"][name]["rows"]
    assert records
    # Attacks have their names for machines, their titles for people.
    names = {"label-flip": "Label flip"}
    records = [{key: names.get(value, value) for key, value in one.items()} for one in records]
    read = list(csv.DictReader(io.StringIO(answers["csv"].data.decode("utf-8-sig"))))
    assert read == [
        {key: "" if value is None else str(value) for key, value in one.items()} for one in records
    ]
    head, *rows = load_workbook(io.BytesIO(answers["xlsx"].data))[name].iter_rows(values_only=True)
    empty = [{key: value or None for key, value in one.items()} for one in records]
    assert [{k: v or None for k, v in zip(head, one, strict=True)} for one in rows] == empty


def test_the_submissions_file_is_what_the_page_shows(alice: Browser, path: str) -> None:
    answer = alice.get(f"{path}/tables/submissions.csv?hospital=Hungary&round=1")
    (only,) = csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))
    assert (only["hospital"], only["round"], only["verdict"]) == ("Hungary", "1", "rejected")


def test_all_tables_come_in_one_file_that_says_of_which_training(
    alice: Browser, path: str, attacked: Recorded
) -> None:
    book = load_workbook(io.BytesIO(alice.get(f"{path}/tables/all.xlsx").data))
    assert tuple(book.sheetnames) == TABLES
    read = json.loads(alice.get(f"{path}/tables/all.json").data)
    assert read["training"] == attacked.identifier
    assert tuple(read["tables"]) == TABLES


def test_figures_open_as_what_they_are(alice: Browser, path: str) -> None:
    for name in FIGURES:
        drawn = alice.get(f"{path}/figures/{name}.svg")
        assert drawn.mimetype == "image/svg+xml"
        assert ET.fromstring(drawn.text).tag == "{http://www.w3.org/2000/svg}svg"
    again = alice.get(f"{path}/figures/accuracy.svg").data
    assert again == alice.get(f"{path}/figures/accuracy.svg").data
    assert b"85.0" in again
    assert b"800 training rows" in again
    png = Image.open(io.BytesIO(alice.get(f"{path}/figures/ratio.png").data))
    assert (png.format, png.size) == ("PNG", (1440, 840))


def test_the_report_holds_figures_verdicts_hashes_and_how_to_verify(
    alice: Browser, path: str, attacked: Recorded
) -> None:
    answer = alice.get(f"{path}/report.pdf")
    assert answer.mimetype == "application/pdf"
    pages = PdfReader(io.BytesIO(answer.data)).pages
    told = " ".join(" ".join(page.extract_text() for page in pages).split())
    assert attacked.identifier in told
    assert "Cleveland 200 85.0 % 85.0 % 100 80.0 % 80.0 % 0.800" in told
    assert "The truth, in this simulation only" in told
    assert f"version 1 ({attacked.identifier[:8]}, round " in told
    assert "05" * 32 in told
    assert "run.py verify" in told
    assert sum(len(page.images) for page in pages) == len(FIGURES)


@pytest.mark.parametrize(
    "rest",
    [
        "tables/nothing.csv", "tables/all.csv", "tables/accuracy.ods",
        "figures/nothing.svg", "figures/accuracy.gif", "predictions.json",
    ],
)  # fmt: skip
def test_what_there_is_not_is_not_found(alice: Browser, path: str, rest: str) -> None:
    assert alice.get(f"{path}/{rest}").status_code == 404
    assert alice.get(path.replace(path[11:75], "0" * 64)).status_code == 404


def test_predicted_rows_without_a_chain_lead_back_and_say_why(alice: Browser, path: str) -> None:
    answer = alice.get(f"{path}/predictions.csv")
    assert (answer.status_code, answer.location) == (303, path)
    assert "cannot be" in alice.get(path).text


def test_predicted_rows_want_a_finished_training(alice: Browser, site: Site) -> None:
    path = f"/trainings/{old_training(site).identifier}/results"
    assert "predictions." not in alice.get(path).text
    assert alice.get(f"{path}/predictions.xlsx").location == path
    assert "has not finished" in alice.get(path).text


def test_an_auditor_reads_results_but_gets_no_rows(site: Site, path: str) -> None:
    auditor = site.browser("auditor")
    page = auditor.get(path)
    assert page.status_code == 200
    assert "/admin/" not in page.text
    assert "predictions." not in page.text
    assert auditor.get(f"{path}/predictions.csv").status_code == 403
    assert path in auditor.get("/trainings").text
    assert 'href="/trainings"' in auditor.get("/").text


def test_the_training_s_page_and_the_list_lead_to_the_results(
    alice: Browser, path: str, attacked: Recorded
) -> None:
    assert f'href="{path}"' in alice.get(f"/admin/trainings/{attacked.identifier}").text
    assert f'href="{path}"' in alice.get("/admin/trainings").text


def test_trainings_are_compared_side_by_side(
    alice: Browser, site: Site, attacked: Recorded
) -> None:
    other = old_training(site).identifier
    query = f"with={attacked.identifier}&with={other}"
    page = alice.get(f"/trainings/compare?{query}").text
    asked = section(page, "asked-title")
    assert "Differs Label flip –" in row(asked, "Simulated attack")
    assert "Differs" not in row(asked, "Seed")
    assert "Finished Running" in row(section(page, "results-title"), "State")
    lines = chart(page, "accuracy")
    assert lines["labels"] == ["1", "2"]
    assert [one["values"] for one in lines["series"]] == [[80.0, 80.0], [81.25, None]]
    read = json.loads(alice.get(f"/trainings/compare/tables/all.json?{query}").data)
    assert read["trainings"] == [attacked.identifier, other]
    results = {one["what"]: one for one in read["tables"]["results"]["rows"]}
    assert results["Test AUC"] == {
        "what": "Test AUC", attacked.identifier[:8]: 0.8, other[:8]: None,
    }  # fmt: skip
    assert alice.get(f"/trainings/compare/figures/accuracy.svg?{query}").status_code == 200


@pytest.mark.parametrize("ids", [[], ["self"], ["self", "self"], ["self", "0" * 64]])
def test_what_cannot_be_compared_leads_back(
    alice: Browser, attacked: Recorded, ids: list[str]
) -> None:
    query = "&".join(f"with={one.replace('self', attacked.identifier)}" for one in ids)
    answer = alice.get(f"/trainings/compare?{query}")
    assert answer.status_code == 303
    assert answer.location.partition("?")[0] == "/admin/trainings"
    # What was ticked stays ticked.
    page = alice.get(answer.location).text
    box = rf'value="{attacked.identifier}"( checked)? aria-label'
    assert re.search(box, page)[1] == (" checked" if "self" in ids else None)
    assert alice.get(f"/trainings/compare/tables/all.json?{query}").status_code == 404


def test_files_have_the_document_s_figures(
    alice: Browser, path: str, document: dict[str, Any]
) -> None:
    read = json.loads(alice.get(f"{path}/tables/all.json").data)["tables"]
    by_name = {one["hospital"]: one for one in read["accuracy"]["rows"]}
    for one in document["results"]["hospitals"]:
        assert by_name[one["name"]]["test_auc"] == one["test"]["auc"]
        assert by_name[one["name"]]["train_accuracy"] == one["train"]["accuracy"]
    assert [one["accuracy"] for one in read["rounds"]["rows"]] == [
        one["accuracy"] for one in document["rounds"]
    ]
