"""What a training is said to cost before it starts, beside what it cost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select, update

from app.database import Database
from app.errors import RequestError
from app.models import AttemptRow, StepRow, TrainingRow
from app.services.cost import estimate
from app.services.federation import Federation, open_federation
from app.services.requests import TrainingRequest
from app.services.results import training_document
from app.services.trainings import Trainings
from contracts.chain import ChainEndpoint
from tests.app import reviewed
from tests.app.installations import settings_of

NODES = 4


@pytest.fixture
def measured(database: Database) -> str:
    """A finished training of two rounds at four hospitals, of 4.5 s and 45,000 bytes a round."""
    return reviewed.attacked_training(database).identifier


def test_the_same_again_costs_what_it_cost(database: Database, measured: str) -> None:
    document = training_document(database, measured)
    rounds = document["rounds"]
    asked = TrainingRequest(rounds=len(rounds))
    found = estimate(database, asked, NODES)
    assert found.yardstick == measured
    assert found.bytes == pytest.approx(sum(one["bytes"] for one in rounds))
    taken = sum(sum(one["seconds"].values()) for one in rounds)
    step = rounds[0]["seconds"]
    plain = sum(step.values()) - step["train"] - step["review"]
    # The statistics, the donation, and the same once more in the clear.
    assert found.seconds == pytest.approx(taken + 2 * plain + len(rounds) * step["train"])


@pytest.mark.parametrize(
    ("asked", "warning"),
    [
        (TrainingRequest(rounds=1), ""),
        (TrainingRequest(rounds=1, attack="label-flip"), ""),
        (TrainingRequest(rounds=1, attack="label-flip", attackers=2), "No honest majority: 2 of 4"),
        (TrainingRequest(rounds=1, attack="label-flip", attackers=4), "No honest majority: 4 of 4"),
        (
            TrainingRequest(
                rounds=1,
                attack="label-flip",
                hospitals=("Cleveland", "Hungary", "VA Long Beach"),
                attackers=("Hungary",),
            ),
            "Only 2 of 3 hospitals are honest",
        ),
        (
            TrainingRequest(
                task="diabetes",
                hospitals=7,
                rounds=1,
                attacks=(("sign-flip", 2), ("label-flip", 2)),
            ),
            "No honest majority: 4 of 7",
        ),
    ],
)
def test_too_many_attackers_are_warned_of(
    database: Database, asked: TrainingRequest, warning: str
) -> None:
    told = estimate(database, asked, NODES).warning
    assert told.startswith(warning)
    assert bool(told) == bool(warning)


@pytest.mark.parametrize(
    ("asked", "grows"),
    [
        (TrainingRequest(rounds=4), ("seconds", "bytes", "transactions")),
        (TrainingRequest(rounds=2, local_epochs=30), ("seconds",)),
        (TrainingRequest(task="diabetes", rounds=2, hospitals=8), ("transactions",)),
        (TrainingRequest(rounds=2, attack="label-flip"), ("seconds",)),
    ],
)
def test_more_of_something_costs_more(
    database: Database, measured: str, asked: TrainingRequest, grows: tuple[str, ...]
) -> None:
    before = estimate(database, TrainingRequest(rounds=2), NODES)
    after = estimate(database, asked, NODES)
    for name in grows:
        assert getattr(after, name) > getattr(before, name), name


@pytest.mark.parametrize(
    "asked",
    [
        TrainingRequest(rounds=2, review=False),
        TrainingRequest(rounds=2, hospitals=("Cleveland", "Hungary", "VA Long Beach")),
        TrainingRequest(rounds=2, share=0.5),
    ],
)
def test_less_of_something_costs_less(
    database: Database, measured: str, asked: TrainingRequest
) -> None:
    before = estimate(database, TrainingRequest(rounds=2), NODES)
    after = estimate(database, asked, NODES)
    for name in ("seconds", "bytes", "transactions"):
        assert getattr(after, name) < getattr(before, name), name


def test_without_a_measured_training_only_transactions_are_known(database: Database) -> None:
    found = estimate(database, TrainingRequest(rounds=1), NODES)
    assert (found.seconds, found.bytes, found.yardstick) == (None, None, None)
    # Two rounds of 25, a donation of 21, and the training's opening and end.
    assert found.transactions == 2 * 25 + 21 + 2


def test_a_training_whose_rows_are_gone_is_no_yardstick(database: Database, measured: str) -> None:
    with database.transaction() as session:
        session.execute(update(TrainingRow).values(plan="{}"))
    assert estimate(database, TrainingRequest(), NODES).yardstick is None


def test_what_cannot_be_asked_has_no_cost(database: Database) -> None:
    with pytest.raises(RequestError):
        estimate(database, TrainingRequest(task="diabetes", hospitals=3), NODES)


@pytest.fixture(scope="module")
def federation(
    tmp_path_factory: pytest.TempPathFactory, chain: ChainEndpoint
) -> Iterator[Federation]:
    with open_federation(settings_of(tmp_path_factory.mktemp("cost"), chain)) as opened:
        yield opened


@pytest.mark.slow
def test_what_was_said_before_is_what_it_cost(federation: Federation) -> None:
    """Transactions to the last one; bytes, scaled from another training, within a tenth."""
    trainings = Trainings(federation)

    def cost(request: TrainingRequest) -> tuple[int, int]:
        identifier = trainings.start(trainings.plan(request))
        assert trainings.run(identifier, lambda _: None).finished
        view = training_document(federation.database, identifier)
        sent = sum(one["bytes"] for one in view["rounds"])
        return _transactions(federation, identifier), sent

    cost(TrainingRequest(rounds=1, local_epochs=1))
    for request in (
        # Reviewed, three might be too few to sum, and such a round is not voted on.
        TrainingRequest(rounds=2, local_epochs=1, share=0.5, review=False),
        TrainingRequest(task="diabetes", hospitals=6, rounds=1, local_epochs=1),
    ):
        told = estimate(federation.database, request, federation.settings.nodes)
        transactions, sent = cost(request)
        assert told.transactions == transactions, request
        assert told.bytes == pytest.approx(sent, rel=0.1), request


def _transactions(federation: Federation, training: str) -> int:
    """How many transactions its steps sent, and the two that opened and ended it."""
    query = (
        select(func.sum(StepRow.transactions))
        .join(AttemptRow, AttemptRow.id == StepRow.attempt_id)
        .where(AttemptRow.training_id == training)
    )
    with federation.database.transaction() as session:
        return (session.scalar(query) or 0) + 2
