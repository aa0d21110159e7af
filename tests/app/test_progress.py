"""Where each party is, from the events of a training, on both databases."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.database import Database
from app.models import DeploymentRow, TrainingRow
from app.services.live import training_view
from app.services.progress import PartyProgress
from contracts.records import DONATION, AttemptKey
from fl.round import STEPS, AttemptFailed, PartyDone, PartyNamed, StepDone
from fl.store import StepCost

TRAINING = "ab" * 32
HOSPITALS, NODES = ("A", "B", "C"), ("Node 1", "Node 2", "Node 3")
COST = StepCost(0.1, 1, 1)

# Of a plan, only its parties' names, its rounds, who is drawn and whether it reviews are asked for.
PLAN: Any = SimpleNamespace(
    rounds=1,
    reviews=lambda _: False,
    hospitals=[SimpleNamespace(name=name) for name in HOSPITALS],
    nodes=[SimpleNamespace(name=name) for name in NODES],
    drawn=lambda _: PLAN.hospitals,
)


def key(round_number: int, attempt: int = 1) -> AttemptKey:
    return AttemptKey(bytes.fromhex(TRAINING), round_number, attempt)


@pytest.fixture
def progress(database: Database) -> PartyProgress:
    with database.transaction() as session:
        deployment = DeploymentRow(
            chain_id=1, chain_kind="embedded", genesis_hash="0" * 64, contract="0x0"
        )
        session.add(deployment)
        session.flush()
        session.add(
            TrainingRow(
                id=TRAINING,
                task="heart",
                network="mlp",
                seed=7,
                rounds=1,
                plan="{}",
                plan_sha256="0" * 64,
                initial_sha256="0" * 64,
                deployment_id=deployment.id,
            )
        )
    return PartyProgress(database, TRAINING, PLAN)


def parties(database: Database) -> dict[str, tuple[int, str, str]]:
    """Round, step and state of each party."""
    view = training_view(database, TRAINING)["parties"]
    return {one["name"]: (one["round"], one["step"], one["state"]) for one in view}


def test_at_first_the_nodes_take_their_seats(database: Database, progress: PartyProgress) -> None:
    assert parties(database) == {
        **dict.fromkeys(HOSPITALS, (0, "open", "waiting")),
        **dict.fromkeys(NODES, (0, "open", "working")),
    }


def test_each_step_begins_for_those_who_have_a_part_in_it(
    database: Database, progress: PartyProgress
) -> None:
    progress(PartyDone(key(0), "open", "Node 1"))
    assert parties(database)["Node 1"] == (0, "open", "done")
    assert parties(database)["Node 2"] == (0, "open", "working")
    progress(StepDone(key(0), "open", COST))
    assert parties(database)["A"] == (0, "train", "working")
    assert parties(database)["Node 1"] == (0, "open", "done")
    progress(StepDone(key(0), "submit", COST))
    assert parties(database)["Node 1"] == (0, "check", "working")
    progress(StepDone(key(0), "vote", COST))
    assert set(parties(database).values()) == {(0, "distribute", "working")}
    progress(StepDone(key(0), "distribute", COST))
    assert parties(database)["Node 1"] == (1, "open", "working")


def test_rows_are_donated_between_the_statistics_and_the_first_round(
    database: Database, progress: PartyProgress
) -> None:
    reviewing = SimpleNamespace(**vars(PLAN) | {"reviews": lambda number: number > 0})
    progress = PartyProgress(database, TRAINING, reviewing)
    progress(StepDone(key(0), "distribute", COST))
    assert parties(database)["Node 1"] == (DONATION, "open", "working")
    progress(StepDone(key(DONATION), "check", COST))
    assert parties(database)["Node 1"] == (DONATION, "review", "working")
    progress(StepDone(key(DONATION), "distribute", COST))
    assert parties(database)["Node 1"] == (1, "open", "working")
    progress(StepDone(key(1), "distribute", COST))
    assert parties(database)["Node 1"] == (1, "open", "working")


def test_whoever_failed_stays_out_until_the_next_attempt(
    database: Database, progress: PartyProgress
) -> None:
    progress(PartyNamed(key(0), "train", "B", "its update holds NaN"))
    progress(StepDone(key(0), "train", COST))
    assert parties(database)["A"] == (0, "share", "working")
    assert parties(database)["B"] == (0, "train", "failed")
    (failed,) = [p for p in training_view(database, TRAINING)["parties"] if p["name"] == "B"]
    assert failed["text"] == "its update holds NaN"
    progress(AttemptFailed(key(0), "2 hospitals submitted, 3 are needed"))
    progress(StepDone(key(0, 2), "open", COST))
    assert parties(database)["B"] == (0, "train", "working")


def test_who_was_not_drawn_rests_until_the_result_is_there(
    database: Database, progress: PartyProgress
) -> None:
    sampling = SimpleNamespace(
        **vars(PLAN) | {"drawn": lambda number: PLAN.hospitals[1:] if number else PLAN.hospitals}
    )
    progress = PartyProgress(database, TRAINING, sampling)
    progress(StepDone(key(0), "open", COST))
    assert parties(database)["A"] == (0, "train", "working")
    progress(PartyDone(key(1), "open", "Node 1"))
    assert parties(database)["A"] == (1, "train", "not drawn")
    progress(StepDone(key(1), "open", COST))
    assert parties(database)["A"] == (1, "train", "not drawn")
    assert parties(database)["B"] == (1, "train", "working")
    progress(StepDone(key(1), "vote", COST))
    assert parties(database)["A"] == (1, "distribute", "working")


def test_after_the_last_round_nobody_works(database: Database, progress: PartyProgress) -> None:
    for name in (*HOSPITALS, *NODES):
        progress(PartyDone(key(1), "distribute", name))
    progress(StepDone(key(1), STEPS[-1], COST))
    assert set(parties(database).values()) == {(1, "distribute", "done")}


def test_whoever_resumes_finds_everybody_where_they_were(
    database: Database, progress: PartyProgress
) -> None:
    progress(StepDone(key(0), "open", COST))
    before = parties(database)
    PartyProgress(database, TRAINING, PLAN)
    assert parties(database) == before
