"""A training that the form started has the figures of `train --json` with the same seed.

Two new installations, eight hospitals, three of them attack. What differs by nature is left out:
times, transactions, salted hashes. Bytes differ by a few, since random numbers differ in length.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page

from tests.app import commandline
from tests.browser.conftest import PATIENCE, new_site
from tests.browser.person import LONG, Person

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.slow, pytest.mark.timeout(900)]

SEED = 11
COMMAND = (
    *("train", "--task", "diabetes", "--hospitals", "8", "--rounds", "2", "--local-epochs", "2"),
    *("--seed", str(SEED), "--attack", "label-flip", "--attackers", "3", "--json"),
)
FORM = {"Number of hospitals": "8", "Rounds": "2", "Local epochs": "2", "Seed": str(SEED)}
ATTACK, ATTACKERS = "Label flip", "3"
TABLES = (
    "accuracy", "confusion", "reliability", "rounds", "submissions", "verdicts", "truth",
    "detection",
)  # fmt: skip
POOLED = "All hospitals"
VERDICTS = ("accepted", "rejected", "refused")
# What no two trainings share, by table.
BY_NATURE = {"rounds": ("bytes", "seconds"), "submissions": ("transaction", "update_sha256")}
# How far the bytes of two trainings lie apart at most.
BYTES = 1e-4

Document = dict[str, Any]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Shown:
    """A finished training in the browser: its page, and the paths of both its pages."""

    page: Page
    live: str
    results: str

    def rows(self, path: str, table: str) -> list[list[str]]:
        """The cells of the bodies of the tables that a selector finds on a page, as they read."""
        if self.page.url != path:
            self.page.goto(path)
        script = """tables => tables.flatMap(table => [...table.tBodies].flatMap(body =>
            [...body.rows].map(row => [...row.cells].map(
                cell => cell.textContent.replace(/\\s+/g, " ").trim()))))"""
        found: list[list[str]] = self.page.locator(table).evaluate_all(script)
        return found

    def texts(self, path: str, selector: str) -> list[str]:
        if self.page.url != path:
            self.page.goto(path)
        return [" ".join(text.split()) for text in self.page.locator(selector).all_text_contents()]

    def file(self, name: str, form: str) -> bytes:
        """A table as it is downloaded, by this browser's session."""
        answer = self.page.request.get(f"{self.results}/tables/{name}.{form}")
        assert answer.status == 200
        return answer.body()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Document:
    """What the command prints."""
    folder = tmp_path_factory.mktemp("command") / "instance"
    result = commandline.run(repository, folder, *COMMAND)
    assert result.returncode == 0, result.stderr
    found: Document = json.loads(result.stdout)
    assert len(found["simulation"]["attackers"]) == 3
    assert found["poisoning"]["counts"]["rejected"] > 0
    return found


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory, repository: Path, browser: Browser
) -> Iterator[Shown]:
    """The same training, started by the form of another installation."""
    folder = tmp_path_factory.mktemp("form") / "instance"
    with new_site(folder, repository) as site:
        window = browser.new_context(viewport={"width": 1280, "height": 800})
        window.set_default_timeout(PATIENCE)
        ada = Person(window.new_page(), site.address)
        ada.sign_in(*site.accounts["administrator"])
        ada.open("/admin/trainings/new/diabetes")
        for label, value in FORM.items():
            ada.page.get_by_label(label, exact=True).fill(value)
        ada.page.get_by_label("Attack", exact=True).select_option(ATTACK)
        ada.page.get_by_label("Number of attackers", exact=True).fill(ATTACKERS)
        ada.page.get_by_role("button", name="Start the training").click()
        ada.page.locator("#now[data-over='yes']").wait_for(state="attached", timeout=LONG)
        live = ada.page.url
        yield Shown(ada.page, live, live.replace("/admin", "") + "/results")
        window.close()


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def judged(document: Document) -> list[tuple[str, Document]]:
    """Each hospital's figures under its name, then all hospitals'."""
    results = document["results"]
    return [*((one["name"], one) for one in results["hospitals"]), (POOLED, results["pooled"])]


def submitted(document: Document) -> list[tuple[Document, Document]]:
    """Each round with each of its hospitals."""
    return [(one, hospital) for one in document["rounds"] for hospital in one["hospitals"]]


def said_of(document: Document) -> dict[str, Counter[str]]:
    """How often each verdict was said of each hospital."""
    found: dict[str, Counter[str]] = {}
    for _, hospital in submitted(document):
        found.setdefault(hospital["name"], Counter())[hospital["verdict"]] += 1
    return found


