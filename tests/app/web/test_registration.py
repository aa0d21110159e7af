"""From a stranger to a colleague: register, wait, be authorised or refused."""

from __future__ import annotations

import pytest

from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR, OPERATOR
from tests.app.web.browser import TOKEN
from tests.app.web.conftest import Site

EVE = {
    "name": "Eve Stranger",
    "email": "Eve@Clinic.example",
    "address": "Clinic Road 2",
    "asked_role": OPERATOR,
    "password": "a password of Eve's",
    "again": "a password of Eve's",
}


def test_registered_then_authorised(site: Site) -> None:
    eve, admin = site.browser(), site.browser(ADMINISTRATOR)
    answer = eve.send("/register", EVE)
    assert (answer.status_code, answer.location) == (303, "/waiting")
    assert not eve.is_signed_in()
    assert eve.sign_in(EVE["email"], EVE["password"]).status_code == 303
    assert "Waiting for authorisation" in eve.get("/waiting").text
    assert "Eve Stranger" in admin.get("/admin/users").text

    row = site.services.accounts.find_by_email(EVE["email"])
    assert row is not None
    assert (row.state, row.role, row.asked_role) == ("waiting", None, OPERATOR)
    admin.send(f"/admin/users/{row.id}/authorise", {"role": AUDITOR})
    assert eve.get("/waiting").location == "/"
    assert eve.get("/audit").status_code == 200
    actions = [one.action for one in site.services.audit.entries().entries]
    assert {"user.registered", "user.authorised"} <= set(actions[:4])


def test_registered_then_refused_with_the_reason(site: Site) -> None:
    eve, admin = site.browser(), site.browser(ADMINISTRATOR)
    eve.send("/register", EVE)
    row = site.services.accounts.find_by_email(EVE["email"])
    assert row is not None
    path = f"/admin/users/{row.id}/refuse"
    assert admin.send(path, {"reason": " "}).status_code == 422
    assert admin.send(path, {"reason": "Not known <here>"}).status_code == 303
    assert eve.sign_in(EVE["email"], EVE["password"]).status_code == 303
    page = eve.get("/waiting").text
    assert "Registration refused" in page
    assert "Not known &lt;here&gt;" in page
    assert eve.get("/doctor/").status_code == 403


def test_a_taken_address_is_answered_like_a_new_one(site: Site) -> None:
    taken, other = site.browser(), site.browser()
    first = other.send("/register", EVE)
    second = taken.send("/register", EVE | {"email": site.rows[DOCTOR].email})
    assert (first.status_code, first.location) == (second.status_code, second.location)
    pages = [browser.get("/waiting").text for browser in (other, taken)]
    assert TOKEN.sub("", pages[0]) == TOKEN.sub("", pages[1])
    kept = site.row(DOCTOR)
    assert (kept.name, kept.state) == (site.rows[DOCTOR].name, "active")
    assert taken.sign_in(kept.email, EVE["password"]).status_code == 422


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"email": "eve"}, "Expected an address such as"),
        ({"email": "eve@clinic"}, "Expected an address such as"),
        ({"email": "eve @clinic.example"}, "Expected an address such as"),
        ({"email": "e" * 250 + "@clinic.example"}, "longer than 254"),
        ({"name": "   "}, "Enter your name."),
        ({"name": "E" * 101}, "longer than 100"),
        ({"address": ""}, "Enter where you work."),
        ({"asked_role": "surgeon"}, "Not a valid choice"),
        ({"password": "short", "again": "short"}, "must have 12 to 128 characters"),
        ({"password": "x" * 129, "again": "x" * 129}, "must have 12 to 128 characters"),
        ({"password": "Eve@Clinic.example", "again": "Eve@Clinic.example"}, "must not be"),
        ({"again": "something else"}, "The two passwords differ."),
    ],
)
def test_a_refused_form_keeps_what_was_typed(
    site: Site, fields: dict[str, str], complaint: str
) -> None:
    typed = EVE | fields
    answer = site.browser().send("/register", typed)
    assert answer.status_code == 422
    assert complaint in answer.text
    for name in ("name", "email", "address"):
        assert f'value="{typed[name]}"' in answer.text or not typed[name].strip()
    if typed["asked_role"] == OPERATOR:
        assert f'value="{OPERATOR}" checked' in answer.text
    assert EVE["password"] not in answer.text
    assert site.services.accounts.find_by_email(typed["email"]) is None


def test_what_was_typed_is_escaped(site: Site) -> None:
    answer = site.browser().send("/register", EVE | {"name": '"><b>Eve', "again": ""})
    assert "<b>Eve" not in answer.text
    assert "&#34;&gt;&lt;b&gt;Eve" in answer.text


def test_two_administrators_cannot_both_decide(site: Site) -> None:
    admin, number = site.browser(ADMINISTRATOR), site.rows["waiting"].id
    admin.send(f"/admin/users/{number}/authorise", {"role": DOCTOR})
    answer = admin.send(
        f"/admin/users/{number}/refuse", {"reason": "Too late"}, follow_redirects=True
    )
    assert "is no longer waiting" in answer.text
    assert site.row("waiting").state == "active"


def test_registering_is_limited(site: Site) -> None:
    browser = site.browser()
    codes = [browser.send("/register", {}).status_code for _ in range(31)]
    assert codes == [422] * 30 + [429]
