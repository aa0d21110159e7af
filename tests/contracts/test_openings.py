"""Openings of sealed records: who is in care, a majority, each step once, nothing of a patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contracts.chain import ChainEndpoint, fund
from contracts.ledger import Ledger, Permission, Role
from contracts.records import OpeningRecord, Stage
from tests.contracts.parties import Federation, all_accounts, digest, point, refusal

RECORD, REASON = digest("record"), digest("salted reason")


@dataclass
class Clinic:
    """Three doctors who care for a patient, and one who does not."""

    federation: Federation
    doctors: list[Ledger]

    @property
    def accounts(self) -> list[str]:
        return [str(one.account) for one in self.doctors[:3]]

    def seal(self, quorum: int = 2) -> None:
        self.doctors[0].openings.seal(RECORD, self.accounts, quorum)


@pytest.fixture
def clinic(chain: ChainEndpoint) -> Iterator[Clinic]:
    fund(chain, all_accounts())
    federation = Federation(chain.url)
    doctors = federation.nodes
    for one in doctors:
        federation.coordinator.registry.register(str(one.account), Role.DOCTOR, point("d"))
    yield Clinic(federation, doctors)
    federation.close()


def test_a_record_is_opened_with_a_majority_of_its_doctors(clinic: Clinic) -> None:
    clinic.seal()
    asks, approves = clinic.doctors[1].openings, clinic.doctors[2].openings
    opening = digest("opening")
    asks.request(RECORD, opening, REASON)
    asked = OpeningRecord(Stage.REQUESTED, 1, clinic.accounts[1], RECORD)
    assert asks.find(opening) == asked
    problem = refusal(asks.open, RECORD, opening)
    assert (problem.reason, problem.details) == ("NoQuorum", {"quorum": 2, "approvals": 1})
    approves.approve(RECORD, opening)
    asks.open(RECORD, opening)
    assert asks.find(opening) == OpeningRecord(Stage.OPENED, 2, clinic.accounts[1], RECORD)
    told = [
        event for event in clinic.federation.coordinator.events() if event.contract == asks.contract
    ]
    names = ["Sealed", "OpeningRequested", "OpeningApproved", "RecordOpened"]
    assert [event.name for event in told] == names
    assert {event.values["record"] for event in told} == {RECORD}


def test_each_step_is_its_own_doctor_s_and_once(clinic: Clinic) -> None:
    clinic.seal()
    first, second, third, outsider = (one.openings for one in clinic.doctors)
    opening = digest("opening")
    first.request(RECORD, opening, REASON)
    assert refusal(outsider.request, RECORD, digest("o"), REASON).reason == "NotInCare"
    assert refusal(outsider.approve, RECORD, opening).reason == "NotInCare"
    assert refusal(second.request, RECORD, opening, REASON).reason == "AlreadyRequested"
    # The requester counts as one approval already, and again it counts for nothing.
    assert refusal(first.approve, RECORD, opening).reason == "Twice"
    second.approve(RECORD, opening)
    assert second.approve(RECORD, opening).block  # the first one's receipt
    record = third.find(opening)
    assert record is not None
    assert record.approvals == 2
    assert refusal(second.open, RECORD, opening).reason == "NotYours"
    first.open(RECORD, opening)
    assert refusal(third.approve, RECORD, opening).reason == "WrongStage"


def test_a_doctor_who_lost_the_role_opens_nothing(clinic: Clinic) -> None:
    clinic.seal()
    first, second = clinic.doctors[:2]
    opening = digest("opening")
    first.openings.request(RECORD, opening, REASON)
    second.openings.approve(RECORD, opening)
    clinic.federation.deputy.registry.revoke(Permission.DOCTOR, str(first.account))
    assert refusal(first.openings.open, RECORD, opening).reason == "LacksRole"


def test_an_emergency_counts_for_one_doctor_and_is_told_as_such(clinic: Clinic) -> None:
    clinic.seal()
    asks, others = clinic.doctors[0].openings, clinic.doctors[1].openings
    opening = digest("opening")
    asks.request_in_emergency(RECORD, opening, REASON)
    others.decline(RECORD, opening)
    assert refusal(others.approve, RECORD, opening).reason == "Twice"
    asks.open(RECORD, opening)
    asks.close(RECORD, opening)
    assert asks.find(opening) == OpeningRecord(Stage.ENDED, 2, clinic.accounts[0], RECORD)
    assert [event.name for event in asks.history()] == [
        "Sealed", "OpeningRequested", "EmergencyDeclared", "OpeningDeclined", "RecordOpened",
        "RecordClosed",
    ]  # fmt: skip


def test_an_emergency_alone_is_no_quorum_of_three(clinic: Clinic) -> None:
    clinic.seal(quorum=3)
    asks, opening = clinic.doctors[0].openings, digest("opening")
    asks.request_in_emergency(RECORD, opening, REASON)
    problem = refusal(asks.open, RECORD, opening)
    assert (problem.reason, problem.details) == ("NoQuorum", {"quorum": 3, "approvals": 2})
    clinic.doctors[1].openings.approve(RECORD, opening)
    asks.open(RECORD, opening)


def test_what_has_ended_is_over(clinic: Clinic) -> None:
    clinic.seal()
    first, second, third = (one.openings for one in clinic.doctors[:3])
    withdrawn = digest("withdrawn")
    first.request(RECORD, withdrawn, REASON)
    assert refusal(second.close, RECORD, withdrawn).reason == "NotYours"
    first.close(RECORD, withdrawn)
    assert first.history()[-1].name == "OpeningWithdrawn"
    for late in (third.approve, third.decline, first.open):
        assert refusal(late, RECORD, withdrawn).reason == "WrongStage"
    assert refusal(first.request, RECORD, withdrawn, digest("again")).reason == "AlreadyRequested"


def test_an_erasure_is_said_once_by_one_of_its_doctors(clinic: Clinic) -> None:
    clinic.seal()
    first, second, third, outsider = (one.openings for one in clinic.doctors)
    assert refusal(outsider.erase, RECORD).reason == "NotInCare"
    assert refusal(first.erase, digest("never sealed")).reason == "NotInCare"
    assert not third.is_erased(RECORD)
    assert second.erase(RECORD).block
    assert third.is_erased(RECORD)
    told = third.history()[-1]
    assert (told.name, told.values) == (
        "RecordErased", {"record": RECORD, "doctor": clinic.accounts[1]}
    )  # fmt: skip
    problem = refusal(first.erase, RECORD)
    assert (problem.reason, problem.details) == ("AlreadyErased", {"record": RECORD})


@pytest.mark.parametrize("quorum", [0, 1, 4])
def test_a_quorum_is_a_majority_of_at_least_two(clinic: Clinic, quorum: int) -> None:
    problem = refusal(clinic.seal, quorum)
    assert (problem.reason, problem.details) == ("WrongQuorum", {"quorum": quorum, "doctors": 3})
    assert clinic.doctors[0].openings.quorum(RECORD) == 0


def test_a_record_is_sealed_once_by_one_of_its_doctors(clinic: Clinic) -> None:
    openings, others = clinic.doctors[3].openings, clinic.accounts
    assert refusal(openings.seal, RECORD, others, 2).reason == "NotInCare"
    stranger = clinic.federation.stranger
    problem = refusal(openings.seal, RECORD, [*others[:2], stranger.account], 2)
    assert problem.reason == "LacksRole"
    clinic.seal()
    again = refusal(openings.seal, RECORD, [clinic.doctors[3].account, *others[:1]], 2)
    assert again.reason == "AlreadySealed"
    assert refusal(stranger.openings.request, RECORD, digest("o"), REASON).reason == "LacksRole"
