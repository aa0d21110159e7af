"""The doctor's rows: what it finds, what it advises, and when it fails."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.setup import checks, doctor, programs
from app.setup.checks import GIB, Row, Status
from app.setup.console import Console
from app.setup.environment import Environment
from app.setup.programs import Program

TOOL = Program("tool", ("tool-new", "tool"), "something", "npm install tool")
# 2026-07-01 and 1970-01-01, in seconds since the epoch.
MID_2026 = 1_782_864_000.0
NEVER_SET = 86_400.0


@pytest.fixture
def empty(tmp_path: Path) -> Environment:
    return Environment(tmp_path, Console(io.StringIO()))


@pytest.fixture
def chain() -> Iterator[str]:
    """Serve chain id 1337 on loopback; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            result = "0x539" if question["method"] == "eth_chainId" else None
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode())

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_every_subject_has_a_row_before_the_set_up(tmp_path: Path, empty: Environment) -> None:
    rows = {row.subject: row for row in doctor.examine(tmp_path, empty, {})}
    expected = {"Python", "environment", "disk", "memory", "clock", "loopback", "instance"}
    expected |= {"passphrase", "libGL"}
    assert set(rows) == expected | {program.name for program in programs.PROGRAMS}
    assert rows["environment"].status is Status.MISSING
    assert rows["loopback"].status is Status.OK
    assert rows["instance"].status is Status.OK


def test_what_is_not_right_always_comes_with_advice(tmp_path: Path, empty: Environment) -> None:
    rows = doctor.examine(tmp_path, empty, {"CHAIN_RPC_URL": "http://127.0.0.1:1"})
    assert [row for row in rows if row.status is not Status.OK and not row.advice] == []


def test_only_a_problem_fails() -> None:
    fine = Row(Status.OK, "a", "b", "c")
    optional = Row(Status.MISSING, "a", "b", "c", "d")
    problem = Row(Status.PROBLEM, "a", "b", "c", "d")
    assert doctor.exit_status([fine, optional]) == 0
    assert doctor.exit_status([fine, problem]) == 1


def test_the_report_shows_status_purpose_and_advice() -> None:
    rows = [Row(Status.PROBLEM, "disk", "0.1 GiB free", "trainings", "Free some space.")]
    text = doctor.render(rows)
    assert text.startswith("problem  disk")
    assert "for trainings" in text
    assert "do: Free some space." in text
    assert "Problems that keep the application from running: 1." in text


def test_report_writes_where_it_is_told(tmp_path: Path, empty: Environment) -> None:
    out = io.StringIO()
    status = doctor.report(tmp_path, empty, out, {"CHAIN_RPC_URL": "http://127.0.0.1:1"})
    assert status == 1
    assert "problem  chain" in out.getvalue()


@pytest.mark.parametrize(
    ("free", "installed", "status"),
    [
        (3 * GIB, False, Status.OK),
        (3 * GIB - 1, False, Status.PROBLEM),
        (GIB // 2, True, Status.OK),
        (GIB // 2 - 1, True, Status.PROBLEM),
    ],
)
def test_disk(tmp_path: Path, free: int, installed: bool, status: Status) -> None:
    assert checks.check_disk(tmp_path, installed, free).status is status


@pytest.mark.parametrize(("free", "status"), [(GIB, Status.OK), (GIB - 1, Status.PROBLEM)])
def test_memory(free: int, status: Status) -> None:
    assert checks.check_memory(free).status is status


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_an_unsupported_python_is_a_problem(version: tuple[int, int]) -> None:
    assert checks.check_python(version).status is Status.PROBLEM


def test_a_clock_that_was_never_set_is_a_problem(tmp_path: Path) -> None:
    row = checks.check_clock(tmp_path, now=lambda: NEVER_SET)
    assert (row.status, row.found) == (Status.PROBLEM, "it says the year 1970")


def test_a_clock_apart_from_the_disks_is_a_problem(tmp_path: Path) -> None:
    # The file is written now; 2099 is far from now and still a year that can be.
    row = checks.check_clock(tmp_path, now=lambda: MID_2026 + 73 * 365.25 * 86_400)
    assert row.status is Status.PROBLEM
    assert "from the disk's" in row.found


def test_a_chain_that_answers(chain: str) -> None:
    row = checks.check_chain(chain)
    assert (row.status, row.found) == (Status.OK, f"{chain} answers, chain id 1337")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "file:///etc/hosts", "localhost:8545", ""])
def test_a_chain_that_does_not(url: str) -> None:
    row = checks.check_chain(url)
    assert row.status is Status.PROBLEM
    assert "CHAIN_RPC_URL" in row.advice


def test_instance_that_is_no_folder_to_write_in(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert checks.check_instance(file).status is Status.PROBLEM
    assert checks.check_instance(file / "instance").status is Status.PROBLEM


def test_instance_that_can_be_made(tmp_path: Path) -> None:
    assert checks.check_instance(tmp_path / "new" / "instance").status is Status.OK
    assert list(tmp_path.iterdir()) == []


def test_the_settings_file_counts_below_the_environment(
    tmp_path: Path, empty: Environment, chain: str
) -> None:
    (tmp_path / ".env").write_text('# the chain\nexport CHAIN_RPC_URL="http://127.0.0.1:1"\n')

    def chain_row(environ: dict[str, str]) -> Row:
        rows = doctor.examine(tmp_path, empty, environ)
        return next(row for row in rows if row.subject == "chain")

    assert chain_row({}).status is Status.PROBLEM
    assert chain_row({"CHAIN_RPC_URL": chain}).status is Status.OK


@pytest.mark.parametrize(("found", "status"), [("libGL.so.1", Status.OK), (None, Status.MISSING)])
def test_libgl(monkeypatch: pytest.MonkeyPatch, found: str | None, status: Status) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert checks.check_libgl(lambda name: found).status is status


@pytest.mark.parametrize("folder", ["bin", *programs.PROGRAM_FOLDERS])
def test_a_program_is_found_on_the_path_and_beside_the_application(
    tmp_path: Path, folder: str
) -> None:
    file = tmp_path / folder / "tool"
    assert programs.find(TOOL, tmp_path, path=str(tmp_path / "bin")) is None
    file.parent.mkdir(parents=True)
    file.touch(mode=0o755)
    assert programs.find(TOOL, tmp_path, path=str(tmp_path / "bin")) == file


def test_an_unknown_program_is_answered_with_the_known_names() -> None:
    with pytest.raises(KeyError, match=r"unknown program 'gnache'.*ganache"):
        programs.get("gnache")
