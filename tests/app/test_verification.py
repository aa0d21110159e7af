"""`run.py verify` finds every altered value, whichever side of it was altered."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, text

from app.cli import main
from app.models import AttemptRow, SubmissionRow
from app.services.audit import AuditLog
from app.services.check_report import Report
from app.services.federation import Federation, open_federation
from app.services.hospital_check import HospitalCheck
from app.services.keys import party_folder
from app.services.verification import Verification
from config import Settings


@pytest.fixture(scope="module")
def folder(attacked_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with one finished training of one round, in which Hungary attacks."""
    folder = tmp_path_factory.mktemp("verify") / "instance"
    shutil.copytree(attacked_folder, folder)
    return folder


@pytest.fixture(scope="module")
def federation(folder: Path) -> Iterator[Federation]:
    with open_federation(settings_of(folder)) as federation:
        yield federation


@pytest.fixture
def database(federation: Federation) -> Iterator[Connection]:
    """A connection whose changes are taken back, byte by byte, after the test."""
    path = Path(str(federation.database.engine.url.database))
    with federation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    with federation.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        yield connection
    federation.database.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    shutil.move(copy, path)


def settings_of(folder: Path) -> Settings:
    return Settings(CONSILIUM_INSTANCE=folder, _env_file=None)  # type: ignore[call-arg]


def check(federation: Federation) -> Report:
    return Verification(federation).run()


def told(federation: Federation) -> str:
    return "\n".join(map(str, check(federation).differences))


def flip(value: str | float | bytes | None) -> str | float | bytes:
    """Another value of the same kind, as near as can be."""
    match value:
        case None:
            return 1
        case "":
            return "it was not"
        case str():
            return ("1" if value[-1:] == "0" else "0").join((value[:-1], ""))
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case int() | float():
            return value + 1
        case _:
            raise AssertionError(f"nothing to alter in {value!r}")


def test_an_untouched_instance_has_no_difference(federation: Federation) -> None:
    report = check(federation)
    assert report.differences == []
    assert report.trainings == 1
    assert report.checked > 100


def test_the_attacker_was_rejected_by_what_was_checked(federation: Federation) -> None:
    with federation.database.transaction() as session:
        rows = session.scalars(select(SubmissionRow).join(AttemptRow).where(AttemptRow.round == 1))
        verdicts = {row.hospital: row.verdict for row in rows}
    assert verdicts == dict.fromkeys(verdicts, "accepted") | {"Hungary": "rejected"}


@pytest.mark.parametrize(
    ("table", "column", "named"),
    [
        ("trainings", "plan", "plan"),
        ("trainings", "plan_sha256", "hash of its plan"),
        ("trainings", "initial_sha256", "initial model"),
        ("trainings", "model_sha256", "model"),
        ("trainings", "statistics_sha256", "statistics"),
        ("attempts", "set_sha256", "agreed set"),
        ("attempts", "result_sha256", "result"),
        ("submissions", "share_root", "share root"),
        ("submissions", "update_sha256", "update hash"),
        ("submissions", "samples", "sample count"),
        ("submissions", "transaction", "transaction"),
        ("submissions", "weight", "weight"),
        ("votes", "result_sha256", "vote"),
        ("votes", "transaction", "transaction"),
        ("messages", "body", "of"),
        ("messages", "body_sha256", "of"),
        ("results", "body", "stored"),
        ("results", "sha256", "stored"),
        ("trainings", "seed", "its facts"),
        ("trainings", "rounds", "its facts"),
        ("trainings", "task", "its facts"),
        ("trainings", "accuracy", "scores"),
        ("trainings", "balanced_accuracy", "scores"),
        ("submissions", "verdict", "verdict"),
        ("submissions", "reason", "reason"),
        ("submissions", "balanced_accuracy", "figures"),
        ("submissions", "bits", "figures"),
        ("attempts", "kept", "the model was kept"),
        ("attempts", "norm_bound", "norm bound"),
    ],
)
def test_an_altered_value_is_found_in_every_row(
    federation: Federation, database: Connection, table: str, column: str, named: str
) -> None:
    rows = database.execute(text(f'SELECT rowid, "{column}" FROM {table}')).all()
    assert rows
    for rowid, value in rows:
        change = text(f'UPDATE {table} SET "{column}" = :value WHERE rowid = :row')
        database.execute(change, {"value": flip(value), "row": rowid})
    database.commit()
    differences = check(federation).differences
    assert any(named in difference.what for difference in differences)
    assert len(differences) >= len(rows)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM trainings", "a row in the database"),
        ("DELETE FROM attempts WHERE round = 1", "round 1, attempt 1"),
        ("DELETE FROM submissions WHERE hospital = 'Hungary'", "hospitals that submitted"),
        ("DELETE FROM votes WHERE node = 'Node 2'", "nodes that voted"),
        ("DELETE FROM results WHERE kind = 'model'", "result in the database"),
        ("UPDATE submissions SET verdict = 'refused'", "verdict"),
        ("UPDATE submissions SET verdict = 'verified'", "verdict"),
        ("UPDATE evaluations SET confusion = '[[1, 2], [3, 4]]'", "evaluation"),
        ("UPDATE evaluations SET confusion = '[[1, 2'", "scores"),
        ("UPDATE results SET body = 'no blob'", "stored"),
        ("UPDATE results SET body = CAST(X'FFFE41' AS TEXT)", "stored"),
        ("UPDATE attempts SET state = 'failed' WHERE round = 1", "state: expected finalised"),
        ("DELETE FROM attempts WHERE round > 1", "donated rows, attempt 1"),
        ("UPDATE attempts SET set_sha256 = '00' WHERE round > 1", "donated rows: expected"),
        ("UPDATE submissions SET verdict = 'accepted', weight = 1", "Hungary's verdict"),
        ("UPDATE attempts SET review = REPLACE(review, 'Node 3', 'Node 4')", "review"),
        ("UPDATE attempts SET review = REPLACE(review, '16', '15')", "review"),
        ("UPDATE attempts SET review = '{'", "expected readable values"),
        ("DELETE FROM messages WHERE kind LIKE 'review-%'", "review: expected signed by three"),
        ("DELETE FROM messages WHERE kind = 'answers'", "agreed set, computed again"),
        ("UPDATE messages SET body = '' WHERE kind LIKE 'review-%'", "signature"),
    ],
)
def test_a_missing_or_changed_row_is_found(
    federation: Federation, database: Connection, statement: str, named: str
) -> None:
    database.execute(text(statement))
    database.commit()
    assert named in told(federation)


