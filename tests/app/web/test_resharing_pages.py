"""Doctors at the pages of new shares, after one of them left; and who gets in nowhere."""

from __future__ import annotations

from http import HTTPStatus

import pytest
from flask import Flask

from app.models import UserRow
from app.services import resharing
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, of
from tests.app.web.test_patient_pages import REASON, action_of, seal, told
from tests.app.web.test_patient_pages import doctors as doctors_of

NEW = "/patients/resharing"
PART = {"HX-Request": "true"}


@pytest.fixture
def doctors(app: Flask) -> dict[str, Browser]:
    """bea, carl and dora of one care group, eve of none, and ada, an administrator."""
    made: dict[str, Browser] = doctors_of.__wrapped__(app)
    return made


def person(app: Flask, name: str) -> UserRow:
    row = of(app).accounts.find_by_email(f"{name}@c.example")
    assert row is not None
    return row


def leave(app: Flask, name: str = "dora") -> None:
    of(app).accounts.suspend(person(app, "ada"), person(app, name).id, "Left")


def place(app: Flask, gone: str, successor: str) -> dict[str, str]:
    return {f"place_{person(app, gone).id}": str(person(app, successor).id)}


def begin(app: Flask, browser: Browser) -> str:
    answer = browser.send(NEW, place(app, "dora", "eve"))
    assert answer.status_code == HTTPStatus.SEE_OTHER, told(answer.text)
    return str(answer.location)


def test_new_shares_are_made_with_one_press_of_two_doctors(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl, eve = doctors["bea"], doctors["carl"], doctors["eve"]
    patients = [seal(app, bea) for _ in range(2)]
    assert "new shares" not in told(bea.get("/doctor/").text)
    assert "Every doctor of your records’ care groups can lend" in told(bea.get(NEW).text)
    leave(app)
    for path in ("/doctor/", "/patients/"):
        assert "2 of your records want new shares: dora cannot lend" in told(bea.get(path).text)
    page = told(bea.get(NEW).text)
    assert "In the place of dora" in page
    assert "2 of your records. The account is locked." in page
    assert "the record keeps its key" in page

    nobody = bea.send(NEW, {f"place_{person(app, 'dora').id}": "0"})
    assert nobody.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Name an active doctor" in nobody.text
    same = bea.send(NEW, place(app, "dora", "carl"))
    assert same.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "of these care groups already" in same.text
    assert f'selected value="{person(app, "carl").id}"' in same.text
    where = begin(app, bea)
    assert "eve takes the place of dora" in told(bea.get(where).text)
    assert "2 records wait for your part" in told(carl.get("/doctor/").text)

    wrong = bea.send(where, {"password": "not this one at all"})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "This is not your password." in wrong.text
    assert bea.send(where, {"password": PASSWORD}).location == where
    assert "Nothing is left for you to do here" in told(bea.get(where).text)
    assert "0 of 2 records have new shares; 2 wait" in told(bea.get(f"{where}/now").text)
    carl.send(where, {"password": PASSWORD})
    assert "2 of 2 records have new shares" in told(carl.get(where).text)
    assert "new shares" not in told(carl.get("/patients/").text)
    assert "Dealt new shares of the record’s key carl" in told(carl.get(patients[0]).text)
    assert "G.L." in eve.get("/patients/").text

    eve.send(f"{patients[0]}/openings", {"reason": REASON})
    action = action_of(carl.get(patients[0]).text)
    carl.send(action, {"action": "approve"})
    opened = eve.send(action, {"action": "open", "password": PASSWORD})
    assert opened.location == f"{patients[0]}/record"


def test_batches_follow_by_themselves_after_a_press_only(
    app: Flask, doctors: dict[str, Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resharing, "BATCH", 1)
    bea = doctors["bea"]
    for _ in range(3):
        seal(app, bea)
    leave(app)
    where = begin(app, bea)
    assert "data-hx-post" not in bea.get(where).text
    bea.send(where, {"password": PASSWORD})
    assert f'data-hx-post="{where}"' in bea.get(where).text
    # Found again later it waits for a press.
    later = bea.get(where).text
    assert "data-hx-post" not in later
    assert "Your part is wanted of 2" in told(later)
    assert 'type="password"' not in later
    token = {"csrf_token": bea.token()}
    part = bea.client.post(where, data=token, headers=PART)
    assert f'data-hx-post="{where}"' in part.text
    assert "<html" not in part.text
    last = bea.client.post(where, data=token, headers=PART)
    assert "data-hx-post" not in last.text
    assert "Nothing is left for you to do" in told(last.text)
    with bea.client.session_transaction() as session:
        del session["doctor_key"]
    assert bea.client.post(where, data=token, headers=PART).headers["HX-Redirect"] == where
    assert bea.client.get(f"{where}/now", headers=PART).headers["HX-Redirect"] == where


def test_strangers_to_the_group_and_administrators_are_refused(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    seal(app, doctors["bea"])
    leave(app)
    where = begin(app, doctors["bea"])
    for path in (where, f"{where}/now"):
        assert doctors["eve"].get(path).status_code == HTTPStatus.NOT_FOUND
        assert doctors["ada"].get(path).status_code == HTTPStatus.FORBIDDEN
        assert Browser(app).get(path).location.startswith("/sign-in")
    given = {"password": PASSWORD}
    assert doctors["eve"].send(where, given).status_code == HTTPStatus.NOT_FOUND
    assert doctors["ada"].send(where, given).status_code == HTTPStatus.FORBIDDEN
    assert doctors["ada"].get(NEW).status_code == HTTPStatus.FORBIDDEN
    refused = doctors["eve"].send(NEW, place(app, "dora", "eve"))
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "new shares" not in told(doctors["eve"].get("/patients/").text)


def test_a_record_with_too_few_doctors_is_named(app: Flask, doctors: dict[str, Browser]) -> None:
    bea = doctors["bea"]
    patient = seal(app, bea)
    leave(app)
    leave(app, "carl")
    page = bea.get(NEW).text
    assert "Not to be rescued this way" in page
    assert f'href="{patient}"' in page
    assert "In the place of" not in page
