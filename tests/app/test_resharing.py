"""New shares for many records at once: who opens afterwards, who cannot, what is told and named."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path

import pytest
from sqlalchemy import select

from app.errors import RequestError
from app.models import (
    CarerRow,
    DoctorKeyRow,
    OpeningAnswerRow,
    PatientRow,
    ResharingPartRow,
    ResharingRecordRow,
    ResharingRow,
)
from app.services import resharing as service
from app.services.check_report import Report
from app.services.openings import WITHDRAWN
from app.services.record_check import check_records
from app.services.record_sealing import SHARE, commitments_of
from app.services.record_shares import own_share
from app.services.resharing import Begun, Resharings
from app.services.resharing_parts import Dealing
from app.services.resharing_view import ResharingViews
from app.services.roles import DOCTOR
from crypto.box import open_box
from crypto.envelope import load_private_key, public_key_bytes
from crypto.errors import CryptoError
from crypto.feldman import ORDER, WrongShares, fits, recover
from tests.app.clinic import GRETA, HEART, REASON, Clinic, Doctor, opened

Group = tuple[Doctor, ...]


class Ward(Clinic):
    """A clinic whose doctors leave."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.resharings = Resharings(self.database, self.audit, self.escrow, self.openings)
        self.shares = ResharingViews(self.database)

    def leave(self, who: Doctor) -> None:
        self.accounts.suspend(self.ada, who.row.id, "Left")

    def begin(self, by: Doctor, **named: Doctor) -> Begun:
        people = {one.row.name: one.row.id for one in self.everybody}
        chosen = {people[name]: one.row.id for name, one in named.items()}
        return self.resharings.begin(by.row, by.key, chosen)

    def deal(self, who: Doctor, begun: Begun) -> int:
        return self.resharings.deal(who.row, who.key, begun.id)

    def differences(self) -> list[str]:
        report = Report()
        with self.database.transaction() as session:
            check_records(report, session)
        return [one.what for one in report.differences]

    def state(self, patient: str) -> tuple[str, str]:
        with self.database.transaction() as session:
            query = select(ResharingRecordRow).filter_by(patient_id=patient)
            row = session.scalars(query.order_by(ResharingRecordRow.resharing_id)).one()
            return row.state, row.blamed

    def stored(self, patient: str) -> tuple[bytes, bytes, int, dict[int, tuple[int, bytes]]]:
        """What the sharing of a record consists of."""
        with self.database.transaction() as session:
            row = session.get_one(PatientRow, patient)
            carers = session.scalars(select(CarerRow).filter_by(patient_id=patient))
            shares = {one.point: (one.user_id, one.share) for one in carers}
            return row.commitments, row.escrow, row.sharing, shares

    everybody: list[Doctor]

    def doctor(self, name: str) -> Doctor:
        made = super().doctor(name)
        self.everybody = [*getattr(self, "everybody", []), made]
        return made


@pytest.fixture
def ward(migrated: Path, tmp_path: Path) -> Iterator[Ward]:
    made = Ward(Path(shutil.copy(migrated, tmp_path / "ward.db")))
    yield made
    made.database.close()


@pytest.fixture
def four(ward: Ward) -> Group:
    """Three who care for patients, and eve, who takes a place."""
    return tuple(ward.doctor(name) for name in ("bea", "carl", "dora", "eve"))


