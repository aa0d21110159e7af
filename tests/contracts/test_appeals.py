"""A rejected hospital asks for a second look, once; two administrators who say the same decide."""

from __future__ import annotations

import pytest

from contracts.appeals import Appeals, upheld_before
from contracts.artifact import APPEALS, FEDERATION
from contracts.ledger import AttemptState, Ledger
from contracts.records import AppealRecord, Decision
from tests.contracts.direct import account
from tests.contracts.parties import Federation, digest, refusal
from tests.contracts.stage import REJECTED, Stage

REASON, FIRST, SECOND = digest("our patients differ"), digest("so they do"), digest("agreed")


@pytest.fixture
def rejecting(federation: Federation) -> Federation:
    """A federation whose round 0 was finalised without its last hospital, which it rejected."""
    key = federation.key()
    federation.advance(key, AttemptState.CHECKING)
    accounts = tuple(one.account for one in federation.hospitals)
    agreed = federation.agreed_set(
        key, accepted=accounts[:-1], weights=(100,) * (len(accounts) - 1), rejected=accounts[-1:]
    )
    federation.agree(key, agreed)
    federation.nodes[0].publish_set(key, agreed)
    for node in federation.nodes[:3]:
        node.vote(key, digest("result"))
    return federation


def of(ledger: Ledger) -> Appeals:
    assert ledger.appeals is not None
    return ledger.appeals


def test_two_administrators_decide_and_the_block_counts(rejecting: Federation) -> None:
    hospital, training = rejecting.hospitals[-1], rejecting.training
    name, lead, deputy = str(hospital.account), of(rejecting.coordinator), of(rejecting.deputy)
    assert lead.federation() == rejecting.coordinator.contract
    appealed = of(hospital).appeal(training, 0, REASON)
    assert of(hospital).appeal(training, 0, REASON) == appealed
    assert lead.find_appealed(training, 0, name) == appealed
    opened = AppealRecord(REASON, Decision.NONE, None, None, None)
    assert lead.find_appeal(training, 0, name) == opened
    first = lead.decide(training, 0, name, True, FIRST)
    assert lead.decide(training, 0, name, True, FIRST) == first
    waits = lead.find_appeal(training, 0, name)
    assert waits is not None
    assert (waits.decision, waits.upholder) == (Decision.NONE, lead.account)
    assert lead.upheld(training) == {}
    assert lead.upheld_at(training, name) is None
    second = deputy.decide(training, 0, name, True, SECOND)
    decided = lead.find_appeal(training, 0, name)
    assert decided is not None
    assert (decided.decision, decided.decided_at) == (Decision.UPHELD, second.block)
    assert lead.upheld(training) == {name: second.block}
    assert lead.upheld_at(training, name) == second.block
    last = lead.history()[-1]
    assert last.name == "AppealDecided"
    assert (last.values["first"], last.values["second"]) == (lead.account, deputy.account)


def test_a_block_counts_for_what_was_opened_after_it() -> None:
    assert upheld_before({"one": 7, "two": 8}, 8) == {"one"}


def test_who_disagrees_leaves_it_open_and_may_change_its_mind(rejecting: Federation) -> None:
    hospital, training = rejecting.hospitals[-1], rejecting.training
    name, lead, deputy = str(hospital.account), of(rejecting.coordinator), of(rejecting.deputy)
    of(hospital).appeal(training, 0, REASON)
    lead.decide(training, 0, name, True, FIRST)
    deputy.decide(training, 0, name, False, SECOND)
    apart = lead.find_appeal(training, 0, name)
    assert apart == AppealRecord(REASON, Decision.NONE, None, lead.account, deputy.account)
    again = refusal(lead.decide, training, 0, name, True, SECOND)
    assert again.reason == "AlreadyJudged"
    lead.decide(training, 0, name, False, digest("on second thoughts"))
    settled = lead.find_appeal(training, 0, name)
    assert settled is not None
    assert settled.decision == Decision.DISMISSED
    assert settled.upholder is None
    assert lead.upheld(training) == {}
    late = refusal(deputy.decide, training, 0, name, True, FIRST)
    assert (late.reason, late.details) == ("AppealClosed", {"decision": Decision.DISMISSED})


def test_what_a_former_administrator_said_does_not_count(rejecting: Federation) -> None:
    hospital, training = rejecting.hospitals[-1], rejecting.training
    name, lead, deputy = str(hospital.account), of(rejecting.coordinator), of(rejecting.deputy)
    both = (rejecting.coordinator, rejecting.deputy)
    for one in both:
        one.registry.set_administrator(rejecting.stranger.account, True)
    of(hospital).appeal(training, 0, REASON)
    of(rejecting.stranger).decide(training, 0, name, True, FIRST)
    for one in both:
        one.registry.set_administrator(rejecting.stranger.account, False)
    lead.decide(training, 0, name, True, FIRST)
    waits = lead.find_appeal(training, 0, name)
    assert waits is not None
    assert (waits.decision, waits.upholder) == (Decision.NONE, lead.account)
    deputy.decide(training, 0, name, True, SECOND)
    assert lead.upheld_at(training, name) is not None


def test_a_hospital_appeals_once_a_round(rejecting: Federation) -> None:
    hospital = of(rejecting.hospitals[-1])
    hospital.appeal(rejecting.training, 0, REASON)
    problem = refusal(hospital.appeal, rejecting.training, 0, SECOND)
    assert problem.reason == "AlreadyAppealed"


@pytest.mark.parametrize(
    ("caller", "training", "round", "reason", "problem"),
    [
        (4, REJECTED, 1, REASON, "NotRejected"),  # accepted in that round
        (7, REJECTED, 1, REASON, "NotRejected"),  # of no training
        (3, REJECTED, 0, REASON, "NotRejected"),  # of another round
        (3, REJECTED, 2, REASON, "NotFinalised"),  # not opened yet
        (3, "voting", 0, REASON, "NotFinalised"),
        (3, "never opened", 0, REASON, "NotFinalised"),
        (3, REJECTED, 1, bytes(32), "EmptyHash"),
        (21, REJECTED, 1, REASON, "LacksRole"),
    ],
)
def test_only_what_a_finalised_round_rejected_can_be_appealed(
    stage: Stage, caller: int, training: str, round: int, reason: bytes, problem: str
) -> None:
    where = stage.key(training)[0], round, reason
    refused = stage.world.refusal(APPEALS, caller, "appeal", *where)
    assert refused is not None
    assert refused[0] == problem


@pytest.mark.parametrize(
    ("hospital", "reason", "problem"),
    [(4, REASON, "NotAppealed"), (5, bytes(32), "EmptyHash")],
)
def test_only_an_appeal_is_decided_and_for_a_reason(
    stage: Stage, hospital: int, reason: bytes, problem: str
) -> None:
    what = stage.key(REJECTED)[0], 1, account(hospital), True, reason
    refused = stage.world.refusal(APPEALS, 0, "decide", *what)
    assert refused is not None
    assert refused[0] == problem


def test_it_follows_the_rounds_of_its_federation_for_good(stage: Stage) -> None:
    assert stage.world.view(APPEALS, "federation") == stage.world.addresses[FEDERATION].lower()
    refused = stage.world.refusal(APPEALS, 0, "attach", account(40))
    assert refused is not None
    assert refused[0] == "AlreadyAttached"
