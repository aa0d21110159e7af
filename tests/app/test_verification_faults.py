"""Whatever goes wrong in a training, `verify` takes it for what it is: nothing was altered."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.services.federation import open_federation
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.services.verification import Verification
from contracts.chain import ChainEndpoint
from contracts.records import AttemptKey
from fl.errors import StepRefused
from fl.party import Party
from fl.round import StepDone
from tests.app.installations import settings_of

NODES = ("Node 1", "Node 2", "Node 3", "Node 4")

# The step that fails in round 1, whose, and up to which attempt.
FAULTS = {
    "no seat": ("join", ("Node 4",), 9),
    "no nonce": ("reveal", ("Node 4",), 9),
    "no answer": ("answer", ("Node 4",), 9),
    "no review by one": ("review", ("Node 2",), 9),
    "no signature": ("judge", ("Node 4",), 9),
    "no share of the sum": ("release", ("Node 1",), 9),
    "no vote": ("vote", ("Node 4",), 9),
    "a result not kept": ("keep", ("Node 4",), 9),
    "a result not served": ("serve", ("Node 1",), 9),
    "a result not adopted": ("adopt", ("Hungary",), 9),
    "no submission": ("submit", ("Hungary",), 9),
    "no update": ("train", ("Hungary",), 9),
    "an attempt that failed, and another": ("judge", NODES, 1),
    "attempts that all failed": ("answer", NODES[:2], 9),
    "a locked round": ("release", NODES[:3], 9),
    "no quorum of votes": ("vote", NODES[:3], 9),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_no_difference(
    fault: str, chain: ChainEndpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, parties, until = FAULTS[fault]
    ask = Party.ask
    refused: list[str] = []

    def refusing(party: Party, step: str, key: AttemptKey, message: bytes) -> bytes:
        if (step, key.round) == (failing, 1) and party.name in parties and key.attempt <= until:
            refused.append(party.name)
            raise StepRefused(f"{party.name} is away")
        return ask(party, step, key, message)

    monkeypatch.setattr(Party, "ask", refusing)
    with open_federation(settings_of(tmp_path / "instance", chain)) as federation:
        trainings = Trainings(federation)
        started = trainings.start(trainings.plan(TrainingRequest(rounds=1, local_epochs=1)))
        trainings.run(started, lambda _: None)
        assert set(refused) <= set(parties)
        assert refused or failing == "keep"
        assert [str(one) for one in Verification(federation).run().differences] == []


@pytest.mark.slow
def test_a_stopped_training_is_no_difference(chain: ChainEndpoint, tmp_path: Path) -> None:
    done: list[str] = []
    with open_federation(settings_of(tmp_path / "instance", chain)) as federation:
        trainings = Trainings(federation)
        started = trainings.start(trainings.plan(TrainingRequest(rounds=2, local_epochs=1)))

        def watch(event: object) -> None:
            if isinstance(event, StepDone) and event.key.round == 1:
                done.append(event.step)

        trainings.run(started, watch, lambda: "share" in done)
        assert trainings.outcome(started)[0] == "failed"
        assert [str(one) for one in Verification(federation).run().differences] == []


@pytest.mark.slow
def test_a_training_that_was_given_up_is_no_difference(
    chain: ChainEndpoint, tmp_path: Path
) -> None:
    with open_federation(settings_of(tmp_path / "instance", chain)) as federation:
        trainings = Trainings(federation)
        started = trainings.start(trainings.plan(TrainingRequest(rounds=2, local_epochs=1)))

        class Broken(Exception):
            pass

        def watch(event: object) -> None:
            if isinstance(event, StepDone) and (event.key.round, event.step) == (1, "check"):
                raise Broken

        with pytest.raises(Broken):
            trainings.run(started, watch)
        # It may be resumed: nothing is wrong with it as it is.
        assert [str(one) for one in Verification(federation).run().differences] == []
        trainings.give_up(started, "the training broke off: é" * 60)
        assert [str(one) for one in Verification(federation).run().differences] == []
