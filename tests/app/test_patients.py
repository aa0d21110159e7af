"""Patients: which care groups and attributes can be, and what the database tells of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.errors import RequestError
from app.services.openings import OPEN
from app.services.record_sealing import (
    Attributes,
)
from tests.app.clinic import GRETA, HEART, REASON, Clinic, Doctor, opened
from tests.app.people import PASSWORD


@pytest.mark.parametrize("quorum", [1, 4, 0, -1])
def test_a_quorum_is_a_majority(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor], quorum: int
) -> None:
    with pytest.raises(RequestError, match="majority"):
        clinic.seal(*trio, quorum=quorum)
    assert clinic.patients.mine(trio[0].row, trio[0].key) == []


def test_a_group_of_two_is_refused(clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]) -> None:
    with pytest.raises(RequestError, match="at least 2 colleagues"):
        clinic.seal(*trio[:2])
    with pytest.raises(RequestError, match="cannot care"):
        clinic.patients.create(trio[0].row, GRETA, [trio[1].row.id, clinic.ada.id], 2)


def test_the_database_tells_nothing_of_the_patient(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor], caplog: pytest.LogCaptureFixture
) -> None:
    """Not while it lies open, either; nor the shares, the reason, or anybody's private key."""
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    opened(clinic, bea, carl, patient)
    clinic.records.revise(bea.row, bea.key, patient, GRETA)
    clinic.patients.keep(bea.row, bea.key, patient, HEART)
    assert clinic.opening(bea, patient).state == OPEN
    private = bea.key.private.private_numbers().private_value.to_bytes(32, "big")
    kept = [
        *(GRETA.family_name, GRETA.given_name, GRETA.born, GRETA.number, GRETA.contact),
        *(GRETA.notes, GRETA.initials, REASON, PASSWORD, HEART.result, HEART.values[0][1]),
    ]
    secrets = [one.encode() for one in kept] + [one.encode("utf-16-le") for one in kept]
    secrets += [private, private.hex().encode(), bea.browser, bea.browser.hex().encode()]
    dumped = clinic.path.read_bytes() + caplog.text.encode()
    with closing(sqlite3.connect(clinic.path)) as database:
        for line in database.iterdump():
            dumped += line.encode() + b"\n"
    dumped += (
        Path(f"{clinic.path}-wal").read_bytes() if Path(f"{clinic.path}-wal").exists() else b""
    )
    assert b"record.revised" in dumped
    for one in secrets:
        assert one not in dumped
        assert one.hex().encode() not in dumped.lower()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"family_name": " "}, "family name"),
        ({"born": "08.03.1951"}, "year, month and day"),
        ({"born": "2951-03-08"}, "cannot be right"),
        ({"sex": "x"}, "Choose one of"),
        ({"notes": "x" * 4001}, "at most 4000"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor], wrong: dict[str, str], told: str
) -> None:
    attributes = Attributes(**{"family_name": "B", "given_name": "A", "born": "2000-01-01"} | wrong)
    with pytest.raises(RequestError, match=told):
        clinic.patients.create(trio[0].row, attributes, [one.row.id for one in trio[1:]], 2)
