"""The encrypted review inside a federation: who is accepted, who is named, what passes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.models import AttemptRow
from contracts.chain import ChainEndpoint
from contracts.records import DONATION, AttemptKey, AttemptState, Verdict
from crypto.fixedpoint import SCALE
from fl.agreement import OUT_OF_NORM, OUT_OF_RANGE, starting_bound
from fl.attacks import get_attack
from fl.attacks.part import Part
from fl.clipping import next_bound
from fl.datasets import Statistics, encode, get_task, split
from fl.errors import PartyFailed, PlanError
from fl.messages import pack, unpack
from fl.outcome import read_slices, read_updates
from fl.party import attempt_place
from fl.plan import Review
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Fault, Recorder, Saboteur, crash
from tests.fl.protocol.federation import HOSPITALS, NODES, TRAINING, Federation, attempt_key

pytestmark = pytest.mark.slow

ROUNDS = 2
DONATED = AttemptKey(TRAINING, DONATION, 1)
ATTACKER = "Cleveland"


def attacked(name: str, *attackers: str) -> dict[str, object]:
    """Settings of a federation in which these hospitals attack."""
    part = Part(get_attack(name).behaviour, attackers, get_task("heart").load())
    return {"review": Review(), "parts": dict.fromkeys(attackers, part)}


@pytest.fixture(scope="module")
def federation(
    chain: ChainEndpoint, blank: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Federation]:
    """A finished training with review; its tests only look."""
    federation = Federation(
        chain,
        tmp_path_factory.mktemp("review") / "federation",
        blank,
        rounds=ROUNDS,
        review=Review(),
    )
    recorder = Recorder(federation.engine())
    assert federation.run(recorder).finished
    federation.recorder = recorder
    yield federation
    federation.close()


def outcome_of(federation: Federation, key: AttemptKey) -> bytes:
    """The body that the committee signed in an attempt."""
    bodies = {
        unpack(data, str, str, bytes, bytes)[2]
        for node in NODES
        if (data := federation.store.messages(key, "review-1").get(node)) is not None
    }
    (body,) = bodies
    return bytes(body)


def verdicts(federation: Federation, key: AttemptKey) -> dict[str, Verdict]:
    return {
        federation.plan.name_of(one.hospital): one.verdict
        for one in federation.ledger.submissions(key)
    }


@on_all_chains
def test_honest_hospitals_are_accepted(federation: Federation) -> None:
    for number in range(1, ROUNDS + 1):
        key = attempt_key(number)
        assert verdicts(federation, key) == dict.fromkeys(HOSPITALS, Verdict.ACCEPTED)
        assert federation.faults(key) == {}


@on_all_chains
def test_slices_of_all_are_donated_with_their_sizes(federation: Federation) -> None:
    sizes = read_slices(outcome_of(federation, DONATED)).sizes
    for name in HOSPITALS:
        labels = split(federation.tables[name], federation.plan.split).donated.labels
        assert sizes[name] == tuple(int((labels == c).sum()) for c in (0, 1))
    assert federation.ledger.training(TRAINING).slices is not None


@on_all_chains
def test_the_bound_follows_the_federation(federation: Federation) -> None:
    bound = starting_bound(federation.plan)
    for number in range(1, ROUNDS + 1):
        key = attempt_key(number)
        outcome = read_updates(outcome_of(federation, key))
        assert outcome.unclipped is not None
        assert (federation.ledger.attempt(key).norm_bound or starting_bound(federation.plan)) == (
            bound
        )
        bound = next_bound(bound, outcome.unclipped, len(HOSPITALS))
        updates = [np.array(federation.update(name, key))[:-1] / SCALE for name in HOSPITALS]
        assert max(float(np.linalg.norm(update)) for update in updates) < 1.6
    assert federation.ledger.training(TRAINING).norm_bound == bound


@on_all_chains
def test_no_row_passes_in_the_clear(federation: Federation) -> None:
    """Not the donated rows, raw or standardised or in fixed point, in anything that passed."""
    recorder = federation.recorder
    assert recorder is not None
    passed = b"".join(part for one in recorder.passed for part in (one.message, one.answer))
    plan = federation.plan
    statistics = Statistics.from_json(plan.data, federation.result(attempt_key(0)).decode())
    for name in HOSPITALS:
        rows = split(federation.tables[name], plan.split).donated
        inputs = encode(plan.data, rows.features, statistics)
        for row in inputs:
            fixed = np.rint(row.astype(np.float64) * SCALE).astype("<i8")
            assert row.tobytes() not in passed
            assert fixed.tobytes() not in passed
        stored = federation.hospital(name).store.get(f"{attempt_place(DONATED)}/update")
        assert stored is not None
        assert stored[:64] not in passed


@on_all_chains
def test_shares_of_slices_are_erased_when_the_training_ends(federation: Federation) -> None:
    for node in NODES:
        place = f"{attempt_place(DONATED)}/share"
        for name in HOSPITALS:
            assert federation.parties[node].store.get(f"{place}/{name}") is None


@pytest.mark.parametrize("name", ["label-flip", "targeted-flip", "model-replacement"])
def test_poisoned_updates_are_rejected(federate: Federate, name: str) -> None:
    federation = federate(**attacked(name, ATTACKER), rounds=1)
    assert federation.run().finished
    key = attempt_key(1)
    assert verdicts(federation, key)[ATTACKER] is Verdict.REJECTED
    assert federation.result(key) != federation.plan.initial_model()


def test_a_vector_that_wraps_is_refused_and_named(federate: Federate) -> None:
    federation = federate(**attacked("out-of-range", ATTACKER))
    assert federation.run().finished
    key = attempt_key(1)
    assert verdicts(federation, key)[ATTACKER] is Verdict.REFUSED
    ((step, reason),) = federation.faults(key)[ATTACKER]
    assert step == "review"
    assert reason in (OUT_OF_RANGE, OUT_OF_NORM)


@on_all_chains
def test_too_few_accepted_keep_the_model_and_the_training_goes_on(federate: Federate) -> None:
    federation = federate(**attacked("out-of-range", *HOSPITALS[:2]), rounds=2)
    assert federation.run().finished
    for number in (1, 2):
        attempt = federation.ledger.attempt(attempt_key(number))
        assert attempt.state is AttemptState.FINALISED
        assert attempt.result_hash == attempt.model_in
    with federation.database.transaction() as session:
        rows = session.scalars(select(AttemptRow).filter_by(round=1)).all()
        assert [(row.kept, row.reason) for row in rows] == [(True, "2 were accepted, 3 are needed")]


def crash_at(times: int) -> Fault:
    """Return a fault that lets a step pass so many times before the node is gone."""
    left = [times]

    def fault(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        left[0] -= 1
        if left[0] < 0:
            raise PartyFailed("party", "step", "it crashed")
        return ask(message)

    return fault


@pytest.mark.parametrize("exchanges", [0, 1, 7])
def test_a_silent_node_is_replaced_by_the_fourth(federate: Federate, exchanges: int) -> None:
    federation = federate(review=Review())
    engine = Saboteur(federation.engine(), {(1, "Node 2", "exchange"): crash_at(exchanges)})
    recorder = Recorder(engine)
    assert federation.run(recorder).finished
    key = attempt_key(1)
    assert [step for step, _ in federation.faults(key)["Node 2"]] == ["review"]
    senders = [n for n in NODES if n in federation.store.messages(key, "review-2")]
    assert senders == ["Node 1", "Node 3", "Node 4"]
    assert federation.result(key) == federation.expected_result(key)


def test_two_silent_nodes_end_the_round_with_the_reason(federate: Federate) -> None:
    federation = federate(review=Review())
    faults = {(1, name, "review"): crash for name in ("Node 1", "Node 2")}
    ending = federation.run(Saboteur(federation.engine(), faults))
    assert not ending.finished
    assert "two committees" in ending.reason
    assert federation.ledger.training(TRAINING).model == (
        federation.ledger.training(TRAINING).initial_model
    )


def test_a_session_number_is_used_once(federate: Federate) -> None:
    federation = federate(review=Review())
    begun = []

    def twice(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        answer = ask(message)
        with pytest.raises(PartyFailed, match="has used session 1"):
            ask(message)
        begun.append(answer)
        return answer

    places = {(number, "Node 1", "review"): twice for number in (1, DONATION)}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    assert len(begun) == 2


def test_an_altered_message_stops_the_session(federate: Federate) -> None:
    federation = federate(review=Review())

    def alter(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        messages, statement = unpack(ask(message), list, bytes)
        changed = [[to, bytes([data[0] ^ 1]) + data[1:]] for to, data in messages]
        return pack(changed, statement)

    engine = Saboteur(federation.engine(), {(1, "Node 2", "review"): alter})
    assert federation.run(engine).finished
    # Whoever cannot read it says so; who altered it cannot be told.
    assert any(step == "review" for steps in federation.faults(attempt_key(1)).values()
               for step, _ in steps)  # fmt: skip


def test_a_plan_with_two_colluding_nodes_cannot_be_reviewed(federate: Federate) -> None:
    plan = federate(review=Review()).plan
    more = [replace(plan.nodes[0], name=f"Node {i}", account=f"a{i}") for i in range(5, 8)]
    with pytest.raises(PlanError, match="threshold of 1, got 2"):
        replace(plan, nodes=(*plan.nodes, *more), threshold=2)
    with pytest.raises(PlanError, match="at most 50 rounds, got 51"):
        replace(plan, rounds=51)
