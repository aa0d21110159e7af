"""A training's pages: what the review said of each hospital, and the truth of a simulation."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from app.models import TrainingRow
from app.services.flow import flow_of
from contracts.records import DONATION
from fl.round import STEPS
from fl.store import AttemptNote
from tests.app import reviewed
from tests.app.reviewed import HOSPITALS, Recorded
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site


@pytest.fixture
def attacked(site: Site) -> Recorded:
    return reviewed.attacked_training(site.services.database)


@pytest.fixture
def alice(site: Site) -> Browser:
    return site.browser("administrator")


def text(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def section(page: str, heading: str) -> str:
    """The section under a heading."""
    found = [part for part in page.split("<section")[1:] if f'aria-labelledby="{heading}"' in part]
    assert len(found) == 1
    return found[0].split("</section>")[0]


def row(page: str, hospital: str) -> str:
    """The first row of a table that is about the hospital."""
    rows = [one for one in re.findall(r"<tr.*?</tr>", page, re.DOTALL) if f">{hospital}<" in one]
    assert rows
    return text(rows[0])


def charts(page: str) -> dict[str, Any]:
    """What the page's charts are drawn from, by name."""
    found = [json.loads(unescape(one)) for one in re.findall(r"data-chart='([^']+)'", page)]
    return {one["name"]: one for one in found}


