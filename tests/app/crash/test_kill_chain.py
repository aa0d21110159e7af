"""The embedded chain is killed with SIGKILL: under a trainer that lives, and together with it."""

from __future__ import annotations

import pytest

from tests.app.crash.actions import kill_chain
from tests.app.crash.nursery import CHAIN_GONE, FINISHED, Course, Install, Undisturbed
from tests.app.crash.promises import check_finished, remains

# Of every kind of sender, and where the ledger's state turns.
SENT = ["join", "submit", "closeSubmissions", "reveal", "agree", "publishSet", "vote"]


@pytest.mark.slow
@pytest.mark.parametrize("function", SENT)
def test_a_trainer_that_loses_its_chain_goes_on_later(
    install: Install, undisturbed: Undisturbed, function: str
) -> None:
    installation = install(Course(), own_chain=True)
    step = next(name for name in undisturbed.actions if name.endswith(f"sends {function}"))
    assert installation.live(step, victim="chain") == CHAIN_GONE
    again = step.replace("0/", "1/", 1)
    assert installation.live(again, after=True, victim="chain") == CHAIN_GONE
    assert installation.live() == FINISHED
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(1))


@pytest.mark.slow
def test_trainer_and_chain_killed_together(install: Install, undisturbed: Undisturbed) -> None:
    installation = install(Course(), own_chain=True)
    for name in ("0/submit/sends submit#2", "1/check/sends reveal", "1/vote/sends vote#2"):
        assert installation.live(name, after=True) is None
        kill_chain(installation.folder)
    assert installation.live() == FINISHED
    with remains(installation) as found:
        check_finished(found, undisturbed.upto(1))