def test_live_page_sums_up_as_the_document_does(shown: Shown, document: Document) -> None:
    tiles = shown.texts(shown.live, "#now .tiles .tile")
    poisoning = document["poisoning"]
    kept_out = poisoning["counts"]["rejected"] + poisoning["counts"]["refused"]
    assert tiles[0].startswith(f"Right answers{percent(document['accuracy'])}")
    assert percent(poisoning["kept_out"]) in tiles[1]
    assert f"{kept_out} of {sum(poisoning['counts'].values())} updates kept out" in tiles[1]
    parts = [document["statistics"], document["donation"], *document["rounds"]]
    sent = float(tiles[2].removeprefix("Sent").split()[0])
    # The page gives a tenth of a megabyte.
    assert sent == pytest.approx(sum(one["bytes"] for one in parts) / 1e6, abs=0.06)
    told = " ".join(shown.texts(shown.live, "#now > p"))
    assert f"gives {percent(document['plain_accuracy'])} right answers" in told
    assert f"Balanced over both classes: {percent(document['balanced_accuracy'])}." in told
    assert document["model_sha256"][:8] in told


def test_live_page_has_each_round_verdict_and_reason(shown: Shown, document: Document) -> None:
    rounds = shown.rows(shown.live, "section[aria-labelledby=rounds-title] table")[2:]
    counts = shown.rows(shown.live, "#poisoning table")
    for row, count, one in zip(rounds, counts, document["rounds"], strict=True):
        assert row[0].startswith(f"Round {one['round']}")
        assert row[1] == percent(one["accuracy"])
        assert one["model_sha256"][:8] in row[2]
        assert row[3] == f"{one['accepted']} of {len(one['hospitals'])}"
        share = 1 - one["accepted"] / len(one["hospitals"])
        told = [str(one["round"]), *(str(one[verdict]) for verdict in VERDICTS), percent(share)]
        assert count == told
    verdicts = shown.rows(shown.live, "section[aria-labelledby=verdicts-title] table")
    newest_first = [
        hospital for one in reversed(document["rounds"]) for hospital in one["hospitals"]
    ]
    for row, hospital in zip(verdicts, newest_first, strict=True):
        assert row[0] == hospital["name"]
        assert hospital["verdict"].capitalize() in row[1]
        for key in ("balanced_accuracy", "threshold"):
            assert hospital[key] is None or any(
                cell.startswith(f"{hospital[key]:g}") for cell in row[2:4]
            )
        assert hospital["reason"][1:] in " ".join(row)


def test_live_page_tells_the_truth_of_the_simulation(shown: Shown, document: Document) -> None:
    rows = shown.rows(shown.live, "section[aria-labelledby=truth-title] table")
    said, attackers = said_of(document), document["simulation"]["attackers"]
    for row, name in zip(rows[: len(said)], said, strict=True):
        truth = "Attacker" if name in attackers else "Honest"
        assert row == [name, truth, *(str(said[name][verdict]) for verdict in VERDICTS)]
    keys = ("accuracy", "fedavg_accuracy", "oracle_accuracy")
    assert [row[1] for row in rows[len(said) :]] == [percent(document[key]) for key in keys]
    told = " ".join(shown.texts(shown.live, "section[aria-labelledby=truth-title] p"))
    assert f"Label flip by {', '.join(attackers)}." in told


def test_results_page_has_the_figures_of_every_hospital(shown: Shown, document: Document) -> None:
    keys = ("rows", "accuracy", "balanced_accuracy")
    expected = [
        [
            name,
            *(
                f"{one[part][key]:,}" if key == "rows" else percent(one[part][key])
                for part in ("train", "test")
                for key in keys
            ),
            figure(one["test"]["auc"]),
        ]
        for name, one in judged(document)
    ]
    assert shown.rows(shown.results, "#table-accuracy .result-table") == expected
    matrices = shown.rows(shown.results, "#table-confusion table.matrix")
    classes = document["results"]["classes"]
    assert matrices == [
        [classes[truth], *(str(count) for count in counts)]
        for _, one in judged(document)
        for part in ("train", "test")
        for truth, counts in enumerate(one[part]["confusion"])
    ]


def test_results_page_has_rounds_and_every_submission_s_status(
    shown: Shown, document: Document
) -> None:
    rounds = shown.rows(shown.results, "#table-rounds table")
    for row, one in zip(rounds, document["rounds"], strict=True):
        keys = ("train_accuracy", "accuracy", "balanced_accuracy")
        assert row[:6] == [
            f"Round {one['round']}",
            *(percent(one[key]) for key in keys),
            *(figure(one[key]) for key in ("auc", "loss")),
        ]
        assert one["model_sha256"][:8] in row[6]
        assert int(row[7].replace(",", "")) == pytest.approx(one["bytes"], rel=BYTES)
    status = shown.rows(shown.results, "#submissions table")
    for row, (one, hospital) in zip(status, submitted(document), strict=True):
        assert row[:2] == [f"Round {one['round']}", hospital["name"]]
        assert hospital["verdict"].capitalize() in row[2]
        assert row[3][1:].rstrip(".") == (hospital["reason"][1:] if hospital["reason"] else "")
        keys = ("balanced_accuracy", "threshold")
        assert row[4:6] == [figure(hospital[key]) for key in keys]
        assert row[6] == str(len(one["signers"]))
    counts = shown.rows(shown.results, "#table-verdicts table")
    assert [row[1:4] for row in counts] == [
        [str(one[verdict]) for verdict in VERDICTS] for one in document["rounds"]
    ]


