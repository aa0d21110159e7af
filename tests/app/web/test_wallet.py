"""Wallets in the pages: linking, the administrator's decision, signing in, and who is kept out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.models import DeploymentRow, SessionRow, WalletNonceRow
from app.models.base import now
from app.services.chain_access import ChainAccess
from app.services.roles import ADMINISTRATOR, DOCTOR
from config import Settings
from contracts.chain import CHAIN_ID, ChainEndpoint
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, Site

KEY: LocalAccount = Account.from_key("0x" + "11" * 32)
OTHER: LocalAccount = Account.from_key("0x" + "22" * 32)
# As many refused signatures as an address and an account may send (app.web.limiter).
PER_ADDRESS = 20
PER_ACCOUNT = 10
MESSAGES = 60


@pytest.fixture
def settings(settings: Settings, chain: ChainEndpoint) -> Settings:
    """A chain that runs, which the messages name."""
    return settings.model_copy(update={"chain_rpc_url": chain.url})


def sign(text: str, key: LocalAccount = KEY) -> str:
    return "0x" + bytes(key.sign_message(encode_defunct(text=text)).signature).hex()


def message(browser: Browser, path: str, key: LocalAccount = KEY, **options: Any) -> str:
    """The message that the server gives out at `path`."""
    answer = browser.send(path + "/message", {"address": key.address.lower()}, **options)
    assert answer.status_code == 200, answer.text
    text: str = answer.json["message"]
    return text


def prove(browser: Browser, path: str, key: LocalAccount = KEY, query: str = "") -> TestResponse:
    """Ask for a message, sign it, send both."""
    text = message(browser, path, key)
    return browser.send(path + query, {"message": text, "signature": sign(text, key)})


def link(site: Site, who: str = DOCTOR, key: LocalAccount = KEY) -> None:
    answer = prove(site.browser(who), "/wallet", key)
    assert answer.json == {"location": "/wallet"}


def decide(site: Site, action: str, who: str = DOCTOR, address: str = KEY.address) -> TestResponse:
    path = f"/admin/users/{site.rows[who].id}/wallet/{action}"
    return site.browser(ADMINISTRATOR).send(path, {"address": address})


@pytest.fixture
def authorised(site: Site) -> Site:
    """The doctor's wallet is linked and authorised."""
    link(site)
    decide(site, "authorise")
    return site


def test_the_way_from_linking_to_signing_in(site: Site) -> None:
    doctor = site.browser(DOCTOR)
    assert prove(doctor, "/wallet").json == {"location": "/wallet"}
    page = doctor.get("/wallet").text
    assert KEY.address in page
    assert "Waiting for authorisation" in page
    assert "The wallet is linked." in page
    alice = site.browser(ADMINISTRATOR)
    page = alice.get("/admin/users").text
    assert "Wallets to authorise" in page
    assert KEY.address in page
    assert decide(site, "authorise").status_code == 303
    assert "Wallets to authorise" not in alice.get("/admin/users").text
    assert "Authorised" in doctor.get("/wallet").text
    stranger = site.browser()
    answer = prove(stranger, "/sign-in/wallet")
    assert answer.json == {"location": "/"}
    assert stranger.get("/doctor/").status_code == 200
    entry = site.services.audit.entries().entries[0]
    assert (entry.action, entry.actor_id) == ("user.signed_in", site.rows[DOCTOR].id)
    assert KEY.address in entry.details


def test_the_message_names_this_page_and_this_chain(site: Site) -> None:
    text = message(site.browser(), "/sign-in/wallet")
    assert text.startswith("localhost wants you to sign in with your Ethereum account:\n")
    assert f"\nURI: http://localhost/sign-in\nVersion: 1\nChain ID: {CHAIN_ID}\n" in text