def test_an_altered_audit_log_is_found(federation: Federation, database: Connection) -> None:
    AuditLog(federation.database).add("system", "user.registered", "somebody")
    assert told(federation) == ""
    database.execute(text("DROP TRIGGER audit_no_update"))
    database.execute(text("UPDATE audit SET subject = 'somebody else'"))
    database.commit()
    assert "audit log" in told(federation)


def altered(path: Path) -> Callable[[], None]:
    """Flip a bit in the middle of a file; what is returned restores it."""
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return lambda: (path.write_bytes(before), None)[1]


def test_a_node_s_altered_copy_of_a_result_is_found(federation: Federation, folder: Path) -> None:
    for name in federation.node_names():
        copies = list((party_folder(folder / "parties", name) / "state" / "results").iterdir())
        assert len(copies) == 2  # of the statistics and the model; rows are never summed
        for copy in copies:
            restore = altered(copy)
            assert f"{name}'s copy of the result" in told(federation)
            restore()


def test_a_hospital_s_altered_update_is_found(federation: Federation, folder: Path) -> None:
    state = party_folder(folder / "parties", "Switzerland") / "state"
    updates = list(state.rglob("update"))
    assert len(updates) == 3
    for update in updates:
        restore = altered(update)
        assert "Switzerland's own" in told(federation)
        restore()


def test_the_command_says_what_differs_and_fails(
    federation: Federation,
    database: Connection,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(folder))
    verify = argparse.Namespace(command="verify", file=None, hospital=None)
    assert main(verify) == 0
    printed = capsys.readouterr()
    assert "0 differences" in printed.out
    assert "0/1 trainings" in printed.err
    assert "round 1" in printed.err
    database.execute(text("UPDATE submissions SET samples = 1 WHERE hospital = 'Cleveland'"))
    database.commit()
    assert main(verify) == 1
    out = capsys.readouterr().out
    assert "Cleveland's sample count: expected 210, found 1" in out
    assert "3 differences" in out


def test_a_hospital_computes_its_own_hashes_again_and_nobody_else_s(
    federation: Federation,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(folder))
    verify = argparse.Namespace(command="verify", file=None, hospital="switzerland")
    with federation.database.transaction() as session:
        query = select(SubmissionRow.update_sha256).filter_by(hospital="Switzerland")
        hashes = session.scalars(query).all()
    assert main(verify) == 0
    out = capsys.readouterr().out
    assert len(hashes) == 3
    assert all(one in out for one in hashes)
    assert "7 values checked in 1 training, 0 differences" in out
    for name, status in (("hungary", 0), ("switzerland", 1)):
        state = party_folder(folder / "parties", name) / "state"
        restore = altered(next(state.rglob("1/attempt-1/update")))
        assert main(verify) == status
        restore()
    out = capsys.readouterr().out
    assert "round 1, attempt 1, Switzerland's update: expected" in out


def test_a_hospital_that_lost_its_update_says_so(
    federation: Federation, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = party_folder(folder / "parties", "Hungary") / "state"
    update = next(state.rglob("1/attempt-1/update"))
    before = update.read_bytes()
    update.unlink()
    check = HospitalCheck(federation, "Hungary")
    lines = list(check.run())
    update.write_bytes(before)
    assert [one.update[:9] for one in lines if one.place.startswith("round 1")] == ["not there"]
    assert len(check.report.differences) == 2


def test_an_unknown_hospital_is_told_the_names(
    folder: Path,
    federation: Federation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CONSILIUM_INSTANCE", str(folder))
    assert main(argparse.Namespace(command="verify", file=None, hospital="Oslo [b]")) == 2
    said = capsys.readouterr().err
    assert "no hospital has the name Oslo [b]" in said
    assert "Cleveland, Hungary, Switzerland, VA Long Beach" in said
