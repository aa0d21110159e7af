"""A training that its stopping rule ends: finished, with the reason, whoever resumes it."""

from __future__ import annotations

import pytest

from contracts.errors import ChainUnreachable
from contracts.ledger import Ledger
from contracts.records import TrainingState
from fl.federated_training import Ending
from fl.stopping import Stopping
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.federation import TRAINING, Federation

pytestmark = [on_all_chains, pytest.mark.slow]

AT_ONCE = Stopping(accuracy=0.01)


def check_ended(federation: Federation, ending: Ending, rounds: int) -> None:
    record = federation.ledger.training(TRAINING)
    assert ending.finished
    assert ending.reason.startswith("stopping rule: ")
    assert (record.state, record.reason) == (TrainingState.ENDED, "")
    assert record.next_round == rounds + 1
    assert record.model != record.initial_model


def test_an_accuracy_that_is_reached_ends_the_training(federate: Federate) -> None:
    federation = federate(rounds=3, stopping=AT_ONCE)
    ending = federation.run()
    check_ended(federation, ending, rounds=1)
    assert federation.run() == ending


def test_in_the_last_round_the_rule_has_nothing_to_say(federate: Federate) -> None:
    federation = federate(rounds=1, stopping=AT_ONCE)
    assert federation.run() == Ending(True)


def test_whoever_resumes_ends_it_for_the_same_reason(
    federate: Federate, monkeypatch: pytest.MonkeyPatch
) -> None:
    federation = federate(rounds=3, stopping=AT_ONCE)

    def gone(*_: object) -> None:
        raise ChainUnreachable("http://127.0.0.1", "gone")

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "end_training", gone)
        with pytest.raises(ChainUnreachable):
            federation.run()
    assert federation.ledger.training(TRAINING).state == TrainingState.OPEN
    check_ended(federation, federation.run(), rounds=1)


def test_an_end_for_another_reason_stays_that(federate: Federate) -> None:
    federation = federate(rounds=3, stopping=AT_ONCE)
    federation.ledger.end_training(TRAINING, "the training broke off")
    assert federation.run() == Ending(False, "the training broke off")
