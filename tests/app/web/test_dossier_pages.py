"""The dossier as a download, and the fingerprint that it is checked with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import segno

from app.services.dossier_check import check_dossier
from app.services.passwords import Passwords
from app.services.roles import ADMINISTRATOR
from contracts.members import grouped
from tests.app import reviewed
from tests.app.web.browser import Browser
from tests.app.web.conftest import Site
from tests.app.web.served import serve


@pytest.fixture
def alice(
    trained: dict[str, Any], trained_folder: Path, tmp_path: Path, cheap: Passwords
) -> Iterator[tuple[Browser, bytes]]:
    """An administrator of a trained installation whose chain runs, and its fingerprint."""
    with serve(trained_folder, tmp_path / "instance", cheap) as served:
        browser = served.sign_in(served.person("alice", ADMINISTRATOR))
        yield browser, served.federation.ledger.fingerprint()


def test_a_round_s_page_hands_out_its_dossier_which_is_genuine_by_the_page_about(
    alice: tuple[Browser, bytes], trained: dict[str, Any]
) -> None:
    browser, fingerprint = alice
    rounds = f"/admin/trainings/{trained['training']}/rounds"
    assert f'href="{rounds}/1/dossier"' in browser.get(f"{rounds}/1").text
    answer = browser.get(f"{rounds}/1/dossier")
    assert answer.status_code == 200
    name = f"dossier-{trained['training'][:8]}-round-1.json"
    assert answer.headers["Content-Disposition"] == f"attachment; filename={name}"
    assert check_dossier(answer.data, fingerprint).genuine
    assert grouped(fingerprint) in browser.get("/about").text
    assert browser.get(f"{rounds}/7/dossier").status_code == 404


def test_without_a_chain_the_page_says_why_there_is_no_dossier(site: Site) -> None:
    training = reviewed.attacked_training(site.services.database).identifier
    browser = site.browser(ADMINISTRATOR)
    answer = browser.get(f"/admin/trainings/{training}/rounds/1/dossier", follow_redirects=True)
    assert answer.status_code == 200
    assert "The dossier could not be written" in answer.text


def test_about_shows_no_fingerprint_where_there_is_no_federation(site: Site) -> None:
    assert "Fingerprint" not in site.browser().get("/about").text


def matrix(picture: str) -> list[list[int]]:
    """The dark modules of a QR code's SVG, whose path is made of moves and horizontal lines."""
    root = ET.fromstring(picture)
    size = int(root.attrib["viewBox"].split()[2])
    dark = [[0] * size for _ in range(size)]
    path = root.findall("{http://www.w3.org/2000/svg}path")[-1].attrib["d"]
    x, y = 0.0, 0.0
    for kind, *numbers in re.findall(r"([Mmh])(-?[\d.]+)(?: ?(-?[\d.]+))?", path):
        if kind == "h":
            for column in range(int(x), int(x + float(numbers[0]))):
                dark[int(y)][column] = 1
            x += float(numbers[0])
        else:
            moved = float(numbers[0]), float(numbers[1])
            x, y = moved if kind == "M" else (x + moved[0], y + moved[1])
    return dark


def test_the_code_of_a_round_leads_to_its_dossier_under_the_host_that_was_asked(
    alice: tuple[Browser, bytes], trained: dict[str, Any]
) -> None:
    browser, fingerprint = alice
    round_page = f"/ledger/trainings/{trained['training']}/rounds/1"
    for host in ("localhost", "localhost:8123"):
        code = browser.get(f"{round_page}/dossier/qr.svg", base_url=f"http://{host}/")
        assert code.mimetype == "image/svg+xml"
        assert "style" not in code.text
        made = segno.make(f"http://{host}{round_page}/dossier", error="m", micro=False)
        assert matrix(code.text) == [list(row) for row in made.matrix_iter(border=4)]
    for page in (round_page, f"/admin{round_page.removeprefix('/ledger')}"):
        shown = browser.get(page).text
        assert f'src="{round_page}/dossier/qr.svg"' in shown
        assert f'alt="QR code of the page http://localhost{round_page}/dossier"' in shown
    page = browser.get(f"{round_page}/dossier").text
    assert grouped(fingerprint) in page
    assert f'href="{round_page}/dossier/file"' in page
    answer = browser.get(f"{round_page}/dossier/file")
    assert check_dossier(answer.data, fingerprint).genuine


def test_what_is_not_finished_has_no_dossier_and_no_code(
    alice: tuple[Browser, bytes], trained: dict[str, Any]
) -> None:
    browser, _ = alice
    for place in (trained["training"], "0" * 64):
        for part in ("", "/file", "/qr.svg"):
            path = f"/ledger/trainings/{place}/rounds/7/dossier{part}"
            assert browser.get(path).status_code == 404
    path = f"/ledger/trainings/{trained['training']}/rounds/{2**40}/dossier"
    assert browser.get(path).status_code == 404


def test_without_a_chain_the_dossier_s_page_says_so(site: Site) -> None:
    training = reviewed.attacked_training(site.services.database).identifier
    path = f"/ledger/trainings/{training}/rounds/1/dossier"
    browser = site.browser(ADMINISTRATOR)
    assert "The chain does not answer" in browser.get(path).text
    answer = browser.get(f"{path}/file", follow_redirects=True)
    assert answer.status_code == 200
    assert "The dossier could not be written" in answer.text
