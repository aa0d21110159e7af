"""Anvil keeps its chain in a file that it writes now and then: what is there after it ended."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from contracts.chain import fund
from contracts.errors import WrongChain
from contracts.ledger import AttemptState, Ledger
from tests.contracts import external
from tests.contracts.parties import Federation, all_accounts, private_key

pytestmark = [pytest.mark.needs("anvil"), pytest.mark.slow]


def test_an_orderly_end_loses_nothing(tmp_path: Path) -> None:
    with external.anvil(tmp_path) as first:
        fund(first, all_accounts())
        federation = Federation(first.url)
        federation.register()
        federation.open_training()
        federation.advance(federation.key(), AttemptState.VOTING)
        head = federation.coordinator.head()
        events = list(federation.coordinator.events())
        contract = federation.coordinator.contract
        federation.close()
    with external.anvil(tmp_path) as second:
        ledger = Ledger(second.url, contract, private_key(0))
        assert ledger.head() == head
        assert list(ledger.events()) == events
        ledger.fail(federation.key(), "after the end")
        assert ledger.head().parent == head.hash
        assert ledger.attempt(federation.key()).state is AttemptState.FAILED
        ledger.close()


def test_a_kill_loses_what_came_after_the_last_dump_and_that_is_told(tmp_path: Path) -> None:
    with external.anvil(tmp_path, end=signal.SIGKILL) as first:
        fund(first, all_accounts())
        federation = Federation(first.url)
        federation.register()
        contract = federation.coordinator.contract
        federation.close()
    with (
        external.anvil(tmp_path) as second,
        pytest.raises(WrongChain, match="found another or none"),
    ):
        Ledger(second.url, contract)
