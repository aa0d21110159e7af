"""A prediction is plain inference with the model that the chain names, or refused with a reason."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sqlalchemy import select, text

from app.database import Database
from app.errors import ModelRefused, RequestError
from app.models import EvaluationRow
from app.services.calibrations import Reports
from app.services.chain_access import ChainAccess
from app.services.device_model import device_file
from app.services.predictions import Predictions
from contracts.chain import ChainEndpoint, connect
from contracts.errors import ChainUnreachable
from contracts.reader import LedgerReader
from contracts.records import TrainingRecord
from crypto.digest import load_model, model_bytes
from fl.calibration import fit
from fl.datasets import Statistics, get_task
from tests.app.device_reader import DeviceReader
from tests.app.installations import settings_of
from tests.app.patients import random_patients

PATIENT: dict[str, float | None] = {
    "age": 63,
    "sex": 1,
    "cp": 3,
    "trestbps": 145,
    "chol": None,
    "fbs": 1,
    "restecg": 2,
    "thalch": 108,
    "exang": 1,
    "oldpeak": 2.3,
}


class Installation:
    """A copy of a trained installation whose chain runs, to be altered."""

    def __init__(self, folder: Path) -> None:
        self.settings = settings_of(folder)
        self.database = Database(self.settings.database)
        self.access = ChainAccess(self.settings, self.database)
        self.predictions = Predictions(self.database, self.access.open)

    def value(self, query: str, **values: object) -> Any:
        with self.database.transaction() as session:
            return session.execute(text(query), values).scalar_one()

    @contextmanager
    def altered(self, table: str, key: str, row: str, column: str, value: object) -> Iterator[None]:
        """The value stands in the row until the end."""
        where = f"FROM {table} WHERE {key} = :row"
        before = self.value(f"SELECT {column} {where}", row=row)
        change = f"UPDATE {table} SET {column} = :value WHERE {key} = :row"
        for given in (value, before):
            if given is before:
                yield
            with self.database.transaction() as session:
                session.execute(text(change), {"value": given, "row": row})

    @property
    def training(self) -> str:
        return str(self.value("SELECT id FROM trainings ORDER BY ended_at DESC LIMIT 1"))

    def of_training(self, column: str) -> str:
        query = f"SELECT {column} FROM trainings WHERE id = :training"
        return str(self.value(query, training=self.training))

    def digest(self, what: str) -> str:
        return self.of_training(f"{what}_sha256")

    def body(self, what: str) -> bytes:
        query = "SELECT body FROM results WHERE sha256 = :digest"
        return bytes(self.value(query, digest=self.digest(what)))


@pytest.fixture(scope="module")
def folder(
    trained: Mapping[str, Any], trained_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("predictions") / "instance"
    shutil.copytree(trained_folder, folder)
    (folder / "chain.json").unlink()
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[ChainEndpoint]:
    with connect(folder) as endpoint:
        yield endpoint


@pytest.fixture
def installation(folder: Path, running: ChainEndpoint) -> Iterator[Installation]:
    made = Installation(folder)
    yield made
    made.database.close()


def by_hand(installation: Installation, patient: Mapping[str, float | None]) -> list[float]:
    """Softmax of the network's output, written out with torch's functions alone."""
    task = get_task("heart")
    statistics = Statistics.from_json(task, installation.body("statistics").decode())
    inputs: list[float] = []
    for column in task.columns:
        value = patient.get(column.name)
        missing = value is None
        if column.kind == "category":
            inputs += [
                float("nan") if missing else float(value == position)
                for position in range(len(column.categories))
            ]
        else:
            centre, half = (column.high + column.low) / 2, (column.high - column.low) / 2
            inputs.append(float("nan") if value is None else (value - centre) / half)
    deviation = statistics.deviation
    standard = (np.array(inputs) - statistics.mean) / np.where(deviation > 0, deviation, np.inf)
    tensor = torch.tensor(np.clip(np.nan_to_num(standard), -8, 8), dtype=torch.float32)
    _, parameters = load_model(installation.body("model"))
    for layer in ("0", "2", "4"):
        weight, bias = (torch.tensor(parameters[f"{layer}.{part}"]) for part in ("weight", "bias"))
        tensor = weight @ tensor + bias
        tensor = tensor if layer == "4" else tensor.clamp(min=0)
    shares: list[float] = torch.softmax(tensor.double(), 0).tolist()
    return shares


@pytest.mark.parametrize(
    "patient", [PATIENT, {"age": 40}, {**PATIENT, "sex": 0, "cp": 0, "oldpeak": None}]
)
def test_the_probability_is_that_of_plain_inference(
    installation: Installation, patient: dict[str, float | None]
) -> None:
    prediction = installation.predictions.predict("heart", patient)
    assert list(prediction.probability) == list(get_task("heart").classes)
    score = by_hand(installation, patient)[-1]
    assert prediction.score == pytest.approx(score, abs=1e-6)
    assert prediction.probability["heart disease"] == pytest.approx(
        calibrated(installation, score), abs=1e-6
    )
    assert sum(prediction.probability.values()) == pytest.approx(1)
    low, high = prediction.interval or (1, 0)
    assert low < prediction.probability["heart disease"] < high
    assert prediction.explanation.risk == pytest.approx(
        prediction.probability["heart disease"], abs=1e-6
    )


def calibrated(installation: Installation, score: float) -> float:
    """By the curve of all hospitals' counts, none of which is more than twice the median."""
    with installation.database.transaction() as session:
        found = session.scalars(select(EvaluationRow)).all()
        curve = fit(sum(np.array(one.score_counts, dtype=float) for one in found))
    assert curve is not None
    return float(curve.apply(np.array(score)))


