"""A stop that is asked for at the end of any step: the reason is told, and nothing is undone."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.models import AttemptRow
from contracts.records import DONATION, AttemptKey, AttemptState, TrainingState
from fl.federated_training import STOPPED, Ending
from fl.plan import Review
from fl.round import STEPS, StepDone
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.federation import TRAINING, Federation

pytestmark = pytest.mark.slow

WORDS = {AttemptState.FINALISED: "finalised", AttemptState.FAILED: "failed"}


def attempts(federation: Federation) -> dict[int, tuple[str, str]]:
    """The state and the reason of each round's only attempt, as the store has them."""
    with federation.database.transaction() as session:
        rows = session.scalars(select(AttemptRow))
        return {row.round: (row.state, row.reason) for row in rows}


def stop_after(federation: Federation, number: int, step: str) -> Ending:
    """Run the training until this step of this round is done, and ask for a stop then."""

    def wanted() -> bool:
        last = federation.events[-1] if federation.events else None
        return isinstance(last, StepDone) and (last.key.round, last.step) == (number, step)

    asked = False

    def stop_requested() -> bool:
        nonlocal asked
        asked = asked or wanted()
        return asked

    return federation.run(stop_requested=stop_requested)


# Each step of a round; of those before the first, which take the same way, some.
PLACES = [
    *((number, step) for number in (0, DONATION) for step in (STEPS[0], "agree", STEPS[-1])),
    *((1, step) for step in STEPS),
]


@pytest.mark.parametrize(("number", "step"), PLACES)
def test_whatever_step_is_under_way_the_store_says_what_the_ledger_says(
    federate: Federate, number: int, step: str
) -> None:
    federation = federate(review=Review(), rounds=3)
    assert stop_after(federation, number, step) == Ending(False, STOPPED)
    record = federation.ledger.training(TRAINING)
    assert (record.state, record.reason) == (TrainingState.ENDED, STOPPED)
    noted = attempts(federation)
    # No round begins after the one under way.
    assert list(noted)[-1] == number
    for one, (state, reason) in noted.items():
        on_ledger = federation.ledger.attempt(AttemptKey(TRAINING, one, 1))
        assert (state, reason) == (WORDS[on_ledger.state], on_ledger.reason)
    assert federation.store.unfinished() is None
    # Whoever resumes finds the same.
    assert federation.run() == Ending(False, STOPPED)
    assert attempts(federation) == noted