def test_signing_in_with_a_wallet_leads_to_the_page_that_was_wanted(authorised: Site) -> None:
    asked = authorised.browser().get("/doctor/predictions/heart/new")
    page = authorised.browser().get(asked.location).text
    assert 'action="/sign-in/wallet?next=/doctor/predictions/heart/new"' in page
    for query, location in (
        ("?next=/doctor/predictions/heart/new", "/doctor/predictions/heart/new"),
        ("?next=//evil.example", "/"),
        ("", "/"),
    ):
        answer = prove(authorised.browser(), "/sign-in/wallet", query=query)
        assert answer.json == {"location": location}


@pytest.fixture
def kept_out(request: pytest.FixtureRequest, site: Site) -> Site:
    """A site on which the wallet may not sign in, for one reason or another."""
    if request.param != "unknown":
        link(site)
    if request.param in ("withdrawn", "suspended", "unlinked"):
        decide(site, "authorise")
    if request.param == "withdrawn":
        decide(site, "withdraw")
    if request.param == "suspended":
        site.services.accounts.suspend(site.rows[ADMINISTRATOR], site.rows[DOCTOR].id, "Left")
    if request.param == "unlinked":
        site.browser(DOCTOR).send("/wallet/unlink")
    return site


REASONS = ["unknown", "asked", "withdrawn", "suspended", "unlinked"]


@pytest.mark.parametrize("kept_out", REASONS, indirect=True)
def test_who_is_kept_out_learns_no_reason(kept_out: Site) -> None:
    stranger = kept_out.browser()
    before = kept_out.services.audit.entries().total
    answer = prove(stranger, "/sign-in/wallet")
    assert answer.status_code == 422
    assert answer.json == {
        "error": "This wallet lets nobody in. Sign in with your password, or ask an administrator "
        "to authorise the wallet."
    }
    assert not stranger.is_signed_in()
    assert kept_out.services.audit.entries().total == before


def test_a_message_is_used_up_also_when_nobody_is_let_in(site: Site) -> None:
    stranger = site.browser()
    text = message(stranger, "/sign-in/wallet")
    fields = {"message": text, "signature": sign(text)}
    assert "lets nobody in" in stranger.send("/sign-in/wallet", fields).text
    link(site)
    decide(site, "authorise")
    assert "used before" in stranger.send("/sign-in/wallet", fields).text
    assert not stranger.is_signed_in()


def test_a_replay_lets_nobody_in(authorised: Site) -> None:
    browser = authorised.browser()
    text = message(browser, "/sign-in/wallet")
    fields, before = {"message": text, "signature": sign(text)}, browser.cookie()
    assert browser.send("/sign-in/wallet", fields).status_code == 200
    thief = authorised.browser()
    thief.keep(before)
    answer = thief.send("/sign-in/wallet", fields)
    assert (answer.status_code, thief.is_signed_in()) == (422, False)
    assert "used before" in answer.json["error"]


def test_a_message_of_another_browser_lets_nobody_in(authorised: Site) -> None:
    text = message(authorised.browser(), "/sign-in/wallet")
    thief = authorised.browser()
    message(thief, "/sign-in/wallet")
    answer = thief.send("/sign-in/wallet", {"message": text, "signature": sign(text)})
    assert (answer.status_code, thief.is_signed_in()) == (422, False)


def test_an_expired_message_lets_nobody_in(authorised: Site) -> None:
    browser = authorised.browser()
    text = message(browser, "/sign-in/wallet")
    with authorised.services.database.transaction() as session:
        session.execute(update(WalletNonceRow).values(expires_at=now() - timedelta(seconds=1)))
    answer = browser.send("/sign-in/wallet", {"message": text, "signature": sign(text)})
    assert (answer.status_code, browser.is_signed_in()) == (422, False)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("localhost wants", "evil.example wants", "for evil.example, not for localhost"),
        (f"Chain ID: {CHAIN_ID}", "Chain ID: 1", "for chain 1, this federation"),
        ("Nonce: ", "Nonce: 0", "not given out here"),
        ("Version: 1", "Version: 2", "no sign-in message"),
        ("\n", "\r\n", "no sign-in message"),
    ],
)
def test_a_signed_message_that_says_something_else_lets_nobody_in(
    authorised: Site, old: str, new: str, reason: str
) -> None:
    browser = authorised.browser()
    text = message(browser, "/sign-in/wallet").replace(old, new)
    answer = browser.send("/sign-in/wallet", {"message": text, "signature": sign(text)})
    assert (answer.status_code, browser.is_signed_in()) == (422, False)
    assert reason in answer.json["error"]


