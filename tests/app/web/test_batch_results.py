"""A file answered by a real model: the same as the form answers, as table, CSV and XLSX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from app.services.passwords import Passwords
from fl.datasets import get_task
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import of
from tests.app.web.served import serve
from tests.app.web.test_batch_pages import send, told

pytestmark = pytest.mark.slow

PAGE = "/doctor/predictions/heart/batch"
HEADER = "Reference,age,sex,cp,trestbps,chol (mmol/l)\n"
ROWS = (
    "=1+1,61,Male,asymptomatic,145,6.2\n"
    "B,45,Female,non-anginal,120,\n"
    "C,54,Male,typical angina,230,6.0\n"
    "D,fifty,Male,typical angina,130,6.0\n"
)


@pytest.fixture(scope="module")
def ward(
    trained: dict[str, Any],
    trained_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cheap: Passwords,
) -> Iterator[tuple[Any, Browser]]:
    """A trained installation's application, and a doctor's browser."""
    del trained
    with serve(trained_folder, tmp_path_factory.mktemp("batch") / "instance", cheap) as served:
        yield served.app, served.sign_in(served.person("bea"))


def answered(bea: Browser, content: str, pieces: int, **fields: str) -> str:
    """Send a file and have all of it answered; its address."""
    path = str(send(bea, content, PAGE).location)
    bea.send(f"{path}/start", fields)
    for _ in range(pieces):
        answer = bea.send(f"{path}/pieces", headers={"HX-Request": "true"})
    assert answer.headers["HX-Redirect"] == path
    return path


def test_the_answers_are_those_of_the_form_in_every_shape(ward: tuple[Any, Browser]) -> None:
    app, bea = ward
    path = answered(bea, HEADER + ROWS, 1)
    used = of(app).predictions.find_model("heart")
    assert used is not None
    names = [one.name for one in get_task("heart").columns]
    first = dict.fromkeys(names) | {"age": 61, "sex": 1, "cp": 3, "trestbps": 145}
    alone = of(app).predictions.predict("heart", first | {"chol": 239.723})
    expected = round(alone.probability["heart disease"], 4)

    sent = bea.get(f"{path}/predictions.csv")
    lines = list(csv.DictReader(io.StringIO(sent.data.decode("utf-8-sig"))))
    assert [one["line"] for one in lines] == ["2", "3", "4"]
    assert [one["reference"] for one in lines] == ["'=1+1", "B", "C"]
    assert float(lines[0]["probability"]) == expected
    assert {one["model_sha256"] for one in lines} == {used.model_sha256}
    assert {one["model"] for one in lines} == {used.version}
    assert (lines[2]["probability"], lines[2]["band"]) == ("", "left out")
    assert "Resting blood pressure, 230 mmHg" in lines[2]["warnings"]
    if alone.interval is not None:
        interval = [float(lines[0][f"interval_{end}"]) for end in ("low", "high")]
        assert interval == [round(share, 4) for share in alone.interval]

    book = load_workbook(io.BytesIO(bea.get(f"{path}/predictions.xlsx").data))
    (sheet,) = book.worksheets
    second = [cell.value for cell in sheet[2]]
    assert second[:3] == [2, "=1+1", expected]
    assert sheet["B2"].data_type == "s"

    page = bea.get(path).text
    assert not Parts(page).inline
    assert "left out" in told(page)
    assert "with problems" in told(page)
    assert used.version in told(page)


def test_confirmed_rows_are_answered_and_sorted_over_the_pages(ward: tuple[Any, Browser]) -> None:
    _, bea = ward
    lines = [f"R{n},{30 + n % 45},Male,asymptomatic,{100 + n % 80},6.2\n" for n in range(119)]
    path = answered(bea, HEADER + "".join(lines) + ROWS.splitlines()[2] + "\n", 2, unusual="yes")
    seen: list[int] = []
    for page in (1, 2, 3):
        shown = bea.get(f"{path}?order=risk&page={page}").text
        assert f"Page {page} of 3" in told(shown)
        seen += [int(one) for one in re.findall(r'data-label="Risk">(\d+) %', shown)]
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 120
    assert "Page 3 of 3" in told(bea.get(f"{path}?order=nothing&page=99").text)
    assert "left out" not in told(bea.get(path).text)


def test_a_refused_model_answers_nothing_and_what_was_answered_stays(
    ward: tuple[Any, Browser],
) -> None:
    app, bea = ward
    path = str(send(bea, HEADER + ROWS, PAGE).location)
    bea.send(f"{path}/start")
    database = of(app).database
    used = of(app).predictions.find_model("heart")
    assert used is not None
    change = "UPDATE trainings SET model_sha256 = ? WHERE model_sha256 = ?"
    with database.engine.begin() as connection:
        connection.exec_driver_sql(change, ("0" * 64, used.model_sha256))
    part = bea.send(f"{path}/pieces", headers={"HX-Request": "true"})
    assert "The chain names another model than the database" in part.text
    with database.engine.begin() as connection:
        connection.exec_driver_sql(change, (used.model_sha256, "0" * 64))
    again = bea.send(f"{path}/pieces", headers={"HX-Request": "true"})
    assert again.status_code == HTTPStatus.NO_CONTENT
    assert "Heart disease: results" in told(bea.get(path).text)