@pytest.mark.parametrize(
    ("size", "quorum"),
    [
        (3, 2),
        pytest.param(4, 3, marks=pytest.mark.slow),
        pytest.param(5, 3, marks=pytest.mark.slow),
    ],
)
def test_any_quorum_of_the_new_group_opens_and_who_left_does_not(
    ward: Ward, size: int, quorum: int
) -> None:
    *group, leaver, eve = (ward.doctor(f"d{number}") for number in range(size + 1))
    patient = ward.seal(*group, leaver, quorum=quorum)
    ward.patients.keep(group[0].row, group[0].key, patient, HEART)
    old = ward.stored(patient)
    kept = open_box(leaver.key.private, old[3][size][1], SHARE, patient, size)
    ward.leave(leaver)
    begun = ward.begin(group[0], **{leaver.row.name: eve})
    for helper in group[:quorum]:
        assert ward.deal(helper, begun) == 0
    commitments, escrow, sharing, shares = ward.stored(patient)
    assert ward.state(patient) == ("done", "")
    assert (sharing, shares[size][0]) == (2, eve.row.id)
    assert commitments != old[0]
    assert escrow != old[1]
    assert not {one for _, one in shares.values()} & {one for _, one in old[3].values()}
    assert ward.differences() == []

    with ward.database.transaction() as session:
        new = commitments_of(session.get_one(PatientRow, patient))
    assert not fits(new, size, kept)
    with pytest.raises(RequestError):
        ward.openings.ask(leaver.row, leaver.key, patient, REASON)
    for some in combinations((*group, eve), quorum):
        asker, *others = some
        asked = ward.openings.ask(asker.row, asker.key, patient, REASON)
        for one in others[:-1]:
            ward.openings.approve(one.row, one.key, asked)
        with pytest.raises(RequestError, match="It takes the shares"):
            ward.openings.open(asker.row, asker.key, asked)
        ward.openings.approve(others[-1].row, others[-1].key, asked)
        ward.openings.open(asker.row, asker.key, asked)
        found = ward.records.read(asker.row, asker.key, patient)
        assert (found.versions[0].attributes, found.answers[0].answer) == (GRETA, HEART)
        ward.openings.end(asker.row, asked)
    (seen,) = ward.patients.mine(eve.row, eve.key)
    assert (seen.minimum.initials, seen.minimum.result, seen.able) == ("G.L.", "61 % risk", size)
    urgent = ward.openings.ask(eve.row, eve.key, patient, REASON, emergency=True)
    for one in group[: quorum - 2]:
        ward.openings.approve(one.row, one.key, urgent)
    ward.openings.open(eve.row, eve.key, urgent)
    assert ward.differences() == []


