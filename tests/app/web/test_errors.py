"""Errors are pages that say what to do, and tell nothing of the inside."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.errors import AppError, BusyError, ModelRefused, RequestError, SetupError
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.web.roles import public
from contracts.errors import ChainUnreachable
from tests.app.web.browser import Parts
from tests.app.web.conftest import EVERYBODY, Site


def raising(site: Site, error: Exception) -> None:
    @site.app.get("/raise")
    @public
    def view() -> str:
        raise error


@pytest.mark.parametrize("who", EVERYBODY)
def test_an_unknown_address_leads_back(site: Site, who: str) -> None:
    answer = site.browser(who).get("/nothing/here")
    assert answer.status_code == 404
    parts = Parts(answer.text)
    assert parts.headings == 1
    assert "/" in parts.links


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RequestError("Choose a task that exists."), 422),
        (BusyError("Another process is training."), 409),
        (ModelRefused("The chain names another hash."), 409),
    ],
)
def test_an_error_for_a_person_is_told_in_its_words(site: Site, error: AppError, code: int) -> None:
    raising(site, error)
    answer = site.browser(DOCTOR).get("/raise")
    assert answer.status_code == code
    assert str(error) in answer.text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyError("patient 4711"), 500),
        (SetupError("patient 4711"), 500),
        (OperationalError("SELECT patient 4711", {}, OSError("locked")), 503),
        (ChainUnreachable("http://patient-4711", OSError("refused")), 503),
    ],
)
def test_what_is_inside_stays_inside(
    site: Site, error: Exception, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    raising(site, error)
    answer = site.browser(ADMINISTRATOR).get("/raise")
    assert answer.status_code == code
    assert "4711" not in answer.text
    assert "Traceback" not in answer.text
    assert "GET /raise" in caplog.text
    assert Parts(answer.text).headings == 1


def test_the_reference_of_an_error_is_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    raising(site, KeyError("unexpected"))
    page = site.browser().get("/raise").text
    reference = page.split("It was noted as ")[1][:8]
    assert f"{reference}: GET /raise" in caplog.text


def test_without_the_database_there_is_still_a_page(site: Site) -> None:
    browser = site.browser(ADMINISTRATOR)
    with site.services.database.engine.begin() as connection:
        connection.execute(text("DROP TABLE sessions"))
    answer = browser.get("/admin/")
    assert answer.status_code == 503
    assert "This does not answer just now" in answer.text
    assert answer.headers["Content-Security-Policy"]


def test_another_name_for_this_server_is_refused(site: Site) -> None:
    browser = site.browser()
    for host in ("evil.example", "evil.example:8000", "localhost.evil.example"):
        assert browser.get("/", headers={"Host": host}).status_code == 400, host
    for host in ("127.0.0.1:8000", "localhost:8000", "localhost"):
        assert browser.get("/", headers={"Host": host}).status_code == 200, host


def test_a_form_that_is_too_large_is_refused(site: Site) -> None:
    answer = site.browser().send("/register", {"name": "E" * 70_000})
    assert answer.status_code == 413
    assert "send less" in answer.text