def test_results_page_has_the_truth_and_its_intervals(shown: Shown, document: Document) -> None:
    said, attackers = said_of(document), document["simulation"]["attackers"]
    assert shown.rows(shown.results, "#table-truth table") == [
        [
            name,
            *(("Yes", "Label flip") if name in attackers else ("No", "–")),
            *(str(verdicts[verdict]) for verdict in VERDICTS),
        ]
        for name, verdicts in said.items()
    ]
    assert [row[1:] for row in shown.rows(shown.results, "#table-detection table")] == [
        [
            str(one["count"]),
            str(one["of"]),
            *(percent(one[key]) for key in ("share", "low", "high")),
        ]
        for one in document["detection"].values()
    ]


def expected_tables(document: Document) -> dict[str, Rows]:
    """What the files must hold, worked out of the command's document."""
    attackers = document["simulation"]["attackers"]
    classes = document["results"]["classes"]
    parts = ("train", "test")
    keys = ("rows", "accuracy", "balanced_accuracy")
    return {
        "accuracy": [
            {"hospital": name, "test_auc": one["test"]["auc"]}
            | {f"{part}_{key}": one[part][key] for part in parts for key in keys}
            for name, one in judged(document)
        ],
        "confusion": [
            {
                "hospital": name,
                "part": part,
                "truth": classes[truth],
                "prediction": classes[prediction],
                "rows": count,
            }
            for name, one in judged(document)
            for part in parts
            for truth, counts in enumerate(one[part]["confusion"])
            for prediction, count in enumerate(counts)
        ],
        "reliability": [
            {"score": f"{100 * one['low']:.0f} to {100 * one['high']:.0f} %"}
            | {key: one[key] for key in ("rows", "said", "came_true")}
            for one in document["results"]["reliability"]
        ],
        "rounds": [
            {
                key: one[key]
                for key in (
                    *("round", "train_accuracy", "accuracy", "balanced_accuracy", "auc"),
                    *("loss", "model_sha256"),
                )
            }
            for one in document["rounds"]
        ],
        "submissions": [
            {
                "round": one["round"],
                "hospital": hospital["name"],
                "verdict": hospital["verdict"],
                "reason": hospital["reason"],
                "statistic": hospital["balanced_accuracy"],
                "threshold": hospital["threshold"],
                "votes": len(one["signers"]),
                "warnings": "; ".join(hospital["warnings"]),
                "appeal": "",
                "samples": hospital["samples"],
            }
            for one, hospital in submitted(document)
        ],
        "verdicts": [
            {key: one[key] for key in ("round", *VERDICTS)}
            | {"kept_out": round(1 - one["accepted"] / len(one["hospitals"]), 4)}
            | {"kept_model": one["kept"]}
            for one in document["rounds"]
        ],
        "truth": [
            {"hospital": name, "attacker": name in attackers}
            | {"attack": "label-flip" if name in attackers else None}
            | {verdict: verdicts[verdict] for verdict in VERDICTS}
            for name, verdicts in said_of(document).items()
        ],
        "detection": list(document["detection"].values()),
    }


def without_nature(name: str, rows: Rows) -> Rows:
    left_out = (*BY_NATURE.get(name, ()), *(("what",) if name == "detection" else ()))
    return [{key: one[key] for key in one if key not in left_out} for one in rows]


@pytest.mark.parametrize("name", TABLES)
def test_files_read_back_with_the_document_s_figures(
    name: str, shown: Shown, document: Document
) -> None:
    expected = expected_tables(document)[name]
    table = json.loads(shown.file(name, "json"))["tables"][name]["rows"]
    assert without_nature(name, table) == expected

    read_by_people = [
        {key: "Label flip" if value == "label-flip" else value for key, value in one.items()}
        for one in expected
    ]
    text = shown.file(name, "csv").decode("utf-8-sig")
    as_text = [
        {key: "" if value is None else str(value) for key, value in one.items()}
        for one in read_by_people
    ]
    assert without_nature(name, list(csv.DictReader(io.StringIO(text)))) == as_text

    for book_name in (name, "all"):
        sheet = load_workbook(io.BytesIO(shown.file(book_name, "xlsx")))[name]
        header, *rows = sheet.iter_rows(values_only=True)
        titles = json.loads(shown.file(name, "json"))["tables"][name]["columns"]
        assert list(header) in (list(titles.values()), list(titles))
        read = [dict(zip(titles, row, strict=True)) for row in rows]
        # A spreadsheet knows no empty text: the cell is empty.
        blank = [{key: None if v == "" else v for key, v in one.items()} for one in read_by_people]
        assert without_nature(name, read) == blank


def test_bytes_are_those_of_the_command_but_for_the_length_of_random_numbers(
    shown: Shown, document: Document
) -> None:
    rows = json.loads(shown.file("rounds", "json"))["tables"]["rounds"]["rows"]
    assert [row["bytes"] for row in rows] == pytest.approx(
        [one["bytes"] for one in document["rounds"]], rel=BYTES
    )