def test_a_message_signed_by_another_key_lets_nobody_in(authorised: Site) -> None:
    browser = authorised.browser()
    text = message(browser, "/sign-in/wallet")
    answer = browser.send("/sign-in/wallet", {"message": text, "signature": sign(text, OTHER)})
    assert (answer.status_code, browser.is_signed_in()) == (422, False)
    assert "Another key" in answer.json["error"]


def test_a_message_for_another_name_of_this_server_lets_nobody_in(authorised: Site) -> None:
    browser = authorised.browser()
    text = message(browser, "/sign-in/wallet")
    fields = {"message": text, "signature": sign(text)}
    browser.client.set_cookie("consilium", browser.cookie(), domain="127.0.0.1")
    answer = browser.send("/sign-in/wallet", fields, headers={"Host": "127.0.0.1"})
    assert answer.status_code == 422
    assert "for localhost, not for 127.0.0.1" in answer.json["error"]


def test_the_port_must_be_the_servers_own(authorised: Site) -> None:
    """A page of another port cannot hand in what it had signed for itself."""
    browser = authorised.browser()
    for path in ("/sign-in/wallet/message", "/sign-in/wallet"):
        answer = browser.send(path, {"address": KEY.address}, headers={"Host": "localhost:8001"})
        assert answer.status_code == 422
        assert "not the one that the server listens on" in answer.json["error"]


@pytest.mark.parametrize("path", ["/sign-in/wallet", "/wallet"])
def test_on_another_chain_than_ours_the_person_is_told(site: Site, path: str) -> None:
    with site.services.database.transaction() as session:
        session.add(
            DeploymentRow(
                chain_id=CHAIN_ID, chain_kind="external", genesis_hash="a" * 64, contract="0x"
            )
        )
    browser = site.browser(DOCTOR)
    answer = browser.send(path + "/message", {"address": KEY.address})
    assert answer.status_code == 503
    assert "chain does not answer" in answer.json["error"]
    assert browser.send(path, {}).status_code == 503


@pytest.mark.parametrize("path", ["/sign-in/wallet", "/wallet"])
def test_without_a_chain_the_person_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    nothing_runs = ChainAccess(Settings(), site.services.database)
    monkeypatch.setitem(
        site.app.extensions, "consilium", replace(site.services, chain_id=nothing_runs.chain_id)
    )
    answer = site.browser(DOCTOR).send(path + "/message", {"address": KEY.address})
    assert answer.status_code == 503
    assert "chain does not answer" in answer.json["error"]


def test_withdrawing_ends_the_wallets_sessions_at_the_next_request(authorised: Site) -> None:
    by_wallet, by_password = authorised.browser(), authorised.browser(DOCTOR)
    prove(by_wallet, "/sign-in/wallet")
    assert by_wallet.is_signed_in()
    decide(authorised, "withdraw")
    assert not by_wallet.is_signed_in()
    assert by_password.is_signed_in()
    assert "Withdrawn" in by_password.get("/wallet").text


def test_unlinking_ends_the_wallets_sessions(authorised: Site) -> None:
    by_wallet = authorised.browser()
    prove(by_wallet, "/sign-in/wallet")
    answer = by_wallet.send("/wallet/unlink")
    assert (answer.status_code, by_wallet.is_signed_in()) == (303, False)
    assert "Link a wallet" in authorised.browser(DOCTOR).get("/wallet").text


