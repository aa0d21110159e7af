"""What an operator reads of the own hospital: its data, its key, what it submitted."""

from __future__ import annotations

import csv
import io
import json

import pytest

from app.models import PartyRow
from app.services.hospital_record import submissions_table, tasks_of
from app.services.results import training_document
from app.services.roles import OPERATOR
from tests.app import reviewed
from tests.app.reviewed import Recorded
from tests.app.web.conftest import Site
from tests.app.web.test_operator import assign


@pytest.fixture
def training(site: Site) -> Recorded:
    made = reviewed.attacked_training(site.services.database)
    assert assign(site, "Hungary").status_code == 303
    return made


def test_an_operator_reads_what_became_of_the_own_updates(site: Site, training: Recorded) -> None:
    page = site.browser(OPERATOR).get("/operator/").text
    document = training_document(site.services.database, training.identifier)
    own, others = [], []
    for one in (document["statistics"], document["donation"], *document["rounds"]):
        for hospital in one["hospitals"]:
            (own if hospital["name"] == "Hungary" else others).append(hospital["update_sha256"])
    assert len(own) == 4
    assert all(digest in page for digest in own)
    assert not any(digest in page for digest in others)
    assert "Its balanced accuracy (0.45, rounded down) is below the threshold (0.675)" in page


def test_the_table_has_the_figures_of_the_document(site: Site, training: Recorded) -> None:
    database = site.services.database
    document = training_document(database, training.identifier)
    rows = submissions_table(database, "Hungary").records()
    told = {row["round"]: row for row in rows}
    for one in document["rounds"]:
        (found,) = (h for h in one["hospitals"] if h["name"] == "Hungary")
        row = told[f"Round {one['round']}"]
        names = ("verdict", "reason", "transaction")
        assert [row[name] for name in names] == [found[name] for name in names]
        assert (row["statistic"], row["rows"]) == (found["balanced_accuracy"], found["samples"])
        assert row["threshold"] == pytest.approx(found["threshold"])
    assert [row["round"] for row in rows][-1] == "Statistics"


def test_the_submissions_are_downloaded(site: Site, training: Recorded) -> None:
    operator = site.browser(OPERATOR)
    text = operator.get("/operator/submissions.csv").data.decode("utf-8-sig")
    as_csv = list(csv.DictReader(io.StringIO(text)))
    as_json = json.loads(operator.get("/operator/submissions.json").data)
    rows = as_json["tables"]["submissions"]["rows"]
    assert [one["update"] for one in as_csv] == [one["update"] for one in rows]
    assert {one["training"] for one in rows} == {training.identifier}
    assert operator.get("/operator/submissions.exe").status_code == 404


def test_without_a_hospital_there_is_nothing_to_download(site: Site) -> None:
    assert site.browser(OPERATOR).get("/operator/submissions.csv").status_code == 404


def test_account_and_key_stand_there_once_they_are_made(site: Site) -> None:
    assign(site, "Hungary")
    operator = site.browser(OPERATOR)
    assert "made at the hospital’s first training" in operator.get("/operator/").text
    account, key = "0x" + "5" * 40, "04" + "6" * 128
    with site.services.database.transaction() as session:
        session.add(PartyRow(name="Hungary", role="hospital", account=account, public_key=key))
    page = operator.get("/operator/").text
    assert account in page
    assert key in page
    assert "/datasets/heart/hospitals/Hungary" in page


def test_a_dealt_hospital_has_no_data_set_of_its_own() -> None:
    assert tasks_of("Hungary") == ["heart"]
    assert tasks_of("Hospital A") == []
