"""Signing in: nothing tells which part was wrong, and guessing is limited."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.services.roles import DOCTOR
from tests.app.web.browser import TOKEN, Browser
from tests.app.web.conftest import PASSWORD, UNDECIDED, Site

# As many attempts as the limits of an account and of an address allow (app.web.limiter).
PER_ACCOUNT = 10
PER_ADDRESS = 20


def guess(browser: Browser, email: str, password: str = "a wrong password") -> TestResponse:
    return browser.sign_in(email, password)


def refusal(site: Site, email: str, password: str) -> tuple[int, str]:
    answer = site.browser().sign_in(email, password)
    token = TOKEN.search(answer.text)
    assert token
    return answer.status_code, answer.text.replace(token[1], "").replace(email, "")


@pytest.mark.parametrize("who", [DOCTOR, *UNDECIDED])
def test_the_refusal_is_the_same_whichever_part_was_wrong(site: Site, who: str) -> None:
    wrong_password = refusal(site, site.rows[who].email, "a wrong password")
    nobody = refusal(site, "stranger@clinic.example", PASSWORD)
    assert wrong_password == nobody
    assert nobody[0] == 422
    assert "do not belong together" in nobody[1]


def test_an_unknown_address_costs_the_same_check(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasher = site.services.accounts._passwords._hasher
    checked: list[str] = []
    verify = type(hasher).verify

    def counting(self: object, hashed: str, password: str) -> bool:
        checked.append(hashed.split("$")[1] + hashed.split("$")[3])
        return verify(hasher, hashed, password)

    monkeypatch.setattr(type(hasher), "verify", counting)
    guess(site.browser(), site.rows[DOCTOR].email)
    guess(site.browser(), "stranger@clinic.example")
    assert len(checked) == 2
    assert checked[0] == checked[1]


def test_a_refused_form_keeps_the_address_and_forgets_the_password(site: Site) -> None:
    answer = guess(site.browser(), "Stranger@clinic.example", "secret of the stranger")
    assert 'value="Stranger@clinic.example"' in answer.text
    assert "secret of the stranger" not in answer.text


def test_the_address_may_be_written_in_any_case(site: Site) -> None:
    assert site.browser().sign_in("  DOCTOR@Clinic.Example ", PASSWORD).status_code == 303


def test_an_account_is_guessed_at_a_few_times_only(site: Site) -> None:
    email = site.rows[DOCTOR].email
    addresses = [f"10.0.0.{number}" for number in range(PER_ACCOUNT + 1)]
    codes = [guess(site.browser(REMOTE_ADDR=one), email).status_code for one in addresses]
    assert codes == [422] * PER_ACCOUNT + [429]
    assert site.browser(REMOTE_ADDR="10.0.1.1").sign_in(email, PASSWORD).status_code == 429
    colleague = site.rows["auditor"].email
    assert site.browser(REMOTE_ADDR="10.0.1.1").sign_in(colleague, PASSWORD).status_code == 303


def test_writing_the_address_differently_gives_no_more_guesses(site: Site) -> None:
    email = site.rows[DOCTOR].email
    for number in range(PER_ACCOUNT):
        written = " " * number + (email.upper() if number % 2 else email)
        assert guess(site.browser(REMOTE_ADDR=f"10.0.0.{number}"), written).status_code == 422
    assert guess(site.browser(REMOTE_ADDR="10.0.1.1"), email).status_code == 429


def test_an_address_guesses_a_few_times_only(site: Site) -> None:
    browser = site.browser()
    codes = [guess(browser, f"{n}@clinic.example").status_code for n in range(PER_ADDRESS + 1)]
    assert codes == [422] * PER_ADDRESS + [429]
    elsewhere = site.browser(REMOTE_ADDR="10.0.0.9")
    assert guess(elsewhere, "0@clinic.example").status_code == 422


def test_whoever_knows_the_password_is_not_limited(site: Site) -> None:
    for _ in range(PER_ADDRESS + 1):
        assert site.browser().sign_in(site.rows[DOCTOR].email, PASSWORD).status_code == 303


def test_the_limit_is_a_page_that_says_how_long_to_wait(site: Site) -> None:
    browser = site.browser()
    for _ in range(PER_ACCOUNT):
        guess(browser, "stranger@clinic.example")
    answer = guess(browser, "stranger@clinic.example")
    assert answer.status_code == 429
    assert "up to 15 minutes" in answer.text
    assert int(answer.headers["Retry-After"]) == 15 * 60
    assert browser.get("/sign-in").status_code == 200


def test_the_present_password_is_guessed_at_a_few_times_only(site: Site) -> None:
    browser = site.browser(DOCTOR)
    fields = {"old": "a wrong guess", "new": "another long password", "again": ""}
    fields["again"] = fields["new"]
    codes = [browser.send("/password", fields).status_code for _ in range(PER_ACCOUNT + 1)]
    assert codes == [422] * PER_ACCOUNT + [429]


def test_two_applications_count_apart(site: Site, app: Flask) -> None:
    email = "stranger@clinic.example"
    for _ in range(PER_ACCOUNT + 1):
        guess(site.browser(), email)
    from app.web.factory import create
    from tests.app.web.conftest import of

    other = create(site.services.settings)
    assert guess(Browser(other), email).status_code == 422
    of(other).database.close()


def test_signing_in_and_out_is_in_the_audit_log(site: Site) -> None:
    browser = site.browser(DOCTOR)
    browser.send("/sign-out")
    entries = site.services.audit.entries().entries[:2]
    assert [(one.action, one.actor_id) for one in entries] == [
        ("user.signed_out", site.rows[DOCTOR].id),
        ("user.signed_in", site.rows[DOCTOR].id),
    ]
