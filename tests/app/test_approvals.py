"""What operators sign: only the right wallet, hospital, plan and chain count, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from sqlalchemy import select, update

from app.database import Database
from app.errors import MessageRefused, RequestError
from app.models import ApprovalRow, ApprovalRuleRow, DeploymentRow, JobRow, TrainingRow, WalletRow
from app.models.base import now
from app.services.accounts import Accounts
from app.services.approvals import ask
from app.services.audit import AuditLog
from app.services.jobs import Jobs
from app.services.live import job_view, training_view
from app.services.overview import Overview
from app.services.requests import TrainingRequest
from app.services.roles import AUDITOR, DOCTOR
from app.services.staff import Staff, find_hospital
from tests.app.operating import CHEAP, Operator, operator_of
from tests.app.people import register

TRAINING = "ab" * 32
PLAN = "cd" * 32
CONTRACT = "0x" + "1" * 40
HOSPITALS = ["Cleveland", "Hungary"]


@pytest.fixture
def federated(database: Database) -> Database:
    """A database whose federation has its contract."""
    with database.transaction() as session:
        session.add(
            DeploymentRow(
                chain_id=1337, chain_kind="embedded", genesis_hash="a" * 64, contract=CONTRACT
            )
        )
    return database


@pytest.fixture
def olga(federated: Database) -> Operator:
    """Cleveland's operator, and Cleveland wants to be asked."""
    made = operator_of(federated, "Cleveland")
    made.set_rule()
    return made


def begin(database: Database, training: str = TRAINING) -> int:
    """A training as the worker leaves it after asking the hospitals; the number of its job."""
    with database.transaction() as session:
        session.add(
            TrainingRow(
                id=training,
                task="heart",
                network="mlp",
                seed=7,
                rounds=3,
                plan="{}",
                plan_sha256=PLAN,
                initial_sha256="0" * 64,
                deployment_id=1,
                state="awaiting",
            )
        )
        session.flush()
        ask(session, training, HOSPITALS)
        job = JobRow(request=TrainingRequest().to_json(), training_id=training, state="awaiting")
        session.add(job)
    return job.id


def approval(database: Database) -> ApprovalRow:
    with database.transaction() as session:
        return session.scalars(select(ApprovalRow)).one()


def training(database: Database) -> TrainingRow:
    with database.transaction() as session:
        return session.get_one(TrainingRow, TRAINING)


def test_only_the_hospitals_that_want_it_are_asked(olga: Operator, federated: Database) -> None:
    job = begin(federated)
    assert approval(federated).hospital == "Cleveland"
    waits = "Waits for the approval of Cleveland, by an operator’s wallet."
    assert training_view(federated, TRAINING)["notice"] == waits
    assert job_view(federated, job)["notice"] == waits
    assert [line.state for line in Overview(federated).under_way()] == ["awaiting"]


def test_the_signed_message_names_all_that_is_approved(olga: Operator, federated: Database) -> None:
    begin(federated)
    typed = olga.offer(TRAINING)
    assert typed["primaryType"] == "TrainingApproval"
    assert typed["domain"] == {
        "name": "Consilium",
        "version": "1",
        "chainId": 1337,
        "verifyingContract": CONTRACT,
    }
    issued = typed["message"].pop("issued")
    assert typed["message"] == {
        "hospital": "Cleveland",
        "task": "heart",
        "training": "0x" + TRAINING,
        "plan": "0x" + PLAN,
        "rounds": 3,
        "approve": True,
        "reason": "",
    }
    assert issued > 1_700_000_000


def test_an_approval_queues_the_training_and_is_kept_with_its_signature(
    olga: Operator, federated: Database
) -> None:
    job, jobs = begin(federated), Jobs(federated)
    olga.approvals.release()
    assert not jobs.has_work()
    olga.decide(TRAINING)
    assert "begins as soon as the worker is free" in job_view(federated, job)["notice"]
    olga.approvals.release()
    assert jobs.has_work()
    row = approval(federated)
    assert (row.state, row.wallet, row.decided_by) == ("approved", olga.key.address, olga.row.id)
    document = olga.approvals.document(TRAINING, "Cleveland")
    assert document is not None
    signable = encode_typed_data(full_message=document["typed_data"])
    assert Account.recover_message(signable, signature=document["signature"]) == olga.key.address
    entry = AuditLog(federated).entries().entries[0]
    assert (entry.action, entry.subject) == ("approval.given", "Cleveland")


