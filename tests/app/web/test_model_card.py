"""A model's card: page, JSON and PDF tell the same, no small count, and lead nowhere forbidden."""

from __future__ import annotations

import io
import json
import shutil
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pypdf import PdfReader
from sqlalchemy import delete, select

from app.database import Database
from app.models import AttemptRow, MessageRow, ResultRow, TrainingRow
from app.services import datasets
from app.services.card_document import ModelCard
from app.services.card_figures import Figure, card_figures, card_groups, card_ranges
from app.services.card_pdf import write_card
from app.services.card_tables import card_chart, card_tables
from app.services.model_card import model_card
from app.services.parties import load_tables
from app.services.results import training_document
from app.services.roles import ADMINISTRATOR, DOCTOR
from crypto.digest import load_model
from fl.calibration import held_out
from fl.datasets import Statistics, encode, get_task, split
from fl.evaluation import BINS, Evaluation
from fl.experiments.intervals import area_interval, mean_of_shares, wilson
from fl.messages import REPORT
from fl.plan import Plan
from fl.store import AttemptNote
from fl.subgroups import groupings_of
from fl.training import probabilities
from tests.app import reviewed
from tests.app.reviewed import HOSPITALS, Recorded
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site
from tests.app.web.test_training_pages import row, section, text

# Of each hospital: four rows with the disease, two of which test.
FEW = Evaluation(
    ((40, 10), (1, 1)),
    ((90, 10), (1, 1)),
    ((40, *(0,) * (BINS - 2), 10), (1, *(0,) * (BINS - 2), 1)),
)


@pytest.fixture
def attacked(site: Site) -> Recorded:
    return reviewed.attacked_training(site.services.database)


@pytest.fixture
def path(attacked: Recorded) -> str:
    return f"/models/{attacked.identifier}/card"


@pytest.fixture
def alice(site: Site) -> Browser:
    return site.browser(ADMINISTRATOR)


@pytest.fixture
def first(trained: dict[str, Any], trained_folder: Path) -> ModelCard:
    """The card of a training that ran, from its database alone."""
    with closing(Database(f"sqlite:///{trained_folder / 'consilium.db'}")) as database:
        return model_card(database, trained["training"])


def untested(site: Site, found: Evaluation | None = None) -> str:
    """The card's address of a finished training without review."""
    made = Recorded(site.services.database, reviewed.plan(review=None, rounds=1))
    note = AttemptNote(True, result_hash=b"\x05" * 32, accepted=dict.fromkeys(HOSPITALS, 100))
    made.note(1, note, found)
    made.finish(model_sha256="05" * 32)
    return f"/models/{made.identifier}/card"


def written(browser: Browser, path: str) -> dict[str, Any]:
    answer = browser.get(f"{path}.json")
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.data)
    return found


def pdf_text(body: bytes) -> str:
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(body)).pages]
    return " ".join(" ".join(pages).split())


def figures(card: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in card["figures"]}


def test_the_figures_are_the_results_with_an_interval_each(
    alice: Browser, path: str, site: Site, attacked: Recorded
) -> None:
    card = figures(written(alice, path))
    document = training_document(site.services.database, attacked.identifier)
    pooled = document["results"]["pooled"]["test"]
    for name in ("accuracy", "balanced_accuracy", "auc"):
        assert card[name]["value"] == pooled[name]
        assert card[name]["low"] < card[name]["value"] < card[name]["high"]
        assert card[name]["rows"] == pooled["rows"] == 400
    # 160 of 200 of each class are right.
    bounds = {
        "accuracy": wilson(320, 400),
        "specificity": wilson(160, 200),
        "balanced_accuracy": mean_of_shares([(160, 200)] * 2),
        "auc": area_interval(0.8, 200, 200),
    }
    for name, (low, high) in bounds.items():
        assert (card[name]["low"], card[name]["high"]) == (round(low, 4), round(high, 4))


def test_page_and_pdf_show_the_figures_of_the_json(
    alice: Browser, path: str, attacked: Recorded
) -> None:
    card = written(alice, path)
    told = section(alice.get(path).text, "figures-title")
    printed = pdf_text(alice.get(f"{path}.pdf").data)
    for one in card["figures"]:
        shares = (one["value"], one["low"], one["high"])
        percents = " ".join(f"{100 * share:.1f} %" for share in shares)
        if one["name"] == "auc":
            percents = " ".join(f"{share:.3f}" for share in shares)
        line = f"{one['title']} {percents} {one['rows']}"
        assert line in row(told, one["title"])
        assert line in printed
    assert card["model_sha256"] == "05" * 32
    for value in (card["model_sha256"], attacked.identifier, card["recorded"]["plan_sha256"]):
        assert value in printed.replace(" ", "")
    assert "no medical device" in printed


