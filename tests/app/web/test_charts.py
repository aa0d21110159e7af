"""Every chart on every page says what it shows and has its table; figures lead to their source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from app.services.round_charts import accuracy_by_round, loss_by_round
from tests.app import reviewed
from tests.app.reviewed import Recorded
from tests.app.web.browser import Browser, Parts
from tests.app.web.conftest import Site
from tests.app.web.test_results_pages import old_training
from tests.app.web.test_training_pages import text

# Templates that draw; a new one needs a page below.
DRAWING = {
    "admin/_charts.html",
    "datasets/_parts.html",
    "results/_parts.html",
    # In test_patient_history, where the record is open.
    "patients/_courses.html",
}
# A caption names a number of what is drawn.
COUNTED = re.compile(
    r"n = \d|\d+ (test rows|training rows|updates|rounds?|transactions|statistics|attackers|honest)"
    r"|rows: \w+: \d"
)
# How many charts each page has.
PAGES = {
    "/admin/trainings/{attacked}": 6,
    "/admin/trainings/{old}": 4,
    "/trainings/{attacked}/results": 8,
    "/trainings/compare?with={attacked}&with={old}": 1,
    "/datasets/heart": 1,
    "/datasets/diabetes": 1,
    "/datasets/heart/hospitals/Hungary": 10,
}


@pytest.fixture
def attacked(site: Site) -> Recorded:
    return reviewed.attacked_training(site.services.database)


@pytest.fixture
def alice(site: Site) -> Browser:
    return site.browser("administrator")


def charts(page: str) -> Iterator[tuple[str, str]]:
    """Each canvas of a page, with the section that it stands in."""
    for found in re.finditer(r"<canvas[^>]*>", page):
        start = page.rindex("<section", 0, found.start()) if "<section" in page else 0
        figure = page.rfind("<figure", start, found.start())
        end = "</section>"
        if figure > 0 and page.find("</figure>", figure) > found.start():
            part = page[figure : page.index("</figure>", found.end())]
            if "<table" in part:
                yield found[0], part
                continue
        yield found[0], page[start : page.index(end, found.end())]


def drawn(canvas: str, part: str) -> dict[str, Any]:
    """What the chart is drawn from: on the canvas, or beneath it."""
    found = re.search(r"data-chart='([^']*)'", canvas) or re.search(r"data-chart='([^']*)'", part)
    assert found, canvas
    chart: dict[str, Any] = json.loads(unescape(found[1]))
    return chart


def test_what_draws_is_known(repository: Path) -> None:
    templates = repository / "templates"
    found = {one for one in templates.rglob("*.html") if "<canvas" in one.read_text("utf-8")}
    assert {str(one.relative_to(templates)) for one in found} == DRAWING


@pytest.mark.parametrize("address", PAGES)
def test_every_chart_has_caption_unit_count_and_table(
    alice: Browser, site: Site, attacked: Recorded, address: str
) -> None:
    known = {"attacked": attacked.identifier, "old": old_training(site).identifier}
    page = alice.get(address.format(**known)).text
    found = list(charts(page))
    assert len(found) == PAGES[address]
    for canvas, part in found:
        assert 'role="img"' in canvas
        assert re.search(r'aria-label="[^"]{20,}"', canvas), canvas
        chart = drawn(canvas, part)
        assert chart["across"]
        assert chart["series"]
        assert chart.get("unit") or "Patients" in text(part) or "patients" in text(part)
        assert COUNTED.search(text(part)) or not chart["labels"], text(part)
        table = re.search(r'href="#(table-\w+)"', part)
        beside = page.split(f'id="{table[1]}"', 1)[1] if table else part
        assert "<table" in beside or "Nothing yet" in part, canvas


@pytest.mark.parametrize(
    ("address", "sources"),
    [
        ("/admin/", ["/datasets", "/ledger", "/admin/trainings", "/admin/users"]),
        (
            "/admin/trainings/{attacked}",
            ["#chart-rounds-title", "#verdicts-title", "#rounds-title", "{path}/rounds/1"],
        ),
        ("/trainings/compare?with={attacked}&with={old}", ["/trainings/{old}/results"]),
        ("/trainings/{attacked}/results", ["/ledger/trainings/{attacked}/rounds/2"]),
        ("/datasets", ["/datasets/heart/hospitals/Hungary", "/datasets/diabetes"]),
        ("/datasets/heart", ["/datasets/heart/hospitals/Hungary"]),
    ],
)
def test_figures_lead_to_their_source(
    alice: Browser, site: Site, attacked: Recorded, address: str, sources: list[str]
) -> None:
    identifier = attacked.identifier
    known = {"attacked": identifier, "path": f"/admin/trainings/{identifier}"}
    known["old"] = old_training(site).identifier
    page = alice.get(address.format(**known)).text
    links = Parts(page).links
    for source in sources:
        link = source.format(**known)
        assert link in links, link
        assert not link.startswith("#") or f'id="{link[1:]}"' in page


def test_an_auditor_s_figures_lead_to_results(site: Site, attacked: Recorded) -> None:
    carla = site.browser("auditor")
    attacked.finish(model_sha256="0" * 64)
    page = carla.get("/models/").text
    assert f'href="/trainings/{attacked.identifier}/results"' in page


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([185, 185], "(185 test rows) and 2 rounds"),
        ([185, 124, 185], "(185 test rows, 124 in round 2) and 3 rounds"),
        ([185, *[124] * 4], "(185 test rows, fewer in 4 rounds) and 5 rounds"),
        ([], "(0 test rows) and 0 rounds"),
    ],
)
def test_a_round_that_a_hospital_did_not_report_of_is_told_with_its_rows(
    rows: list[int], told: str
) -> None:
    figures = {"accuracy": 0.8, "train_accuracy": 0.8, "loss": 0.5}
    rounds = [{"round": n, "test_rows": tested, **figures} for n, tested in enumerate(rows, 1)]
    assert told in accuracy_by_round(rounds).caption
    assert told in loss_by_round(rounds).caption
