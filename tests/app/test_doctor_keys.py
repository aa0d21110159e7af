"""Doctors' keys: opened by the own password, lost with a reset one, held by a session."""

from __future__ import annotations

import pytest

from app.errors import RequestError, SignInRefused
from app.models import (
    DoctorKeyRow,
)
from app.services.roles import ADMINISTRATOR
from tests.app.clinic import REASON, Clinic, Doctor, opened
from tests.app.people import PASSWORD


def test_the_own_password_opens_the_key_and_a_new_one_keeps_it(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    patient = clinic.seal(*trio)
    with pytest.raises(SignInRefused):
        clinic.keys.unlock(bea.row, bea.token, "another password entirely")
    row = clinic.accounts.change_password(bea.row.id, PASSWORD, "a quite different sentence")
    bea = clinic.sign_in(row, "a quite different sentence")
    (seen,) = clinic.patients.mine(bea.row, bea.key)
    assert seen.minimum.initials == "G.L."
    opened(clinic, bea, carl, patient)


def test_a_password_that_was_reset_opens_nothing_of_before(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    """Whoever resets passwords would read records else."""
    bea, carl, dora = trio
    patient = clinic.seal(*trio)
    row = clinic.accounts.set_password(bea.row.id, "what the command line chose")
    assert clinic.keys.find(bea.token, bea.browser) is None
    bea = clinic.sign_in(row, "what the command line chose")
    assert clinic.patients.mine(bea.row, bea.key) == []
    with pytest.raises(RequestError):
        clinic.openings.ask(bea.row, bea.key, patient, REASON)
    (seen,) = clinic.patients.mine(carl.row, carl.key)
    assert {one.name: one.able for one in seen.carers} == {
        "bea": False, "carl": True, "dora": True,
    }  # fmt: skip
    opened(clinic, dora, carl, patient)


def test_an_altered_key_is_told_and_a_new_password_gives_it_up(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea = trio[0]
    for damage in (b"no lock", bytes(200)):
        clinic.altered(DoctorKeyRow, locked=damage)
        with pytest.raises(RequestError, match="the database was altered"):
            clinic.keys.unlock(bea.row, bea.token, PASSWORD)
    row = clinic.accounts.change_password(bea.row.id, PASSWORD, "a quite different sentence")
    again = clinic.sign_in(row, "a quite different sentence")
    assert again.key.number != bea.key.number


def test_a_session_s_key_opens_with_its_browser_only(
    clinic: Clinic, trio: tuple[Doctor, Doctor, Doctor]
) -> None:
    bea, carl, _ = trio
    assert clinic.keys.find(bea.token, carl.browser) is None
    assert clinic.keys.find(bea.token, b"") is None
    assert clinic.keys.find(carl.token, bea.browser) is None
    clinic.sessions.end(bea.token)
    assert clinic.keys.find(bea.token, bea.browser) is None


def test_who_is_no_doctor_gets_no_key(clinic: Clinic) -> None:
    ada = clinic.accounts.authorise(clinic.ada, clinic.ada.id, ADMINISTRATOR)
    with pytest.raises(RequestError, match="for doctors"):
        clinic.keys.unlock(ada, clinic.sessions.open(ada), PASSWORD)
