"""A part of the hospitals is drawn for each round: only they train, submit and are judged."""

from __future__ import annotations

import pytest

from contracts.records import DONATION, AttemptKey, Verdict
from fl.agreement import NOT_DRAWN
from fl.errors import StepRefused
from fl.messages import pack
from fl.party import attempt_place
from fl.plan import Review
from tests.chains import on_all_chains
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Saboteur
from tests.fl.protocol.federation import HOSPITALS, Federation, attempt_key

pytestmark = pytest.mark.slow

# With this seed the draws of the first two rounds of heart differ.
SEED = 1


def drawn(federation: Federation, number: int) -> set[str]:
    return {hospital.name for hospital in federation.plan.drawn(number)}


def out_of(federation: Federation, number: int) -> str:
    (name,) = set(HOSPITALS) - drawn(federation, number)
    return name


def check_sampled(federation: Federation, number: int) -> None:
    """Only who was drawn has trained and counts; the result is everybody's, and nobody is named."""
    key = attempt_key(number)
    assert federation.result(key) == federation.expected_result(key)
    assert set(federation.accepted(key)) == drawn(federation, number)
    check_trained(federation, number)


def check_trained(federation: Federation, number: int) -> None:
    key = attempt_key(number)
    trained = {
        name
        for name in HOSPITALS
        if federation.parties[name].store.get(f"{attempt_place(key)}/update") is not None
    }
    assert trained == drawn(federation, number)
    assert federation.faults(key) == {}
    assert len(federation.store.reports()[number]) == len(HOSPITALS)


@on_all_chains
def test_only_the_drawn_train_and_submit(federate: Federate) -> None:
    federation = federate(rounds=2, seed=SEED, sampled=3)
    assert federation.run().finished
    assert set(federation.accepted(attempt_key(0))) == set(HOSPITALS)
    assert drawn(federation, 1) != drawn(federation, 2)
    for number in (1, 2):
        check_sampled(federation, number)


def test_a_hospital_that_was_not_drawn_does_not_train(federate: Federate) -> None:
    federation = federate(seed=SEED, sampled=3)
    federation.run_statistics()
    key = attempt_key(1)
    attempt = federation.attempt(key)
    attempt.open()
    outsider = federation.hospital(out_of(federation, 1))
    message = pack(federation.model_before(key), federation.result(attempt_key(0)))
    with pytest.raises(StepRefused, match="was not drawn for this round"):
        outsider.train(key, message)


@on_all_chains
def test_what_it_submits_all_the_same_is_refused_by_everybody(federate: Federate) -> None:
    federation = federate(seed=SEED, sampled=3)
    outsider = out_of(federation, 1)

    def also(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        federation.hospital(outsider).ledger.submit(key, b"\x01" * 32, b"\x02" * 32, 100)
        return ask(message)

    insider = next(name for name in HOSPITALS if name in drawn(federation, 1))
    assert federation.run(Saboteur(federation.engine(), {(1, insider, "submit"): also})).finished
    key = attempt_key(1)
    assert set(federation.accepted(key)) == drawn(federation, 1)
    assert federation.result(key) == federation.expected_result(key)
    verdicts = {
        federation.plan.name_of(one.hospital): one.verdict
        for one in federation.ledger.submissions(key)
    }
    assert verdicts[outsider] == Verdict.REFUSED
    assert set(federation.faults(key)) == {outsider}
    assert NOT_DRAWN in {reason for _, reason in federation.faults(key)[outsider]}


def test_the_review_is_over_the_drawn_and_the_slices_are_everybodys(federate: Federate) -> None:
    federation = federate(rounds=2, seed=SEED, sampled=3, review=Review())
    assert federation.run().finished
    donation = {
        e["hospital"] for e in federation.events_named("Submitted") if e["round"] == DONATION
    }
    assert len(donation) == len(HOSPITALS)
    for number in (1, 2):
        check_trained(federation, number)
        judged = [e for e in federation.events_named("Reviewed") if e["round"] == number]
        assert {federation.plan.name_of(str(e["hospital"])) for e in judged} == drawn(
            federation, number
        )
