"""An upheld appeal lets a hospital in that the test rejects: in rounds that are opened after it."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import select

from app.models import AttemptRow
from contracts.appeals import Appeals
from contracts.ledger import Ledger
from contracts.records import AttemptKey, Verdict
from fl.agreement import ON_APPEAL
from fl.appeals import excused_in
from fl.attacks import get_attack
from fl.attacks.part import Part
from fl.datasets import get_task
from fl.plan import Review
from tests.contracts.parties import digest
from tests.fl.protocol.conftest import Federate
from tests.fl.protocol.engines import Ask, Saboteur
from tests.fl.protocol.federation import TRAINING, Federation, attempt_key

ATTACKER = "Cleveland"
REASON = digest("a reason")


def attacking(name: str) -> Part:
    return Part(get_attack(name).behaviour, (ATTACKER,), get_task("heart").load())


def of(ledger: Ledger) -> Appeals:
    assert ledger.appeals is not None
    return ledger.appeals


def appeal(federation: Federation) -> None:
    """The hospital appeals against round 1, and one administrator upholds it."""
    with closing(federation.ledger_of(ATTACKER)) as ledger:
        of(ledger).appeal(TRAINING, 1, REASON)
    account = federation.plan.hospital(ATTACKER).account
    of(federation.ledger).decide(TRAINING, 1, account, True, REASON)


def uphold(federation: Federation) -> None:
    """The other administrator upholds it, too."""
    url, contract = federation.ledger.rpc_url, federation.ledger.contract
    account = federation.plan.hospital(ATTACKER).account
    with closing(Ledger(url, contract, federation.deputy_key)) as deputy:
        of(deputy).decide(TRAINING, 1, account, True, REASON)


def verdict(federation: Federation, number: int) -> Verdict:
    account = federation.plan.hospital(ATTACKER).account
    found = federation.ledger.find_submission(attempt_key(number), account)
    assert found is not None
    return found.verdict


def told(federation: Federation, number: int) -> str:
    """Why the attacker was kept out, or let in all the same."""
    with federation.database.transaction() as session:
        rows = session.scalars(select(AttemptRow).filter_by(round=number)).one().submissions
        return next(one.reason for one in rows if one.hospital == ATTACKER)


@pytest.mark.slow
def test_it_counts_in_rounds_opened_after_it_and_not_in_the_one_under_way(
    federate: Federate,
) -> None:
    federation = federate(rounds=3, review=Review(), parts={ATTACKER: attacking("label-flip")})

    def file(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        appeal(federation)
        return ask(message)

    def decide(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        """In mid-round: some nodes have judged, others have not."""
        uphold(federation)
        return ask(message)

    places = {(1, ATTACKER, "adopt"): file, (2, "Node 2", "judge"): decide}
    assert federation.run(Saboteur(federation.engine(), places)).finished
    assert verdict(federation, 1) is Verdict.REJECTED
    assert verdict(federation, 2) is Verdict.REJECTED
    assert excused_in(federation.ledger, federation.plan, attempt_key(2)) == frozenset()
    assert excused_in(federation.ledger, federation.plan, attempt_key(3)) == {ATTACKER}
    assert verdict(federation, 3) is Verdict.ACCEPTED
    for number in (1, 2, 3):
        key = attempt_key(number)
        assert federation.result(key) == federation.expected_result(key)
        assert federation.faults(key) == {}
    assert "is below the threshold" in told(federation, 2)
    assert not told(federation, 2).endswith(ON_APPEAL)
    assert told(federation, 3).endswith(ON_APPEAL)


@pytest.mark.slow
def test_range_and_norm_refuse_whoever_appealed(federate: Federate) -> None:
    federation = federate(rounds=2, review=Review(), parts={ATTACKER: attacking("label-flip")})

    def both(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        appeal(federation)
        uphold(federation)
        federation.hospital(ATTACKER)._part = attacking("out-of-range")
        return ask(message)

    assert federation.run(Saboteur(federation.engine(), {(1, ATTACKER, "adopt"): both})).finished
    assert excused_in(federation.ledger, federation.plan, attempt_key(2)) == {ATTACKER}
    assert verdict(federation, 2) is Verdict.REFUSED


@pytest.mark.slow
def test_another_hospital_is_rejected_as_before(federate: Federate) -> None:
    parts = {ATTACKER: attacking("label-flip")}
    federation = federate(rounds=2, review=Review(), parts=parts)

    def both(ask: Ask, key: AttemptKey, message: bytes) -> bytes:
        appeal(federation)
        uphold(federation)
        federation.hospital(ATTACKER)._part = Part()
        federation.hospital("Hungary")._part = attacking("label-flip")
        return ask(message)

    assert federation.run(Saboteur(federation.engine(), {(1, ATTACKER, "adopt"): both})).finished
    account = federation.plan.hospital("Hungary").account
    found = federation.ledger.find_submission(attempt_key(2), account)
    assert found is not None
    assert found.verdict is Verdict.REJECTED
    assert verdict(federation, 2) is Verdict.ACCEPTED