def test_sensitivity_and_specificity_are_of_their_own_classes() -> None:
    counts = [[90, 10], [60, 40]]
    test = {"confusion": counts, "rows": 200, "accuracy": 0.65, "balanced_accuracy": 0.65}
    results = {"classes": ["well", "ill"], "pooled": {"test": test | {"auc": 0.7}}}
    found = {one.name: one for one in card_figures(results)}
    assert (found["specificity"].value, found["sensitivity"].value) == (0.9, 0.4)
    assert "well" in found["specificity"].title
    assert "ill" in found["sensitivity"].title


def test_who_was_kept_out_is_told_with_the_reason(
    alice: Browser, path: str, attacked: Recorded
) -> None:
    card = written(alice, path)
    told = [(one["where"], one["hospital"], one["verdict"]) for one in card["kept_out"]]
    assert told == [
        ("Donated rows", "VA Long Beach", "refused"),
        ("Round 1", "Hungary", "rejected"),
        ("Round 2", "Hungary", "rejected"),
        ("Round 2", "Switzerland", "refused"),
    ]
    page = alice.get(path).text
    kept_out = section(page, "kept-out-title")
    assert "Hungary Rejected Its balanced accuracy (0.45" in row(kept_out, "Round 1")
    assert "Hungary 0 2 0" in row(section(page, "verdicts-title"), "Hungary")
    assert "never be put into use" in page
    assert not Parts(page).inline


def test_counts_are_of_all_rows_that_a_hospital_told_of(alice: Browser, path: str) -> None:
    """Those that trained, tested and were donated: Switzerland donated none of the first class."""
    card = written(alice, path)
    patients = {one["hospital"]: one["patients"] for one in card["hospitals"]}
    # What VA Long Beach donated was refused, so how many rows it has is not known.
    assert patients == {
        "Cleveland": 332,
        "Hungary": 332,
        "Switzerland": 316,
        "VA Long Beach": None,
    }
    assert card["hospitals"][2]["classes"] == {"no heart disease": 150, "heart disease": 166}
    data = section(alice.get(path).text, "data-title")
    assert "not known" in row(data, "VA Long Beach")
    assert "All hospitals 980 482 498" in row(data, "All hospitals")


def test_no_count_under_the_limit_of_publication_is_told(alice: Browser, site: Site) -> None:
    path = untested(site, FEW)
    card = written(alice, path)
    for one in card["hospitals"]:
        assert one["patients"] == 154
        assert one["classes"] == {"no heart disease": None, "heart disease": None}
    # Four of eight test rows with the disease are right.
    assert set(figures(card)) == {"accuracy", "balanced_accuracy", "auc"}
    for name in ("balanced_accuracy", "auc"):
        assert (figures(card)[name]["low"], figures(card)[name]["high"]) == (None, None)
    (one,) = card["ranges"]
    assert (one["rows"], one["score_low"], one["score_high"]) == (208, 0.0, 1.0)
    page = alice.get(path).text
    data = section(page, "data-title")
    assert "Cleveland 154 <5 <5" in row(data, "Cleveland")
    assert "All hospitals 616 kept back kept back" in row(data, "All hospitals")
    assert "<5 <5" in pdf_text(alice.get(f"{path}.pdf").data)
    assert "summed untested" in page


def test_each_range_of_the_score_holds_enough_rows_of_either_class() -> None:
    tenths = [
        {"low": 0.0, "high": 0.1, "rows": 40, "said": 0.05, "came_true": 0.025},
        {"low": 0.1, "high": 0.2, "rows": 20, "said": 0.15, "came_true": 0.2},
        {"low": 0.4, "high": 0.5, "rows": 12, "said": 0.45, "came_true": 0.5},
        {"low": 0.9, "high": 1.0, "rows": 30, "said": 0.95, "came_true": 1.0},
    ]
    low, high = card_ranges({"reliability": tenths})
    assert (low.score_low, low.score_high, low.rows) == (0.0, 0.2, 60)
    assert low.came_true == pytest.approx(5 / 60, abs=1e-4)
    assert low.mean_score == pytest.approx(5 / 60, abs=1e-4)
    # The last tenth has nobody without the disease, so it goes to the one before.
    assert (high.score_low, high.score_high, high.rows) == (0.4, 1.0, 42)
    assert high.came_true == pytest.approx(36 / 42, abs=1e-4)
    assert (high.low, high.high) == tuple(round(end, 4) for end in wilson(36, 42))
    assert card_ranges({"reliability": tenths[:1]}) == ()
    assert card_ranges({}) == ()


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        # Everything may be told.
        ({"a": ((9, 5), (6, 20)), "b": ((8, 5), (5, 7))}, {"a": 3, "b": 3}),
        # Of b, shares by class would tell of four rows; a's would be the difference.
        ({"a": ((9, 5), (6, 20)), "b": ((8, 4), (5, 7))}, {"a": 1, "b": 1}),
        # The smallest of the others goes with it.
        (
            {"a": ((9, 5), (6, 20)), "b": ((8, 4), (5, 7)), "c": ((30, 9), (9, 30))},
            {"a": 1, "b": 1, "c": 3},
        ),
        # Four rows of a class: nothing of it, nor of the smallest other one.
        (
            {"a": ((9, 5), (6, 20)), "b": ((8, 6), (1, 3)), "c": ((30, 9), (9, 30))},
            {"a": 0, "b": 0, "c": 3},
        ),
        # Groups without rows are not there, and give nothing away.
        ({"a": ((9, 5), (6, 20)), "b": ((0, 0), (0, 0))}, {"a": 3}),
        ({"a": ((9, 5), (6, 20)), "b": ((1, 0), (0, 0))}, {"a": 0, "b": 0}),
    ],
)
def test_groups_tell_no_small_count(
    groups: dict[str, tuple[tuple[int, int], tuple[int, int]]], told: dict[str, int]
) -> None:
    counts = {"Sex": {name: np.array(table) for name, table in groups.items()}}
    found = card_groups(("healthy", "ill"), counts)
    assert {one.group: len(one.figures) for one in found} == told
    for one in found:
        for figure in one.figures:
            assert figure.low is not None
            assert figure.high is not None
            assert figure.value is not None
            assert figure.low < figure.value < figure.high


