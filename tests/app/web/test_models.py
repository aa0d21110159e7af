"""The page of the models: versions, what a promotion changes, its reason, and the file of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from sqlalchemy import select, update

from app.models import PromotionRow, ResultRow, TrainingRow
from app.services.passwords import Passwords
from app.services.predictions import Predictions
from app.services.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from app.web.services import Services
from crypto.digest import model_bytes
from fl.datasets import Statistics, encode, get_task
from fl.networks import NetworkSpec, build
from tests.app.test_predictions import PATIENT
from tests.app.web.browser import Browser, Parts
from tests.app.web.served import serve

OTHER = "ab" * 32
REASON = "Better balanced on the same hospitals"


@dataclass(frozen=True)
class Clinic:
    """A trained installation whose chain runs, with a second version that only the database has."""

    services: Services
    alice: Browser
    auditor: Browser
    operator: Browser
    training: str
    model: str

    def asked(self) -> list[PromotionRow]:
        with self.services.database.transaction() as session:
            return list(session.scalars(select(PromotionRow).filter_by(training_id=OTHER)))

    def last(self) -> tuple[str, dict[str, Any]]:
        entry = self.services.audit.entries().entries[0]
        return entry.action, json.loads(entry.details)

    def change(self, **values: object) -> None:
        """Alter the second version."""
        with self.services.database.transaction() as session:
            session.execute(update(TrainingRow).filter_by(id=OTHER).values(**values))


@pytest.fixture
def clinic(
    trained: dict[str, Any], trained_folder: Path, tmp_path: Path, cheap: Passwords
) -> Iterator[Clinic]:
    with serve(trained_folder, tmp_path / "instance", cheap) as served:
        people = [served.person(role, role) for role in (ADMINISTRATOR, AUDITOR, OPERATOR)]
        alice, auditor, operator = (served.sign_in(row) for row in people)
        services = served.services
        services.staff.assign(people[2], people[2].id, "Hungary")
        _add_version(services, trained["training"])
        yield Clinic(
            services, alice, auditor, operator, trained["training"], trained["model_sha256"]
        )


def _add_version(services: Services, training: str) -> None:
    with services.database.transaction() as session:
        row = session.get_one(TrainingRow, training)
        columns = {one.name: getattr(row, one.name) for one in TrainingRow.__table__.columns}
        assert row.ended_at is not None
        columns |= {"id": OTHER, "model_sha256": "cd" * 32, "accuracy": 0.875}
        columns |= {"balanced_accuracy": 0.75, "ended_at": row.ended_at + timedelta(seconds=1)}
        session.add(TrainingRow(**columns))


def test_the_versions_are_listed_with_the_one_in_use(clinic: Clinic) -> None:
    page = clinic.alice.get("/models/").text
    first, second = page.index("Version 2 "), page.index("Version 1 ")
    assert first < second, "the newest first"
    rows = page[first:second], page[second:]
    assert "Not in use" in rows[0]
    assert f'href="/models/{OTHER}/promote"' in rows[0]
    assert "never used" in rows[0]
    assert "87.5 %" in rows[0]
    assert "75.0 %" in rows[0]
    assert "In use" in rows[1]
    assert "by the federation" in rows[1]
    assert "The first finished training of its task" in rows[1]
    assert clinic.model in rows[1]
    assert "No training of diabetes has finished yet" in page
    assert "agrees with the" in page
    assert not Parts(page).inline


def test_a_version_with_the_model_of_another_says_so(clinic: Clinic) -> None:
    assert "The same model as" not in clinic.alice.get("/models/").text
    with clinic.services.database.transaction() as session:
        session.get_one(TrainingRow, OTHER).model_sha256 = clinic.model
    page = clinic.alice.get("/models/").text
    newer, older = page[page.index("Version 2 ") :].split("Version 1 ")
    assert "The same model as version 1" in newer
    assert "The same model as" not in older


def test_what_was_decided_is_found_on_the_ledger(clinic: Clinic) -> None:
    with clinic.services.database.transaction() as session:
        row = session.scalars(select(PromotionRow)).one()
    sent = clinic.alice.get(f"/ledger/transactions/{row.transaction}").text
    assert "Model put into use" in sent
    assert "Put a model into use" in sent
    for value in (row.reason_sha256, row.model_sha256):
        page = clinic.alice.get(f"/ledger/hashes/{value}")
        assert page.status_code == 200
        assert "Model put into use" in page.text


def test_an_auditor_reads_and_decides_nothing(clinic: Clinic) -> None:
    page = clinic.auditor.get("/models/").text
    assert f"/models/{clinic.training}/file" in page
    assert "/promote" not in page
    assert clinic.auditor.send(f"/models/{OTHER}/promote", {"reason": REASON}).status_code == 403
    assert clinic.asked() == []


def test_a_promotion_shows_what_changes_and_needs_a_reason(clinic: Clinic) -> None:
    path = f"/models/{OTHER}/promote"
    page = clinic.alice.get(path).text
    assert "Promote version 2" in page
    assert "87.5 %" in page
    answer = clinic.alice.send(path, {"reason": " "})
    assert answer.status_code == 422
    assert "Give the reason" in answer.text
    assert clinic.asked() == []
    answer = clinic.alice.send(path, {"reason": REASON})
    assert (answer.status_code, answer.location) == (303, "/models/")
    (row,) = clinic.asked()
    assert (row.state, row.reason, row.back) == ("waiting", REASON, False)
    action, details = clinic.last()
    assert action == "model.promotion_asked"
    assert details["reason"] == REASON
    page = clinic.alice.get("/models/").text
    assert "Being written on the ledger" in page
    assert 'data-hx-get="/models/now"' in page
    assert "Being written" in clinic.alice.get("/models/now").text
    # A second one has to wait for it.
    assert clinic.alice.get(path).status_code == 303
    assert "wait for it" in clinic.alice.get("/models/").text


def test_a_model_has_one_name_that_leads_to_its_version(clinic: Clinic) -> None:
    short = clinic.training[:8]
    name = f"ersion 1 ({short}, round 1)"
    strip = f'#version-{short}">version 1<span class="origin"> ({short}, round 1)</span></a>'
    for browser in (clinic.alice, clinic.auditor):
        assert f'id="version-{short}"' in browser.get("/models/").text
        assert strip in browser.get("/models/").text
    assert f'/models/#version-{short}">V{name}</a>' in clinic.alice.get("/admin/").text
    assert f"this model: v{name} of" in clinic.alice.get(f"/admin/trainings/{clinic.training}").text
    assert f"V{name}</a>" in clinic.alice.get(f"/models/{OTHER}/promote").text
    assert f", v{name}" in clinic.operator.get("/operator/").text


def test_only_an_older_version_is_rolled_back_to(clinic: Clinic) -> None:
    with clinic.services.database.transaction() as session:
        first = session.scalars(select(PromotionRow)).one()
        columns = {one.name: getattr(first, one.name) for one in PromotionRow.__table__.columns}
        other = {"training_id": OTHER, "model_sha256": "cd" * 32, "position": 1}
        session.add(PromotionRow(**columns | other | {"id": first.id + 1}))
    button = 'Roll back<span class="visually-hidden"> to version 1 of'
    assert button in clinic.alice.get("/models/").text
    assert "Roll back to version 1" in clinic.alice.get(f"/models/{clinic.training}/promote").text
    with clinic.services.database.transaction() as session:
        session.get_one(PromotionRow, first.id).position = 2
    page = clinic.alice.get("/models/").text
    assert 'Use again<span class="visually-hidden"> version 2 of' in page
    assert "Roll" not in page
    asked = clinic.alice.get(f"/models/{OTHER}/promote").text
    assert "Use again version 2" in asked
    assert "Roll" not in asked
    clinic.alice.send(f"/models/{OTHER}/promote", {"reason": REASON})
    assert clinic.last()[0] == "model.use_again_asked"


def test_the_page_is_loaded_again_when_nothing_waits(clinic: Clinic) -> None:
    assert clinic.alice.get("/models/now").headers["HX-Refresh"] == "true"


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("simulation", {"attack": "label-flip", "attackers": ["Hungary"]}, "never for use"),
        ("state", "failed", ""),
    ],
)
def test_what_cannot_be_used_cannot_be_promoted(
    clinic: Clinic, column: str, value: Any, told: str
) -> None:
    clinic.change(**{column: value})
    assert f"/models/{OTHER}/promote" not in clinic.alice.get("/models/").text
    answer = clinic.alice.send(f"/models/{OTHER}/promote", {"reason": REASON})
    assert answer.status_code == (303 if told else 404)
    assert told in clinic.alice.get("/models/").text
    assert clinic.asked() == []


def test_the_page_of_a_training_tells_whether_its_model_is_used(clinic: Clinic) -> None:
    used = clinic.alice.get(f"/admin/trainings/{clinic.training}").text
    assert "Doctors use this model: version 1" in used
    other = clinic.alice.get(f"/admin/trainings/{OTHER}").text
    assert "This model, version 2 (abababab, round 1), is not in use" in other
    assert f'href="/models/{OTHER}/promote"' in other


def by_file(path: Path, patient: dict[str, float | None]) -> list[float]:
    """The probabilities by nothing but the file, the encoding of values and the network's shape."""
    with safe_open(str(path), framework="np") as file:
        told = file.metadata()
        parameters = {name: file.get_tensor(name) for name in json.loads(told["tensors"])}
    task = get_task(told["task"])
    names = [column["name"] for column in json.loads(told["columns"])]
    values = np.array([[float("nan") if patient.get(n) is None else patient[n] for n in names]])
    statistics = Statistics.from_json(task, told["statistics"])
    inputs = encode(task, values.astype(np.float64), statistics)
    classes = json.loads(told["classes"])
    spec = NetworkSpec(told["network"], inputs.shape[1], len(classes))
    with torch.inference_mode():
        logits = build(spec, parameters).double()(torch.from_numpy(inputs).double())
    shares: list[float] = torch.softmax(logits, dim=1)[0].tolist()
    return shares


