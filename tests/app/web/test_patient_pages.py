"""Doctors at the patients' pages: sealing, asking, approving, opening, and who gets in nowhere."""

from __future__ import annotations

import html
import json
import re
from http import HTTPStatus

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.models import DeploymentRow, DoctorKeyRow, RecordChainRow, RecordTransactionRow
from app.services.roles import ADMINISTRATOR, DOCTOR
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, of

NAME = "Lindqvistsson"
REASON = "Fell in the bath"


@pytest.fixture
def doctors(app: Flask) -> dict[str, Browser]:
    """Three doctors of one care group, a fourth of none, and an administrator; all signed in."""
    accounts = of(app).accounts
    rows = {
        name: accounts.register(f"{name}@c.example", name, "R", DOCTOR, PASSWORD)
        for name in ("ada", "bea", "carl", "dora", "eve")
    }
    ada = rows["ada"]
    assert ada is not None
    browsers = {}
    for name, row in rows.items():
        assert row is not None
        accounts.authorise(ada, row.id, ADMINISTRATOR if name == "ada" else DOCTOR)
        browsers[name] = Browser(app)
        assert browsers[name].sign_in(row.email, PASSWORD).status_code == HTTPStatus.SEE_OTHER
    return browsers


def seal(app: Flask, browser: Browser, **other: object) -> str:
    """Enter a patient for bea, carl and dora; the address of its page."""
    accounts = of(app).accounts
    found = [accounts.find_by_email(f"{name}@c.example") for name in ("carl", "dora")]
    values = {
        "family_name": NAME,
        "given_name": "Greta",
        "born": "1951-03-08",
        "sex": "female",
        "notes": "Lives alone.",
        "recording": "agreed",
        "training": "refused",
        "asked_on": "2020-01-02",
        "carers": [row.id for row in found if row],
        "quorum": "2",
    }
    answer = browser.send("/patients/new", values | other)
    assert answer.status_code == HTTPStatus.SEE_OTHER, told(answer.text)
    return str(answer.location).removesuffix("?added=1")


