"""A batch waits sealed to its doctor, is answered in pieces by one model, and is gone in time."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from app.database import Database
from app.doctor.reasons import unlike
from app.errors import ModelRefused, RequestError
from app.models import BatchPieceRow, BatchRow
from app.models.base import now
from app.services.audit import AuditLog
from app.services.batch_answers import answer_rows
from app.services.batch_sealing import About, Row, Wrong
from app.services.batches import (
    CHECKED,
    DONE,
    KEPT_FOR,
    MOST_BATCHES,
    PIECE,
    RUNNING,
    Batches,
    erase_overdue,
)
from app.services.calibrations import Reports
from app.services.predictions import Check, CheckedModel
from crypto.box import seal_box
from crypto.own_box import LABEL
from fl.datasets import Statistics, get_task
from fl.datasets.statistics import local_sums
from fl.networks import NetworkSpec, initial_parameters
from tests.app.clinic import Clinic, Doctor

TASK = get_task("diabetes")
# Values and texts that stand nowhere else.
ODD = 47.71823
SECRET, WRONG = "ward-7-bed-Lindqvist", "LindqvistssonGreta"
ABOUT = About(
    columns=tuple(one.name for one in TASK.columns),
    taken=(("BMI", "Body mass index", "kg/m²"),),
    unused=("HeadingOfLindqvist",),
    reference="Reference",
    wrong=(Wrong(7, SECRET, "Age", "a number", WRONG),),
    doubtful=1,
    examples=0,
)


class Models:
    """Stands for the model in use: one that another can be put in the place of."""

    def __init__(self) -> None:
        self.seed = 1
        self.refusal = ""

    def load(self, task: str) -> CheckedModel:
        assert task == TASK.name
        if self.refusal:
            raise ModelRefused(self.refusal)
        return model_of(self.seed)


def model_of(seed: int) -> CheckedModel:
    """A model with random weights, and the statistics of the published rows."""
    spec = NetworkSpec("mlp", TASK.inputs, len(TASK.classes))
    rows = np.concatenate([table.features for table in TASK.load().values()])
    check = Check(f"{seed:064x}", f"version {seed}", now(), 5, "0x" + "ab" * 20, "cd" * 32, 2)
    plan: Any = SimpleNamespace(data=TASK, spec=spec)
    statistics = Statistics.from_sums(TASK, local_sums(TASK, rows))
    parameters = initial_parameters(spec, seed)
    return CheckedModel(plan, statistics, "cd" * 32, parameters, check, Reports({}))


def rows_of(count: int) -> list[Row]:
    """Rows whose glucose tells them apart; of the second a value is unusual."""
    glucose = TASK.columns.index(next(one for one in TASK.columns if one.name == "Glucose"))
    found = []
    for number in range(count):
        values: list[float | None] = [None] * len(TASK.columns)
        values[glucose] = 60 + number / 4
        values[5] = ODD
        doubts = ("Body mass index, 47.71823 kg/m²: unusual.",) if number == 1 else ()
        found.append(Row(number + 2, f"{SECRET}-{number}", tuple(values), doubts))
    return found


class Ward(Clinic):
    """A clinic whose doctors send files."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.models = Models()
        self.batches = self.served(self.database)

    def served(self, database: Database) -> Batches:
        models: Any = self.models
        return Batches(database, AuditLog(database), models, self.clock)

    def send(self, who: Doctor, count: int) -> str:
        return self.batches.add(who.row, who.key, TASK.name, ABOUT, rows_of(count))

    def finish(self, who: Doctor, batch: str) -> int:
        """Ask for pieces until all is answered; how many it took."""
        for asked in range(1, 100):
            self.batches.advance(who.row, who.key, batch, unlike)
            found = self.batches.find(who.row, batch)
            assert found is not None
            if found.state == DONE:
                return asked
        raise AssertionError("expected it to end")

    def dump(self) -> bytes:
        with closing(sqlite3.connect(self.path)) as connection:
            text = "\n".join(connection.iterdump()).encode()
        files = self.path.parent.glob(f"{self.path.name}*")
        return text + b"".join(one.read_bytes() for one in files)


