"""Trainings take the cases that doctors confirmed: with their hospital's rows, until they end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from app.models import CaseRow
from app.services.federation import Federation, open_federation
from app.services.parties import load_tables
from app.services.patient_consent import REFUSED, Consent
from app.services.record_entries import TRUE, Outcome
from app.services.requests import TrainingRequest
from app.services.simulation import Simulation
from app.services.training_cases import count_cases, with_cases
from app.services.trainings import Trainings
from app.services.verification import Verification
from fl.datasets import split
from tests.app.clinic import Clinic, Doctor
from tests.app.installations import settings_of
from tests.app.test_cases import ASKED, WILLING, willing, works

pytestmark = pytest.mark.slow

UNWILLING = replace(WILLING, consent=Consent("agreed", REFUSED, "2020-01-03", "", "bea"))


class Interrupted(Exception):
    """What ends a training's process in the middle."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path_factory.mktemp("cases") / "instance")) as made:
        yield made


@pytest.fixture(scope="module")
def clinic(federation: Federation) -> Clinic:
    return Clinic(Path(str(federation.database.engine.url.database)), federation.key_ring)


@pytest.fixture(scope="module")
def doctors(clinic: Clinic) -> list[Doctor]:
    """Three at Cleveland, and a fourth at Hungary."""
    made = [clinic.doctor(name) for name in ("bea", "carl", "dora", "eve")]
    for doctor, hospital in zip(made, (*["Cleveland"] * 3, "Hungary"), strict=True):
        works(clinic, doctor, hospital)
    return made


@pytest.fixture
def patient(clinic: Clinic, doctors: list[Doctor]) -> Iterator[str]:
    """One whose case Cleveland has."""
    bea, carl, dora, _ = doctors
    made = confirmed(clinic, bea, carl, dora)
    yield made
    clinic.records.erase(bea.row, bea.key, made)


def confirmed(clinic: Clinic, *group: Doctor) -> str:
    made = willing(clinic, *group)
    outcome = Outcome(ASKED.reference, TRUE, "2024-01-02")
    clinic.outcomes.note(group[0].row, group[0].key, made, outcome)
    return made


def declared(federation: Federation, training: str, round: int) -> dict[str, int]:
    """The rows that each hospital declared on the ledger for a round's first attempt."""
    events = federation.ledger.events(bytes.fromhex(training))
    plan = Trainings(federation).plan_of(training)
    return {
        plan.name_of(str(event.values["hospital"])): int(event.values["samples"])
        for event in events
        if event.name == "Submitted" and event.key.round == round
    }


def kept(federation: Federation) -> list[Path]:
    return list((federation.settings.instance_dir / "parties").glob("*/state/*/cases"))


def test_a_case_is_trained_on_and_serves_for_nothing_else(
    federation: Federation, patient: str
) -> None:
    del patient
    trainings = Trainings(federation)
    assert count_cases(federation.database, "heart") == {"Cleveland": 1}
    plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1))
    own = {name: split(table, plan.split) for name, table in load_tables(plan).items()}
    started = trainings.start(plan)
    assert trainings.run(started, lambda _: None).finished
    rows = {name: len(part.train) for name, part in own.items()}
    assert declared(federation, started, 0) == rows
    assert declared(federation, started, 1) == rows | {"Cleveland": rows["Cleveland"] + 1}
    assert kept(federation) == []
    assert Verification(federation).run().differences == []

    attacked = trainings.start(plan, simulation=Simulation("label-flip", ("Hungary",)))
    assert trainings.run(attacked, lambda _: None).finished
    assert declared(federation, attacked, 1) == rows


def test_an_interrupted_training_goes_on_with_the_rows_that_it_began_with(
    federation: Federation, clinic: Clinic, doctors: list[Doctor], patient: str
) -> None:
    bea = doctors[0]
    trainings = Trainings(federation)
    plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1))
    started, seen = trainings.start(plan), []

    def interrupt(event: object) -> None:
        seen.append(event)
        if len(seen) == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        trainings.run(started, interrupt)
    assert len(kept(federation)) == len(plan.hospitals)
    clinic.records.revise(bea.row, bea.key, patient, UNWILLING)
    assert count_cases(federation.database, "heart") == {}
    assert trainings.run(started, lambda _: None).finished
    own = len(split(load_tables(plan)["Cleveland"], plan.split).train)
    assert declared(federation, started, 1)["Cleveland"] == own + 1
    assert kept(federation) == []

    after = trainings.start(plan)
    assert trainings.run(after, lambda _: None).finished
    assert declared(federation, after, 1)["Cleveland"] == own


def test_a_training_that_is_given_up_keeps_none(federation: Federation, patient: str) -> None:
    del patient
    trainings = Trainings(federation)
    plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1))
    started = trainings.start(plan)
    with_cases(federation, started, plan, load_tables(plan))
    assert kept(federation) != []
    trainings.give_up(started, "a trial")
    assert kept(federation) == []


def test_an_altered_case_is_left_out(
    federation: Federation, clinic: Clinic, doctors: list[Doctor], patient: str
) -> None:
    _, carl, dora, eve = doctors
    other = confirmed(clinic, eve, carl, dora)
    trainings = Trainings(federation)
    plan = trainings.plan(TrainingRequest(rounds=1, local_epochs=1))
    assert count_cases(federation.database, "heart") == {"Cleveland": 1, "Hungary": 1}
    tables = load_tables(plan)

    def lengths(training: str) -> dict[str, int]:
        found = with_cases(federation, training, plan, tables)
        return {name: len(split(table, plan.split).cases) for name, table in found.items()}

    assert {name for name, many in lengths("one").items() if many} == {"Cleveland", "Hungary"}
    with federation.database.transaction() as session:
        row = session.get_one(CaseRow, (patient, "heart"))
        right = row.sealed
        row.sealed = session.scalars(
            select(CaseRow.sealed).where(CaseRow.patient_id == other)
        ).one()
    assert {name for name, many in lengths("two").items() if many} == {"Hungary"}
    with federation.database.transaction() as session:
        session.get_one(CaseRow, (patient, "heart")).sealed = right
    assert {name for name, many in lengths("three").items() if many} == {"Cleveland", "Hungary"}
    clinic.records.erase(eve.row, eve.key, other)
