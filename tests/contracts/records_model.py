"""The openings of sealed records, and the audit log's anchors, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.ledger import Permission
from contracts.records import Stage
from tests.contracts.machine import Denied, Views

DOCTOR = Permission.DOCTOR.value
MOST_DOCTORS = 16
# Solidity's own refusals (Panic): a number too large, an index too large.
OVERFLOW, OUT_OF_BOUNDS = 0x11, 0x32


@dataclass
class RecordsModel:
    """Sealed records and requests to open them; `doctors` hold the role now."""

    records: tuple[bytes, ...]
    openings: tuple[bytes, ...]
    block: int = 0
    doctors: set[str] = field(default_factory=set)
    quorums: dict[bytes, int] = field(default_factory=dict)
    cares: dict[bytes, tuple[str, ...]] = field(default_factory=dict)
    asked: dict[bytes, tuple[Stage, str, bytes]] = field(default_factory=dict)
    approvals: dict[bytes, int] = field(default_factory=dict)
    answered: dict[bytes, set[str]] = field(default_factory=dict)
    erased: set[bytes] = field(default_factory=set)

    def seal(self, sender: str, record: bytes, doctors: tuple[str, ...], quorum: int) -> None:
        if not any(record):
            raise Denied("EmptyHash")
        if record in self.quorums:
            raise Denied("AlreadySealed", record=record)
        count = len(doctors)
        if not 2 <= quorum <= count <= MOST_DOCTORS or 2 * quorum <= count:
            raise Denied("WrongQuorum", quorum=quorum, doctors=count)
        for place, doctor in enumerate(doctors):
            self._require_doctor(doctor)
            if doctor in doctors[:place]:
                raise Denied("Twice", doctor=doctor)
        self.quorums[record], self.cares[record] = quorum, doctors
        self._require_care(record, sender)

    def request(
        self, sender: str, record: bytes, opening: bytes, reason: bytes, approvals: int = 1
    ) -> None:
        self._require_care(record, sender)
        if not any(opening) or not any(reason):
            raise Denied("EmptyHash")
        if opening in self.asked:
            raise Denied("AlreadyRequested", id=opening)
        self.asked[opening] = Stage.REQUESTED, sender, record
        self.answered[opening], self.approvals[opening] = {sender}, approvals

    def request_in_emergency(
        self, sender: str, record: bytes, opening: bytes, reason: bytes
    ) -> None:
        self.request(sender, record, opening, reason, 2)

    def approve(self, sender: str, opening: bytes) -> None:
        self.decline(sender, opening)
        self.approvals[opening] += 1

    def decline(self, sender: str, opening: bytes) -> None:
        _, record = self._requested(opening)
        self._require_care(record, sender)
        if sender in self.answered[opening]:
            raise Denied("Twice", doctor=sender)
        self.answered[opening].add(sender)

    def open(self, sender: str, opening: bytes) -> None:
        doctor, record = self._requested(opening)
        if doctor != sender:
            raise Denied("NotYours", doctor=doctor, sender=sender)
        self._require_doctor(sender)
        quorum, approvals = self.quorums[record], self.approvals[opening]
        if approvals < quorum:
            raise Denied("NoQuorum", quorum=quorum, approvals=approvals)
        self.asked[opening] = Stage.OPENED, doctor, record

    def close(self, sender: str, opening: bytes) -> None:
        stage, doctor, record = self.asked.get(opening, (Stage.NONE, "", b""))
        if stage not in (Stage.REQUESTED, Stage.OPENED):
            raise Denied("WrongStage", expected=Stage.OPENED, actual=stage)
        if doctor != sender:
            raise Denied("NotYours", doctor=doctor, sender=sender)
        self.asked[opening] = Stage.ENDED, doctor, record

    def erase(self, sender: str, record: bytes) -> None:
        self._require_care(record, sender)
        if record in self.erased:
            raise Denied("AlreadyErased", record=record)
        self.erased.add(record)

    def views(self) -> Views:
        nothing = (Stage.NONE, "0x" + "00" * 20, bytes(32))
        found: dict[tuple[object, ...], object] = {}
        for record in self.records:
            found["quorumOf", record] = self.quorums.get(record, 0)
            found["isErased", record] = record in self.erased
        for opening in self.openings:
            stage, doctor, record = self.asked.get(opening, nothing)
            approvals = self.approvals.get(opening, 0)
            found["openingOf", opening] = (stage, approvals, doctor, record)
        return found

    def _requested(self, opening: bytes) -> tuple[str, bytes]:
        stage, doctor, record = self.asked.get(opening, (Stage.NONE, "", b""))
        if stage is not Stage.REQUESTED:
            raise Denied("WrongStage", expected=Stage.REQUESTED, actual=stage)
        return doctor, record

    def _require_doctor(self, account: str) -> None:
        if account not in self.doctors:
            raise Denied("LacksRole", account=account, role=DOCTOR)

    def _require_care(self, record: bytes, doctor: str) -> None:
        self._require_doctor(doctor)
        if doctor not in self.cares.get(record, ()):
            raise Denied("NotInCare", record=record, doctor=doctor)


@dataclass
class AnchorsModel:
    """The audit log's anchors; `coordinators` hold the role now."""

    coordinators: set[str]
    block: int = 0
    anchors: list[tuple[int, int, bytes]] = field(default_factory=list)

    @property
    def last(self) -> int:
        """The last anchored entry, from 1 on; 0 before the first."""
        return self.anchors[-1][1] if self.anchors else 0

    def anchor(self, sender: str, first: int, last: int, root: bytes) -> None:
        if sender not in self.coordinators:
            raise Denied("NotCoordinator", sender=sender)
        if self.last + 1 == 2**64:
            raise Denied("Panic", code=OVERFLOW)
        if first != self.last + 1:
            raise Denied("Gap", expected=self.last + 1, actual=first)
        if last < first:
            raise Denied("NoEntries", first=first, last=last)
        if not any(root):
            raise Denied("EmptyHash")
        self.anchors.append((first, last, root))

    def views(self) -> Views:
        found: dict[tuple[object, ...], object] = {("count",): len(self.anchors)}
        found |= {("anchorOf", index): one for index, one in enumerate(self.anchors)}
        return found
