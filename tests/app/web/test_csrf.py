"""Every form that changes something wants the token of this browser's session."""

from __future__ import annotations

import pytest

from app.services.roles import ADMINISTRATOR, DOCTOR, OPERATOR
from tests.app.web.conftest import Site
from tests.app.web.test_access import may, walk

CHANGING = ("POST", "PUT", "PATCH", "DELETE")


@pytest.mark.parametrize("token", [None, "", "forged", "another session's"])
def test_nothing_is_changed_without_the_token(site: Site, token: str | None) -> None:
    tried = 0
    for endpoint, method, path in walk(site.app):
        if method not in CHANGING:
            continue
        who = next(role for role in (ADMINISTRATOR, DOCTOR, OPERATOR) if role in may(endpoint))
        browser = site.browser(who)
        given = site.browser().token() if token == "another session's" else token
        answer = browser.client.post(path, data={} if given is None else {"csrf_token": given})
        assert answer.status_code == 400, path
        assert "earlier session" in answer.text
        assert browser.is_signed_in()
        tried += 1
    assert tried >= 8


def test_no_page_changes_anything_by_being_opened(site: Site) -> None:
    """The safe methods of every route leave people and log as they are.

    But for one thing: who takes the list of people away is noted.
    """
    browser = site.browser(ADMINISTRATOR)
    before = site.services.audit.entries().total
    for _, method, path in walk(site.app):
        if method not in CHANGING:
            browser.open(path, method)
    noted = site.services.audit.every()[before:]
    assert {entry.action for entry in noted} <= {"people.exported"}


def test_the_token_of_before_signing_in_is_worth_nothing_after(site: Site) -> None:
    browser = site.browser()
    old = browser.token()
    assert browser.sign_in(site.rows[DOCTOR].email, "correct horse battery").status_code == 303
    assert browser.client.post("/sign-out", data={"csrf_token": old}).status_code == 400
    assert browser.is_signed_in()
