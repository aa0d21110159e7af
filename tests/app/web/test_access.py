"""Every route, every method, as every role and as nobody: who may, and what the others see."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.routing import Rule

from app.errors import SetupError
from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR, OPERATOR, ROLES
from app.web import roles
from tests.app.web.browser import TOKEN
from tests.app.web.conftest import EVERYBODY, NOBODY, UNDECIDED, Site

ANYBODY = frozenset(EVERYBODY)
SIGNED_IN = ANYBODY - {NOBODY}

# Who may open what, said a second time: a blueprint's routes, or a route of its own.
MAY = {
    "static": ANYBODY,
    "home.index": ANYBODY,
    "home.about": ANYBODY,
    "home.audit": frozenset({ADMINISTRATOR, AUDITOR}),
    "home.audit_file": frozenset({ADMINISTRATOR, AUDITOR}),
    "auth.sign_in": ANYBODY,
    "auth.register": ANYBODY,
    "auth.waiting": ANYBODY,
    "auth.sign_out": SIGNED_IN,
    "auth.password": SIGNED_IN,
    "auth.wallets.sign_in_message": ANYBODY,
    "auth.wallets.sign_in": ANYBODY,
    "auth.wallets.own": frozenset(ROLES),
    "auth.wallets.link_message": frozenset(ROLES),
    "auth.wallets.link": frozenset(ROLES),
    "auth.wallets.unlink": frozenset(ROLES),
    "admin": frozenset({ADMINISTRATOR}),
    "datasets": frozenset({ADMINISTRATOR, AUDITOR, OPERATOR}),
    "datasets.remove": frozenset({ADMINISTRATOR}),
    "imports": frozenset({ADMINISTRATOR}),
    "doctor": frozenset({DOCTOR}),
    "doctor.rules.page": frozenset({ADMINISTRATOR, AUDITOR, DOCTOR}),
    "patients": frozenset({DOCTOR}),
    "operator": frozenset({OPERATOR}),
    "operator.signed": frozenset({OPERATOR, ADMINISTRATOR, AUDITOR}),
    "results": frozenset({ADMINISTRATOR, AUDITOR}),
    "results.predictions": frozenset({ADMINISTRATOR}),
    "versions": frozenset({ADMINISTRATOR, AUDITOR}),
    "versions.promote": frozenset({ADMINISTRATOR}),
    "versions.cards.page": frozenset({ADMINISTRATOR, AUDITOR, DOCTOR}),
    "versions.cards.document": frozenset({ADMINISTRATOR, AUDITOR, DOCTOR}),
    "versions.cards.printed": frozenset({ADMINISTRATOR, AUDITOR, DOCTOR}),
    "appeals": frozenset({ADMINISTRATOR, AUDITOR}),
    "appeals.decide": frozenset({ADMINISTRATOR}),
    "ledger": frozenset({ADMINISTRATOR, AUDITOR}),
}

_ARGUMENTS = {
    "task": "heart",
    "training_id": "0" * 64,
    "number": 1,
    "user_id": 4711,
    "appeal_id": 4711,
    "patient_id": "0" * 64,
    "batch_id": "0" * 64,
    "opening_id": "0" * 64,
    "resharing_id": "0" * 64,
    "job_id": 4711,
    "hospital": "Cleveland",
    "filename": "css/base.css",
    "value": "0" * 64,
    "name": "accuracy",
    "form": "csv",
    "draft": "0" * 32,
    "step": "purpose",
}


def may(endpoint: str) -> frozenset[str]:
    """Who may; a route that nobody thought of is an error of this test."""
    decided = MAY.get(endpoint) or MAY.get(endpoint.split(".", maxsplit=1)[0])
    assert decided is not None, f"say in MAY who may open {endpoint}"
    return decided


def address(app: Flask, rule: Rule) -> str:
    with app.test_request_context():
        arguments = {name: _ARGUMENTS[name] for name in rule.arguments}
        return str(app.url_map.bind("localhost").build(rule.endpoint, arguments))


def walk(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Endpoint, method and address of everything that the application answers."""
    for rule in app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            yield rule.endpoint, method, address(app, rule)


@pytest.mark.parametrize("who", EVERYBODY)
def test_every_route_admits_exactly_whom_it_is_for(site: Site, who: str) -> None:
    browser = site.browser(who)
    wrong, seen = [], 0
    for endpoint, method, path in walk(site.app):
        answer = browser.open(path, method)
        target = urlsplit(answer.location or "").path
        admitted = answer.status_code not in (401, 403) and target != "/sign-in"
        if admitted != (who in may(endpoint)) or answer.status_code >= 500:
            wrong.append(f"{method} {path}: {answer.status_code} {target}")
        if not admitted and answer.status_code != (303 if who == NOBODY else 403):
            wrong.append(f"{method} {path}: refused by {answer.status_code}")
        seen += 1
    assert wrong == []
    assert seen > 40


def test_the_walk_fails_for_a_route_that_nobody_thought_of() -> None:
    with pytest.raises(AssertionError, match=r"export\.everything"):
        may("export.everything")


def test_nothing_starts_with_a_route_without_a_decision(app: Flask) -> None:
    roles.require_decisions(app)
    app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    with pytest.raises(SetupError, match="none on forgotten"):
        roles.require_decisions(app)


@pytest.mark.parametrize("who", EVERYBODY)
def test_a_route_without_a_decision_admits_nobody(site: Site, who: str) -> None:
    site.app.add_url_rule("/forgotten", "forgotten", lambda: "secret")
    answer = site.browser(who).get("/forgotten")
    assert answer.status_code == (303 if who == NOBODY else 403)
    assert "secret" not in answer.text


