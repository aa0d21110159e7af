"""Keys are rotated: trainings go on, old signatures stay checkable, a kill costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from sqlalchemy import select, update

from app.cli.keys import keys
from app.errors import BusyError, RequestError
from app.models import PartyRow, TrainingRow
from app.services import key_rotation
from app.services.audit import AuditLog
from app.services.dossier import Dossiers
from app.services.dossier_check import check_dossier
from app.services.federation import HOSPITAL, NODE, Federation, open_federation
from app.services.key_rotation import KeyRotation, key_fingerprint
from app.services.keys import NEXT_SIGNING, SIGNING, KeyRing, party_folder
from app.services.requests import TrainingRequest
from app.services.trainings import Trainings
from app.services.verification import Verification
from app.setup.commandline import parse
from app.stores.party_files import PartyFiles
from config import TRAINING_LOCK, Settings
from contracts.chain import ChainEndpoint
from contracts.members import grouped
from contracts.registry import Registry
from tests.app.installations import settings_of

pytestmark = pytest.mark.slow

QUICK = TrainingRequest(rounds=1, local_epochs=1, review=False)
HOSPITALS = ["Cleveland", "Hungary", "Switzerland"]


class Killed(Exception):
    """The process ends here, with what is on disk and on the chain."""


@pytest.fixture
def settings(tmp_path: Path, chain: ChainEndpoint) -> Settings:
    return settings_of(tmp_path / "instance", chain)


@pytest.fixture
def federation(settings: Settings) -> Iterator[Federation]:
    with open_federation(settings) as opened:
        opened.enrol(HOSPITALS, HOSPITAL)
        opened.enrol(opened.node_names(), NODE)
        yield opened


def train(federation: Federation) -> str:
    trainings = Trainings(federation)
    identifier = trainings.start(trainings.plan(QUICK))
    assert trainings.run(identifier, lambda _: None).finished
    return identifier


def in_use(federation: Federation, name: str) -> bytes:
    """The public key that another process would find in the party's folder."""
    return KeyRing.of(federation.settings).keys(name).public_key


def noted(federation: Federation) -> list[str]:
    log = AuditLog(federation.database).entries().entries
    return [entry.action for entry in reversed(log) if entry.action.startswith("key.")]


def require_rotated(federation: Federation, name: str, before: bytes) -> None:
    """Folder, ledger and database hold the same new key; nothing is left over."""
    now = in_use(federation, name)
    account = federation.keys(name).account
    record = federation.ledger.registry.find_party(account)
    assert record is not None
    assert now != before
    assert record.public_key == now
    assert [key.public_key for key in federation.ledger.registry.keys(account)] == [before, now]
    with federation.database.transaction() as session:
        row = session.scalars(select(PartyRow).filter_by(name=name)).one()
        assert row.public_key == now.hex()
    folder = party_folder(federation.settings.instance_dir / "parties", name)
    assert not (folder / NEXT_SIGNING).exists()
    assert b"ENCRYPTED" in (folder / SIGNING).read_bytes()
    assert noted(federation) == ["key.rotated"]


def test_after_a_rotation_trainings_work_and_earlier_ones_stay_checkable(
    federation: Federation,
) -> None:
    first = train(federation)
    written = Dossiers(federation.database, federation.ledger).write(first, 1)
    for name in ("Hungary", "Node 2"):
        KeyRotation(federation).rotate(name)
    second = train(federation)
    assert [str(one) for one in Verification(federation).run().differences] == []
    assert check_dossier(written).differences == []
    for training in (first, second):
        again = Dossiers(federation.database, federation.ledger).write(training, 1)
        assert check_dossier(again).differences == []
    plans = [Trainings(federation).plan_of(one).hospital("Hungary") for one in (first, second)]
    assert plans[0].public_key != plans[1].public_key
    assert plans[0].account == plans[1].account


@pytest.mark.parametrize("name", ["Hungary", "Node 2"])
def test_a_rotation_changes_folder_ledger_and_database(federation: Federation, name: str) -> None:
    before = in_use(federation, name)
    done = KeyRotation(federation).rotate(name.upper())
    assert (done.name, len(done.keys)) == (name, 2)
    require_rotated(federation, name, before)
    # The signing key is sealed under the chain key, which stays.
    assert federation.enrol([name], HOSPITAL if name == "Hungary" else NODE)[0].name == name


KILLS = {
    "the new key is stored": (Registry, "rotate_key", False),
    "the ledger has it": (Registry, "rotate_key", True),
    "it is about to be put in place": (KeyRing, "use_next", False),
    "it is in place": (KeyRing, "use_next", True),
    "it is noted": (KeyRing, "forget_next", False),
    "its file is about to go": (PartyFiles, "erase", False),
}


