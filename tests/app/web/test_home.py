"""Every role has its home, and no link on any page is dead."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import text

from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR, ROLES, WORDS
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import EVERYBODY, Site


def linked(browser: Browser) -> dict[str, int]:
    """The status of every page that can be reached by links from the first one."""
    found: dict[str, int] = {}
    left = ["/"]
    while left:
        path = left.pop()
        if path in found:
            continue
        answer = browser.get(path, follow_redirects=True)
        found[path] = answer.status_code
        if answer.mimetype == "text/html":
            here = answer.request.path
            for link in Parts(answer.text).links:
                target = urlsplit(urljoin(here, link))
                if not target.netloc:
                    left.append(target.path + (f"?{target.query}" if target.query else ""))
    return found


@pytest.mark.parametrize("who", EVERYBODY)
def test_no_link_is_dead(site: Site, who: str) -> None:
    found = linked(site.browser(who))
    assert {path: code for path, code in found.items() if code != 200} == {}
    assert len(found) > 1


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_home_of_its_own(site: Site, role: str) -> None:
    answer = site.browser(role).get("/", follow_redirects=True)
    assert answer.status_code == 200
    assert WORDS[role] in answer.text
    assert site.rows[role].name in answer.text


def test_homes_of_other_roles_are_elsewhere(site: Site) -> None:
    assert site.browser(ADMINISTRATOR).get("/").location == "/admin/"
    assert site.browser(DOCTOR).get("/").location == "/doctor/"


def test_a_stranger_sees_the_first_page(site: Site) -> None:
    answer = site.browser().get("/")
    assert answer.status_code == 200
    assert {"/about", "/register"} <= set(Parts(answer.text).links)


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("waiting", ["Waiting for authorisation"]),
        ("refused", ["Registration refused", "Not of this clinic"]),
        ("suspended", ["Account suspended", "Left the clinic"]),
    ],
)
def test_whoever_has_no_role_is_told_what_was_decided(
    site: Site, who: str, shown: list[str]
) -> None:
    answer = site.browser(who).get("/", follow_redirects=True)
    assert answer.request.path == "/waiting"
    assert all(text in answer.text for text in shown)
    assert not {"/sign-in", "/register"} & set(Parts(answer.text).links)


def test_the_auditor_reads_who_did_what(site: Site) -> None:
    page = site.browser(AUDITOR).get("/audit").text
    assert "user.authorised" in page
    assert "Alice administrator" in page


def test_the_check_of_the_log_names_what_was_altered(site: Site) -> None:
    browser = site.browser(AUDITOR)
    whole = browser.get("/audit?check=1").text
    assert "message-success" in whole
    assert "message-danger" not in whole
    with site.services.database.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_no_update"))
        connection.execute(text("UPDATE audit SET actor = 'Mallory' WHERE id = 3"))
    page = browser.get("/audit?check=1").text
    assert "message-danger" in page
    assert "the entries 3." in page


@pytest.mark.parametrize("page", ["0", "-1", "99999", "x", ""])
def test_a_page_of_the_log_that_is_none_shows_one_that_is(site: Site, page: str) -> None:
    answer = site.browser(AUDITOR).get("/audit", query_string={"page": page})
    assert answer.status_code == 200
    assert "user.registered" in answer.text