def test_a_decision_names_a_known_role() -> None:
    with pytest.raises(ValueError, match="surgeon"):
        roles.requires("surgeon")
    with pytest.raises(ValueError, match="expected roles"):
        roles.requires()


@pytest.mark.parametrize("who", [role for role in ROLES if role != ADMINISTRATOR])
def test_a_refusal_does_not_tell_whether_the_thing_exists(site: Site, who: str) -> None:
    browser = site.browser(who)
    there, missing = site.rows["waiting"].id, 4711
    answers = [
        browser.send(f"/admin/users/{number}/authorise", {"role": who})
        for number in (there, missing)
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    # A form's token holds the second in which it was made.
    assert TOKEN.sub("", answers[0].text) == TOKEN.sub("", answers[1].text)
    assert site.row("waiting").state == "waiting"


def test_malformed_addresses_are_not_found(site: Site) -> None:
    browser = site.browser(ADMINISTRATOR)
    for path in ("/admin/users/x/authorise", "/admin/trainings/../x", "/admin/trainings/xyz"):
        assert browser.get(path).status_code == 404, path


def test_a_wrong_method_is_refused_with_the_right_one(site: Site) -> None:
    answer = site.browser(ADMINISTRATOR).get("/sign-out")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_new_role_counts_from_the_next_request(site: Site) -> None:
    bob = site.browser("waiting")
    assert bob.get("/doctor/").status_code == 403
    site.services.accounts.authorise(site.rows[ADMINISTRATOR], site.rows["waiting"].id, DOCTOR)
    assert bob.get("/doctor/").status_code == 200


def test_who_is_suspended_is_out_at_the_next_request(site: Site) -> None:
    alice = site.browser(DOCTOR)
    assert alice.get("/doctor/").status_code == 200
    site.services.accounts.suspend(site.rows[ADMINISTRATOR], site.rows[DOCTOR].id, "Left")
    assert alice.get("/doctor/").status_code == 303
    assert alice.sign_in(site.rows[DOCTOR].email, "correct horse battery").status_code == 303
    assert alice.get("/doctor/").status_code == 403


@pytest.mark.parametrize("who", UNDECIDED)
def test_who_has_no_role_is_shown_why(site: Site, who: str) -> None:
    page = site.browser(who).get("/admin/").text
    assert 'href="/waiting"' in page


@pytest.mark.parametrize("who", UNDECIDED)
def test_signing_in_without_a_role_leads_to_what_was_decided(site: Site, who: str) -> None:
    fields = {"email": site.rows[who].email, "password": "correct horse battery"}
    for path in ("/sign-in", "/sign-in?next=/doctor/"):
        answer = site.browser().send(path, fields)
        assert (answer.status_code, answer.location) == (303, "/waiting")


def test_signing_in_leads_to_the_page_that_was_wanted(site: Site) -> None:
    browser = site.browser()
    asked = browser.get("/audit?page=2")
    assert asked.location == "/sign-in?next=/audit?page%3D2"
    fields = {"email": site.rows[AUDITOR].email, "password": "correct horse battery"}
    assert browser.send(asked.location, fields).location == "/audit?page=2"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        "evil.example",
        "",
    ],
)
def test_signing_in_leads_nowhere_else(site: Site, target: str) -> None:
    browser = site.browser()
    fields = {
        "email": site.rows[AUDITOR].email,
        "password": "correct horse battery",
        "csrf_token": browser.token(),
    }
    answer = browser.client.post("/sign-in", query_string={"next": target}, data=fields)
    assert (answer.status_code, answer.location) == (303, "/")


def test_a_part_of_a_page_sends_the_whole_browser_to_sign_in(site: Site) -> None:
    answer = site.browser().get("/admin/trainings", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?ended=yes"
    current = {"HX-Request": "true", "HX-Current-URL": "http://localhost/admin/trainings/ab?x=1"}
    answer = site.browser().get("/admin/trainings", headers=current)
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/admin/trainings/ab?x%3D1&ended=yes"


@pytest.mark.parametrize(
    ("path", "referrer", "location"),
    [
        ("/admin/trainings/new/heart", None, "/sign-in?next=/admin/trainings/new/heart&ended=yes"),
        (
            "/appeals/1/decision",
            "http://localhost/appeals/1",
            "/sign-in?next=/appeals/1&ended=yes",
        ),
        ("/appeals/1/decision", "http://evil.example/appeals/1", "/sign-in?ended=yes"),
        ("/appeals/1/decision", None, "/sign-in?ended=yes"),
    ],
)
def test_a_form_sent_after_the_session_ended_leads_back_to_its_page(
    site: Site, path: str, referrer: str | None, location: str
) -> None:
    headers = {"Referer": referrer} if referrer else {}
    browser = site.browser()
    answer = browser.client.post(path, headers=headers)
    assert (answer.status_code, answer.location) == (303, location)
    assert "Your session ended. Sign in to go on." in browser.get(location).text


def test_a_page_asked_for_after_the_session_ended_says_so(site: Site) -> None:
    browser, copy = site.browser(ADMINISTRATOR), site.browser()
    copy.keep(browser.cookie())
    browser.send("/sign-out")
    assert copy.get("/audit").location == "/sign-in?next=/audit&ended=yes"
    assert site.browser().get("/audit").location == "/sign-in?next=/audit"
    assert "Your session ended" not in site.browser().get("/sign-in?next=/audit").text