def test_all_hospitals_that_are_asked_must_approve(olga: Operator, federated: Database) -> None:
    other = operator_of(federated, "Hungary", "hugo")
    other.set_rule()
    begin(federated)
    olga.decide(TRAINING)
    olga.approvals.release()
    assert not Jobs(federated).has_work()
    other.decide(TRAINING)
    olga.approvals.release()
    assert Jobs(federated).has_work()


def test_a_refusal_ends_the_training_and_drops_the_other_questions(
    olga: Operator, federated: Database
) -> None:
    other = operator_of(federated, "Hungary", "hugo")
    other.set_rule()
    job = begin(federated)
    olga.decide(TRAINING, False, "  No data \n officer ")
    assert (training(federated).state, training(federated).reason) == (
        "unopened",
        "Cleveland refused it: No data officer",
    )
    view = job_view(federated, job)
    assert (view["state"], view["training"]["state"]) == ("failed", "refused")
    assert "nothing of it stands on the ledger" in view["training"]["notice"]
    with pytest.raises(RequestError, match="does not wait for your hospital"):
        other.decide(TRAINING)
    olga.approvals.release()
    assert not Jobs(federated).has_work()
    assert AuditLog(federated).entries().entries[0].action == "approval.refused"


def test_a_refusal_needs_a_reason(olga: Operator, federated: Database) -> None:
    begin(federated)
    for reason in ("", "  ", "x" * 201):
        with pytest.raises(RequestError, match="reason"):
            olga.decide(TRAINING, False, reason)
    assert approval(federated).state == "waiting"


ALTERED: dict[str, Callable[[dict[str, Any]], None]] = {
    "another hospital": lambda typed: typed["message"].update(hospital="Hungary"),
    "another plan": lambda typed: typed["message"].update(plan="0x" + "ef" * 32),
    "another training": lambda typed: typed["message"].update(training="0x" + "ef" * 32),
    "more rounds": lambda typed: typed["message"].update(rounds=30),
    "a refusal": lambda typed: typed["message"].update(approve=False),
    "another chain": lambda typed: typed["domain"].update(chainId=1),
    "another contract": lambda typed: typed["domain"].update(verifyingContract="0x" + "2" * 40),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED)
def test_a_signature_of_something_else_approves_nothing(
    olga: Operator, federated: Database, alter: Callable[[dict[str, Any]], None]
) -> None:
    begin(federated)
    typed = olga.offer(TRAINING)
    issued = typed["message"]["issued"]
    alter(typed)
    with pytest.raises(MessageRefused, match="not of what this page asks"):
        olga.approvals.decide(olga.row, TRAINING, True, "", issued, olga.sign(typed))
    assert approval(federated).state == "waiting"