@pytest.fixture
def ward(migrated: Path, tmp_path: Path) -> Iterator[Ward]:
    made = Ward(Path(shutil.copy(migrated, tmp_path / "ward.db")))
    yield made
    made.database.close()


@pytest.fixture
def bea(ward: Ward) -> Doctor:
    return ward.doctor("bea")


def state(ward: Ward, who: Doctor, batch: str) -> tuple[str, int]:
    found = ward.batches.find(who.row, batch)
    assert found is not None
    return found.state, found.answered


def test_it_is_answered_in_pieces_with_what_the_model_says_of_each_row(
    ward: Ward, bea: Doctor
) -> None:
    batch = ward.send(bea, 2 * PIECE + 1)
    assert state(ward, bea, batch) == (CHECKED, 0)
    assert ward.batches.about(bea.row, bea.key, batch) == ABOUT
    ward.batches.start(bea.row, batch, with_unusual=True)
    for answered in (PIECE, 2 * PIECE):
        assert not ward.batches.advance(bea.row, bea.key, batch, unlike)
        assert state(ward, bea, batch) == (RUNNING, answered)
        with pytest.raises(RequestError, match="Not every row has its answer yet"):
            ward.batches.answered(bea.row, bea.key, batch)
    ward.batches.advance(bea.row, bea.key, batch, unlike)
    assert state(ward, bea, batch) == (DONE, 2 * PIECE + 1)

    found = ward.batches.answered(bea.row, bea.key, batch)
    assert [row for row, _ in found.rows] == rows_of(2 * PIECE + 1)
    assert (found.version, found.model_sha256) == ("version 1", f"{1:064x}")
    risks = [answer.risk for _, answer in found.rows if answer is not None]
    assert len(set(risks)) == 2 * PIECE + 1
    for row, answer in found.rows[::40]:
        (alone,) = answer_rows(model_of(1), [row], True, unlike).rows
        assert answer is not None
        assert alone is not None
        assert answer.risk == pytest.approx(alone.risk, abs=1e-12)
        assert answer.warnings == alone.warnings
    second = found.rows[1][1]
    assert second is not None
    assert second.warnings[0] == rows_of(2)[1].doubts[0]


def test_unusual_rows_are_left_out_unless_somebody_says_that_they_are_right(
    ward: Ward, bea: Doctor
) -> None:
    batch = ward.send(bea, 3)
    assert [one.line for one in ward.batches.doubtful(bea.row, bea.key, batch, 10)] == [3]
    ward.batches.start(bea.row, batch, with_unusual=False)
    assert ward.finish(bea, batch) == 1
    answers = [one for _, one in ward.batches.answered(bea.row, bea.key, batch).rows]
    assert [one is None for one in answers] == [False, True, False]


def test_it_goes_on_after_a_restart(ward: Ward, bea: Doctor) -> None:
    batch = ward.send(bea, PIECE + 5)
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.batches.advance(bea.row, bea.key, batch, unlike)
    ward.database.close()
    again = Database(f"sqlite:///{ward.path}")
    try:
        served = ward.served(again)
        key = ward.keys.find(bea.token, bea.browser)
        assert key is not None
        (found,) = served.mine(bea.row)
        assert (found.state, found.answered) == (RUNNING, PIECE)
        served.advance(bea.row, key, batch, unlike)
        assert len(served.answered(bea.row, key, batch).rows) == PIECE + 5
    finally:
        again.close()