def test_signing_in_with_a_wallet_begins_a_new_session(authorised: Site) -> None:
    browser = authorised.browser()
    with browser.client.session_transaction() as session:
        session["planted"] = "by whoever prepared the browser"
    prove(browser, "/sign-in/wallet")
    with browser.client.session_transaction() as session:
        assert "planted" not in session
        assert "wallet_browser" not in session
    with authorised.services.database.transaction() as found:
        wallets = found.scalars(select(SessionRow.wallet)).all()
    assert KEY.address in wallets


def test_a_linked_wallet_is_not_linked_again(site: Site) -> None:
    link(site)
    answer = prove(site.browser("auditor"), "/wallet")
    assert (answer.status_code, answer.json) == (
        422,
        {"error": "This wallet is linked to another account."},
    )
    assert prove(site.browser(DOCTOR), "/wallet", OTHER).status_code == 422


def test_a_message_for_signing_in_links_nothing(site: Site) -> None:
    browser = site.browser(DOCTOR)
    text = message(browser, "/sign-in/wallet")
    answer = browser.send("/wallet", {"message": text, "signature": sign(text)})
    assert (answer.status_code, site.services.wallets.everyone()) == (422, {})


def test_a_message_of_the_person_before_links_nothing(site: Site) -> None:
    browser = site.browser(DOCTOR)
    text = message(browser, "/wallet")
    browser.send("/sign-out")
    browser.sign_in(site.rows["auditor"].email, PASSWORD)
    answer = browser.send("/wallet", {"message": text, "signature": sign(text)})
    assert (answer.status_code, site.services.wallets.everyone()) == (422, {})


@pytest.mark.parametrize("action", ["authorise", "withdraw"])
def test_only_administrators_decide_about_wallets(site: Site, action: str) -> None:
    link(site)
    path = f"/admin/users/{site.rows[DOCTOR].id}/wallet/{action}"
    assert site.browser(DOCTOR).send(path, {"address": KEY.address}).status_code == 403
    alice = site.browser(ADMINISTRATOR)
    assert alice.get(path).status_code == 405
    assert alice.send(f"/admin/users/4711/wallet/{action}").status_code == 404
    found = site.services.wallets.find(site.rows[DOCTOR].id)
    assert found is not None
    assert found.row.state == "asked"


def test_another_address_than_the_one_shown_is_not_authorised(site: Site) -> None:
    link(site)
    for address in (OTHER.address, "", KEY.address[:-1]):
        decide(site, "authorise", address=address)
    assert prove(site.browser(), "/sign-in/wallet").status_code == 422


@pytest.mark.parametrize("address", ["", "nobody", KEY.address.swapcase()])
def test_no_message_without_an_address(site: Site, address: str) -> None:
    answer = site.browser().send("/sign-in/wallet/message", {"address": address})
    assert answer.status_code == 422
    assert "no address" in answer.json["error"]


def test_an_address_tries_a_few_signatures_only(site: Site) -> None:
    browser, empty = site.browser(), {"message": "", "signature": ""}
    codes = [browser.send("/sign-in/wallet", empty).status_code for _ in range(PER_ADDRESS + 1)]
    assert codes == [422] * PER_ADDRESS + [429]
    doctor = site.browser(DOCTOR)
    codes = [doctor.send("/wallet", empty).status_code for _ in range(PER_ACCOUNT + 1)]
    assert codes == [422] * PER_ACCOUNT + [429]


def test_an_address_asks_for_some_messages_only(site: Site) -> None:
    browser = site.browser()
    fields = {"address": "", "csrf_token": browser.token()}
    codes = [
        browser.open("/sign-in/wallet/message", "POST", data=fields).status_code
        for _ in range(MESSAGES + 1)
    ]
    assert codes == [422] * MESSAGES + [429]


def test_the_people_page_shows_every_wallet_and_who_decided(authorised: Site) -> None:
    page = authorised.browser(ADMINISTRATOR).get("/admin/users").text
    assert "Wallet authorised" in page
    assert re.search(r"authorised <time[^>]*>[^<]*</time> by Alice administrator", page)
    assert "Withdraw the wallet" in page
