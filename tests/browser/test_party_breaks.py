"""A party breaks down while a training runs: its live page says how, and what became of the round.

What a party keeps of a round lies in a folder of its own. A file in that folder's place is what a
damaged disk gives: the party can neither read nor write there, in the real program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from app.services.keys import party_folder
from tests.browser.conftest import Site
from tests.browser.person import LONG, VIEWS, Person

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(600)]

DESKTOP, PHONE = VIEWS[0], VIEWS[3]
HOSPITAL = "Hungary"
HOW = "Its folder is damaged. NotADirectoryError"


def start(ada: Person, rounds: int) -> str:
    """The path of a heart training that has just begun."""
    ada.open("/admin/trainings/new/heart")
    ada.fill("Rounds", str(rounds))
    ada.press("Start the training")
    ada.page.wait_for_url("**/admin/trainings/*", timeout=LONG)
    return ada.page.url.removeprefix(ada.address)


@contextmanager
def damaged(site: Site, training: str, parties: Sequence[str], number: int) -> Iterator[None]:
    """Inside it, the parties' folders of a round that has not begun are damaged."""
    spoilt = [_round_folder(site, training, name, number) for name in parties]
    for place in spoilt:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only where nothing is: a round that has begun already would break otherwise.
        place.open("xb").close()
    yield
    for place in spoilt:
        place.unlink()


def _round_folder(site: Site, training: str, name: str, number: int) -> Path:
    return party_folder(site.folder / "parties", name) / "state" / training / str(number)


def errors(person: Person) -> Locator:
    """What the live page says of parties that failed, the newest first."""
    return person.page.get_by_role("group", name="Errors of parties").locator("tbody tr")


def require_errors(person: Person, *said: Sequence[str]) -> None:
    """The page tells these errors and no other, each by these parts, with the time; also anew."""
    for _ in range(2):
        expect(errors(person)).to_have_count(len(said))
        for row, parts in zip(errors(person).all(), said, strict=True):
            for part in (*parts, re.compile(r"\d\d?:\d\d")):
                expect(row).to_contain_text(part)
        person.page.reload()


def wait_for_end(person: Person) -> None:
    person.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)


def test_a_hospital_breaks_down_in_a_round_and_takes_part_in_the_next(
    site: Site, trained: str, arrive: Callable[..., Person]
) -> None:
    ada, walker = arrive(DESKTOP, "administrator"), arrive(PHONE, "administrator")
    path = start(ada, rounds=3)
    walker.open(path)
    where = "Round 2, attempt 1: training"
    with damaged(site, path.rsplit("/", 1)[1], [HOSPITAL], 2):
        for person in (ada, walker):
            # It appears while the training runs, on a page that nobody touches.
            expect(errors(person).last).to_contain_text(where, timeout=LONG)
            expect(errors(person).last).to_contain_text(HOW)
        told = ada.page.locator(".parties li").filter(has_text=HOSPITAL)
        expect(told).to_contain_text("Its folder is damaged")
        ada.page.reload()
        expect(errors(ada).last).to_contain_text(where)
        expect(errors(ada).last).to_contain_text("without its update")
        wait_for_end(ada)
    for person in (ada, walker):
        wait_for_end(person)
        without = "The round was finished without its update. It was asked again in round 3."
        unreported = "what it would have reported of it is missing. It was asked again in round 3."
        require_errors(
            person,
            (HOSPITAL, "Round 2, attempt 1: distributing", HOW, unreported),
            (HOSPITAL, where, HOW, without),
        )
        expect(person.page.get_by_text("3 of 3 rounds")).to_be_visible()
        verdicts = person.page.get_by_role("region", name="Verdicts")
        counts = verdicts.locator("summary")
        expect(counts).to_contain_text(["4 accepted", "3 accepted", "4 accepted"])
        accuracy = person.page.get_by_role("region", name="Accuracy by round")
        expect(accuracy).to_contain_text(re.compile(r"\(185 test rows, 1\d\d in round 2\)"))
        person.require_good_page()
    ada.tab_to(errors(ada).first.get_by_role("link", name="Round 2"))
    ada.page.keyboard.press("Enter")
    expect(ada.page.get_by_role("group", name="Who did not do its part")).to_contain_text(HOW)
    ada.require_good_page()


def test_a_training_whose_nodes_break_down_ends_with_its_last_complete_round(
    site: Site, trained: str, arrive: Callable[..., Person]
) -> None:
    ada = arrive(PHONE, "administrator")
    path = start(ada, rounds=2)
    with damaged(site, path.rsplit("/", 1)[1], ["Node 1", "Node 2"], 2):
        expect(errors(ada).first).to_contain_text(HOW, timeout=LONG)
        wait_for_end(ada)
    again, over = "tried again, as attempt 2.", "not tried again: the training ended there."
    require_errors(
        ada,
        ("Node 2", "Round 2, attempt 2: opening", HOW, over),
        ("Node 1", "Round 2, attempt 2: opening", HOW, over),
        ("Node 2", "Round 2, attempt 1: opening", HOW, again),
        ("Node 1", "Round 2, attempt 1: opening", HOW, again),
    )
    ended = "Ended early: 2 of 4 nodes joined, 3 are needed. The model of the last complete round"
    expect(ada.page.get_by_role("main")).to_contain_text(ended)
    expect(ada.page.get_by_text("1 of 2 rounds")).to_be_visible()
    ada.require_good_page()
    ada.press("Results", role="link")
    expect(ada.page.get_by_role("heading", level=1)).to_contain_text("Results")
    ada.require_good_page()
