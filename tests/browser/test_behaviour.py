"""What pages do: keep what was typed, refuse an altered model, stop, tell of a lost server."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import Site
from tests.browser.person import LONG, VIEWS, WAYS, Person, View

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

WIDE, PHONE = VIEWS[0], VIEWS[3]
# The part of a live page that it asks for again.
NOW = re.compile(r"/now(\?|$)")


def test_prediction_form_keeps_what_was_typed(trained: str, arrive: Callable[..., Person]) -> None:
    ines = arrive(PHONE, "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.fill("Age", "sixty")
    ines.fill("Serum cholesterol", "241")
    ines.press("Estimate the risk")
    age = ines.page.get_by_label("Age", exact=True)
    expect(age).to_be_focused()
    expect(age).to_have_value("sixty")
    expect(age).to_have_accessible_description(
        re.compile("Expected a number from 18 to 100 years, got “sixty”")
    )
    expect(ines.page.get_by_label("Serum cholesterol", exact=True)).to_have_value("241")
    ines.require_good_page()


def test_prediction_of_nothing_is_not_made(trained: str, arrive: Callable[..., Person]) -> None:
    ines = arrive(WIDE, "doctor")
    ines.open("/doctor/predictions/diabetes/new")
    ines.press("Estimate the risk")
    expect(ines.page.get_by_role("alert")).to_contain_text("Enter at least one value")


def test_changing_the_values_finds_them_again(trained: str, arrive: Callable[..., Person]) -> None:
    ines = arrive(WIDE, "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.fill("Age", "70")
    ines.press("Estimate the risk")
    ines.press("Change the values")
    expect(ines.page.get_by_label("Age", exact=True)).to_have_value("70")


@pytest.fixture
def altered_model(site: Site, trained: str) -> Iterator[str]:
    """The heart model in use with one byte changed while a test lasts; its round's address."""
    with closing(sqlite3.connect(site.folder / "consilium.db", timeout=30)) as database:
        find = (
            "SELECT r.sha256, r.body, p.training_id, p.rounds FROM results r "
            "JOIN promotions p ON p.model_sha256 = r.sha256 "
            "WHERE p.task = 'heart' AND p.state = 'done' ORDER BY p.position DESC LIMIT 1"
        )
        digest, body, training, rounds = database.execute(find).fetchone()
        change = "UPDATE results SET body = ? WHERE sha256 = ?"
        database.execute(change, (body[:-1] + bytes([body[-1] ^ 1]), digest))
        database.commit()
        yield f"/admin/trainings/{training}/rounds/{rounds}"
        database.execute(change, (body, digest))
        database.commit()


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_altered_model_is_refused(
    view: View, altered_model: str, arrive: Callable[..., Person]
) -> None:
    ines = arrive(view, "doctor")
    ines.open("/doctor/predictions/heart/new")
    ines.fill("Age", "63")
    ines.press("Estimate the risk")
    main = ines.page.get_by_role("main")
    expect(main.get_by_role("heading", level=1)).to_have_text(
        "No prediction: the model was refused"
    )
    expect(main).to_contain_text("The stored model was altered")
    expect(main).not_to_contain_text("%")
    expect(ines.page.get_by_role("banner")).to_contain_text("does not agree with the ledger")
    ines.require_good_page()


def test_round_is_compared_with_the_ledger(trained: str, arrive: Callable[..., Person]) -> None:
    ada = arrive(WIDE, "administrator")
    ada.open(f"{trained}/rounds/1")
    ada.press("Check against the ledger", role="link")
    expect(ada.page.get_by_role("heading", name="Everything agrees")).to_be_visible()
    compared = ada.page.get_by_role("group", name="Comparison with the ledger")
    # The agreed set, the result as noted and as stored, four updates, verdicts and votes.
    expect(compared.get_by_text("Same", exact=True)).to_have_count(15)
    ada.open(f"{trained}/donation?check=1")
    expect(ada.page.get_by_role("heading", name="Everything agrees")).to_be_visible()
    # The agreed set, four hospitals' rows and verdicts.
    expect(compared.get_by_text("Same", exact=True)).to_have_count(9)


