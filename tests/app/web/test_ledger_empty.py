"""The pages of the ledger before anything was trained, and while no chain runs."""

from __future__ import annotations

from app.services.roles import AUDITOR
from tests.app.web.conftest import Site


def test_an_empty_installation_says_what_to_do_next(site: Site) -> None:
    carol = site.browser(AUDITOR)
    for path in ("/ledger", "/ledger/events", "/ledger/transactions"):
        page = carol.get(path)
        assert page.status_code == 200
        assert "Nobody has put anything on the chain yet" in page.text
        assert "The chain does not answer" in page.text


def test_an_unknown_hash_is_not_said_to_agree(site: Site) -> None:
    page = site.browser(AUDITOR).get(f"/ledger/hashes/{'ab' * 32}")
    assert page.status_code == 200
    assert "Not compared" in page.text
    assert "Agrees" not in page.text