@pytest.mark.parametrize("signature", ["", "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "zz"])
def test_what_is_no_signature_approves_nothing(
    olga: Operator, federated: Database, signature: str
) -> None:
    begin(federated)
    issued = olga.offer(TRAINING)["message"]["issued"]
    with pytest.raises(MessageRefused):
        olga.approvals.decide(olga.row, TRAINING, True, "", issued, signature)


def test_another_wallet_approves_nothing(olga: Operator, federated: Database) -> None:
    begin(federated)
    stranger = operator_of(federated, "Hungary", "hugo")
    typed = olga.offer(TRAINING)
    issued = typed["message"]["issued"]
    with pytest.raises(MessageRefused, match=olga.key.address):
        olga.approvals.decide(olga.row, TRAINING, True, "", issued, stranger.sign(typed))
    with pytest.raises(RequestError, match="does not wait for your hospital"):
        stranger.decide(TRAINING)
    with pytest.raises(RequestError, match=f"Choose the account {olga.key.address}"):
        olga.approvals.offer(olga.row, TRAINING, True, "", stranger.key.address)
    assert approval(federated).state == "waiting"


def test_an_old_signature_approves_nothing(
    olga: Operator, federated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(federated)
    monkeypatch.setattr("app.services.approvals.now", lambda: now() - timedelta(minutes=11))
    typed = olga.offer(TRAINING)
    monkeypatch.undo()
    with pytest.raises(MessageRefused, match="expired"):
        olga.approvals.decide(
            olga.row, TRAINING, True, "", typed["message"]["issued"], olga.sign(typed)
        )


def test_a_decision_counts_once(olga: Operator, federated: Database) -> None:
    begin(federated)
    typed = olga.offer(TRAINING)
    issued, signature = typed["message"]["issued"], olga.sign(typed)
    olga.approvals.decide(olga.row, TRAINING, True, "", issued, signature)
    with pytest.raises(RequestError, match="does not wait"):
        olga.approvals.decide(olga.row, TRAINING, True, "", issued, signature)
    begin(federated, "ef" * 32)
    with pytest.raises(MessageRefused):
        olga.approvals.decide(olga.row, "ef" * 32, True, "", issued, signature)


@pytest.mark.parametrize("state", ["asked", "withdrawn"])
def test_a_wallet_that_is_not_authorised_signs_nothing(
    olga: Operator, federated: Database, state: str
) -> None:
    begin(federated)
    with federated.transaction() as session:
        session.execute(update(WalletRow).values(state=state))
    with pytest.raises(RequestError, match="have an administrator authorise it"):
        olga.decide(TRAINING)


def test_who_acts_for_no_hospital_signs_nothing(olga: Operator, federated: Database) -> None:
    begin(federated)
    accounts = Accounts(federated, AuditLog(federated), CHEAP)
    admin = accounts.find_by_email("root@clinic.example")
    assert admin is not None
    accounts.suspend(admin, olga.row.id, "Left")
    with pytest.raises(RequestError, match="for which hospital you act"):
        olga.decide(TRAINING)


def test_an_operator_is_given_a_known_hospital_and_has_the_role(
    olga: Operator, federated: Database
) -> None:
    audit = AuditLog(federated)
    accounts, staff = Accounts(federated, audit, CHEAP), Staff(federated, audit)
    admin = accounts.find_by_email("root@clinic.example")
    assert admin is not None
    doctor = accounts.authorise(admin, register(accounts, "ines").id, DOCTOR)
    auditor = accounts.authorise(admin, register(accounts, "vera").id, AUDITOR)
    with pytest.raises(RequestError, match="Choose one of the federation"):
        staff.assign(admin, olga.row.id, "Oslo")
    for nobody in (auditor.id, 4711):
        with pytest.raises(RequestError, match="Only hospital operators and doctors"):
            staff.assign(admin, nobody, "Cleveland")
    staff.assign(admin, olga.row.id, "Hospital B")
    assert staff.find(olga.row.id) == "Hospital B"
    assert "Hospital J" in staff.hospitals()
    # A doctor works there, and acts for nobody.
    staff.assign(admin, doctor.id, "Cleveland")
    assert staff.everyone()[doctor.id] == "Cleveland"
    assert staff.find(doctor.id) is None
    with federated.transaction() as session:
        assert find_hospital(session, doctor.id, DOCTOR) == "Cleveland"
    accounts.suspend(admin, doctor.id, "Left")
    with federated.transaction() as session:
        assert find_hospital(session, doctor.id, DOCTOR) is None


def test_the_rule_is_switched_by_signature_and_an_old_one_switches_nothing(
    olga: Operator, federated: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with federated.transaction() as session:
        first = session.scalars(select(ApprovalRuleRow)).one()
    assert json.loads(first.message)["primaryType"] == "ApprovalRule"
    later = now() + timedelta(seconds=5)
    monkeypatch.setattr("app.services.approvals.now", lambda: later)
    assert not olga.set_rule(False).required
    rule = olga.approvals.find_rule("Cleveland")
    assert rule is not None
    assert not rule.required
    with pytest.raises(MessageRefused, match="before the rule that counts"):
        olga.approvals.set_rule(olga.row, True, first.issued, first.signature)
    with pytest.raises(MessageRefused, match="not of what this page asks"):
        olga.approvals.set_rule(olga.row, True, first.issued + 9, first.signature)
    known = olga.approvals.find_rule("Cleveland")
    assert known is not None
    assert known.id == rule.id
    begin(federated)
    with federated.transaction() as session:
        assert session.scalars(select(ApprovalRow)).all() == []


def test_stopping_a_training_that_waits_ends_it_and_drops_its_questions(
    olga: Operator, federated: Database
) -> None:
    job = begin(federated)
    Jobs(federated).request_stop(job)
    view = job_view(federated, job)
    assert (view["state"], view["training"]["state"]) == ("stopped", "stopped")
    assert approval(federated).state == "dropped"
    with pytest.raises(RequestError, match="does not wait"):
        olga.decide(TRAINING)


def test_without_a_contract_there_is_nothing_to_sign(database: Database) -> None:
    olga = operator_of(database, "Cleveland")
    with pytest.raises(RequestError, match="no contract yet"):
        olga.set_rule()