def test_groups_open_to_the_figures_of_the_test_rows(
    first: ModelCard, trained: dict[str, Any], trained_folder: Path, tmp_path: Path
) -> None:
    """A recount in the clear, which a simulation can make; and what a report less does."""
    copy = tmp_path / "copy.db"
    shutil.copy(trained_folder / "consilium.db", copy)
    with closing(Database(f"sqlite:///{copy}")) as database:
        with database.transaction() as session:
            row = session.get_one(TrainingRow, trained["training"])
            plan = Plan.from_json(row.plan)
            bodies = [
                session.get_one(ResultRow, str(one)).body
                for one in (row.model_sha256, row.statistics_sha256)
            ]
        parameters = load_model(bodies[0])[1]
        statistics = Statistics.from_json(plan.data, bodies[1].decode())
        total: dict[tuple[str, str], Any] = {}
        for table in load_tables(plan).values():
            test = split(table, plan.split).test
            inputs = encode(plan.data, test.features, statistics)
            said = probabilities(plan.spec, parameters, inputs).argmax(axis=1)
            for grouping in groupings_of(plan.data):
                places = grouping.places(test)
                for at, group in enumerate(grouping.groups):
                    counts = np.zeros((2, 2), dtype=np.int64)
                    chosen = places == at
                    np.add.at(counts, (test.labels[chosen], said[chosen]), 1)
                    total[grouping.name, group] = total.get((grouping.name, group), 0) + counts
        assert first.groups is not None
        assert {(one.by, one.group) for one in first.groups} == {
            place for place, counts in total.items() if counts.sum()
        }
        shown = [(one, figure) for one in first.groups for figure in one.figures]
        assert {one.by for one, _ in shown} == {"Age", "Sex"}
        for one, figure in shown:
            counts = total[one.by, one.group]
            right = {"accuracy": np.trace(counts), "specificity": counts[0, 0]}
            of = {"accuracy": counts.sum(), "specificity": counts[0].sum()}
            part = right.get(figure.name, counts[1, 1]), of.get(figure.name, counts[1].sum())
            assert (figure.value, figure.rows) == (round(part[0] / part[1], 4), part[1])
        with database.transaction() as session:
            session.execute(
                delete(MessageRow).where(MessageRow.kind == REPORT, MessageRow.sender == "Hungary")
            )
        assert model_card(database, trained["training"]).groups is None


def test_counts_are_those_of_the_page_of_the_data_set(first: ModelCard) -> None:
    data = datasets.document(datasets.task_data(get_task("heart")))
    told = {one["hospital"]: (one["patients"], one["classes"]) for one in data["hospitals"]}
    assert {one.hospital: (one.patients, one.classes) for one in first.hospitals} == told
    assert first.suppressed_under == data["suppressed_under"]


