"""The administrator decides about people."""

from __future__ import annotations

import csv
import io
import json

import pytest
from openpyxl import load_workbook

from tests.app.web.conftest import Site


def test_who_waits_is_shown_and_authorised(site: Site) -> None:
    alice, bob = site.browser("administrator"), site.row("waiting")
    assert bob.email in alice.get("/admin/users").text
    answer = alice.send(f"/admin/users/{bob.id}/authorise", {"role": "auditor"})
    assert (answer.status_code, answer.location) == (303, "/admin/users")
    assert (site.row("waiting").state, site.row("waiting").role) == ("active", "auditor")
    assert "is authorised: Auditor." in alice.get("/admin/users").text


def test_refusal_needs_a_reason_that_is_kept(site: Site) -> None:
    alice, bob = site.browser("administrator"), site.row("waiting")
    answer = alice.send(f"/admin/users/{bob.id}/refuse", {"reason": "  "})
    assert answer.status_code == 422
    assert "Give the reason" in answer.text
    long = alice.send(f"/admin/users/{bob.id}/refuse", {"reason": "not " * 200})
    assert long.status_code == 422
    assert "not not" in long.text
    assert site.row("waiting").state == "waiting"


def test_refused_person_reads_the_reason(site: Site) -> None:
    alice, bob = site.browser("administrator"), site.row("waiting")
    alice.send(f"/admin/users/{bob.id}/refuse", {"reason": "Unknown to <b>us</b>"})
    page = site.browser("waiting").get("/waiting").text
    assert "Unknown to &lt;b&gt;us&lt;/b&gt;" in page


def test_suspended_person_is_signed_out(site: Site) -> None:
    alice, doctor = site.browser("administrator"), site.browser("doctor")
    alice.send(f"/admin/users/{site.row('doctor').id}/suspend", {"reason": "Left"})
    assert not doctor.is_signed_in()


def test_suspending_oneself_is_refused(site: Site) -> None:
    alice, me = site.browser("administrator"), site.row("administrator")
    alice.send(f"/admin/users/{me.id}/suspend", {"reason": "Tired"})
    assert site.row("administrator").state == "active"
    assert "You cannot suspend yourself" in alice.get("/admin/users").text


def test_unknown_role_is_refused(site: Site) -> None:
    alice, bob = site.browser("administrator"), site.row("waiting")
    answer = alice.send(f"/admin/users/{bob.id}/authorise", {"role": "emperor"})
    assert answer.status_code == 422
    assert site.row("waiting").state == "waiting"


@pytest.mark.parametrize("action", ["authorise", "refuse", "suspend", "role"])
def test_strangers_and_wrong_methods(site: Site, action: str) -> None:
    bob = site.row("waiting")
    data = {"role": "doctor", "reason": "Because"}
    path = f"/admin/users/{bob.id}/{action}"
    assert site.browser("doctor").send(path, data).status_code == 403
    assert site.browser("administrator").get(path).status_code == 405
    assert site.browser("administrator").send("/admin/users/999/" + action, data).status_code == 404
    assert site.row("waiting").state == "waiting"


def found(page: str) -> str:
    """The part of the page that lists people."""
    return page.split('id="everyone"', 1)[1]


def test_people_are_found_by_what_is_typed_and_chosen(site: Site) -> None:
    alice = site.browser("administrator")
    doctor, remote = site.row("doctor"), site.row("remote")
    everybody = found(alice.get("/admin/users").text)
    assert doctor.email in everybody
    assert remote.email in everybody
    remotes = found(alice.get("/admin/users?role=remote").text)
    assert remote.email in remotes
    assert doctor.email not in remotes
    by_text = found(alice.get(f"/admin/users?text={doctor.email.upper()}").text)
    assert doctor.email in by_text
    assert remote.email not in by_text
    assert "Nobody fits" in alice.get("/admin/users?text=nobody-of-this-name").text
    suspended = found(alice.get("/admin/users?state=suspended").text)
    assert site.row("suspended").email in suspended
    assert doctor.email not in suspended
    assert doctor.email in found(alice.get("/admin/users?role=emperor&page=99").text)


def test_another_role_counts_from_the_next_page_on(site: Site) -> None:
    alice, doctor = site.browser("administrator"), site.browser("doctor")
    assert doctor.get("/audit").status_code == 403
    answer = alice.send(f"/admin/users/{site.row('doctor').id}/role", {"role": "auditor"})
    assert answer.status_code == 303
    assert "is now: Auditor." in alice.get("/admin/users").text
    assert doctor.get("/audit").status_code == 200
    entry = site.services.audit.entries(1).entries[0]
    assert entry.action == "user.role_changed"


def test_a_role_that_cannot_be_changed_stays(site: Site) -> None:
    alice, me = site.browser("administrator"), site.row("administrator")
    alice.send(f"/admin/users/{me.id}/role", {"role": "doctor"})
    assert "You cannot change your own role" in alice.get("/admin/users").text
    bob = site.row("waiting")
    alice.send(f"/admin/users/{bob.id}/role", {"role": "doctor"})
    assert "is not active" in alice.get("/admin/users").text
    assert alice.send(f"/admin/users/{bob.id}/role", {"role": "emperor"}).status_code == 422
    assert (site.row("administrator").role, site.row("waiting").role) == ("administrator", None)


def test_the_list_is_downloaded_as_it_is_looked_for(site: Site) -> None:
    alice, remote = site.browser("administrator"), site.row("remote")
    path = "/admin/users/people.{}?role=remote"
    text = alice.get(path.format("csv")).data.decode("utf-8-sig")
    as_csv = list(csv.DictReader(io.StringIO(text)))
    as_json = json.loads(alice.get(path.format("json")).data)["tables"]["people"]["rows"]
    book = load_workbook(io.BytesIO(alice.get(path.format("xlsx")).data))
    heads, *rows = book["people"].iter_rows(values_only=True)
    as_xlsx = [dict(zip(heads, row, strict=True)) for row in rows]
    for found in (as_csv, as_json, as_xlsx):
        assert [one["email"] for one in found] == [remote.email]
        assert [one["role"] for one in found] == ["remote"]
    assert site.services.audit.entries(1).entries[0].action == "people.exported"
    assert alice.get(path.format("exe")).status_code == 404
    assert site.row("doctor").email not in text
    assert "password" not in text.lower()


def test_a_name_is_no_formula(site: Site) -> None:
    with site.services.database.transaction() as session:
        session.merge(site.row("doctor")).name = "=HYPERLINK(1)"
    text = site.browser("administrator").get("/admin/users/people.csv").data.decode("utf-8-sig")
    names = [one["name"] for one in csv.DictReader(io.StringIO(text))]
    assert "'=HYPERLINK(1)" in names
    assert "=HYPERLINK(1)" not in names


def test_entries_of_the_log_are_found_and_downloaded(site: Site) -> None:
    vera = site.browser("auditor")
    for subject in ("one@clinic.example", "100% sure"):
        site.services.audit.add("Ada", "model.looked_at", subject)
    assert "100% sure" in vera.get("/audit").text
    page = vera.get("/audit?text=CLINIC.ex").text
    assert "one@clinic.example" in page
    assert "100% sure" not in page
    assert "No entry has this in it" in vera.get("/audit?text=%25%25").text
    text = vera.get("/audit/log.csv?text=100%25").data.decode("utf-8-sig")
    assert [one["subject"] for one in csv.DictReader(io.StringIO(text))] == ["100% sure"]
    rows = json.loads(vera.get("/audit/log.json").data)["tables"]["audit-log"]["rows"]
    assert [one["id"] for one in rows] == list(range(1, len(rows) + 1))
