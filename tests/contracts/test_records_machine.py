"""Any callers in any order: openings of records and anchors do what their models say."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from contracts.artifact import ANCHORS, RECORDS, REGISTRY
from contracts.errors import Refused
from contracts.ledger import Permission
from tests.contracts.direct import account
from tests.contracts.machine import ContractMachine, run
from tests.contracts.parties import digest
from tests.contracts.records_model import OUT_OF_BOUNDS, AnchorsModel, RecordsModel

# Four doctors, one who may become one, and a stranger; the founder grants and revokes.
FOUNDER, DOCTORS, PARTIES = 0, range(1, 5), range(1, 7)
ANYBODY = st.sampled_from((*DOCTORS, *PARTIES))
DOCTOR, COORDINATOR = Permission.DOCTOR.value, Permission.COORDINATOR.value
RECORDS_KNOWN = digest("record"), digest("another record")
OPENINGS_KNOWN = tuple(digest(f"opening {number}") for number in range(3))
NOTHING = bytes(32)
RECORD = st.sampled_from((*RECORDS_KNOWN, *RECORDS_KNOWN, digest("unknown"), NOTHING))
OPENING = st.sampled_from((*OPENINGS_KNOWN, *OPENINGS_KNOWN, NOTHING))
REASON = st.sampled_from((digest("reason"), digest("reason"), NOTHING))
IN_CARE = st.one_of(
    st.permutations(DOCTORS).flatmap(lambda order: st.sampled_from([order[:3], order])),
    st.lists(st.sampled_from(PARTIES), max_size=5),
    st.just([1] * 17),
).map(lambda indices: tuple(map(account, indices)))


class RecordsMachine(ContractMachine):
    """Doctors who come and go, and others, on two records."""

    contract = RECORDS

    @initialize(quorum=st.integers(2, 4))
    def employ(self, quorum: int) -> None:
        """Everybody is there, and one record is sealed."""
        self.model = RecordsModel((*RECORDS_KNOWN, digest("unknown"), NOTHING), OPENINGS_KNOWN)
        for one in DOCTORS:
            self.change(one, True)
        assert self.tries(
            1, "seal", RECORDS_KNOWN[0], tuple(map(account, DOCTORS[:quorum])), quorum
        )

    @rule(one=st.sampled_from(PARTIES), holds=st.booleans())
    def change(self, one: int, holds: bool) -> None:
        """Let somebody be a doctor, or no longer."""
        word = "grantRole" if holds else "revokeRole"
        self.beside(REGISTRY, FOUNDER, word, DOCTOR, account(one))
        (self.model.doctors.add if holds else self.model.doctors.discard)(account(one))

    @rule(caller=ANYBODY, record=RECORD, doctors=IN_CARE, quorum=st.integers(1, 4))
    def seal(self, caller: int, record: bytes, doctors: tuple[str, ...], quorum: int) -> None:
        self.tries(caller, "seal", record, doctors, quorum)

    @rule(caller=ANYBODY, record=RECORD, opening=OPENING, reason=REASON)
    def request(self, caller: int, record: bytes, opening: bytes, reason: bytes) -> None:
        self.tries(caller, "request", record, opening, reason)

    @rule(caller=ANYBODY, record=RECORD, opening=OPENING, reason=REASON)
    def request_in_emergency(
        self, caller: int, record: bytes, opening: bytes, reason: bytes
    ) -> None:
        self.tries(caller, "requestInEmergency", record, opening, reason)

    @rule(caller=ANYBODY, opening=OPENING)
    def decline(self, caller: int, opening: bytes) -> None:
        self.tries(caller, "decline", opening)

    @rule(caller=ANYBODY, opening=OPENING)
    def close(self, caller: int, opening: bytes) -> None:
        self.tries(caller, "close", opening)

    @rule(caller=ANYBODY, opening=OPENING)
    def approve(self, caller: int, opening: bytes) -> None:
        self.tries(caller, "approve", opening)

    @rule(caller=ANYBODY, opening=OPENING)
    def open(self, caller: int, opening: bytes) -> None:
        self.tries(caller, "open", opening)

    @rule(caller=ANYBODY, record=RECORD)
    def erase(self, caller: int, record: bytes) -> None:
        self.tries(caller, "erase", record)

    @rule(opening=st.sampled_from(OPENINGS_KNOWN), approves=st.lists(ANYBODY, max_size=5))
    def who_cares_asks_others_approve(self, opening: bytes, approves: list[int]) -> None:
        """Reach opened records more often than chance would; the one who asks may be among them."""
        for record, doctors in self.model.cares.items():
            (asks, *_) = (one for one in PARTIES if account(one) in doctors)
            self.tries(asks, "request", record, opening, digest("reason"))
            for one in approves:
                self.tries(one, "approve", opening)
            self.tries(asks, "open", opening)


class AnchorsMachine(ContractMachine):
    """Coordinators who come and go, and others, with gaps and overlaps."""

    contract = ANCHORS

    def __init__(self) -> None:
        super().__init__()
        self.model = AnchorsModel({account(FOUNDER)})

    @rule(one=st.integers(0, 2), holds=st.booleans())
    def change(self, one: int, holds: bool) -> None:
        """Let somebody be a coordinator, or no longer."""
        word = "grantRole" if holds else "revokeRole"
        self.beside(REGISTRY, FOUNDER, word, COORDINATOR, account(one))
        (self.model.coordinators.add if holds else self.model.coordinators.discard)(account(one))

    @rule(
        caller=st.integers(0, 3),
        shift=st.sampled_from([0, 0, 0, 0, -1, 1, 7]),
        length=st.sampled_from([1, 1, 100, 0, -3]),
        root=st.sampled_from([digest("root"), digest("root"), digest("other root"), NOTHING]),
    )
    def anchor(self, caller: int, shift: int, length: int, root: bytes) -> None:
        first = self.model.last + 1 + shift
        last = first + length - 1
        most = 2**64 - 1
        self.tries(caller, "anchor", min(max(first, 0), most), min(max(last, 0), most), root)

    @rule(caller=st.integers(0, 3), rare=st.integers(0, 9))
    def anchor_to_the_end_of_numbers(self, caller: int, rare: int) -> None:
        if rare == 9 and self.model.last < 2**64 - 1:
            self.tries(caller, "anchor", self.model.last + 1, 2**64 - 1, digest("root"))

    @rule(beyond=st.integers(0, 3))
    def no_anchor_beyond_the_last(self, beyond: int) -> None:
        with pytest.raises(Refused) as refused:
            self.world.view(ANCHORS, "anchorOf", len(self.model.anchors) + beyond)
        assert refused.value.details == {"code": OUT_OF_BOUNDS}


@pytest.mark.parametrize("machine", [RecordsMachine, AnchorsMachine])
def test_a_few_calls(machine: type[ContractMachine]) -> None:
    run(machine, examples=5, steps=25)


@pytest.mark.slow
@pytest.mark.parametrize("machine", [RecordsMachine, AnchorsMachine])
def test_any_order_of_calls(machine: type[ContractMachine]) -> None:
    run(machine, examples=60, steps=50)
