"""Administrator, operator and auditor go through their pages: people, cost, live, results, log."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from PIL import Image
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.person import LONG, VIEWS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

# Desktop in light, phone in dark.
BOTH = [VIEWS[0], VIEWS[3]]
PASSWORD = "quiet river under seven bridges"
HOSPITAL = "Hungary"

# What a chart on the page is drawn from at this moment.
DRAWN = """name => {
  const chart = window.Chart.getChart(document.getElementById(`chart-${name}`));
  return chart.data.datasets.map((set) => set.data.map((one) => one?.y ?? one));
}"""


def download(person: Person, name: str) -> tuple[str, Path]:
    """Follow a link to a file by keyboard; what the file is called, and where it lies."""
    with person.page.expect_download() as waiting:
        person.press(name, role="link")
    return waiting.value.suggested_filename, Path(waiting.value.path())


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"))))


def cells(person: Person, group: str) -> list[list[str]]:
    """The rows of a table as the page shows them."""
    rows = person.page.get_by_role("group", name=group, exact=True).locator("tbody tr")
    read = rows.evaluate_all("all => all.map(row => [...row.cells].map(cell => cell.innerText))")
    return [[" ".join(cell.split()) for cell in row] for row in read]


def register(person: Person, name: str, email: str) -> None:
    person.open("/register")
    person.fill("Name", name)
    person.fill("E-mail address", email)
    person.fill("Address", "Clinic of Examplestadt, Long Street 1")
    person.tab_to(person.page.get_by_role("radio", name="Doctor"))
    person.page.keyboard.press("Space")
    person.fill("Password", PASSWORD)
    person.fill("Password again", PASSWORD)
    person.press("Register")
    expect(person.page.get_by_role("heading", name="Waiting for authorisation")).to_be_visible()


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_people_are_refused_authorised_changed_suspended_and_exported(
    view: View, arrive: Callable[..., Person]
) -> None:
    name, email = f"Pia {view.scheme}", f"pia.{view}@clinic.example"
    register(arrive(view), name, email)
    ada = arrive(view, "administrator")
    ada.through_menu("People")
    ada.press(f"Refuse {name}")
    expect(ada.page.get_by_label(f"Reason to refuse {name}")).to_have_attribute(
        "aria-invalid", "true"
    )
    ada.require_good_page()
    ada.fill(f"Reason to refuse {name}", "Not of this clinic")
    ada.press(f"Refuse {name}")
    expect(ada.page.get_by_role("status").first).to_contain_text("is refused")
    ada.fill("Name, e-mail, address or wallet", email)
    ada.press("Find")
    one = ada.page.locator(".people > li").filter(has_text=email)
    expect(one).to_contain_text("Refused")
    ada.press_summary(email)
    ada.require_good_page()
    ada.press(f"Authorise {name}")
    expect(ada.page.get_by_role("status").first).to_contain_text("is authorised")

    ada.open(f"/admin/users?text={email}")
    ada.press_summary(email)
    ada.tab_to(ada.page.get_by_label(f"Role of {name}"))
    ada.page.keyboard.type("Auditor")
    ada.press(f"Change the role of {name}")
    expect(ada.page.get_by_role("status").first).to_contain_text(f"{name} is now: Auditor")
    ada.open(f"/admin/users?text={email}")
    expect(one).to_contain_text("Auditor")
    ada.press_summary(email)
    ada.fill(f"Reason to suspend {name}", "Left the clinic")
    ada.press(f"Suspend {name}")
    expect(ada.page.get_by_role("status").first).to_contain_text("is suspended")
    ada.open(f"/admin/users?text={email}")
    expect(one).to_contain_text("Suspended")
    ada.require_good_page()
    file, path = download(ada, "The list as CSV")
    assert file.endswith(".csv")
    (told,) = read_csv(path)
    assert {email, "suspended"} <= {value.lower() for value in told.values()}
    ada.open(f"/audit?text={email}")
    actions = ada.page.get_by_role("group", name="Entries of the audit log")
    for action in ("user.refused", "user.authorised", "user.suspended"):
        expect(actions.get_by_text(action).first).to_be_visible()


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_the_cost_is_told_before_the_start(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(view, "administrator")
    ada.open("/admin/trainings/new/heart")
    ada.fill("Rounds", "7")
    ada.press("Estimate the cost")
    cost = ada.page.get_by_role("region", name=re.compile("What it will cost"))
    expect(cost).to_contain_text("transactions")
    expect(cost).to_contain_text("MB")
    expect(ada.page.get_by_label("Rounds", exact=True)).to_have_value("7")
    ada.require_good_page()


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_live_charts_are_drawn_from_their_tables_and_survive_a_reload(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(view, "administrator")
    ada.open(trained)
    for name in ("rounds", "loss", "statistic", "verdicts", "latency", "bytes"):
        assert any(ada.page.evaluate(DRAWN, name)), name
    ada.press_summary("of the chart Verdict statistic against its threshold")
    rows = cells(ada, "Table: Verdict statistic against its threshold")
    assert rows
    drawn = ada.page.evaluate(DRAWN, "statistic")
    opened = sorted(float(row[2]) for row in rows if row[2][0].isdigit())
    assert sorted(round(value, 3) for kind in drawn[:3] for value in kind) == opened
    assert sorted(round(value, 3) for value in drawn[3]) == sorted(
        float(row[3]) for row in rows if row[3][0].isdigit()
    )
    assert len(drawn[1]) == sum("Rejected" in row[4] for row in rows if row[2][0].isdigit())
    ada.press_summary("of the chart Test loss by round")
    ((_, loss),) = cells(ada, "Table: Test loss by round")
    assert round(ada.page.evaluate(DRAWN, "loss")[0][0], 3) == float(loss)
    ada.require_good_page()
    ada.page.reload()
    assert ada.page.evaluate(DRAWN, "statistic") == drawn


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_results_download_with_the_figures_of_the_page(
    view: View, attacked: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(view, "administrator")
    ada.open(attacked)
    ada.press("Results", role="link")
    expect(ada.page.get_by_role("heading", level=1)).to_contain_text("Results")
    shown = {row[0]: row for row in cells(ada, "Trained and tested results")}
    file, path = download(ada, "All tables, XLSX")
    assert file.endswith(".xlsx")
    head, *rows = load_workbook(io.BytesIO(path.read_bytes()))["accuracy"].iter_rows(
        values_only=True
    )
    assert len(rows) == len(shown)
    for row in rows:
        found: dict[Any, Any] = dict(zip(head, row, strict=True))
        line = shown[found["hospital"]]
        assert line[4] == f"{found['test_rows']:,}"
        assert line[5] == f"{100 * found['test_accuracy']:.1f} %"
    verdicts = ada.page.get_by_role("region", name="Poisoning status of every submission")
    with ada.page.expect_download() as waiting:
        verdicts.get_by_role("link", name="Table as CSV").click()
    submissions = read_csv(Path(waiting.value.path()))
    seen = cells(ada, "Poisoning status of every submission")
    assert [(row[1], row[2].lower()) for row in seen] == [
        (one["hospital"], one["verdict"]) for one in submissions
    ]
    chart = ada.page.get_by_role("region", name="Status by round", exact=True)
    with ada.page.expect_download() as waiting:
        chart.get_by_role("link", name="Figure as PNG").click()
    picture = Path(waiting.value.path()).read_bytes()
    assert Image.open(io.BytesIO(picture)).format == "PNG"
    _, path = download(ada, "Report, PDF")
    told = "".join(one.extract_text() for one in PdfReader(io.BytesIO(path.read_bytes())).pages)
    assert attacked.rsplit("/", 1)[1] in told.replace("\n", "")
    ada.require_good_page()


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_an_operator_reads_what_the_own_hospital_submitted(
    view: View, trained: str, arrive: Callable[..., Person]
) -> None:
    ada, oskar = arrive(view, "administrator"), arrive(view, "operator")
    ada.open("/admin/users")
    ada.press_summary("Oskar Lind")
    ada.page.get_by_label("Hospital of Oskar Lind").select_option(HOSPITAL)
    ada.press("Set the hospital of Oskar Lind")
    expect(ada.page.get_by_text(f"Oskar Lind acts for {HOSPITAL}.")).to_be_visible()
    oskar.open("/")
    expect(oskar.page.get_by_role("heading", level=1)).to_have_text(HOSPITAL)
    oskar.require_good_page()
    shown = cells(oskar, "Submissions")
    assert any(trained.rsplit("/", 1)[1][:8] in row[0] for row in shown)
    file, path = download(oskar, "The submissions as JSON")
    assert file.endswith(".json")
    assert trained.rsplit("/", 1)[1] in path.read_text("utf-8")
    _, path = download(oskar, "The submissions as CSV")
    assert len(read_csv(path)) >= len(shown)
    keys = oskar.page.get_by_role("region", name="Data and keys")
    expect(keys).to_contain_text("Signing key")
    oskar.press("Heart disease", role="link")
    expect(oskar.page.get_by_role("heading", level=1)).to_contain_text(HOSPITAL)
    oskar.require_good_page()
    oskar.open("/password")
    oskar.fill("Present password", "not the right one")
    oskar.fill("New password", PASSWORD)
    oskar.fill("New password again", PASSWORD)
    oskar.press("Change password")
    expect(oskar.page.locator("[aria-invalid=true]").first).to_be_visible()
    oskar.require_good_page()


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_an_auditor_reads_log_results_models_and_data(
    view: View, trained: str, on_chain: dict[str, str], arrive: Callable[..., Person]
) -> None:
    vera = arrive(view, "auditor")
    vera.open("/")
    vera.require_good_page()
    vera.press("Open the audit log", role="link")
    vera.fill("Who, what or about what", "training.requested")
    vera.press("Find")
    vera.page.wait_for_url("**text=training.requested*")
    rows = cells(vera, "Entries of the audit log")
    assert rows
    assert all("training.requested" in row[3] for row in rows)
    vera.require_good_page()
    _, path = download(vera, "The entries as JSON")
    assert "training.requested" in json.dumps(json.loads(path.read_text("utf-8")))
    vera.press("Show all", role="link")
    vera.press("Check the log", role="link")
    expect(vera.page.get_by_text("no entry was altered or removed")).to_be_visible()

    vera.open("/trainings")
    vera.require_good_page()
    vera.page.locator(f"a[href='{on_chain['timeline']}/results']").first.focus()
    vera.page.keyboard.press("Enter")
    expect(vera.page.get_by_role("heading", level=1)).to_contain_text("Results")
    expect(vera.page.get_by_role("main")).not_to_contain_text("Test rows with predictions")
    vera.require_good_page()
    vera.press("Round 1 on the ledger", role="link")
    expect(vera.page.get_by_role("heading", level=1)).to_have_text("Round 1, step by step")
    vera.require_good_page()
    for path_of in ("/models/", "/datasets", "/datasets/heart"):
        vera.open(path_of)
        vera.require_good_page()
        expect(vera.page.get_by_role("link", name="Import a CSV")).to_have_count(0)
        expect(
            vera.page.get_by_role("link", name=re.compile("Promote|Roll back|Use again"))
        ).to_have_count(0)


@pytest.mark.parametrize("view", BOTH, ids=str)
def test_two_trainings_are_compared_side_by_side(
    view: View, trained: str, second: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(view, "administrator")
    ada.open("/trainings")
    short = [path.rsplit("/", 1)[1][:8] for path in (trained, second)]
    for one in short:
        ada.tab_to(ada.page.get_by_label(f"Compare the training {one}"))
        ada.page.keyboard.press("Space")
    ada.press("Compare those ticked")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("2 trainings compared")
    ada.require_good_page()
    shown = ada.page.get_by_role("group", name="What was asked")
    for one in short:
        expect(shown.get_by_role("link", name=one)).to_be_visible()
    _, path = download(ada, "All tables, XLSX")
    book = load_workbook(io.BytesIO(path.read_bytes()))
    assert {"asked", "results", "rounds"} <= set(book.sheetnames)


def test_a_training_waits_for_the_one_before_and_is_taken_back(
    trained: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(BOTH[1], "administrator")
    places = []
    for rounds in ("50", "1"):
        ada.open("/admin/trainings/new/heart")
        ada.fill("Rounds", rounds)
        ada.press("Start the training")
        ada.page.wait_for_url(re.compile(r"/admin/(trainings/[0-9a-f]{64}|jobs/\d+)$"))
        places.append(ada.page.url)
    main = ada.page.get_by_role("main")
    expect(main).to_contain_text("Queued")
    expect(main).to_contain_text("Waiting for one other training.")
    ada.require_good_page()
    ada.press("Stop")
    ada.press("Stop the training")
    expect(main).to_contain_text("Stopped")
    ada.require_good_page()
    ada.page.goto(places[0])
    ada.press("Stop")
    ada.press("Stop the training")
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