@pytest.mark.parametrize("who", ["alice", "auditor", "operator"])
def test_the_file_is_the_model_and_predicts_the_same(
    clinic: Clinic, who: str, tmp_path: Path
) -> None:
    browser: Browser = getattr(clinic, who)
    start = "/operator/models" if who == "operator" else "/models"
    answer = browser.get(f"{start}/{clinic.training}/file")
    name = f"model-heart-{clinic.model[:8]}.safetensors"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert clinic.last()[0] == "model.downloaded"
    path = tmp_path / name
    path.write_bytes(answer.data)
    with safe_open(str(path), framework="np") as file:
        told = file.metadata()
        parameters = {one: file.get_tensor(one) for one in json.loads(told["tensors"])}
    assert sha256(model_bytes(told["network"], parameters)).hexdigest() == clinic.model
    assert told["model_sha256"] == clinic.model
    assert (told["training"], told["rounds"]) == (clinic.training, "1")
    services = clinic.services
    predicted = Predictions(services.database, services.open_ledger).predict("heart", PATIENT)
    # The model's own score; what doctors read is calibrated besides.
    assert by_file(path, PATIENT)[-1] == predicted.score
    assert json.loads(told["classes"]) == list(predicted.probability)


def test_what_the_chain_does_not_name_is_not_handed_out(clinic: Clinic) -> None:
    """Neither a version that only the database has, nor altered bytes, nor an attacked model."""
    answer = clinic.alice.get(f"/models/{OTHER}/file")
    assert (answer.status_code, answer.location) == (303, "/models/")
    assert clinic.last()[0] == "model.refused"
    with clinic.services.database.transaction() as session:
        session.execute(update(ResultRow).filter_by(sha256=clinic.model).values(body=b"other"))
    assert clinic.alice.get(f"/models/{clinic.training}/file").status_code == 303
    assert "was altered" in clinic.alice.get("/models/").text
    clinic.change(simulation={"attack": "label-flip", "attackers": ["Hungary"]})
    assert clinic.alice.get(f"/models/{OTHER}/file").status_code == 303
    assert "no model of this training for use" in clinic.alice.get("/models/").text
    assert clinic.alice.get(f"/models/{'0' * 64}/file").status_code == 404