def test_another_model_in_use_begins_it_anew(ward: Ward, bea: Doctor) -> None:
    batch = ward.send(bea, PIECE + 5)
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.batches.advance(bea.row, bea.key, batch, unlike)
    ward.models.seed = 2
    assert ward.batches.advance(bea.row, bea.key, batch, unlike)
    assert state(ward, bea, batch) == (RUNNING, PIECE)
    assert ward.finish(bea, batch) == 1
    found = ward.batches.answered(bea.row, bea.key, batch)
    assert found.version == "version 2"
    by_second = answer_rows(model_of(2), rows_of(PIECE + 5), True, unlike).rows
    assert [a.risk for _, a in found.rows if a] == pytest.approx([a.risk for a in by_second if a])
    # A finished one stays as it is until somebody asks again.
    ward.models.seed = 3
    assert not ward.batches.advance(bea.row, bea.key, batch, unlike)
    assert ward.batches.answered(bea.row, bea.key, batch).version == "version 2"
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.finish(bea, batch)
    assert ward.batches.answered(bea.row, bea.key, batch).version == "version 3"


def test_a_refused_model_loses_nothing(ward: Ward, bea: Doctor) -> None:
    batch = ward.send(bea, PIECE + 5)
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.batches.advance(bea.row, bea.key, batch, unlike)
    ward.models.refusal = "The stored model was altered."
    with pytest.raises(ModelRefused):
        ward.batches.advance(bea.row, bea.key, batch, unlike)
    assert state(ward, bea, batch) == (RUNNING, PIECE)
    ward.models.refusal = ""
    assert ward.finish(bea, batch) == 1


def test_nobody_else_has_it(ward: Ward, bea: Doctor) -> None:
    carl, batch = ward.doctor("carl"), ward.send(bea, 2)
    assert ward.batches.find(carl.row, batch) is None
    assert ward.batches.mine(carl.row) == []
    for refused in (
        lambda: ward.batches.about(carl.row, carl.key, batch),
        lambda: ward.batches.start(carl.row, batch, True),
        lambda: ward.batches.advance(carl.row, carl.key, batch, unlike),
        lambda: ward.batches.answered(carl.row, carl.key, batch),
        lambda: ward.batches.doubtful(carl.row, carl.key, batch, 5),
        lambda: ward.batches.delete(carl.row, batch),
    ):
        with pytest.raises(RequestError, match="not there any more"):
            refused()
    assert state(ward, bea, batch) == (CHECKED, 0)
    # Nor when the database says that it is carl's: it is sealed to bea's key.
    ward.altered(BatchRow, user_id=carl.row.id)
    with pytest.raises(RequestError, match="sealed to a key"):
        ward.batches.about(carl.row, carl.key, batch)
    ward.altered(BatchRow, key_id=carl.key.number)
    with pytest.raises(RequestError, match="was altered"):
        ward.batches.about(carl.row, carl.key, batch)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        (BatchRow, {"rows": 3}),
        (BatchRow, {"task": "heart"}),
        (BatchRow, {"model_sha256": "0" * 64}),
        (BatchPieceRow, {"number": 1}),
        (BatchPieceRow, {"sealed": b"x" * 200}),
        (BatchPieceRow, {"answers": b"x" * 200}),
    ],
)
def test_what_was_altered_is_told_never_shown(
    ward: Ward, bea: Doctor, table: type, values: dict[str, object]
) -> None:
    batch = ward.send(bea, 2)
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.finish(bea, batch)
    ward.altered(table, **values)
    with pytest.raises(RequestError, match="was altered"):
        ward.batches.answered(bea.row, bea.key, batch)


def test_who_has_the_public_key_cannot_put_answers_there(ward: Ward, bea: Doctor) -> None:
    batch = ward.send(bea, 2)
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.finish(bea, batch)
    items = (batch, TASK.name, bea.row.id, 2, 0, f"{1:064x}")
    purpose = "consilium/batch-answers/v1"
    forged = seal_box(bea.key.private.public_key(), bytes(32) + b"\xa0", purpose, LABEL, *items)
    ward.altered(BatchPieceRow, answers=forged)
    with pytest.raises(RequestError, match="was altered"):
        ward.batches.answered(bea.row, bea.key, batch)


