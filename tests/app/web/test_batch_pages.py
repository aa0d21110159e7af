"""Doctors at the pages of a file of patients, as far as no model is needed; and what is kept."""

from __future__ import annotations

import csv
import html
import io
import re
import sqlite3
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from app.services.roles import DOCTOR
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import PASSWORD, Site

PAGE = "/doctor/predictions/diabetes/batch"
# Digits and letters that stand nowhere else.
ODD, SECRET, WRONG = "47.71823", "Lindqvist-7", "fiftyseven-Lindq"
FILE = f"Reference,Age,BMI,Glucose\n{SECRET},54,{ODD},140\nB,{WRONG},31,140\nC,55,31,220\n"


def told(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def send(browser: Browser, content: str | bytes, page: str = PAGE) -> Any:
    data = content.encode() if isinstance(content, str) else content
    fields = {"csrf_token": browser.token(), "file": (io.BytesIO(data), "patients.csv")}
    return browser.open(page, "POST", data=fields)


@pytest.fixture
def bea(site: Site) -> Browser:
    return site.browser(DOCTOR)


@pytest.fixture
def carl(site: Site) -> Browser:
    """Another doctor."""
    accounts = site.services.accounts
    row = accounts.register("carl@c.example", "carl", "R", DOCTOR, PASSWORD)
    assert row is not None
    accounts.authorise(site.rows["administrator"], row.id, DOCTOR)
    browser = Browser(site.app)
    assert browser.sign_in(row.email, PASSWORD).status_code == HTTPStatus.SEE_OTHER
    return browser


def test_today_and_the_page_lead_to_the_template(bea: Browser) -> None:
    page = bea.get(PAGE).text
    assert "There is no model for this question yet" in page
    assert not Parts(page).inline
    (link,) = [one for one in Parts(page).links if one.endswith("template.csv")]
    lines = list(csv.reader(io.StringIO(bea.get(link).data.decode("utf-8-sig"))))
    assert lines[0][:2] == ["Reference", "Pregnancies"]
    assert lines[1][0].startswith("EXAMPLE")
    (link,) = [one for one in Parts(page).links if one.endswith("columns.csv")]
    described = list(csv.reader(io.StringIO(bea.get(link).data.decode("utf-8-sig"))))
    assert [row[0] for row in described[1:]] == lines[0]


def test_what_was_read_is_shown_before_anything_is_predicted(bea: Browser) -> None:
    sent = send(bea, FILE)
    assert sent.status_code == HTTPStatus.SEE_OTHER
    page = bea.get(sent.location).text
    assert not Parts(page).inline
    shown = told(page)
    assert "2 rows can be predicted" in shown
    assert "1 of them has values that are possible but unusual" in shown
    assert "C Glucose, two hours, 220 mg/dl: of 100 published patients" in shown
    assert f"3 B Age a number {WRONG}" in shown
    assert "BMI Body mass index kg/m²" in shown
    (link,) = [one for one in Parts(page).links if one.endswith("problems.csv")]
    lines = list(csv.reader(io.StringIO(bea.get(link).data.decode("utf-8-sig"))))
    assert lines[1:] == [["3", "B", "Age", "a number", WRONG]]
    assert f"2 rows, {told(page).split('Sent ')[1][:16]}" in told(bea.get(PAGE).text)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "the file is empty"),
        ("name,town\nLind,Basel\n", "No column of this file is one of diabetes"),
        (b"Age\n" + b"5" * 485 * 1024, "Expected at most 480 KB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_reason(
    bea: Browser, content: str | bytes, reason: str
) -> None:
    answer = send(bea, content)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert reason in told(answer.text)
    no_file = bea.send(PAGE, {})
    assert "Choose a CSV file." in no_file.text


def test_a_request_too_large_for_memory_is_not_even_parsed(bea: Browser) -> None:
    kind = "multipart/form-data; boundary=b"
    answer = bea.open(PAGE, "POST", data=b"5" * 900 * 1024, content_type=kind)
    assert (answer.status_code, answer.location) == (HTTPStatus.SEE_OTHER, PAGE)
    assert "Expected at most 480 KB" in told(bea.get(PAGE).text)