def told(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def action_of(page: str) -> str:
    """Where the page's form about an opening goes."""
    return re.findall(r'action="(/patients/[0-9a-f]{64}/openings/[0-9a-f]{64})"', page)[0]


def test_three_doctors_seal_ask_approve_open_and_close(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient = seal(app, bea)
    for name in ("bea", "carl", "dora"):
        shown = doctors[name].get("/patients/").text
        assert "G.L." in shown
        assert NAME not in shown
    assert bea.send(f"{patient}/openings", {"reason": REASON}).status_code == HTTPStatus.SEE_OTHER

    assert "1 request to open a record waits for" in told(carl.get("/doctor/").text)
    waiting = carl.get("/patients/").text
    assert f"bea asks to open the record “{REASON}”" in told(waiting)
    where = action_of(waiting)
    refused = carl.send(where, {"action": "approve"})
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Enter your password." in refused.text
    wrong = carl.send(where, {"action": "approve", "password": "not this one at all"})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "This is not your password." in wrong.text
    carl.send(where, {"action": "approve", "password": PASSWORD})

    assert "1 of your own was approved" in told(bea.get("/doctor/").text)
    assert "1 request" not in told(doctors["dora"].get("/doctor/").text)
    assert bea.get(where).location == patient
    assert bea.get(f"{patient}/record").status_code == HTTPStatus.SEE_OTHER
    opened = bea.send(where, {"action": "open", "password": PASSWORD})
    assert opened.location == f"{patient}/record"
    record = bea.get(f"{patient}/record")
    assert f"Greta {NAME}" in record.text
    assert "Lives alone." in record.text
    assert record.headers["Cache-Control"] == "no-store"
    for name in ("carl", "dora", "eve"):
        assert NAME not in doctors[name].get(f"{patient}/record", follow_redirects=True).text
    assert "bea Open" in told(doctors["dora"].get(patient).text)

    changed = {"family_name": "Öberg", "given_name": "Greta", "born": "1951-03-08", "sex": "female"}
    assert bea.send(f"{patient}/record/edit", changed).location == f"{patient}/record"
    shown = told(bea.get(f"{patient}/record").text)
    assert "Name Greta Öberg" in shown
    assert "Version 1, by bea" in shown
    bea.send(where, {"action": "end"})
    assert "The record is closed" in bea.get(f"{patient}/record", follow_redirects=True).text
    assert "G.Ö." in carl.get("/patients/").text


def test_an_emergency_opens_at_once_and_is_loud(app: Flask, doctors: dict[str, Browser]) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient = seal(app, bea)
    bea.send(f"{patient}/openings", {"reason": REASON, "emergency": "y"})
    where = action_of(bea.get(patient).text)
    assert bea.send(where, {"action": "open", "password": PASSWORD}).location == f"{patient}/record"
    assert NAME in bea.get(f"{patient}/record").text
    told_today = told(carl.get("/doctor/").text)
    assert "bea opened the record of patient" in told_today
    assert REASON in told_today
    assert "bea Emergency Open" in told(carl.get(patient).text)
    assert "in an emergency" not in told(doctors["eve"].get("/doctor/").text)


def test_an_open_record_gets_another_care_group(app: Flask, doctors: dict[str, Browser]) -> None:
    bea, carl, eve = doctors["bea"], doctors["carl"], doctors["eve"]
    patient = seal(app, bea)
    assert bea.get(f"{patient}/record/group").location == patient
    bea.send(f"{patient}/openings", {"reason": REASON})
    where = action_of(carl.get(patient).text)
    carl.send(where, {"action": "approve", "password": PASSWORD})
    bea.send(where, {"action": "open", "password": PASSWORD})
    accounts = of(app).accounts
    people = [accounts.find_by_email(f"{name}@c.example") for name in ("carl", "eve")]
    chosen = [one.id for one in people if one]
    few = bea.send(f"{patient}/record/group", {"carers": chosen[:1], "quorum": "2"})
    assert few.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "at least 2 colleagues" in few.text
    assert NAME in bea.get(f"{patient}/record").text
    done = bea.send(f"{patient}/record/group", {"carers": chosen, "quorum": "2"})
    assert done.location == patient
    assert "sealed anew" in bea.get(patient).text
    assert "G.L." in eve.get("/patients/").text
    assert "Sealed the record anew, for another care group bea" in told(carl.get(patient).text)
    assert doctors["dora"].get(patient).status_code == HTTPStatus.NOT_FOUND


def test_the_patient_s_file_is_handed_over_and_the_record_erased(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient = seal(app, bea)
    closed = bea.send(f"{patient}/record/export")
    assert closed.location == patient
    bea.send(f"{patient}/openings", {"reason": REASON})
    where = action_of(carl.get(patient).text)
    carl.send(where, {"action": "approve", "password": PASSWORD})
    bea.send(where, {"action": "open", "password": PASSWORD})
    held = json.loads(bea.send(f"{patient}/record/export").data)
    assert held["versions"][0]["attributes"]["family_name"] == NAME
    assert held["care_group"] == ["bea", "carl", "dora"]
    assert held["openings"][0]["reason"] == REASON
    assert "Exported the record bea" in told(carl.get(patient).text)
    unsure = bea.send(f"{patient}/record/erase")
    assert unsure.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Tick the box" in unsure.text
    assert carl.send(f"{patient}/record/erase", {"sure": "y"}).location == patient
    assert bea.send(f"{patient}/record/erase", {"sure": "y"}).location == "/patients/"
    for name in ("bea", "carl", "dora"):
        assert doctors[name].get(patient).status_code == HTTPStatus.NOT_FOUND
        assert "G.L." not in doctors[name].get("/patients/").text


def test_the_password_is_asked_for_once_a_session(app: Flask, doctors: dict[str, Browser]) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    for count in range(2):
        patient = seal(app, bea)
        bea.send(f"{patient}/openings", {"reason": REASON})
        page = carl.get(patient).text
        assert ('type="password"' in page) == (count == 0)
        given = {"password": PASSWORD} if count == 0 else {}
        answer = carl.send(action_of(page), {"action": "approve"} | given)
        assert answer.status_code == HTTPStatus.SEE_OTHER


def test_strangers_to_the_group_and_administrators_are_refused(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea = doctors["bea"]
    patient = seal(app, bea)
    bea.send(f"{patient}/openings", {"reason": REASON})
    where = action_of(doctors["carl"].get(patient).text)
    for path in ("", "/record", "/record/edit"):
        assert doctors["eve"].get(patient + path).status_code == HTTPStatus.NOT_FOUND
        assert doctors["ada"].get(patient + path).status_code == HTTPStatus.FORBIDDEN
    for path in (where, f"{patient}/openings"):
        assert doctors["eve"].send(path, {"action": "approve"}).status_code == HTTPStatus.NOT_FOUND
        assert doctors["ada"].send(path, {"action": "approve"}).status_code == HTTPStatus.FORBIDDEN
    assert "No patient is sealed to you yet" in doctors["eve"].get("/patients/").text
    assert Browser(app).get(patient).location.startswith("/sign-in")


def test_without_the_browser_s_half_the_page_asks_for_the_password(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    """After a sign-in with a wallet, say: the key of the session is not open."""
    patient = seal(app, doctors["bea"])
    carl = doctors["carl"]
    with carl.client.session_transaction() as session:
        del session["doctor_key"]
    page = carl.get(patient)
    assert "Open your key" in page.text
    assert "G.L." not in page.text
    wrong = carl.send("/patients/unlock", {"password": "x", "next": patient})
    assert wrong.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert f'value="{patient}"' in wrong.text
    opened = carl.send("/patients/unlock", {"password": PASSWORD, "next": patient})
    assert opened.location == patient
    assert "G.L." in carl.get(patient).text


@pytest.mark.parametrize("wanted", ["//evil.example/", "https://evil.example", "/admin/", ""])
def test_unlocking_leads_nowhere_else(doctors: dict[str, Browser], wanted: str) -> None:
    sent = {"password": PASSWORD, "next": wanted}
    assert doctors["bea"].send("/patients/unlock", sent).location == "/patients/"


def test_an_altered_key_keeps_nobody_out(app: Flask, doctors: dict[str, Browser]) -> None:
    del doctors
    with of(app).database.transaction() as session:
        session.execute(update(DoctorKeyRow).values(locked=b"no lock"))
    again = Browser(app)
    assert again.sign_in("bea@c.example", PASSWORD).status_code == HTTPStatus.SEE_OTHER
    assert "the database was altered" in again.get("/doctor/").text
    assert "Open your key" in again.get("/patients/").text


def test_a_signed_out_browser_s_cookie_opens_nothing(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea = doctors["bea"]
    patient = seal(app, bea)
    kept = bea.cookie()
    bea.send("/sign-out")
    thief = Browser(app)
    thief.keep(kept)
    assert thief.get(patient).location.startswith("/sign-in")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"family_name": ""}, "Enter the family name."),
        ({"born": "yesterday"}, "Not a valid date value."),
        ({"born": "2999-01-01"}, "cannot be right"),
        ({"carers": []}, "at least 2 colleagues"),
        ({"quorum": "1"}, "a majority"),
        ({"quorum": "all"}, "Not a valid integer value."),
        ({"carers": ["4711"]}, "not a valid choice"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_kept(
    app: Flask, doctors: dict[str, Browser], wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(AssertionError, match=said):
        seal(app, doctors["bea"], **wrong)
    answer = doctors["bea"].send("/patients/new", {"notes": "Lives alone.", **wrong})
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert "Lives alone." in answer.text


def test_everything_that_is_wrong_is_told_at_once(doctors: dict[str, Browser]) -> None:
    sent = {
        "born": "2999-01-01",
        "recording": "another legal basis",
        "asked_on": "2999-01-01",
        "carers": [],
        "quorum": "2",
    }
    page = html.unescape(doctors["bea"].send("/patients/new", sent).text)
    for said in (
        "Enter the given name.",
        "The date of birth cannot be right",
        "State on which other legal basis",
        "asked on a day to come",
        "Choose at least 2 colleagues",
    ):
        assert said in page
    refused = doctors["bea"].send("/patients/new", sent | {"recording": "refused"}).text
    assert "The patient does not agree to be recorded" in refused


def test_a_list_is_searched_sorted_and_paged(app: Flask, doctors: dict[str, Browser]) -> None:
    bea = doctors["bea"]
    for letter in "CABD":
        seal(app, bea, family_name=f"{letter}son")
    rows = re.compile(r'href="/patients/[0-9a-f]{64}">(\S+)')
    assert rows.findall(bea.get("/patients/?order=initials").text) == [
        "G.A.", "G.B.", "G.C.", "G.D.",
    ]  # fmt: skip
    assert rows.findall(bea.get("/patients/?order=changed").text)[0] == "G.D."
    assert rows.findall(bea.get("/patients/?text=ga").text) == ["G.A."]
    assert "No patient of yours has these initials" in bea.get("/patients/?text=zz").text
    assert bea.get("/patients/?page=99&order=nonsense").status_code == HTTPStatus.OK


def test_the_steps_of_an_opening_wait_for_the_ledger_and_say_so(
    app: Flask, doctors: dict[str, Browser]
) -> None:
    bea, carl = doctors["bea"], doctors["carl"]
    patient = seal(app, bea)
    shown = told(bea.get(patient).text)
    assert "Sealed among the care group by bea" in shown
    # No chain is known yet: nothing is signed, and nobody is held up.
    assert "Waits to be signed by bea" in shown
    bea.send(f"{patient}/openings", {"reason": REASON})
    with of(app).database.transaction() as session:
        made = DeploymentRow(
            chain_id=1337, chain_kind="embedded", genesis_hash="a" * 64, contract="0x" + "b" * 40
        )
        session.add(made)
        session.flush()
        at = "0x" + "c" * 40
        session.add(RecordChainRow(deployment_id=made.id, contract=at, gas_price=0))
    shown = told(bea.get(patient).text)
    assert shown.count("Signed, waits for the ledger") == 2
    carl.send(action_of(carl.get(patient).text), {"action": "approve", "password": PASSWORD})
    every = carl.get(f"{patient}/ledger")
    assert told(every.text).count("Signed, waits for the ledger") == 3
    assert "Approved by carl" in told(every.text)
    assert "The ledger does not answer now" in told(every.text)
    with of(app).database.transaction() as session:
        rows = session.scalars(select(RecordTransactionRow)).all()
    for row in rows:
        assert f'id="step-{row.transaction[2:]}"' in every.text
        assert f"/ledger#step-{row.transaction[2:]}" in bea.get(patient).text
    assert doctors["eve"].get(f"{patient}/ledger").status_code == HTTPStatus.NOT_FOUND
    assert doctors["ada"].get(f"{patient}/ledger").status_code == HTTPStatus.FORBIDDEN