def test_the_database_never_has_a_row_s_value(ward: Ward, bea: Doctor) -> None:
    batch = ward.send(bea, PIECE + 5)
    dumps = [ward.dump()]
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.batches.advance(bea.row, bea.key, batch, unlike)
    dumps.append(ward.dump())
    ward.finish(bea, batch)
    dumps.append(ward.dump())
    risk = ward.batches.answered(bea.row, bea.key, batch).rows[0][1]
    assert risk is not None
    odd = np.float64(ODD).tobytes()
    for dumped in dumps:
        assert batch.encode() in dumped
        for secret in (SECRET.encode(), WRONG.encode(), b"HeadingOf", str(ODD).encode(), odd):
            assert secret not in dumped
        assert odd[::-1] not in dumped
        assert odd[::-1].hex().upper().encode() not in dumped
        assert np.float64(risk.risk).tobytes()[::-1] not in dumped


def test_the_audit_log_tells_who_and_how_many_and_of_which_model(ward: Ward, bea: Doctor) -> None:
    batch = ward.send(bea, 3)
    ward.batches.start(bea.row, batch, with_unusual=True)
    ward.finish(bea, batch)
    ward.batches.delete(bea.row, batch)
    told = [one for one in ward.audit.every() if one.subject == batch]
    actions = ["batch.uploaded", "batch.started", "batch.finished", "batch.deleted"]
    assert [(one.actor, one.action) for one in told] == [("bea", action) for action in actions]
    assert told[2].details == f'{{"model_sha256":"{1:064x}","rows":3,"task":"diabetes"}}'
    with ward.database.transaction() as session:
        assert session.scalars(select(BatchPieceRow)).all() == []


def test_it_is_erased_when_its_time_is_over(ward: Ward, bea: Doctor) -> None:
    late, early = ward.send(bea, 2), ward.send(bea, 2)
    with ward.database.transaction() as session:
        at = session.get_one(BatchRow, late).until
        session.execute(update(BatchRow).filter_by(id=early).values(until=at - timedelta(days=1)))
    assert erase_overdue(ward.database, ward.audit, at - timedelta(days=2)) == 0
    assert erase_overdue(ward.database, ward.audit, at - timedelta(hours=1)) == 1
    assert [one.id for one in ward.batches.mine(bea.row)] == [late]
    assert [one.action for one in ward.audit.every() if one.subject == early][-1] == "batch.lapsed"
    # Nobody sees it any more from then on, also while no worker has looked.
    ward.clock.late = KEPT_FOR + timedelta(seconds=1)
    assert ward.batches.find(bea.row, late) is None
    assert isinstance(at, datetime)


def test_a_batch_without_a_good_row_tells_its_problems_and_cannot_begin(
    ward: Ward, bea: Doctor
) -> None:
    batch = ward.batches.add(bea.row, bea.key, TASK.name, replace(ABOUT, doubtful=0), [])
    assert ward.batches.about(bea.row, bea.key, batch).wrong == ABOUT.wrong
    with pytest.raises(RequestError, match="No row of this file"):
        ward.batches.start(bea.row, batch, with_unusual=True)


def test_one_doctor_has_so_many_files_at_most(ward: Ward, bea: Doctor) -> None:
    for _ in range(MOST_BATCHES):
        ward.send(bea, 1)
    with pytest.raises(RequestError, match="delete one"):
        ward.send(bea, 1)
    assert ward.send(ward.doctor("carl"), 1)


def test_a_file_read_for_other_columns_is_not_answered(ward: Ward, bea: Doctor) -> None:
    about = replace(ABOUT, columns=tuple(reversed(ABOUT.columns)))
    batch = ward.batches.add(bea.row, bea.key, TASK.name, about, rows_of(2))
    ward.batches.start(bea.row, batch, with_unusual=True)
    with pytest.raises(RequestError, match="columns have changed"):
        ward.batches.advance(bea.row, bea.key, batch, unlike)
