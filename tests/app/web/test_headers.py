"""Every answer carries the protecting headers, and no page needs what they forbid."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.roles import ADMINISTRATOR, DOCTOR
from app.web.headers import HEADERS
from app.web.roles import public
from tests.app.web.browser import Parts
from tests.app.web.conftest import EVERYBODY, Site
from tests.app.web.test_access import walk

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


# A request for each kind of answer: address, method, options.
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "page": ("/", "GET", {}),
    "file": ("/static/css/base.css", "GET", {}),
    "font": ("/static/vendor/inter-5.3.0/files/inter-latin-wght-normal.woff2", "GET", {}),
    "part of a file": ("/static/css/base.css", "GET", {"headers": {"Range": "bytes=0-9"}}),
    "missing file": ("/static/nothing.css", "GET", {}),
    "file outside": ("/static/../config.py", "GET", {}),
    "redirect": ("/audit", "GET", {}),
    "options": ("/sign-in", "OPTIONS", {}),
    "head": ("/sign-in", "HEAD", {}),
    "no token": ("/sign-in", "POST", {}),
    "not found": ("/nothing", "GET", {}),
    "wrong method": ("/about", "POST", {}),
    "too large": ("/sign-in", "POST", {"data": b"x" * 100_000}),
    "foreign host": ("/", "GET", {"headers": {"Host": "evil.example"}}),
    "broken": ("/broken", "GET", {}),
}

STATUS = {
    "page": 200,
    "file": 200,
    "font": 200,
    "part of a file": 206,
    "missing file": 404,
    "file outside": 404,
    "redirect": 303,
    "options": 200,
    "head": 200,
    "no token": 400,
    "not found": 404,
    "wrong method": 405,
    "too large": 413,
    "foreign host": 400,
    "broken": 500,
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_answer_carries_the_headers(site: Site, kind: str) -> None:
    @site.app.get("/broken")
    @public
    def broken() -> str:
        raise KeyError("what nobody expected")

    path, method, options = REQUESTS[kind]
    answer = site.browser().open(path, method, **options)
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.status_code == STATUS[kind]
    for name, value in HEADERS.items():
        assert answer.headers.getlist(name) == [value]
    assert answer.headers["Cache-Control"] in ("no-store", "no-cache")


@pytest.mark.parametrize("who", EVERYBODY)
def test_no_page_has_anything_inline(site: Site, who: str) -> None:
    browser, pages = site.browser(who), 0
    for _, method, path in walk(site.app):
        if method != "GET" or path.startswith("/static/"):
            continue
        answer = browser.get(path)
        if answer.mimetype == "text/html" and answer.status_code != 303:
            assert Parts(answer.text).inline == [], path
            pages += 1
    assert pages >= 4


def test_pages_are_not_kept_and_files_are(site: Site) -> None:
    browser = site.browser(ADMINISTRATOR)
    assert browser.get("/admin/").headers["Cache-Control"] == "no-store"
    assert browser.get("/static/css/base.css").headers["Cache-Control"] == "no-cache"
    named = browser.get("/static/css/base.css?v=1").headers["Cache-Control"]
    assert named == "public, max-age=31536000, immutable"
    assert browser.get("/static/nothing.css?v=1").headers["Cache-Control"] == "no-store"


def test_a_file_that_did_not_change_is_not_sent_again(site: Site) -> None:
    browser = site.browser(DOCTOR)
    tag = browser.get("/static/css/base.css").headers["ETag"]
    again = browser.get("/static/css/base.css", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
