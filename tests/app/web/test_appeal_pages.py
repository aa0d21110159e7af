"""A rejected hospital's operator asks on a page, administrators decide on one, auditors read."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.models import AppealRow, DeploymentRow, OpinionRow, TrainingRow, UserRow
from app.services.appeals import DISMISSED, DONE, EFFECT, NO_EFFECT, OPEN, REFUSED, UPHELD
from app.services.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from app.services.trainings import RUNNING
from tests.app import reviewed
from tests.app.reviewed import Recorded
from tests.app.web.conftest import PASSWORD, Site
from tests.app.web.test_operator import assign

WHY = "Our patients are older than the others’"
SALT, CONTENT = "ab" * 32, "cd" * 32


@pytest.fixture
def training(site: Site) -> Recorded:
    """A training in which Hungary was rejected in both rounds, and an operator of it."""
    made = reviewed.attacked_training(site.services.database)
    with site.services.database.transaction() as session:
        session.scalars(select(DeploymentRow)).one().appeals = "0x" + "a" * 40
    assert assign(site, "Hungary").status_code == 303
    return made


def asked(site: Site, training: Recorded, round: int = 1) -> AppealRow:
    """An appeal that the operator asks for on the page."""
    path = f"/operator/appeals/{training.identifier}/{round}"
    answer = site.browser(OPERATOR).send(path, {"reason": WHY})
    assert answer.status_code == 303
    with site.services.database.transaction() as session:
        return session.scalars(select(AppealRow).filter_by(round=round)).one()


def opened(site: Site, training: Recorded) -> int:
    """An appeal that stands on the ledger, as the worker notes it."""
    number = asked(site, training).id
    with site.services.database.transaction() as session:
        row = session.get_one(AppealRow, number)
        row.state, row.transaction = OPEN, "0x" + "e" * 64
        row.update_salt, row.update_content = SALT, CONTENT
    return number


def write(site: Site, state: str = OPEN) -> None:
    """What the worker does of opinions, without a ledger."""
    with site.services.database.transaction() as session:
        for one in session.scalars(select(OpinionRow)):
            one.state = DONE
        session.scalars(select(AppealRow)).one().state = state


def second_administrator(site: Site) -> UserRow:
    accounts = site.services.accounts
    row = accounts.register("eve@clinic.example", "Eve", "Road 1", ADMINISTRATOR, PASSWORD)
    assert row is not None
    accounts.authorise(site.rows[ADMINISTRATOR], row.id, ADMINISTRATOR)
    return row


def test_a_rejected_hospital_asks_once_and_sees_that_it_waits(
    site: Site, training: Recorded
) -> None:
    operator = site.browser(OPERATOR)
    link = f'href="/operator/appeals/{training.identifier}/1"'
    assert link in operator.get("/operator/").text
    form = operator.get(f"/operator/appeals/{training.identifier}/1")
    assert "(0.45, rounded down)" in form.text
    assert NO_EFFECT in form.text
    assert "This training has ended." in operator.get("/operator/").text
    row = asked(site, training)
    assert (row.hospital, row.reason, row.state) == ("Hungary", WHY, "waiting")
    page = operator.get("/operator/").text
    assert link not in page
    assert "Appeal is being written" in page
    assert f'href="/operator/appeals/{training.identifier}/2"' in page
    for fields in (None, {"reason": WHY}):
        path = f"/operator/appeals/{training.identifier}/1"
        again = operator.send(path, fields) if fields else operator.get(path)
        assert (again.status_code, again.location) == (303, "/operator/#submissions")
        assert "You asked for this already." in operator.get("/operator/").text
    log = [one.action for one in site.services.audit.entries().entries]
    assert log[0] == "appeal.asked"


@pytest.mark.parametrize(
    ("state", "upheld", "words"),
    [(UPHELD, True, "rejects it no more"), (DISMISSED, False, "Nothing changes")],
)
def test_an_operator_reads_what_was_decided_of_the_own_appeal_only(
    site: Site, training: Recorded, state: str, upheld: bool, words: str
) -> None:
    number, operator = opened(site, training), site.browser(OPERATOR)
    eve = second_administrator(site)
    link = f'href="/operator/appeals/{number}"'
    assert link in operator.get("/operator/").text
    before = operator.get(f"/operator/appeals/{number}").text
    assert WHY in before
    assert "Nobody has said anything yet" in before
    assert words not in before
    with site.services.database.transaction() as session:
        for person, mark in ((site.rows[ADMINISTRATOR], "1"), (eve, "2")):
            session.add(
                OpinionRow(
                    appeal_id=number,
                    upheld=upheld,
                    reason=f"Said by {person.name}",
                    salt="",
                    reason_sha256="f" * 64,
                    decided_by=person.id,
                    transaction="0x" + mark * 64,
                )
            )
        session.get_one(AppealRow, number).decided_block = 4321
    write(site, state)
    page = operator.get(f"/operator/appeals/{number}").text
    for shown in (words, "4321", "0x" + "2" * 64, "0x" + "e" * 64, f"Said by {eve.name}"):
        assert shown in page
    assert SALT not in page
    assert "/ledger/" not in page
    assert assign(site, "Cleveland").status_code == 303
    assert operator.get(f"/operator/appeals/{number}").status_code == 404
    assert operator.get("/operator/appeals/4711").status_code == 404


def test_it_may_ask_again_where_the_ledger_has_no_appeal(site: Site, training: Recorded) -> None:
    number = asked(site, training).id
    with site.services.database.transaction() as session:
        row = session.get_one(AppealRow, number)
        row.state, row.problem = REFUSED, "The folder was changed."
    page = site.browser(OPERATOR).get("/operator/").text
    assert "The folder was changed." in page
    assert asked(site, training).id == number


@pytest.mark.parametrize(("hospital", "round"), [("Cleveland", 1), ("Hungary", 0), ("Hungary", 9)])
def test_who_was_not_rejected_has_nothing_to_ask(
    site: Site, training: Recorded, hospital: str, round: int
) -> None:
    assert assign(site, hospital).status_code == 303
    operator = site.browser(OPERATOR)
    path = f"/operator/appeals/{training.identifier}/{round}"
    assert operator.get(path).status_code == 404
    assert operator.send(path, {"reason": WHY}).status_code == 404


def test_while_a_training_runs_the_form_says_what_an_appeal_changes(
    site: Site, training: Recorded
) -> None:
    with site.services.database.transaction() as session:
        session.get_one(TrainingRow, training.identifier).state = RUNNING
    form = site.browser(OPERATOR).get(f"/operator/appeals/{training.identifier}/1").text
    assert EFFECT in form
    assert "has ended" not in form


def test_after_an_upheld_appeal_no_other_of_that_training_is_offered(
    site: Site, training: Recorded
) -> None:
    opened(site, training)
    operator = site.browser(OPERATOR)
    link = f'href="/operator/appeals/{training.identifier}/2"'
    assert link in operator.get("/operator/").text
    write(site, UPHELD)
    assert link not in operator.get("/operator/").text
    path = f"/operator/appeals/{training.identifier}/2"
    assert operator.send(path, {"reason": WHY}).status_code == 303
    assert "would change nothing" in operator.get("/operator/").text


def test_with_older_contracts_nobody_can_ask(site: Site, training: Recorded) -> None:
    with site.services.database.transaction() as session:
        session.scalars(select(DeploymentRow)).one().appeals = None
    assert "Ask for a second look" not in site.browser(OPERATOR).get("/operator/").text


def test_without_a_reason_nothing_is_asked(site: Site, training: Recorded) -> None:
    path = f"/operator/appeals/{training.identifier}/1"
    answer = site.browser(OPERATOR).send(path, {"reason": "  "})
    assert answer.status_code == 422
    assert "two administrators decide by it" in answer.text


def test_the_list_is_empty_until_somebody_asks(site: Site, training: Recorded) -> None:
    ada = site.browser(ADMINISTRATOR)
    assert "Nobody has appealed." in ada.get("/appeals/").text
    number = opened(site, training)
    page = ada.get("/appeals/").text
    assert f'href="/appeals/{number}"' in page
    assert "Hungary, round 1" in page
    assert "1 appeal</strong>" in ada.get("/admin/").text
    of_round = ada.get(f"/admin/trainings/{training.identifier}/rounds/1").text
    assert f'href="/appeals/{number}"' in of_round
    assert "Appeal waits" in of_round


def test_administrators_see_the_salt_and_auditors_all_but_it(
    site: Site, training: Recorded
) -> None:
    number = opened(site, training)
    ada, auditor = (site.browser(who).get(f"/appeals/{number}") for who in (ADMINISTRATOR, AUDITOR))
    for page in (ada.text, auditor.text):
        assert WHY in page
        assert CONTENT in page
        assert "0.45" in page
        assert "The chain does not answer" in page
    assert SALT in ada.text
    assert SALT not in auditor.text
    assert "for administrators only" in auditor.text
    assert ">Uphold</button>" in ada.text
    assert ">Uphold</button>" not in auditor.text
    assert site.browser(AUDITOR).send(f"/appeals/{number}/decision", {}).status_code == 403


def test_the_first_decision_waits_for_another_administrator(site: Site, training: Recorded) -> None:
    number, eve = opened(site, training), second_administrator(site)
    ada = site.browser(ADMINISTRATOR)
    fields = {"reason": "So they are", "decision": "uphold"}
    assert ada.send(f"/appeals/{number}/decision", fields).status_code == 303
    assert ada.get(f"/appeals/{number}/now").status_code == 204
    assert "It is being written on the ledger." in ada.get(f"/appeals/{number}").text
    write(site)
    assert ada.get(f"/appeals/{number}/now").headers["HX-Refresh"] == "true"
    page = ada.get(f"/appeals/{number}").text
    assert "Another administrator has to say the same" in page
    assert ">Uphold</button>" not in page
    ada.send(f"/appeals/{number}/decision", fields)
    assert "You said so already." in ada.get(f"/appeals/{number}").text
    browser = site.browser()
    assert browser.sign_in(eve.email, PASSWORD).status_code == 303
    assert browser.send(f"/appeals/{number}/decision", fields).status_code == 303
    with site.services.database.transaction() as session:
        said = [one.decided_by for one in session.scalars(select(OpinionRow))]
    assert said == [site.rows[ADMINISTRATOR].id, eve.id]


@pytest.mark.parametrize(("state", "words"), [(UPHELD, "Appeal upheld"), (DISMISSED, "dismissed")])
def test_what_was_decided_stands_everywhere_and_stays(
    site: Site, training: Recorded, state: str, words: str
) -> None:
    number, ada = opened(site, training), site.browser(ADMINISTRATOR)
    write(site, state)
    for browser, path in (
        (ada, f"/appeals/{number}"),
        (ada, f"/admin/trainings/{training.identifier}/rounds/1"),
        (site.browser(OPERATOR), "/operator/"),
    ):
        assert words in browser.get(path).text
    ada.send(f"/appeals/{number}/decision", {"reason": "No", "decision": "dismiss"})
    assert "not open (any more)" in ada.get(f"/appeals/{number}").text


@pytest.mark.parametrize(
    "fields", [{"decision": "uphold"}, {"reason": "So"}, {"reason": "x" * 501}]
)
def test_a_decision_needs_a_reason_and_a_choice(
    site: Site, training: Recorded, fields: dict[str, str]
) -> None:
    number = opened(site, training)
    answer = site.browser(ADMINISTRATOR).send(f"/appeals/{number}/decision", fields)
    assert answer.status_code == 422
    with site.services.database.transaction() as session:
        assert session.scalars(select(OpinionRow)).all() == []
