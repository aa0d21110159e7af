"""Sessions: renewed at sign-in, ended at sign-out, and everywhere at a password change."""

from __future__ import annotations

import pytest
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy import select, update

from app.models import SessionRow
from app.models.base import now
from app.services.roles import DOCTOR
from app.services.secret_key import make_secret_key
from app.services.sessions import LIFETIME
from app.web.factory import create
from config import Settings
from tests.app.web.conftest import PASSWORD, Site, of

NEW = "another long password"


def test_the_session_is_a_new_one_after_signing_in(site: Site) -> None:
    browser = site.browser()
    with browser.client.session_transaction() as session:
        session["planted"] = "by whoever prepared the browser"
    before = browser.cookie()
    browser.sign_in(site.rows[DOCTOR].email, PASSWORD)
    assert browser.cookie() != before
    with browser.client.session_transaction() as session:
        assert "planted" not in session


def test_signing_in_again_ends_the_browsers_old_session(site: Site) -> None:
    browser = site.browser(DOCTOR)
    old = browser.cookie()
    browser.sign_in(site.rows[DOCTOR].email, PASSWORD)
    assert browser.is_signed_in()
    thief = site.browser()
    thief.keep(old)
    assert not thief.is_signed_in()


def test_signing_out_ends_the_session_for_copies_of_its_cookie(site: Site) -> None:
    browser, copy, other = site.browser(DOCTOR), site.browser(), site.browser(DOCTOR)
    copy.keep(browser.cookie())
    assert copy.is_signed_in()
    browser.send("/sign-out")
    assert not browser.is_signed_in()
    assert not copy.is_signed_in()
    assert other.is_signed_in()


def test_a_password_change_ends_all_other_sessions(site: Site) -> None:
    browser, other, colleague = site.browser(DOCTOR), site.browser(DOCTOR), site.browser("auditor")
    old = browser.cookie()
    answer = browser.send("/password", {"old": PASSWORD, "new": NEW, "again": NEW})
    assert answer.status_code == 303
    assert browser.is_signed_in()
    assert not other.is_signed_in()
    assert colleague.is_signed_in()
    copy = site.browser()
    copy.keep(old)
    assert not copy.is_signed_in()
    assert other.sign_in(site.rows[DOCTOR].email, PASSWORD).status_code == 422
    assert other.sign_in(site.rows[DOCTOR].email, NEW).status_code == 303


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"old": "not the present one"}, "This is not your present password."),
        ({"new": "short", "again": "short"}, "must have 12 to 128 characters"),
        ({"again": "something different"}, "The two passwords differ."),
    ],
)
def test_a_refused_password_change_changes_nothing(
    site: Site, fields: dict[str, str], complaint: str
) -> None:
    browser, other = site.browser(DOCTOR), site.browser(DOCTOR)
    answer = browser.send("/password", {"old": PASSWORD, "new": NEW, "again": NEW} | fields)
    assert answer.status_code == 422
    assert complaint in answer.text
    assert other.is_signed_in()
    assert site.browser().sign_in(site.rows[DOCTOR].email, PASSWORD).status_code == 303


def test_a_password_set_by_the_command_ends_every_session(site: Site) -> None:
    browser = site.browser(DOCTOR)
    site.services.accounts.set_password(site.rows[DOCTOR].id, NEW)
    assert not browser.is_signed_in()


def test_a_session_ends_after_its_lifetime(site: Site) -> None:
    browser = site.browser(DOCTOR)
    with site.services.database.transaction() as session:
        row = session.scalars(select(SessionRow)).one()
        assert row.expires_at - row.created_at == LIFETIME
        session.execute(update(SessionRow).values(expires_at=now()))
    assert not browser.is_signed_in()


def test_the_database_does_not_hold_what_the_browser_shows(site: Site) -> None:
    browser = site.browser(DOCTOR)
    with browser.client.session_transaction() as kept:
        token = kept["_user_id"]
    with site.services.database.transaction() as session:
        row = session.scalars(select(SessionRow)).one()
    assert len(token) >= 43
    assert token not in (row.token_sha256, str(row.user_id))


def test_a_copied_cookie_does_not_work_in_another_kind_of_browser(site: Site) -> None:
    browser = site.browser(DOCTOR)
    thief = site.browser(HTTP_USER_AGENT="another browser")
    thief.keep(browser.cookie())
    assert not thief.is_signed_in()


def test_a_cookie_signed_with_another_key_is_worth_nothing(site: Site, settings: Settings) -> None:
    browser = site.browser(DOCTOR)
    with browser.client.session_transaction() as kept:
        content = dict(kept)
    (settings.instance_dir / "secret.key").unlink()
    make_secret_key(settings.instance_dir)
    other = create(settings)
    signer = SecureCookieSessionInterface().get_signing_serializer(other)
    assert signer is not None
    thief = site.browser()
    thief.keep(signer.dumps(content))
    assert not thief.is_signed_in()
    of(other).database.close()


def test_the_cookie_is_for_this_server_alone(site: Site) -> None:
    answer = site.browser().sign_in(site.rows[DOCTOR].email, PASSWORD)
    cookies = [one for one in answer.headers.getlist("Set-Cookie") if one.startswith("consilium=")]
    assert len(cookies) == 1
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookies[0].split("; "))
    assert "Domain" not in cookies[0]