def test_an_old_share_with_a_new_one_gives_nothing(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    patient = ward.seal(bea, carl, dora)
    before = ward.stored(patient)
    old = {
        point: open_box(who.key.private, before[3][point][1], SHARE, patient, point)
        for point, who in ((1, bea), (3, dora))
    }
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    ward.deal(bea, begun)
    ward.deal(carl, begun)
    with ward.database.transaction() as session:
        row = session.get_one(PatientRow, patient)
        new = commitments_of(row)
        lent = own_share(session, session.get_one(CarerRow, (patient, carl.row.id)), carl.key)
    with pytest.raises(WrongShares) as named:
        recover(new, {2: lent, 3: old[3]})
    assert named.value.points == (3,)
    # Without the check they give another scalar. Two old ones still give the record's own.
    without_check = {2: int.from_bytes(lent, "big"), 3: int.from_bytes(old[3], "big")}
    mixed = (3 * without_check[2] - 2 * without_check[3]) % ORDER
    secret = recover(commitments_of(PatientRow(commitments=before[0])), old)
    assert mixed.to_bytes(32, "big") != secret
    assert public_key_bytes(load_private_key(secret).public_key()) == new[0]


def test_a_lost_key_is_replaced_by_the_new_one_of_the_same_doctor(ward: Ward, four: Group) -> None:
    bea, carl, dora, _ = four
    patient = ward.seal(bea, carl, dora)
    row = ward.accounts.set_password(bea.row.id, "what the command line chose")
    bea = ward.sign_in(row, "what the command line chose")
    assert ward.patients.mine(bea.row, bea.key) == []
    begun = ward.begin(carl, bea=bea)
    ward.deal(carl, begun)
    ward.deal(dora, begun)
    (seen,) = ward.patients.mine(bea.row, bea.key)
    assert (seen.minimum.initials, seen.able) == ("G.L.", 3)
    opened(ward, bea, dora, patient)
    assert ward.records.read(bea.row, bea.key, patient).versions[0].attributes == GRETA


def test_shares_that_were_dealt_anew_are_dealt_anew_again(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    patient = ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    for who in (bea, carl):
        ward.deal(who, begun)
    fay = ward.doctor("fay")
    ward.leave(bea)
    again = ward.begin(eve, bea=fay)
    for who in (eve, carl):
        ward.deal(who, again)
    assert ward.stored(patient)[2] == 3
    opened(ward, fay, eve, patient)
    assert ward.records.read(fay.row, fay.key, patient).versions[0].attributes == GRETA
    assert ward.differences() == []


def test_an_opening_that_runs_is_ended_and_its_shares_are_erased(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    patient = ward.seal(bea, carl, dora)
    opened(ward, bea, carl, patient)
    asked = ward.openings.ask(carl.row, carl.key, patient, "Needs it, too")
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    ward.deal(bea, begun)
    assert ward.records.read(bea.row, bea.key, patient)
    ward.deal(carl, begun)
    with pytest.raises(RequestError, match="closed"):
        ward.records.read(bea.row, bea.key, patient)
    assert ward.opening(carl, patient).state == WITHDRAWN
    with pytest.raises(RequestError):
        ward.openings.open(carl.row, carl.key, asked)
    with ward.database.transaction() as session:
        assert set(session.scalars(select(OpeningAnswerRow.share))) == {None}


def test_it_goes_on_where_it_was_interrupted(
    ward: Ward, four: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two batches, and in the middle of one, which is then not done at all."""
    monkeypatch.setattr(service, "BATCH", 2)
    bea, carl, dora, eve = four
    patients = [ward.seal(bea, carl, dora) for _ in range(5)]
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    assert begun.records == 5
    assert [ward.deal(who, begun) for who in (bea, carl, bea)] == [3, 3, 1]

    calls = iter(range(100))
    whole = ward.openings.end_all

    def breaks(*arguments: object) -> None:
        if next(calls) == 1:
            raise OSError("the power went off")
        whole(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ward.openings, "end_all", breaks)
    with pytest.raises(OSError, match="power"):
        ward.deal(carl, begun)
    restarted = Resharings(ward.database, ward.audit, ward.escrow, ward.openings)
    seen = ward.shares.find(carl.row, carl.key, begun.id)
    assert seen is not None
    assert (seen.done, seen.asked, seen.left, seen.total) == (2, 3, 3, 5)
    assert ward.differences() == []
    left = [restarted.deal(who.row, who.key, begun.id) for who in (carl, carl, bea, carl)]
    assert left == [1, 0, 0, 0]
    assert {ward.stored(one)[2] for one in patients} == {2}
    assert ward.differences() == []
    assert restarted.deal(bea.row, bea.key, begun.id) == 0


@pytest.mark.parametrize("damage", ["a bit", "another dealing", "nothing left", "told, too"])
def test_a_wrong_part_is_named_and_the_record_stays_as_it_was(
    ward: Ward, four: Group, damage: str
) -> None:
    bea, carl, dora, eve = four
    patient, other = ward.seal(bea, carl, dora), ward.seal(bea, carl, dora)
    before = ward.stored(patient)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    ward.deal(bea, begun)
    with ward.database.transaction() as session:
        row = session.get_one(ResharingPartRow, (begun.id, patient, bea.row.id))
        foreign = session.get_one(ResharingPartRow, (begun.id, other, bea.row.id)).dealing
        row.dealing = {
            "a bit": row.dealing[:-1] + bytes([row.dealing[-1] ^ 1]),
            "another dealing": foreign,
            "nothing left": b"",
            "told, too": foreign,
        }[damage]
    assert ward.differences() != []
    if damage == "told, too":
        # Who rewrites the log up to its last anchor as well is found by the parts themselves.
        with ward.database.transaction() as session:
            entry = ward.audit.entries().entries[0]
            parts = json.loads(entry.details)["parts"] | {patient: ""}
            parts[patient] = parts[other]
            ward.audit.add(bea.row, "record.parts_dealt", begun.id, {"parts": parts}, session)
    ward.deal(carl, begun)
    assert ward.state(patient) == ("wrong", str(bea.row.id))
    assert ward.stored(patient) == before
    assert ward.state(other) == ("done", "")
    assert ward.differences() == []
    (told,) = ward.shares.failures(carl.row, carl.key)
    assert (told.patient, told.names) == (patient, ("bea",))
    opened(ward, bea, carl, patient)
    again = ward.begin(carl, dora=eve)
    assert again.records == 1
    for who in (bea, carl):
        ward.deal(who, again)
    assert ward.stored(patient)[2] == 2
    assert ward.shares.failures(carl.row, carl.key) == []


def test_who_has_a_damaged_share_is_named_when_nobody_else_can_help(
    ward: Ward, four: Group
) -> None:
    bea, carl, dora, eve = four
    patient = ward.seal(bea, carl, dora)
    with ward.database.transaction() as session:
        row = session.get_one(CarerRow, (patient, carl.row.id))
        row.share = row.share[:-1] + bytes([row.share[-1] ^ 1])
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    ward.deal(carl, begun)
    assert ward.state(patient) == ("wrong", str(carl.row.id))
    large = ward.seal(bea, carl, eve, ward.doctor("fay"), quorum=3)
    assert large


def test_a_damaged_part_of_a_new_share_names_who_dealt_it(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    patient = ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    for who in (bea, carl):
        ward.deal(who, begun)
    with ward.database.transaction() as session:
        row = session.get_one(CarerRow, (patient, eve.row.id))
        row.share = row.share[:-1] + bytes([row.share[-1] ^ 1])
    assert ward.differences() == [f"sealed record {patient[:12]}"]
    asked = ward.openings.ask(bea.row, bea.key, patient, REASON)
    with pytest.raises(RequestError, match="what carl dealt of it was altered"):
        ward.openings.approve(eve.row, eve.key, asked)
    for junk in (b"", b"\x83", b"\x04", b"junk"):
        with ward.database.transaction() as session:
            session.get_one(CarerRow, (patient, eve.row.id)).share = junk
        with pytest.raises(RequestError, match="Your share of this record is damaged"):
            ward.openings.approve(eve.row, eve.key, asked)
    ward.openings.approve(carl.row, carl.key, asked)
    ward.openings.open(bea.row, bea.key, asked)


def test_what_cannot_be_done_is_said(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    fay = ward.doctor("fay")
    lost = ward.seal(bea, dora, fay, quorum=3)
    ward.seal(bea, carl, dora)
    ward.seal(bea, dora, fay, carl, quorum=3)
    with pytest.raises(RequestError, match="None of your records"):
        ward.begin(bea, carl=eve)
    ward.leave(dora)
    told = ward.shares.told(bea.row, bea.key)
    assert (told.records, told.names) == (3, ("dora",))
    (leaver,) = ward.shares.leavers(bea.row, bea.key)
    assert (leaver.name, leaver.records, leaver.why) == ("dora", 2, "The account is locked.")
    assert ward.shares.lost(bea.row, bea.key) == [lost]
    with pytest.raises(RequestError, match="Name an active doctor"):
        ward.begin(bea, dora=dora)
    with pytest.raises(RequestError, match="Name an active doctor"):
        ward.resharings.begin(bea.row, bea.key, {})
    begun = ward.begin(bea, dora=eve)
    assert (begun.records, begun.few) == (2, 1)
    assert ward.shares.told(bea.row, bea.key).records == 1


def test_who_is_of_the_group_already_takes_no_second_place(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    ward.seal(bea, carl, dora)
    ward.leave(dora)
    with pytest.raises(RequestError, match="of these care groups already"):
        ward.begin(bea, dora=carl)
    begun = ward.begin(bea, dora=eve)
    assert (begun.records, begun.few, begun.unnamed, begun.doubled) == (1, 0, 0, 0)
    with pytest.raises(RequestError, match="parts are being dealt"):
        ward.begin(carl, dora=eve)


def test_two_who_left_need_two_successors(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    fay, gus, hal = (ward.doctor(name) for name in ("fay", "gus", "hal"))
    patient = ward.seal(bea, carl, dora, fay, eve, quorum=3)
    ward.leave(dora)
    ward.leave(fay)
    with pytest.raises(RequestError, match="lost another doctor"):
        ward.begin(bea, dora=gus)
    with pytest.raises(RequestError, match="already"):
        ward.begin(bea, dora=gus, fay=gus)
    begun = ward.begin(bea, dora=gus, fay=hal)
    for who in (eve, bea, carl):
        ward.deal(who, begun)
    assert {user for user, _ in ward.stored(patient)[3].values()} == {
        one.row.id for one in (bea, carl, eve, gus, hal)
    }


@pytest.mark.parametrize("change", ["successor leaves", "comes back", "resealed", "erased", "plan"])
def test_another_care_group_meanwhile_leaves_the_record_to_itself(
    ward: Ward, four: Group, change: str
) -> None:
    bea, carl, dora, eve = four
    fay = ward.doctor("fay")
    patient = ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    ward.deal(bea, begun)
    if change == "successor leaves":
        ward.leave(eve)
    elif change == "comes back":
        ward.accounts.authorise(ward.ada, dora.row.id, DOCTOR)
    elif change == "resealed":
        opened(ward, bea, carl, patient)
        ward.records.reseal(bea.row, bea.key, patient, [carl.row.id, fay.row.id], 2)
    elif change == "erased":
        opened(ward, bea, carl, patient)
        ward.records.erase(bea.row, bea.key, patient)
    else:
        # Somebody with the database puts another in eve's place: bea dealt to eve.
        with ward.database.transaction() as session:
            row = session.get_one(ResharingRow, begun.id)
            theirs = [(dora.row.id, fay.row.id, fay.key.number)]
            row.successors = service.successors_bytes(theirs)
        assert any(one.startswith("resharing ") for one in ward.differences())
    before = ward.stored(patient)
    assert ward.deal(carl, begun) == 0
    assert ward.state(patient) == ("dropped", "")
    assert ward.stored(patient) == before
    with ward.database.transaction() as session:
        assert session.scalars(select(ResharingPartRow)).all() == []
    assert ward.differences() == ([] if change != "plan" else [f"resharing {begun.id[:12]}"])


def test_outsiders_deal_nothing_and_see_nothing(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    gus = ward.doctor("gus")
    patient = ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    for who in (gus, eve):
        assert ward.deal(who, begun) == 0
        assert ward.shares.find(who.row, who.key, begun.id) is None
        assert ward.shares.told(who.row, who.key).records == 0
        with pytest.raises(RequestError):
            ward.begin(who, dora=eve)
    with pytest.raises(RequestError, match="no such resharing"):
        ward.resharings.deal(bea.row, bea.key, "0" * 64)
    with ward.database.transaction() as session:
        assert session.scalars(select(ResharingPartRow)).all() == []
    assert ward.state(patient) == ("asked", "")


def test_an_altered_byte_of_a_plan_is_told_wherever_it_is(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    with ward.database.transaction() as session:
        whole = session.get_one(ResharingRow, begun.id).successors
    for place in range(len(whole)):
        altered = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
        ward.altered(ResharingRow, successors=altered)
        assert ward.differences() == [f"resharing {begun.id[:12]}"]


def test_who_waits_for_whom_is_shown(ward: Ward, four: Group) -> None:
    bea, carl, dora, eve = four
    for _ in range(2):
        ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    told = ward.shares.told(carl.row, carl.key)
    assert (told.records, told.parts) == (0, 2)
    (seen,) = ward.shares.under_way(carl.row, carl.key)
    assert (seen.by, seen.places, seen.left) == ("bea", (("dora", "eve"),), 2)
    ward.deal(carl, begun)
    found = ward.shares.find(carl.row, carl.key, begun.id)
    assert found is not None
    assert (found.left, found.asked, found.done) == (0, 2, 0)
    assert [(one.name, one.dealt, one.left) for one in found.helpers] == [
        ("bea", 0, 2), ("carl", 2, 0),
    ]  # fmt: skip
    ward.deal(bea, begun)
    assert ward.shares.told(carl.row, carl.key).parts == 0
    assert ward.shares.under_way(carl.row, carl.key) == []


def test_the_database_has_no_share_in_clear(
    ward: Ward, four: Group, caplog: pytest.LogCaptureFixture
) -> None:
    bea, carl, dora, eve = four
    patient, waits = ward.seal(bea, carl, dora), ward.seal(bea, carl, dora)
    ward.leave(dora)
    begun = ward.begin(bea, dora=eve)
    ward.deal(bea, begun)
    with ward.database.transaction() as session:
        row = session.get_one(ResharingPartRow, (begun.id, patient, bea.row.id))
        dealing = Dealing.from_bytes(row.dealing)
        receivers = {1: bea, 2: carl, 3: eve}
        parts = [
            open_box(who.key.private, dealing.boxes[x], "consilium/record-part/v1",
                     patient, 2, 1, x)
            for x, who in receivers.items()
        ]  # fmt: skip
        with pytest.raises(CryptoError):
            open_box(carl.key.private, dealing.boxes[1], "consilium/record-part/v1",
                     patient, 2, 1, 1)  # fmt: skip
        keys = session.scalars(select(DoctorKeyRow.public_key)).all()
    assert set(dealing.receivers.values()) < {*keys, ""}
    with ward.database.transaction() as session:
        session.delete(session.get_one(ResharingRecordRow, (begun.id, waits)))
        session.delete(session.get_one(ResharingPartRow, (begun.id, waits, bea.row.id)))
    ward.deal(carl, begun)
    dumped = caplog.text.encode() + ward.path.read_bytes()
    with closing(sqlite3.connect(ward.path)) as database:
        dumped += "\n".join(database.iterdump()).encode()
    wal = Path(f"{ward.path}-wal")
    dumped += wal.read_bytes() if wal.exists() else b""
    assert b"record.reshared" in dumped
    kept = [GRETA.family_name, GRETA.given_name, GRETA.born, GRETA.notes, GRETA.initials]
    for one in [*parts, *(said.encode() for said in kept)]:
        assert one not in dumped
        assert one.hex().encode() not in dumped.lower()
