"""The operator's page over HTTP: who sees what, what a wallet signs, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.models import ApprovalRow, DeploymentRow, TrainingRow, UserRow
from app.services.approvals import ask
from app.services.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, Site

KEY: LocalAccount = Account.from_key("0x" + "11" * 32)
TRAINING = "ab" * 32


def sign(typed: dict[str, Any], key: LocalAccount = KEY) -> str:
    return "0x" + bytes(key.sign_message(encode_typed_data(full_message=typed)).signature).hex()


def assign(site: Site, hospital: str = "Cleveland", person: UserRow | None = None) -> TestResponse:
    row = person or site.rows[OPERATOR]
    path = f"/admin/users/{row.id}/hospital"
    return site.browser(ADMINISTRATOR).send(path, {"hospital": hospital})


@pytest.fixture
def acting(site: Site) -> Site:
    """The operator acts for Cleveland with an authorised wallet; the federation has a contract."""
    operator, admin = site.rows[OPERATOR], site.rows[ADMINISTRATOR]
    assert assign(site).status_code == 303
    site.services.wallets.link(operator, KEY.address)
    site.services.wallets.authorise(admin, operator.id, KEY.address)
    with site.services.database.transaction() as session:
        session.add(
            DeploymentRow(
                chain_id=1337, chain_kind="embedded", genesis_hash="a", contract="0x" + "1" * 40
            )
        )
    return site


@pytest.fixture
def asked(acting: Site) -> Site:
    """Cleveland approves by hand, and a training waits for it."""
    assert switch(acting.browser(OPERATOR), "yes").status_code == 200
    with acting.services.database.transaction() as session:
        session.add(
            TrainingRow(
                id=TRAINING,
                task="heart",
                network="mlp",
                seed=7,
                rounds=3,
                plan="{}",
                plan_sha256="cd" * 32,
                initial_sha256="0" * 64,
                deployment_id=1,
                state="awaiting",
            )
        )
        session.flush()
        ask(session, TRAINING, ["Cleveland", "Hungary"])
    return acting


def signed(browser: Browser, path: str, fields: dict[str, str]) -> TestResponse:
    """Ask what to sign, sign it, send both."""
    offered = browser.send(path + "/message", fields | {"address": KEY.address.lower()})
    assert offered.status_code == 200, offered.text
    typed = offered.json["typed"]
    proof = {"issued": str(offered.json["issued"]), "signature": sign(typed)}
    return browser.send(path, fields | proof)


def switch(browser: Browser, required: str) -> TestResponse:
    return signed(browser, "/operator/rule", {"required": required})


def decide(browser: Browser, approve: str, reason: str = "") -> TestResponse:
    fields = {"approve": approve, "reason": reason}
    return signed(browser, f"/operator/approvals/{TRAINING}", fields)


def test_without_a_hospital_the_page_says_whom_to_ask(site: Site) -> None:
    browser = site.browser(OPERATOR)
    assert browser.get("/").location == "/operator/"
    page = browser.get("/operator/").text
    assert "Ask an administrator" in page
    assert "data-wallet" not in page


def test_without_a_wallet_the_page_leads_to_linking_one(site: Site) -> None:
    assign(site)
    page = site.browser(OPERATOR).get("/operator/").text
    assert "Cleveland" in page
    assert 'href="/wallet"' in page
    assert "data-wallet" not in page


def test_an_administrator_sets_the_hospital(site: Site) -> None:
    assert assign(site, "VA Long Beach").status_code == 303
    alice = site.browser(ADMINISTRATOR)
    assert "VA Long Beach" in alice.get("/admin/users").text
    assert site.services.staff.find(site.rows[OPERATOR].id) == "VA Long Beach"
    noted = [e for e in site.services.audit.entries().entries if e.action == "operator.assigned"]
    assert [json.loads(entry.details) for entry in noted] == [{"hospital": "VA Long Beach"}]
    for hospital, person in (("Oslo", None), ("Hungary", site.rows[AUDITOR])):
        before = site.services.audit.entries().total
        alice_answer = assign(site, hospital, person)
        assert alice_answer.status_code == 303
        # Only the sign-in of whoever asked was added.
        assert site.services.audit.entries().total == before + 1
    assert site.services.staff.find(site.rows[OPERATOR].id) == "VA Long Beach"


def test_approvals_are_switched_on_and_off_by_signature(acting: Site) -> None:
    browser = acting.browser(OPERATOR)
    assert "Switch on with the wallet" in browser.get("/operator/").text
    assert switch(browser, "yes").json == {"location": "/operator/"}
    page = browser.get("/operator/").text
    assert "need your approval by hand" in page
    assert "Switch off with the wallet" in page
    rule = acting.services.approvals.find_rule("Cleveland")
    assert rule is not None
    assert rule.required


def test_a_training_is_approved_and_what_was_signed_can_be_downloaded(asked: Site) -> None:
    browser = asked.browser(OPERATOR)
    page = browser.get("/operator/").text
    assert "Approve with the wallet" in page
    assert 'data-copy="' + "cd" * 32 in page
    path = f"/operator/approvals/{TRAINING}/Cleveland/signed"
    assert browser.get(path).status_code == 404
    assert decide(browser, "yes").json == {"location": "/operator/"}
    page = browser.get("/operator/").text
    assert "Approved." in page
    assert path in page
    for who in (OPERATOR, ADMINISTRATOR, AUDITOR):
        answer = asked.browser(who).get(path)
        assert answer.headers["Content-Disposition"].startswith("attachment")
        document = json.loads(answer.text)
        assert document["signer"] == KEY.address
        found = Account.recover_message(
            encode_typed_data(full_message=document["typed_data"]), signature=document["signature"]
        )
        assert found == KEY.address


def test_an_operator_of_another_hospital_sees_and_decides_nothing(asked: Site) -> None:
    assert decide(asked.browser(OPERATOR), "yes").status_code == 200
    bob = asked.services.accounts.register("bob@b.example", "Bob", "B 1", OPERATOR, PASSWORD)
    assert bob is not None
    asked.services.accounts.authorise(asked.rows[ADMINISTRATOR], bob.id, OPERATOR)
    assign(asked, "Hungary", bob)
    browser = asked.browser()
    browser.sign_in("bob@b.example", PASSWORD)
    assert TRAINING[:8] not in browser.get("/operator/").text
    assert browser.get(f"/operator/approvals/{TRAINING}/Cleveland/signed").status_code == 404


def test_a_refusal_ends_the_training_and_its_reason_is_shown(asked: Site) -> None:
    browser = asked.browser(OPERATOR)
    assert decide(browser, "no", "Ethics vote is missing").status_code == 200
    assert "Ethics vote is missing" in browser.get("/operator/").text
    page = asked.browser(ADMINISTRATOR).get(f"/admin/trainings/{TRAINING}").text
    assert "Cleveland refused it: Ethics vote is missing" in page


def test_the_administrator_sees_for_whom_a_training_waits(asked: Site) -> None:
    alice = asked.browser(ADMINISTRATOR)
    for path in (f"/admin/trainings/{TRAINING}", f"/admin/trainings/{TRAINING}/now"):
        assert "Waits for the approval of Cleveland" in alice.get(path).text
    assert "Waits for approval" in alice.get("/admin/trainings").text
    decide(asked.browser(OPERATOR), "yes")
    page = alice.get(f"/admin/trainings/{TRAINING}").text
    assert f"/operator/approvals/{TRAINING}/Cleveland/signed" in page


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"approve": "perhaps", "issued": "1", "signature": "0x"},
        {"approve": "yes", "issued": "soon", "signature": "0x"},
        {"approve": "yes", "issued": "1", "signature": "0x"},
        {"approve": "no", "reason": "", "issued": "1", "signature": "0x"},
    ],
)
def test_malformed_decisions_are_refused_with_a_sentence(
    asked: Site, fields: dict[str, str]
) -> None:
    answer = asked.browser(OPERATOR).send(f"/operator/approvals/{TRAINING}", fields)
    assert answer.status_code == 422
    assert answer.json["error"].endswith(".")
    with asked.services.database.transaction() as session:
        assert session.scalars(select(ApprovalRow.state)).all() == ["waiting"]


def test_an_unknown_training_is_refused_as_one_that_does_not_wait(asked: Site) -> None:
    fields = {"approve": "yes", "reason": "", "address": KEY.address}
    answer = asked.browser(OPERATOR).send(f"/operator/approvals/{'0' * 64}/message", fields)
    assert answer.status_code == 422
    assert "does not wait for your hospital" in answer.json["error"]
