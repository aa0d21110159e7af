"""Everybody follows the protocol: what the federation computes, and who holds it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from contracts.chain import ChainEndpoint
from contracts.records import AttemptState, Standing
from crypto.digest import load_model
from crypto.fixedpoint import encode
from fl.aggregates import ModelUpdate
from fl.datasets import Statistics, local_sums, split
from fl.datasets import encode as encode_features
from fl.errors import StepRefused
from fl.handing_out import make_request
from fl.messages import pack
from fl.networks import flatten
from fl.party import context_of
from fl.strategies import plain_fedavg_round
from fl.training import local_seed, local_update
from tests.chains import on_all_chains
from tests.fl.protocol.engines import Recorder
from tests.fl.protocol.federation import (
    HOSPITALS,
    LOCAL,
    NODES,
    TRAINING,
    Federation,
    attempt_key,
)

pytestmark = on_all_chains

ROUNDS = 2


@pytest.fixture(scope="module")
def federation(
    chain: ChainEndpoint, blank: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Federation]:
    """A finished training of two rounds; its tests only look."""
    federation = Federation(
        chain,
        tmp_path_factory.mktemp("honest") / "federation",
        blank,
        rounds=ROUNDS,
        local=replace(LOCAL, decay=0.25),
    )
    recorder = Recorder(federation.engine())
    assert federation.run(recorder).finished
    federation.recorder = recorder
    yield federation
    federation.close()


def statistics_of(federation: Federation) -> Statistics:
    text = federation.result(attempt_key(0)).decode()
    return Statistics.from_json(federation.plan.data, text)


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_the_model_is_integer_fedavg_bit_for_bit(federation: Federation, number: int) -> None:
    key = attempt_key(number)
    assert set(federation.accepted(key)) == set(HOSPITALS)
    assert federation.result(key) == federation.expected_result(key)


@pytest.mark.parametrize("number", range(1, ROUNDS + 1))
def test_the_model_is_float_fedavg_within_a_fixed_point_unit(
    federation: Federation, number: int
) -> None:
    key, plan = attempt_key(number), federation.plan
    _, before = load_model(federation.model_before(key))
    deltas = []
    for name in federation.accepted(key):
        rows = split(federation.tables[name], plan.split).train
        features = encode_features(plan.data, rows.features, statistics_of(federation))
        seed = local_seed(plan.seed, number, name)
        settings = plan.local.in_round(number)
        update = local_update(plan.spec, before, features, rows.labels, settings, seed)
        deltas.append(update.delta)
    weights = list(federation.accepted(key).values())
    plain = flatten(plan.spec, plain_fedavg_round(plan.spec, before, deltas, weights))
    secure = flatten(plan.spec, load_model(federation.result(key))[1])
    assert np.abs(secure - plain).max() <= 2**-14 * np.abs(plain).max()
    assert not np.array_equal(plain, flatten(plan.spec, before))


def test_weights_are_the_training_rows_capped(federation: Federation) -> None:
    rows = {
        name: len(split(federation.tables[name], federation.plan.split).train) for name in HOSPITALS
    }
    cap = 2 * sorted(rows.values())[1]
    assert federation.accepted(attempt_key()) == {n: min(rows[n], cap) for n in HOSPITALS}
    submitted = federation.ledger.submissions(attempt_key())
    assert {federation.plan.name_of(s.hospital): s.samples for s in submitted} == rows


def test_a_weight_is_at_most_twice_the_lower_median(federation: Federation) -> None:
    aggregate = ModelUpdate(federation.plan, b"")
    even = {"a": 10, "b": 20, "c": 30, "d": 1000}
    assert aggregate.weights(even) == {"a": 10, "b": 20, "c": 30, "d": 40}
    odd = {"a": 1, "b": 50, "c": 101}
    assert aggregate.weights(odd) == {"a": 1, "b": 50, "c": 100}
    assert aggregate.weights({"a": 7, "b": 7, "c": 14}) == {"a": 7, "b": 7, "c": 14}


def test_the_statistics_are_the_plain_sums(federation: Federation) -> None:
    task, rule = federation.plan.data, federation.plan.split
    sums = [local_sums(task, split(federation.tables[n], rule).train.features) for n in HOSPITALS]
    exact = sum(encode(one, 2.0**20).astype(object) for one in sums)
    statistics = statistics_of(federation)
    assert list(statistics.sums) == [value / 2**16 for value in exact]
    assert np.abs(np.array(statistics.sums) - np.sum(sums, axis=0)).max() <= 4 * 2**-17
    assert (
        federation.ledger.training(TRAINING).statistics
        == sha256(federation.result(attempt_key(0))).digest()
    )


def test_the_ledger_holds_the_hash_and_a_vote_of_every_node(federation: Federation) -> None:
    for number in range(ROUNDS + 1):
        key = attempt_key(number)
        record = federation.ledger.attempt(key)
        digest = sha256(federation.result(key)).digest()
        assert (record.state, record.result_hash) == (AttemptState.FINALISED, digest)
        votes = {
            federation.plan.name_of(v.node): v.result_hash for v in federation.ledger.votes(key)
        }
        assert votes == dict.fromkeys(NODES, digest)
        assert federation.standings(key) == dict.fromkeys(NODES, Standing.IN)
        assert federation.faults(key) == {}
    last = federation.ledger.training(TRAINING)
    assert last.model == sha256(federation.result(attempt_key(ROUNDS))).digest()


def test_every_node_serves_the_result_under_its_hash(federation: Federation) -> None:
    for number in range(ROUNDS + 1):
        result = federation.result(attempt_key(number))
        for name in NODES:
            question = make_request(
                federation.ledger,
                context_of(federation.ledger, attempt_key(number)),
                name,
                sha256(result).digest(),
            )
            answer = federation.node(name).ask("serve", attempt_key(number), question)
            assert answer == pack(result)


def test_a_node_serves_no_result_that_it_does_not_hold(federation: Federation) -> None:
    context = context_of(federation.ledger, attempt_key())
    question = make_request(federation.ledger, context, "Node 1", sha256(b"other").digest())
    with pytest.raises(StepRefused, match="holds no result"):
        federation.node("Node 1").ask("serve", attempt_key(), question)


def test_a_hospital_refuses_another_model_or_other_statistics(federation: Federation) -> None:
    key, hospital = attempt_key(2), federation.hospital("Hungary")
    model, statistics = federation.model_before(key), federation.result(attempt_key(0))
    other = federation.plan.initial_model()
    hospital.ask("train", key, pack(model, statistics))
    with pytest.raises(StepRefused, match="another model"):
        hospital.ask("train", key, pack(other, statistics))
    with pytest.raises(StepRefused, match="other statistics"):
        hospital.ask("train", key, pack(model, statistics + b" "))


def test_a_hospital_adopts_nothing_but_the_finalised_result(federation: Federation) -> None:
    key, hospital = attempt_key(2), federation.hospital("Cleveland")
    result, statistics = federation.result(key), federation.result(attempt_key(0))
    hospital.ask("adopt", key, pack(result, statistics))
    with pytest.raises(StepRefused, match="another result"):
        hospital.ask("adopt", key, pack(federation.model_before(key), statistics))
    with pytest.raises(StepRefused, match="other statistics"):
        hospital.ask("adopt", key, pack(result, b"{}"))


def test_a_party_has_no_part_in_another_training_or_in_another_party_s_step(
    federation: Federation,
) -> None:
    other = attempt_key().__class__(bytes(32), 1, 1)
    with pytest.raises(StepRefused, match="no part in serve"):
        federation.node("Node 1").ask("serve", other, pack(bytes(32)))
    with pytest.raises(StepRefused, match="no part in train"):
        federation.node("Node 1").ask("train", attempt_key(), b"")
    with pytest.raises(StepRefused, match="no part in vote"):
        federation.hospital("Hungary").ask("vote", attempt_key(), b"")


def test_messages_and_bytes_are_counted(federation: Federation) -> None:
    recorder = federation.recorder
    assert recorder is not None
    assert federation.channel.messages == 2 * len(recorder.passed)
    volume = sum(len(one.message) + len(one.answer) for one in recorder.passed)
    assert federation.channel.bytes == volume
    steps = [step for number in range(ROUNDS + 1) for step in federation.steps(attempt_key(number))]
    assert sum(step.messages for step in steps) == federation.channel.messages
    assert sum(step.bytes for step in steps) == federation.channel.bytes
    asked = [one for one in recorder.passed if one.key.round == 1]
    train = next(step for step in federation.steps(attempt_key(1)) if step.name == "train")
    assert train.bytes == sum(
        len(one.message) + len(one.answer) for one in asked if one.question == "train"
    )