def test_a_report_without_its_hospitals_signature_is_not_calibrated_by(
    installation: Installation,
) -> None:
    before = installation.predictions.predict("heart", PATIENT).calibration
    assert before is not None
    row = installation.value(
        "SELECT MIN(m.id) FROM messages m JOIN attempts a ON a.id = m.attempt_id "
        "WHERE m.kind = 'report' AND a.round = 1"
    )
    body = installation.value("SELECT body FROM messages WHERE id = :row", row=row)
    altered = body[:-1] + bytes([body[-1] ^ 1])
    with installation.altered("messages", "id", str(row), "body", altered):
        after = installation.predictions.predict("heart", PATIENT).calibration
    assert after is not None
    assert after.rows < before.rows


def test_without_reports_the_models_own_score_is_told(installation: Installation) -> None:
    with installation.database.transaction() as session:
        session.execute(text("UPDATE messages SET kind = 'gone' WHERE kind = 'report'"))
    try:
        found = installation.predictions.predict("heart", PATIENT)
    finally:
        with installation.database.transaction() as session:
            session.execute(text("UPDATE messages SET kind = 'report' WHERE kind = 'gone'"))
    assert found.calibration is None
    assert found.interval is None
    assert found.probability["heart disease"] == pytest.approx(found.score, abs=1e-6)


@pytest.fixture
def without_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reasons take most of a prediction's time."""
    monkeypatch.setattr("app.services.predictions.explain", lambda *_: None)


def test_a_devices_file_gives_the_servers_answers(
    installation: Installation, without_reasons: None
) -> None:
    """Missing values and the ends of the ranges included; without a calibration, too."""
    model = installation.predictions.load("heart")
    reader = DeviceReader(device_file(model))
    assert sha256(reader.model).hexdigest() == model.check.model_sha256
    statistics = reader.file["statistics"].encode()
    assert sha256(statistics).hexdigest() == installation.digest("statistics")
    assert model.statistics_sha256 == installation.digest("statistics")
    plain = DeviceReader(device_file(dataclasses.replace(model, reports=Reports({}))))
    for patient in random_patients(get_task("heart"), 12):
        found = installation.predictions.predict("heart", patient)
        risk, interval = reader.risk(patient)
        assert risk == pytest.approx(found.probability["heart disease"], abs=1e-9)
        assert interval == pytest.approx(found.interval, abs=1e-9)
        assert plain.risk(patient) == (pytest.approx(found.score, abs=1e-9), None)


def test_patients_differ(installation: Installation) -> None:
    one = installation.predictions.predict("heart", PATIENT)
    other = installation.predictions.predict("heart", {**PATIENT, "age": 30, "cp": 1, "exang": 0})
    assert one.probability != other.probability


def test_it_says_which_model_was_checked_where(
    installation: Installation, trained: Mapping[str, Any]
) -> None:
    prediction = installation.predictions.predict("heart", PATIENT)
    assert prediction.model_sha256 == trained["model_sha256"]
    assert prediction.version == f"version 1 ({installation.training[:8]}, round 1)"
    assert prediction.contract == installation.value("SELECT contract FROM deployments")
    assert prediction.block > 0
    check = installation.predictions.check("heart")
    assert (check.model_sha256, check.block) == (prediction.model_sha256, prediction.block)
    model = installation.predictions.find_model("heart")
    assert model is not None
    assert model.version == prediction.version


def test_without_a_finished_training_there_is_no_model(installation: Installation) -> None:
    assert installation.predictions.find_model("diabetes") is None
    with pytest.raises(ModelRefused, match="No training of diabetes has finished yet"):
        installation.predictions.predict("diabetes", {"Glucose": 100.0})


def refusal(installation: Installation) -> str:
    with pytest.raises(ModelRefused) as refused:
        installation.predictions.predict("heart", PATIENT)
    return str(refused.value)


@pytest.mark.parametrize("what", ["model", "statistics"])
@pytest.mark.parametrize("place", [0, 20, -1])
def test_one_altered_byte_is_refused(installation: Installation, what: str, place: int) -> None:
    body = bytearray(installation.body(what))
    body[place] ^= 1
    with installation.altered("results", "sha256", installation.digest(what), "body", bytes(body)):
        assert f"The stored {what} w" in refusal(installation)
        assert "altered: the bytes hash to" in refusal(installation)