def table_of(page: str, name: str) -> list[list[str]]:
    """The table beneath a chart, without its head."""
    beneath = page.split(f'id="figures-{name}"')[1].split("</details>", maxsplit=1)[0]
    rows = re.findall(r"<tr>(.*?)</tr>", beneath.split("<tbody>")[1], re.DOTALL)
    return [[text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", one)] for one in rows]


def test_charts_stand_above_tables_with_the_same_figures(
    alice: Browser, attacked: Recorded
) -> None:
    address = f"/admin/trainings/{attacked.identifier}"
    page = alice.get(address).text
    drawn = charts(page)
    assert set(drawn) == {"rounds", "loss", "statistic", "verdicts", "latency", "bytes"}
    for name in drawn.keys() - {"verdicts", "statistic"}:
        columns = [drawn[name]["labels"], *(one["values"] for one in drawn[name]["series"])]
        digits = drawn[name]["digits"]
        assert table_of(page, name) == [
            [label, *("–" if value is None else f"{value:.{digits}f}" for value in values)]
            for label, *values in zip(*columns, strict=True)
        ]
        assert f'href="{address}/rounds/1"' in page.split(f'id="figures-{name}"')[1]
    # 80 of 100 rows with a score in the bin of their class, whose middle is 0.99; 20 with 0.01.
    assert drawn["loss"]["series"][0]["values"] == [pytest.approx(0.9291, abs=1e-4)] * 2
    assert "400 test rows) and 2 rounds" in drawn["loss"]["caption"]


def test_each_statistic_stands_beside_the_threshold_it_was_held_to(
    alice: Browser, attacked: Recorded
) -> None:
    page = alice.get(f"/admin/trainings/{attacked.identifier}").text
    chart = charts(page)["statistic"]
    hungary = next(one for one in chart["series"] if one["name"] == "Hungary")
    assert hungary["values"] == [0.45, 0.45]
    assert hungary["against"] == [0.675, 0.675]
    assert hungary["said"] == ["rejected", "rejected"]
    rows = table_of(page, "statistic")
    assert ["1", "Hungary", "0.450", "0.675", "Rejected"] in rows
    assert ["2", "Switzerland", "– not opened", "– not opened", "Refused"] in rows
    assert len(rows) == 8
    assert "7 statistics were opened of 8 updates in 2 rounds" in chart["caption"]


def test_each_verdict_stands_with_figures_reason_votes_and_transaction(
    alice: Browser, attacked: Recorded
) -> None:
    page = alice.get(f"/admin/trainings/{attacked.identifier}").text
    verdicts = section(page, "verdicts-title")
    assert verdicts.index("Round 2") < verdicts.index("Round 1")
    hungary = row(verdicts, "Hungary")
    assert "Rejected 0.45 0.675 Its balanced accuracy (0.45, rounded down)" in hungary
    assert "Against the others." in hungary
    assert "3 of 4" in hungary
    assert re.search(r"0x[0-9a-f]{10}…", hungary)
    assert "Accepted 0.75 0.675 – 3 of 4" in row(verdicts, "Cleveland")
    assert "Refused – not opened – not opened Holds values out of range" in row(
        verdicts, "Switzerland"
    )
    said = text(verdicts)
    assert "the round ended with the model that it began with: 2 were accepted" in said
    assert "Signed by Node 1" in said
    assert "rounded down to a twentieth before they were opened" in said
    assert "what one that lies could do" in said
    assert not Parts(page).inline


def test_poisoning_ratio_is_told_in_words_and_in_a_table(
    alice: Browser, attacked: Recorded
) -> None:
    page = alice.get(f"/admin/trainings/{attacked.identifier}").text
    told = text(section(page, "poisoning-title"))
    assert "Poisoning ratio 37.5 % : of 8 updates in 2 rounds, 2 were rejected" in told
    assert "1 3 1 0 25.0 %" in told
    assert "2 2 1 1 50.0 %" in told
    drawn = {one["name"]: one["values"] for one in charts(page)["verdicts"]["series"]}
    assert drawn == {"Accepted": [3, 2], "Rejected": [1, 1], "Refused": [0, 1]}


def test_donated_rows_say_whose_and_what_is_odd(alice: Browser, attacked: Recorded) -> None:
    page = alice.get(f"/admin/trainings/{attacked.identifier}").text
    donated = section(page, "donation-title")
    assert "Hungary 16 16 Accepted Set aside in round 2" in row(donated, "Hungary")
    assert "Switzerland 0 16 Accepted Few rows of one class" in row(donated, "Switzerland")
    assert "VA Long Beach – – Refused Its donated rows hold" in row(donated, "VA Long Beach")
    assert "Each hospital gives up to 16 rows of a class, neither" in text(donated)


def test_the_truth_stands_apart(alice: Browser, attacked: Recorded) -> None:
    page = alice.get(f"/admin/trainings/{attacked.identifier}").text
    truth = section(page, "truth-title")
    assert "Hungary Attacker 0 2 0" in row(truth, "Hungary")
    assert "Cleveland Honest 2 0 0" in row(truth, "Cleveland")
    assert "everybody counts (computed in the clear) 50.0 %" in text(truth)
    assert "Attacker" not in page.replace(truth, "")
    assert "honest majority" not in truth


def test_a_training_without_an_honest_majority_says_so(alice: Browser, site: Site) -> None:
    told = {"attack": "free-rider", "attackers": ["Cleveland", "Hungary"]}
    made = Recorded(site.services.database, reviewed.plan(), told)
    made.note(1, reviewed.update())
    truth = text(section(alice.get(f"/admin/trainings/{made.identifier}").text, "truth-title"))
    assert "No honest majority: 2 of 4 hospitals attack." in truth
    assert "Free riders" in truth
    assert "warned of and not rejected" in truth


def test_without_an_attack_there_is_no_truth_to_tell(alice: Browser, site: Site) -> None:
    made = Recorded(site.services.database, reviewed.plan())
    made.note(1, reviewed.update())
    page = alice.get(f"/admin/trainings/{made.identifier}").text
    assert "truth-title" not in page
    assert "Attacker" not in page


def test_an_unreviewed_training_says_so(alice: Browser, site: Site) -> None:
    made = Recorded(site.services.database, reviewed.plan(review=None))
    made.note(1, AttemptNote(True, accepted=dict.fromkeys(HOSPITALS, 100)))
    page = alice.get(f"/admin/trainings/{made.identifier}").text
    assert "Nobody tests the updates of this training" in section(page, "verdicts-title")
    assert "summed untested" in section(page, "poisoning-title")
    assert "Poisoning ratio" not in page
    assert "donation-title" not in page
    one = alice.get(f"/admin/trainings/{made.identifier}/rounds/1").text
    assert "Cleveland Not verified" in row(one, "Cleveland")


@pytest.mark.parametrize("donated", [False, True])
def test_before_the_first_round_the_page_says_what_will_come(
    alice: Browser, site: Site, donated: bool
) -> None:
    made = Recorded(site.services.database, reviewed.plan())
    if donated:
        made.note(DONATION, reviewed.donation())
    page = alice.get(f"/admin/trainings/{made.identifier}").text
    assert "No verdict yet." in page
    assert "No update has been tested yet." in page
    assert ("No rows are donated yet." in page) is not donated
    assert ("16" in text(section(page, "donation-title"))) is donated


def test_range_and_norm_decide_where_too_few_rows_are(alice: Browser, site: Site) -> None:
    made = Recorded(site.services.database, reviewed.plan())
    bits = reviewed.FINE
    made.note(1, reviewed.update({name: reviewed.Finding(bits) for name in HOSPITALS}))
    verdicts = section(alice.get(f"/admin/trainings/{made.identifier}").text, "verdicts-title")
    assert "too few donated rows of two classes were left to judge by" in row(verdicts, "Cleveland")
    assert "so range and norm decided alone" in text(verdicts)


def test_parts_that_change_carry_the_same(alice: Browser, attacked: Recorded) -> None:
    address = f"/admin/trainings/{attacked.identifier}"
    now = alice.get(f"{address}/now")
    assert now.status_code == 286
    assert 'data-finalised="4"' in now.text
    assert "3 of 8 updates kept out" in text(now.text)
    rounds = alice.get(f"{address}/rounds").text
    assert 'id="poisoning" data-hx-swap-oob="true"' in rounds
    assert "verdicts-title" in rounds
    assert "truth-title" in rounds
    assert charts(rounds) == charts(alice.get(address).text)
    for name in ("rounds", "loss", "statistic", "latency", "bytes"):
        assert re.search(f'id="figures-{name}"[^>]* data-hx-swap-oob="true"', rounds)


def test_a_round_s_page_has_what_was_opened(alice: Browser, attacked: Recorded) -> None:
    page = alice.get(f"/admin/trainings/{attacked.identifier}/rounds/2").text
    assert "keeps the model that it began with" in page
    hungary = row(section(page, "hospitals-title"), "Hungary")
    assert "Hungary Rejected 0.45 0.675 Its balanced accuracy" in hungary
    told = text(section(page, "hospitals-title"))
    assert "Tested on shares by Node 1, Node 2, Node 3" in told
    assert "held to a norm of 1.500" in told
    assert "3 of 4 nodes" in text(section(page, "signers-title"))
    assert "nothing to vote for" in text(section(page, "votes-title"))


def test_the_donation_has_a_page_and_one_address(alice: Browser, attacked: Recorded) -> None:
    address = f"/admin/trainings/{attacked.identifier}"
    assert f'href="{address}/donation"' in alice.get(address).text
    page = alice.get(f"{address}/donation")
    assert page.status_code == 200
    assert "<h1>Donated rows</h1>" in page.text
    assert "VA Long Beach Refused Its donated rows hold" in row(page.text, "VA Long Beach")
    assert "set that the nodes signed is the result" in page.text
    moved = alice.get(f"{address}/rounds/{DONATION}")
    assert moved.status_code in (301, 308)
    assert moved.location.endswith("/donation")


def test_a_training_without_donation_has_no_such_page(alice: Browser, site: Site) -> None:
    made = Recorded(site.services.database, reviewed.plan(review=None))
    assert alice.get(f"/admin/trainings/{made.identifier}/donation").status_code == 404


def test_a_plan_that_cannot_be_read_leaves_the_rest_of_the_page(
    alice: Browser, site: Site, attacked: Recorded
) -> None:
    with site.services.database.transaction() as session:
        session.get_one(TrainingRow, attacked.identifier).plan = "{}"
    page = alice.get(f"/admin/trainings/{attacked.identifier}")
    assert page.status_code == 200
    assert "80.0 %" in page.text


def test_lists_mark_a_simulated_attack(alice: Browser, attacked: Recorded) -> None:
    assert "Simulated attack" in alice.get("/admin/trainings").text


def test_about_says_how_updates_are_tested_and_what_is_trusted(site: Site) -> None:
    page = site.browser().get("/about").text
    assert 'id="review"' in page
    assert "could change a verdict unseen" in page
    assert "backdoors" in page


@pytest.mark.parametrize("step", STEPS)
def test_the_picture_of_each_step_is_drawn(site: Site, step: str) -> None:
    """Everybody with the state, and lines of what is under way, whatever the step."""
    named = [("hospital", f"Hospital {letter}") for letter in "ABC"]
    named += [("node", f"Node {number}") for number in range(1, 5)]
    parties = [
        {"name": name, "role": role, "state": "working", "text": "why"} for role, name in named
    ]
    flow = flow_of(parties, step)
    assert flow is not None
    drawn = site.app.jinja_env.get_template("admin/_flow.html").render(flow=flow)
    root = ET.fromstring(drawn.strip())
    texts = [one.text for one in root.iter("text")]
    for _, name in named:
        assert texts.count(name) == 1
    lines = [one.get("class", "").split() for one in root.iter("path")]
    moving = {kind for classes in lines if "active" in classes for kind in classes}
    # Nothing leaves a hospital that trains.
    expected = {*flow.active, "active", "flow-line"} if step != "train" else set()
    assert moving == expected
    assert flow.sentence in "".join(root.itertext())