def test_altered_model_shows_in_its_round(
    altered_model: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(WIDE, "administrator")
    ada.open(f"{altered_model}?check=1")
    expect(ada.page.get_by_role("heading", name="The ledger holds something else")).to_be_visible()
    differs = ada.page.get_by_role("row").filter(has_text="Differs")
    expect(differs).to_have_count(1)
    expect(differs).to_contain_text("hash of the stored bytes")


def test_stopping_asks_first_and_is_told(arrive: Callable[..., Person]) -> None:
    ada = arrive(WIDE, "administrator")
    ada.open("/admin/trainings/new/heart")
    ada.fill("Rounds", "50")
    ada.press("Start the training")
    ada.page.wait_for_url(re.compile(r"/admin/trainings/[0-9a-f]{64}$"), timeout=LONG)
    ada.press("Stop")
    dialog = ada.page.get_by_role("dialog", name="Stop this training?")
    expect(dialog.get_by_role("button", name="Keep it running")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    ada.press("Stop")
    ada.press("Stop the training")
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
    expect(ada.page.get_by_role("main")).to_contain_text("Stopped on request.")
    ada.require_good_page()


def test_pausing_asks_first_and_resuming_goes_on(arrive: Callable[..., Person]) -> None:
    ada = arrive(PHONE, "administrator")
    ada.open("/admin/trainings/new/heart")
    ada.fill("Rounds", "50")
    ada.press("Start the training")
    ada.page.wait_for_url(re.compile(r"/admin/trainings/[0-9a-f]{64}$"), timeout=LONG)
    ada.press("Pause")
    dialog = ada.page.get_by_role("dialog", name="Pause this training?")
    expect(dialog.get_by_role("button", name="Keep it going")).to_be_focused()
    ada.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    ada.press("Pause")
    ada.press("Pause the training")
    main = ada.page.get_by_role("main")
    expect(main).to_contain_text("Paused at", timeout=LONG)
    ada.require_good_page()
    ada.press("Resume")
    expect(main).to_contain_text("Resumed where it was interrupted", timeout=LONG)
    ada.press("Stop")
    ada.press("Stop the training")
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
    ada.press("Train again like this", role="link")
    expect(ada.page.get_by_label("Rounds", exact=True)).to_have_value("50")
    ada.require_good_page()


def test_page_tells_that_the_server_does_not_answer(arrive: Callable[..., Person]) -> None:
    ada = arrive(WIDE, "administrator")
    ada.open("/admin/trainings/new/heart")
    ada.fill("Rounds", "50")
    ada.press("Start the training")
    ada.page.wait_for_url(re.compile(r"/admin/trainings/[0-9a-f]{64}$"), timeout=LONG)
    ada.page.route(NOW, lambda route: route.abort())
    lost = ada.page.get_by_text("The server does not answer.")
    expect(lost).to_be_visible()
    ada.page.unroute(NOW)
    expect(lost).to_be_hidden()
    ada.press("Stop")
    ada.press("Stop the training")
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)


def test_page_asks_as_seldom_as_the_server_wants(arrive: Callable[..., Person]) -> None:
    ada = arrive(WIDE, "administrator")
    ada.open("/admin/trainings/new/heart")
    ada.fill("Rounds", "50")
    ada.press("Start the training")
    ada.page.wait_for_url(re.compile(r"/admin/trainings/[0-9a-f]{64}$"), timeout=LONG)
    asked: list[float] = []

    def answer(route: Route) -> None:
        asked.append(time.monotonic())
        given = route.fetch()
        headers = given.headers | {"consilium-ask-after": "4"}
        route.fulfill(response=given, headers=headers)

    ada.page.route("**/now?*", answer)
    for _ in range(3):
        with ada.page.expect_response("**/now?*"):
            pass
    ada.page.unroute("**/now?*")
    # The page asks each second of its own accord.
    assert all(after - before > 2.5 for before, after in pairwise(asked)), asked
    ada.press("Stop")
    ada.press("Stop the training")
    ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)


