"""The dossier as a download, and the fingerprint that it is checked with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.services.dossier_check import check_dossier
from app.services.federation import open_federation
from app.services.passwords import Passwords
from app.services.roles import ADMINISTRATOR, DOCTOR
from app.services.secret_key import make_secret_key
from app.web.factory import create
from contracts.members import grouped
from tests.app import reviewed
from tests.app.installations import settings_of
from tests.app.web.browser import Browser
from tests.app.web.conftest import PASSWORD, Site, of


@pytest.fixture
def alice(
    trained: dict[str, Any], trained_folder: Path, tmp_path: Path, cheap: Passwords
) -> Iterator[tuple[Browser, bytes]]:
    """An administrator of a trained installation whose chain runs, and its fingerprint."""
    folder = tmp_path / "instance"
    shutil.copytree(trained_folder, folder)
    settings = settings_of(folder)
    make_secret_key(folder)
    with open_federation(settings) as federation:
        app = create(settings, cheap)
        accounts = of(app).accounts
        row = accounts.register("alice@clinic.example", "Alice", "Road 1", DOCTOR, PASSWORD)
        assert row is not None
        accounts.authorise(row, row.id, ADMINISTRATOR)
        browser = Browser(app)
        assert browser.sign_in(row.email, PASSWORD).status_code == 303
        yield browser, federation.ledger.fingerprint()
        of(app).database.close()


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