@pytest.mark.parametrize("where", KILLS.values(), ids=KILLS)
def test_a_killed_rotation_is_finished_by_the_next(
    federation: Federation,
    monkeypatch: pytest.MonkeyPatch,
    where: tuple[type, str, bool],
) -> None:
    before = in_use(federation, "Hungary")
    owner, method, after = where
    original = getattr(owner, method)

    def killed(*args: object) -> None:
        if after:
            original(*args)
        raise Killed

    monkeypatch.setattr(owner, method, killed)
    with pytest.raises(Killed):
        KeyRotation(federation).rotate("Hungary")
    monkeypatch.undo()
    with open_federation(federation.settings) as later:
        KeyRotation(later).rotate("Hungary")
        require_rotated(later, "Hungary", before)


def test_between_ledger_and_folder_no_training_begins_and_the_way_out_is_told(
    federation: Federation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(KeyRing, "use_next", killed)
    with pytest.raises(Killed):
        KeyRotation(federation).rotate("Hungary")
    monkeypatch.undo()
    with pytest.raises(RequestError, match=r'run\.py keys rotate "Hungary"'):
        Trainings(federation).plan(QUICK)


@pytest.mark.parametrize("state", ["running", "awaiting"])
def test_a_party_of_a_training_that_is_not_over_keeps_its_key(
    federation: Federation, state: str
) -> None:
    trainings = Trainings(federation)
    identifier = trainings.start(trainings.plan(QUICK))
    with federation.database.transaction() as session:
        session.execute(update(TrainingRow).values(state=state))
    before = in_use(federation, "Hungary")
    for refused in (KeyRotation(federation).rotate, KeyRotation(federation).revoke):
        with pytest.raises(RequestError, match=f"training {identifier[:12]} of Hungary"):
            refused("Hungary")
    assert in_use(federation, "Hungary") == before


def test_a_revoked_key_keeps_its_party_out_until_a_rotation(federation: Federation) -> None:
    done = KeyRotation(federation).revoke("Hungary")
    assert done.keys[-1].revoked is not None
    with pytest.raises(RequestError, match="the ledger has no key of Hungary in force"):
        federation.enrol(["Hungary"], HOSPITAL)
    KeyRotation(federation).rotate("Hungary")
    assert federation.enrol(["Hungary"], HOSPITAL)[0].name == "Hungary"
    assert noted(federation) == ["key.revoked", "key.rotated"]


def test_an_unknown_party_is_told_and_gets_no_folder(federation: Federation) -> None:
    with pytest.raises(RequestError, match=r"expected a party .*Cleveland.*, got Oslo"):
        KeyRotation(federation).rotate("Oslo")
    assert not party_folder(federation.settings.instance_dir / "parties", "Oslo").exists()


@pytest.fixture
def commanded(
    federation: Federation, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Federation:
    """The commands are given in this installation."""
    monkeypatch.setattr("app.cli.keys.Settings", lambda: settings)
    return federation


def test_the_command_lists_the_parties_with_their_keys(
    commanded: Federation, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys(parse(["keys", "rotate", "Hungary"])) == 0
    assert grouped(commanded.ledger.fingerprint()) in capsys.readouterr().err
    assert keys(parse(["keys"])) == 0
    shown = capsys.readouterr().out
    for name in (*HOSPITALS, "Node 4"):
        assert name in shown
    own = KeyRing.of(commanded.settings).keys("Hungary")
    (line,) = [line for line in shown.splitlines() if "Hungary" in line]
    since = commanded.ledger.registry.keys(own.account)[-1].since
    assert own.account in line
    assert key_rotation.key_fingerprint(own.public_key)[:16] in line
    assert line.split()[-2:] == [str(since), "2"]


def test_the_command_is_refused_while_a_training_runs(commanded: Federation) -> None:
    before = in_use(commanded, "Hungary")
    lock = FileLock(commanded.settings.instance_dir / TRAINING_LOCK)
    with lock, pytest.raises(BusyError, match="another process is training"):
        keys(parse(["keys", "rotate", "Hungary"]))
    assert in_use(commanded, "Hungary") == before
    assert key_fingerprint(before) != key_fingerprint(b"")


@pytest.mark.parametrize("wrong", [["rotate"], ["twist", "Hungary"]])
def test_wrong_usage_is_told(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["keys", *wrong])
    assert ended.value.code == 2