def test_polling_ends_with_the_training(trained: str, arrive: Callable[..., Person]) -> None:
    ada = arrive(WIDE, "administrator")
    ada.open(trained)
    expect(ada.page.locator("#live")).not_to_have_attribute("data-hx-trigger", re.compile("."))
    assert ada.page.request.get(f"{ada.address}{trained}/now").status == 286


def test_theme_is_kept(arrive: Callable[..., Person]) -> None:
    person = arrive(WIDE)
    person.open("/")
    person.press("Use dark colours")
    person.open("/about")
    expect(person.page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    expect(person.page.get_by_role("button", name="Use light colours")).to_be_visible()
    person.require_good_page()


@pytest.fixture
def altered_row(site: Site, trained: str) -> Iterator[int]:
    """One hospital's declared number of rows, one more than it was; its right number."""
    place = ("Cleveland", trained.rsplit("/", 1)[1])
    where = (
        "hospital = ? AND attempt_id IN (SELECT id FROM attempts WHERE training_id = ? "
        "AND round = 1)"
    )
    with closing(sqlite3.connect(site.folder / "consilium.db", timeout=30)) as database:
        right = database.execute(f"SELECT samples FROM submissions WHERE {where}", place)
        samples = int(right.fetchone()[0])
        change = f"UPDATE submissions SET samples = ? WHERE {where}"
        database.execute(change, (samples + 1, *place))
        database.commit()
        yield samples
        database.execute(change, (samples, *place))
        database.commit()


@pytest.mark.parametrize("view", WAYS, ids=str)
def test_altered_row_is_found_by_the_button(
    view: View, altered_row: int, arrive: Callable[..., Person]
) -> None:
    carla = arrive(view, "auditor")
    carla.open("/ledger")
    carla.press("Check everything", role="link")
    expect(carla.page.get_by_role("heading", level=1)).to_have_text("Check everything")
    carla.require_good_page()
    carla.press("Check everything now")
    found = carla.page.get_by_role("heading", name="Differences")
    found.wait_for(timeout=LONG)
    carla.page.reload()
    row = carla.page.get_by_role("row").filter(has_text="Cleveland's sample count")
    expect(row).to_have_count(1)
    expect(row.get_by_role("cell")).to_have_text([str(altered_row), str(altered_row + 1)])
    carla.require_good_page()
    carla.press("All checks", role="link")
    expect(carla.page.get_by_role("heading", name="Last checks")).to_be_visible()
    expect(carla.page.get_by_text("1 difference", exact=True).first).to_be_visible()
    carla.require_good_page()


def test_check_finds_nothing_where_nothing_was_altered(
    trained: str, arrive: Callable[..., Person]
) -> None:
    carla = arrive(WIDE, "auditor")
    carla.open("/ledger/verify")
    carla.press("Check everything now")
    carla.page.get_by_text("All is well", exact=True).wait_for(timeout=LONG)
    expect(carla.page.get_by_role("heading", name="Differences")).to_have_count(0)
    carla.require_good_page()


def test_hash_on_the_ledger_is_copied_and_checked_by_keyboard(
    trained: str, on_chain: dict[str, str], arrive: Callable[..., Person]
) -> None:
    ada = arrive(PHONE, "administrator")
    ada.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    ada.open(f"{trained}/rounds/1")
    ada.press("Timeline on the ledger", role="link")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("Round 1, step by step")
    short = on_chain["transaction"][:10]
    ada.page.get_by_role("link", name=f"{short}…").press("Enter")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("Published the set")
    copy = ada.page.get_by_role("button", name=f"Copy the transaction {short}")
    ada.tab_to(copy)
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("#announcer")).to_have_text("Copied")
    assert ada.page.evaluate("navigator.clipboard.readText()") == on_chain["transaction"]
    ada.press("Check against the chain", role="link")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text("The same on the chain")
    compared = ada.page.get_by_role("group", name="On the chain")
    expect(compared.get_by_text("Same", exact=True)).to_have_count(9)
    ada.through_menu("Ledger")
    ada.fill("Hash or block number", on_chain["block"])
    ada.press("Look up")
    expect(ada.page.get_by_role("heading", level=1)).to_have_text(f"Block {on_chain['block']}")
    ada.require_good_page()