def test_a_training_that_ran_has_its_calibration_and_its_transactions(
    first: ModelCard, trained: dict[str, Any], trained_folder: Path
) -> None:
    with closing(Database(f"sqlite:///{trained_folder / 'consilium.db'}")) as database:
        with database.transaction() as session:
            last = session.scalars(select(AttemptRow).filter_by(round=1)).one()
            expected = held_out(np.sum([one.score_counts for one in last.evaluations], axis=0))
            votes = {vote.node: vote.transaction for vote in last.votes}
        assert model_card(database, trained["training"]).to_json() == first.to_json()
    assert expected is not None
    assert first.calibration is not None
    assert first.calibration.rows == sum(one.rows for one in first.ranges) == 185
    assert first.calibration.scores.brier_score == round(expected.before.brier, 4)
    found = first.calibration.risks.expected_calibration_error
    assert found == round(expected.after.expected, 4)
    assert {one.what: one.transaction for one in first.recorded.votes} == votes
    assert [one.what for one in first.recorded.uses] == ["promoted"]
    assert (first.in_use, first.version, first.attack) == (True, 1, "")
    assert first.model_sha256 == trained["model_sha256"]
    values = {one.name: one.value for one in first.figures}
    assert values["accuracy"] == trained["accuracy"]
    assert values["balanced_accuracy"] == trained["balanced_accuracy"]
    printed = pdf_text(write_card(first))
    for part in (f"{found:.3f}", first.recorded.uses[0].transaction, "Calibration error"):
        assert part in printed
    chart, table = card_chart(first), card_tables(first)["reliability"]
    assert chart is not None
    assert len(chart.labels) == len(table.rows) == len(first.ranges)


def test_a_doctor_reads_the_card_and_is_led_nowhere_else(
    site: Site, path: str, alice: Browser
) -> None:
    doctor = site.browser(DOCTOR)
    page = doctor.get(path)
    assert page.status_code == 200
    assert "Its balanced accuracy" in page.text
    links = {one for one in Parts(page.text).links if one.startswith("/")}
    assert f"{path}.pdf" in links
    opened = {one: doctor.get(one, follow_redirects=True).status_code for one in links}
    assert {one: status for one, status in opened.items() if status != 200} == {}
    assert "/ledger/" in alice.get(path).text
    assert written(doctor, path) == written(alice, path)


def test_the_card_is_linked_from_models_results_and_the_training(
    alice: Browser, path: str, attacked: Recorded
) -> None:
    for page in (
        "/models/",
        f"/trainings/{attacked.identifier}/results",
        f"/admin/trainings/{attacked.identifier}",
    ):
        assert f'href="{path}"' in alice.get(page).text, page


def test_a_training_that_made_no_model_has_no_card(alice: Browser, site: Site) -> None:
    made = Recorded(site.services.database, reviewed.plan())
    for training in (made.identifier, "0" * 64, "x"):
        for form in ("", ".json", ".pdf"):
            assert alice.get(f"/models/{training}/card{form}").status_code == 404
    assert f"/models/{made.identifier}/card" not in alice.get("/models/").text
    assert "Model card" not in alice.get(f"/trainings/{made.identifier}/results").text


def test_a_model_on_which_nobody_reported_has_no_figures(alice: Browser, site: Site) -> None:
    path = untested(site)
    assert (written(alice, path)["figures"], written(alice, path)["ranges"]) == ([], [])
    page = alice.get(path).text
    assert "No hospital has reported how this model does" in page
    assert "chart-reliability" not in page
    assert "never used" in text(section(page, "model"))
    assert "Intended use" in pdf_text(alice.get(f"{path}.pdf").data)


@pytest.mark.slow
def test_a_task_of_which_nobody_wrote_says_so(
    alice: Browser, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.model_card.find_use", lambda _: None)
    page = alice.get(path).text
    assert "Nobody has written what models of this task are for" in text(section(page, "purpose"))
    assert "people-title" not in page
    assert "Nobody has written" in pdf_text(alice.get(f"{path}.pdf").data)
    assert written(alice, path)["use"] is None


def test_what_must_be_known_before_any_figure_is_said(first: ModelCard) -> None:
    assert first.warnings == ()
    (other,) = replace(first, judged_round=3, judged_sha256="00" * 32).warnings
    assert "the model of round 3" in other
    (one, *_) = first.hospitals
    (joined,) = replace(first, hospitals=(replace(one, rows_sha256="00" * 32),)).warnings
    assert f"Rows of {one.hospital} were imported" in joined


def test_the_format_is_documented_key_by_key(repository: Path, first: ModelCard) -> None:
    page = (repository / "docs" / "formats.md").read_text(encoding="utf-8")
    chapter = page.split("## Model card")[1].split("\n## ")[0]
    assert first.format in chapter
    for kind in (ModelCard, Figure):
        for one in fields(kind):
            assert f"`{one.name}`" in chapter, one.name
    assert list(json.loads(first.to_json())) == [one.name for one in fields(ModelCard)]


def test_the_state_of_the_training_is_that_of_its_version(
    alice: Browser, path: str, site: Site, attacked: Recorded
) -> None:
    with site.services.database.transaction() as session:
        session.get_one(TrainingRow, attacked.identifier).state = "failed"
    assert alice.get(path).status_code == 404