def test_nothing_of_a_file_touches_the_disk_or_is_left_in_clear(
    site: Site, bea: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spools: list[object] = []
    for name in ("TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(f"tempfile.{name}", lambda *a, **k: spools.append(a) or 1 / 0)
    filler = "".join(f"r{number},54,31,140\n" for number in range(4000))
    filler += (" " * 1023 + "\n") * ((470 * 1024 - len(filler)) // 1024)
    sent = send(bea, FILE + filler)
    assert sent.status_code == HTTPStatus.SEE_OTHER, told(sent.text)
    page = bea.get(sent.location)
    assert SECRET not in page.text  # It is among the rows, which the page does not list.
    bea.send(f"{sent.location}/start", {"unusual": "yes"})
    refused = bea.send(f"{sent.location}/pieces", headers={"HX-Request": "true"})
    assert "No training of diabetes has finished yet." in refused.text
    folder = site.services.settings.instance_dir
    with closing(sqlite3.connect(folder / "consilium.db")) as database:
        contents = ["\n".join(database.iterdump()).encode()]
    contents += [file.read_bytes() for file in folder.rglob("*") if file.is_file()]
    for content in contents:
        for secret in (SECRET, ODD, WRONG):
            assert secret.encode() not in content
    assert spools == []


def test_another_doctor_finds_nothing_and_changes_nothing(bea: Browser, carl: Browser) -> None:
    sent = send(bea, FILE).location
    assert sent not in carl.get(PAGE).text
    for path in ("", "/problems.csv", "/predictions.csv"):
        assert carl.get(sent + path).status_code == HTTPStatus.NOT_FOUND
    for path in ("/start", "/pieces", "/delete"):
        assert carl.send(sent + path).status_code == HTTPStatus.NOT_FOUND
    assert "2 rows can be predicted" in told(bea.get(sent).text)


def test_a_running_one_is_found_again_and_tells_why_it_waits(bea: Browser) -> None:
    sent = send(bea, FILE).location
    assert "A file of 2 patients" not in told(bea.get("/doctor/").text)
    bea.send(f"{sent}/start")
    today = bea.get("/doctor/").text
    assert "A file of 2 patients is answered to 0 rows" in told(today)
    assert sent in Parts(today).links
    page = bea.get(sent).text
    assert f'data-hx-post="{sent}/pieces"' in page
    assert "0 of 2 rows answered" in told(page)
    part = bea.send(f"{sent}/pieces", headers={"HX-Request": "true"})
    assert "data-hx-trigger" not in part.text  # It asks no more by itself.
    assert "Try again" in part.text
    plain = bea.send(f"{sent}/pieces")
    assert plain.location == sent
    assert "No training of diabetes has finished yet." in told(bea.get(sent).text)
    unfinished = bea.get(f"{sent}/predictions.csv")
    assert unfinished.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Not every row has its answer yet" in unfinished.text


def test_deleting_leaves_nothing_but_the_audit_log(site: Site, bea: Browser) -> None:
    sent = send(bea, FILE).location
    assert bea.send(f"{sent}/delete").location == PAGE
    assert "are erased" in told(bea.get(PAGE).text)
    assert bea.get(sent).status_code == HTTPStatus.NOT_FOUND
    with closing(sqlite3.connect(site.services.settings.instance_dir / "consilium.db")) as database:
        for table in ("batches", "batch_pieces"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    last = site.services.audit.every()[-1]
    assert (last.action, last.details) == ("batch.deleted", '{"rows":2,"task":"diabetes"}')


def test_without_the_open_key_the_password_is_asked_for_first(site: Site, bea: Browser) -> None:
    sent = send(bea, FILE).location
    with closing(sqlite3.connect(site.services.settings.instance_dir / "consilium.db")) as database:
        database.execute("UPDATE sessions SET unlocked = NULL, key_id = NULL")
        database.commit()
    page = bea.get(sent).text
    assert "Open your key" in page
    assert f'name="next" value="{sent}"' in page
    assert send(bea, FILE).location == PAGE
    part = bea.send(f"{sent}/pieces", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == sent
    answer = bea.send("/patients/unlock", {"next": sent, "password": PASSWORD})
    assert answer.location == sent
    assert "2 rows can be predicted" in told(bea.get(sent).text)


def test_what_a_lost_key_sealed_is_told_and_can_be_deleted(site: Site, bea: Browser) -> None:
    sent = send(bea, FILE).location
    row = site.row(DOCTOR)
    with closing(sqlite3.connect(site.services.settings.instance_dir / "consilium.db")) as database:
        database.execute("UPDATE doctor_keys SET lost_at = '2026-01-01 00:00:00.000000'")
        database.commit()
    again = Browser(site.app)
    again.sign_in(row.email, PASSWORD)
    answer = again.get(sent)
    assert answer.status_code == HTTPStatus.CONFLICT
    assert "sealed to a key that your password opened before" in told(answer.text)
    assert again.send(f"{sent}/delete").status_code == HTTPStatus.SEE_OTHER