def test_another_model_under_the_right_name_is_refused(installation: Installation) -> None:
    network, parameters = load_model(installation.body("model"))
    parameters["4.bias"] = -parameters["4.bias"]
    other = model_bytes(network, parameters)
    with installation.altered("results", "sha256", installation.digest("model"), "body", other):
        assert "The stored model was altered" in refusal(installation)


@pytest.mark.parametrize("what", ["model", "statistics", "plan"])
def test_an_altered_hash_is_refused(installation: Installation, what: str) -> None:
    training, wrong = installation.training, "0" * 64
    with installation.altered("trainings", "id", training, f"{what}_sha256", wrong):
        assert f"The chain names another {what} than the database" in refusal(installation)


def test_an_altered_plan_is_refused(installation: Installation) -> None:
    plan = installation.of_training("plan").replace('"epochs":3', '"epochs":4')
    with installation.altered("trainings", "id", installation.training, "plan", plan):
        assert "The stored plan was altered" in refusal(installation)


def test_a_model_that_is_gone_is_refused(installation: Installation) -> None:
    digest = installation.digest("model")
    with installation.altered("results", "sha256", digest, "body", b""):
        assert "The stored model was altered" in refusal(installation)
    with installation.database.transaction() as session:
        session.execute(text("UPDATE results SET sha256 = 'x' WHERE sha256 = :d"), {"d": digest})
    try:
        assert "The model that the chain names is not in the database" in refusal(installation)
    finally:
        with installation.database.transaction() as session:
            session.execute(
                text("UPDATE results SET sha256 = :d WHERE sha256 = 'x'"), {"d": digest}
            )


def test_a_training_that_the_chain_does_not_know_is_refused(installation: Installation) -> None:
    class Forgetful(LedgerReader):
        def training(self, training: bytes) -> TrainingRecord:
            return super().training(bytes(32))

    assert "holds no record of the model's training" in refused_by(installation, Forgetful)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("model", bytes(31) + b"\x01", "The chain names another model"),
        ("statistics", bytes(31) + b"\x01", "The chain names another statistics"),
        ("config_hash", bytes(31) + b"\x01", "The chain names another plan"),
        ("statistics", None, "The chain holds no statistics"),
        ("reason", "stopped on request", "does not say that the model's training finished"),
    ],
)
def test_another_record_on_the_chain_is_refused(
    installation: Installation, field: str, value: object, sentence: str
) -> None:
    class Other(LedgerReader):
        def training(self, training: bytes) -> TrainingRecord:
            return dataclasses.replace(super().training(training), **{field: value})  # type: ignore[arg-type]

    assert sentence in refused_by(installation, Other)


def refused_by(installation: Installation, kind: type[LedgerReader]) -> str:
    """What is said when the chain answers as this kind of reader tells."""

    def open_ledger() -> LedgerReader:
        real = installation.access.open()
        real.close()
        return kind(real.rpc_url, real.contract)

    with pytest.raises(ModelRefused) as refused:
        Predictions(installation.database, open_ledger).predict("heart", PATIENT)
    return str(refused.value)


def test_an_unreachable_chain_is_refused(installation: Installation) -> None:
    def nobody() -> LedgerReader:
        raise ChainUnreachable("http://127.0.0.1:1", "connection refused")

    with pytest.raises(ModelRefused, match="The chain cannot be reached"):
        Predictions(installation.database, nobody).predict("heart", PATIENT)


def test_a_stopped_embedded_chain_is_not_started_by_a_prediction(
    folder: Path, installation: Installation, tmp_path: Path
) -> None:
    settings = settings_of(tmp_path)
    access = ChainAccess(settings, installation.database)
    with pytest.raises(ModelRefused, match="The chain cannot be reached"):
        Predictions(installation.database, access.open).predict("heart", PATIENT)
    assert list(tmp_path.iterdir()) == []


def test_another_chain_is_refused(installation: Installation, chain: ChainEndpoint) -> None:
    access = ChainAccess(
        settings_of(installation.settings.instance_dir, chain), installation.database
    )
    with pytest.raises(ModelRefused, match="this installation's chain, found another one"):
        Predictions(installation.database, access.open).predict("heart", PATIENT)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "at least one value"),
        (dict.fromkeys(PATIENT), "at least one value"),
        ({"age": 17}, "Age: expected 18 to 100 years, got 17"),
        ({"age": float("nan")}, "Age: expected 18 to 100"),
        ({"age": float("inf")}, "Age: expected 18 to 100"),
        ({"sex": 2}, "Sex: expected one of female, male, got 2"),
        ({"cp": 0.5}, "Chest pain: expected one of"),
        ({"age": 50, "shoe size": 40}, "got shoe size"),
    ],
)
def test_a_value_that_its_column_does_not_allow_is_refused(
    installation: Installation, values: dict[str, float | None], sentence: str
) -> None:
    with pytest.raises(RequestError, match=sentence):
        installation.predictions.predict("heart", values)
