"""What stands beside an answer: the version before, the passport, the knobs, the two papers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select

from app.doctor.reading import Reading
from app.doctor.reasons import bars
from app.doctor.suggestions import suggested
from app.errors import ModelRefused
from app.models import AuditRow, ResultRow, TrainingRow, UserRow
from app.services.audit import AuditLog
from app.services.federation import Federation
from app.services.ledger_index import LedgerIndex
from app.services.passport import find_passport
from app.services.passwords import Passwords
from app.services.predictions import Predictions
from app.services.promotions import Wishes, write_waiting
from app.services.requests import TrainingRequest
from app.services.roles import ADMINISTRATOR
from app.services.trainings import Trainings
from fl.datasets import get_task
from tests.app.web.browser import Browser, Parts
from tests.app.web.served import serve
from tests.app.web.test_kept_answers import fields
from tests.app.web.test_training_pages import section, text

pytestmark = pytest.mark.slow

PREDICT = "/doctor/predictions/heart/new"
REPORT, SHEET = "/doctor/predictions/heart/report", "/doctor/predictions/heart/sheet"
# Digits that stand nowhere else.
ODD = "61.73319"
VALUES = {"age": ODD, "chol": "6,2", "chol-unit": "mmol/l", "cp": "asymptomatic"}
STORED = {"age": float(ODD), "chol": 239.723, "cp": 3.0}


@dataclass
class Ward:
    """A doctor and an administrator in an installation with two versions for heart disease."""

    federation: Federation
    doctor: Browser
    administrator: UserRow
    first: str
    second: str

    @property
    def predictions(self) -> Predictions:
        return Predictions(self.federation.database, self.federation.reader)

    def use(self, training: str) -> None:
        """Put a version into use by the ledger."""
        database = self.federation.database
        Wishes(database, AuditLog(database)).ask(self.administrator, training, "Because")
        write_waiting(self.federation)

    def result(self) -> str:
        answer = self.doctor.send(PREDICT, VALUES)
        assert answer.status_code == HTTPStatus.OK
        return str(answer.text)

    def actions(self) -> list[str]:
        with self.federation.database.transaction() as session:
            return list(session.scalars(select(AuditRow.action).order_by(AuditRow.id.desc())))


@pytest.fixture(scope="module")
def ward(
    trained: dict[str, Any],
    trained_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cheap: Passwords,
) -> Iterator[Ward]:
    with serve(trained_folder, tmp_path_factory.mktemp("answer") / "instance", cheap) as served:
        federation, ada = served.federation, served.person("ada", ADMINISTRATOR)
        doctor = served.sign_in(served.person("dora"))
        trainings = Trainings(federation)
        request = TrainingRequest(rounds=1, local_epochs=1, review=False)
        second = trainings.start(trainings.plan(request))
        assert trainings.run(second, lambda _: None).finished
        yield Ward(federation, doctor, ada, trained["training"], second)


def pdf_of(body: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(body))


def words_of(reader: PdfReader) -> str:
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_the_first_version_in_use_says_that_there_was_none_before(ward: Ward) -> None:
    page = ward.result()
    assert "There was none: this is the first version in use" in text(section(page, "before"))
    assert not Parts(page).inline


def test_the_version_before_answers_the_same_values_as_it_did_when_it_was_in_use(
    ward: Ward,
) -> None:
    before = ward.predictions.predict("heart", STORED)
    ward.use(ward.second)
    now = ward.predictions.predict("heart", STORED)
    assert before.training != now.training == ward.second
    told = text(section(ward.result(), "before"))
    risks = [round(one.explanation.risk * 100) for one in (before, now)]
    assert f"The version before, {before.model_sha256[:4]}…, said {risks[0]} %" in told
    if risks[0] != risks[1]:
        more = "more" if risks[0] > risks[1] else "less"
        assert re.search(rf"{abs(risks[0] - risks[1])} points? {more}\.", told)
    assert f"training_id={ward.first}" not in told
    assert f"/models/{ward.first}/card" in section(ward.result(), "before")


def test_a_version_before_whose_bytes_were_altered_says_nothing(ward: Ward) -> None:
    database = ward.federation.database
    with database.transaction() as session:
        digest = session.get_one(TrainingRow, ward.first).model_sha256
        kept = session.get_one(ResultRow, digest)
        body = kept.body
        kept.body = body[:-1] + bytes([body[-1] ^ 1])
    try:
        told = text(section(ward.result(), "before"))
    finally:
        with database.transaction() as session:
            session.get_one(ResultRow, digest).body = body
    assert "cannot be asked any more: The stored model was altered" in told


def test_a_version_before_that_the_chain_does_not_name_is_refused(ward: Ward) -> None:
    with pytest.raises(ModelRefused, match="another model that was in use before, or none"):
        ward.predictions.load_before("heart", ward.first, ward.second)
    with pytest.raises(ModelRefused, match="no longer holds"):
        ward.predictions.load_before("diabetes", ward.second, ward.first)
    assert ward.predictions.load_before("heart", ward.second, ward.first)


def test_the_passport_names_where_the_answer_comes_from_and_each_line_is_checked(
    ward: Ward,
) -> None:
    with closing(ward.federation.reader()) as ledger:
        LedgerIndex(ward.federation.database).catch_up(ledger)
    page = section(ward.result(), "checked")
    passport = find_passport(ward.federation.database, ward.second)
    assert passport is not None
    assert passport.finalised is not None
    assert passport.finalised.transaction in {one.transaction for _, one in passport.votes}
    assert passport.promoted is not None
    assert passport.promoted.transaction.removeprefix("0x") in page
    assert [one.counted for one in passport.hospitals] == [1] * len(passport.hospitals)
    checks = set(re.findall(rf'href="(/doctor/models/{ward.second}/checks/\w+)"', page))
    assert {one.rsplit("/", 1)[1] for one in checks} == passport.values()
    for path in sorted(checks):
        answer = ward.doctor.get(path)
        assert "<title>Check of" in answer.text
        assert "The same on the chain" in answer.text, path
        assert not [one for one in Parts(answer.text).links if one.startswith("/ledger")]
    # What is not this version's is not looked up for a doctor.
    other = find_passport(ward.federation.database, ward.first)
    assert other is not None
    stranger = f"/doctor/models/{ward.second}/checks/{other.model_sha256}"
    assert ward.doctor.get(stranger).status_code == HTTPStatus.NOT_FOUND
    none = f"/doctor/models/{'0' * 64}/checks/{passport.model_sha256}"
    assert ward.doctor.get(none).status_code == HTTPStatus.NOT_FOUND


def test_the_report_holds_the_answer_with_all_that_it_comes_from(ward: Ward) -> None:
    page = ward.result()
    sent = fields(page, REPORT)
    answer = ward.doctor.send(REPORT, sent)
    assert answer.content_type == "application/pdf"
    reader = pdf_of(answer.data)
    assert len(reader.pages) == 1
    assert reader.metadata is not None
    assert str(reader.metadata.title).startswith("Consilium, Heart disease, prediction of ")
    told = words_of(reader)
    risk = re.search(r"<title>(\d+ %) risk of", page)
    assert risk is not None
    for part in (f"{risk[1]} risk of heart disease", "95 % interval", "Page 1", "6.2 mmol/l"):
        assert part in told
    made = ward.predictions.predict("heart", STORED)
    for part in ("no medical device", "From 3 of 10 values", "239.723 mg/dl", "by hand"):
        assert part in told
    for digest in (made.model_sha256, made.training):
        assert digest in told.replace(" ", "")
    for one in bars(made.explanation):
        assert one.points in told
    assert ward.actions()[0] == "prediction.printed"


def test_the_report_has_the_suggestions_of_the_page_with_their_sources(ward: Ward) -> None:
    page = ward.doctor.send(PREDICT, VALUES | {"trestbps": "150"}).text
    told = words_of(pdf_of(ward.doctor.send(REPORT, fields(page, REPORT)).data))
    values = STORED | {"trestbps": 150.0}
    made = ward.predictions.predict("heart", values)
    shares = (made.probability["no heart disease"], made.probability["heart disease"])
    found = suggested(Reading(get_task("heart"), shares, made.interval), values)
    assert found.suggestions
    for one in found.suggestions:
        assert one.text in unescape(page)
        assert f"{one.kind}. {one.text} Because of {one.why}" in told
        assert all(f"{source.title}, {source.year}" in told for source in one.sources)
    assert found.statement in told


def test_the_sheet_tells_it_in_plain_words(ward: Ward) -> None:
    sent = fields(ward.result(), REPORT)
    reader = pdf_of(ward.doctor.send(SHEET, sent).data)
    assert len(reader.pages) == 1
    told = words_of(reader)
    ill = round(ward.predictions.predict("heart", STORED).explanation.risk * 100)
    assert f"about {ill} have heart disease and about {100 - ill} do not" in told
    for heading in ("What was looked at", "What this does not mean", "What you can ask"):
        assert heading in told
    assert "age, chest pain and serum cholesterol" in told
    assert "standard deviation" not in told
    assert "Shapley" not in told


@pytest.mark.parametrize("path", [REPORT, SHEET])
def test_a_paper_of_another_model_or_of_wrong_values_is_not_made(ward: Ward, path: str) -> None:
    sent = fields(ward.result(), REPORT)
    other = ward.doctor.send(path, sent | {"model": "0" * 64})
    assert "Another model is in use by now" in other.text
    wrong = ward.doctor.send(path, sent | {"age": "old"})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert 'value="6,2"' in wrong.text


def test_nothing_of_an_answer_or_its_papers_is_stored(ward: Ward) -> None:
    sent = fields(ward.result(), REPORT)
    for path in (REPORT, SHEET):
        assert ward.doctor.send(path, sent).status_code == HTTPStatus.OK
    for file in ward.federation.settings.instance_dir.rglob("*"):
        assert not file.is_file() or ODD.encode() not in file.read_bytes(), file
