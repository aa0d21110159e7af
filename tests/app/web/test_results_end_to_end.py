"""Eight hospitals, three of them attack: pages and files have the figures of the document."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pypdf import PdfReader

from app.services.federation import Federation, open_federation
from app.services.passwords import Passwords
from app.services.requests import TrainingRequest
from app.services.results import training_document
from app.services.roles import ADMINISTRATOR
from app.services.secret_key import make_secret_key
from app.services.simulation import simulation_of
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.web.factory import create
from fl.attacks import ATTACKS
from tests.app.installations import settings_of
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, of
from tests.app.web.test_training_pages import row, section

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

REQUEST = TrainingRequest(
    task="diabetes",
    hospitals=8,
    rounds=2,
    local_epochs=2,
    attack="label-flip",
    attackers=3,
)


@dataclass(frozen=True)
class Finished:
    """A finished training, its document, and an administrator's browser."""

    federation: Federation
    document: dict[str, Any]
    browser: Browser
    path: str

    def get(self, rest: str) -> bytes:
        answer = self.browser.get(f"{self.path}{rest}")
        assert answer.status_code == 200, answer.location
        data: bytes = answer.data
        return data

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Every table as its JSON file has it."""
        read = json.loads(self.get("/tables/all.json"))["tables"]
        return {name: table["rows"] for name, table in read.items()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, cheap: Passwords) -> Iterator[Finished]:
    folder: Path = tmp_path_factory.mktemp("results") / "instance"
    settings = settings_of(folder)
    with open_federation(settings) as federation:
        trainings = Trainings(federation)
        plan = trainings.plan(REQUEST)
        simulation = simulation_of(REQUEST, [hospital.name for hospital in plan.hospitals])
        identifier = trainings.start(plan, simulation=simulation)
        assert trainings.run(identifier, lambda _: None).finished
        make_secret_key(folder)
        app = create(settings, cheap)
        accounts = of(app).accounts
        ada = accounts.register("a@clinic.example", "Ada", "Road 1", ADMINISTRATOR, PASSWORD)
        assert ada is not None
        accounts.authorise(ada, ada.id, ADMINISTRATOR)
        browser = Browser(app)
        assert browser.sign_in(ada.email, PASSWORD).status_code == 303
        document = training_document(federation.database, identifier)
        yield Finished(federation, document, browser, f"/trainings/{identifier}/results")
        of(app).database.close()


def test_every_hospital_reported_and_nothing_differs_from_the_chain(finished: Finished) -> None:
    results = finished.document["results"]
    assert len(results["hospitals"]) == 8
    assert results["pooled"]["test"]["accuracy"] == finished.document["accuracy"]
    assert results["pooled"]["test"]["balanced_accuracy"] == finished.document["balanced_accuracy"]
    assert 0.5 < results["pooled"]["test"]["auc"] < 1
    assert all(one["train"]["rows"] > one["test"]["rows"] > 0 for one in results["hospitals"])
    assert Verification(finished.federation).run().differences == []


def test_page_and_files_have_the_figures_of_the_document(finished: Finished) -> None:
    document, tables = finished.document, finished.tables()
    accuracy = {one["hospital"]: one for one in tables["accuracy"]}
    told = section(finished.get("").decode(), "accuracy-title")
    for one in document["results"]["hospitals"]:
        shown = accuracy[one["name"]]
        for part in ("train", "test"):
            for key in ("rows", "accuracy", "balanced_accuracy"):
                assert shown[f"{part}_{key}"] == one[part][key]
        assert f"{100 * one['test']['accuracy']:.1f} %" in row(told, one["name"])
    submitted = [
        (one["round"], hospital["name"], hospital["verdict"], hospital["transaction"])
        for one in document["rounds"]
        for hospital in one["hospitals"]
    ]
    assert len(submitted) == 16
    keys = ("round", "hospital", "verdict", "transaction")
    assert [tuple(one[key] for key in keys) for one in tables["submissions"]] == submitted
    sums = Counter[str]()
    for one in tables["verdicts"]:
        sums.update({key: one[key] for key in ("accepted", "rejected", "refused")})
    assert dict(sums) == document["poisoning"]["counts"]


def test_the_truth_is_the_simulation_s(finished: Finished) -> None:
    document, tables = finished.document, finished.tables()
    attackers = {one["hospital"] for one in tables["truth"] if one["attacker"]}
    assert attackers == set(document["simulation"]["attackers"])
    caught, wronged = tables["detection"]
    assert (caught["of"], wronged["of"]) == (6, 10)
    assert caught["count"] == document["detection"]["true_rejections"]["count"]
    assert wronged["low"] == document["detection"]["false_rejections"]["low"]


def test_files_read_back_the_same_in_every_form(finished: Finished) -> None:
    book = load_workbook(io.BytesIO(finished.get("/tables/all.xlsx")))
    for name, named in finished.tables().items():
        records = [with_title(one) for one in named]
        read = list(
            csv.DictReader(io.StringIO(finished.get(f"/tables/{name}.csv").decode("utf-8-sig")))
        )
        assert read == [
            {key: "" if value is None else str(value) for key, value in one.items()}
            for one in records
        ]
        _, *rows = book[name].iter_rows(values_only=True)
        blank = [tuple(None if v == "" else v for v in one.values()) for one in records]
        assert rows == blank


def with_title(record: dict[str, Any]) -> dict[str, Any]:
    """A record of JSON as the spreadsheets have it: an attack's title in place of its name."""
    name = record.get("attack")
    return {**record, "attack": ATTACKS[name].title} if name else record


def test_figures_and_report_come_of_it(finished: Finished) -> None:
    for name in ("accuracy", "rounds", "ratio", "verdicts", "detection"):
        assert b"<svg" in finished.get(f"/figures/{name}.svg")
        assert finished.get(f"/figures/{name}.png").startswith(b"\x89PNG")
    pages = PdfReader(io.BytesIO(finished.get("/report.pdf"))).pages
    told = " ".join(page.extract_text() for page in pages)
    assert finished.document["model_sha256"] in told
    pooled = finished.document["results"]["pooled"]["test"]
    assert re.search(rf"{100 * pooled['accuracy']:.1f} %", told)


def test_predicted_rows_are_the_test_rows_and_their_shares_the_results(finished: Finished) -> None:
    data = finished.get("/predictions.csv").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(data)))
    for one in finished.document["results"]["hospitals"]:
        own = [each for each in rows if each["hospital"] == one["name"]]
        assert len(own) == one["test"]["rows"]
        right = sum(each["truth"] == each["prediction"] for each in own)
        assert right / len(own) == pytest.approx(one["test"]["accuracy"], abs=5e-5)
        for each in own:
            shares = [float(each["probability_0"]), float(each["probability_1"])]
            assert sum(shares) == pytest.approx(1, abs=1e-5)
            classes = finished.document["results"]["classes"]
            assert each["prediction"] == classes[shares.index(max(shares))]
    sheet = load_workbook(io.BytesIO(finished.get("/predictions.xlsx")))["predicted_rows"]
    assert sheet.max_row == len(rows) + 1
    made = of(finished.browser.client.application)
    assert made.audit.entries().entries[0].action == "predictions.downloaded"
