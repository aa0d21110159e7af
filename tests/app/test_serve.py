"""`run.py` without a command: pages answer, whoever is killed comes back, Ctrl-C ends all of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import pytest
from filelock import FileLock

from app.cli.fresh import ANSWER, start_over
from app.database import Database
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.jobs import Jobs
from app.services.live import job_view
from app.services.predictions import Predictions
from app.services.requests import TrainingRequest
from config import TRAINING_LOCK
from contracts.reader import LedgerReader
from tests.app import commandline
from tests.app.installations import settings_of
from tests.app.processes import until

# Not through a proxy of the environment, which could not reach this machine's own ports.
BROWSER = build_opener(ProxyHandler({}))


class Server:
    """A server that a test started in a folder."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        self.folder = folder
        self.process = process

    def notice(self) -> dict[str, Any]:
        """What it says about itself; empty while it says nothing."""
        with suppress(OSError):
            found: dict[str, Any] = json.loads((self.folder / "server.json").read_text())
            return found
        return {}

    def is_up(self) -> bool:
        return self.process.poll() is None

    def get(self, path: str) -> int:
        """The status that a page answers with."""
        url: str = until(lambda: self.notice().get("url"), self.is_up)
        try:
            with BROWSER.open(url + path, timeout=120) as answer:
                return int(answer.status)
        except HTTPError as error:
            error.close()
            return error.code

    def pid(self, child: str) -> int:
        return int(until(lambda: self.notice().get(child), self.is_up))

    def chain(self) -> int:
        return int(json.loads((self.folder / "chain.json").read_text())["pid"])

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Ask it to stop; its exit status and what it had said."""
        self.process.send_signal(number)
        output, errors = self.process.communicate()
        return self.process.returncode, output + errors


@contextmanager
def serving(repository: Path, folder: Path, **more: str) -> Iterator[Server]:
    """A server on any port; killed at the end if it still runs."""
    more = {"CONSILIUM_PORT": "0"} | more
    with commandline.start(repository, folder, **more) as process:
        server = Server(folder, process)
        try:
            yield server
        finally:
            process.kill()


@pytest.fixture
def folder(trained: Mapping[str, Any], trained_folder: Path, tmp_path: Path) -> Path:
    """A copy of an installation with a model."""
    folder = tmp_path / "instance"
    shutil.copytree(trained_folder, folder)
    (folder / "chain.json").unlink()
    return folder


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    with closing(Database(settings_of(folder).database)) as database:
        database.migrate()
        yield database


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.slow
def test_it_serves_until_ctrl_c_and_again(repository: Path, folder: Path) -> None:
    with serving(repository, folder) as server:
        assert server.get("/") == 200
        assert server.get("/nowhere") == 404
        children = [server.pid("web"), server.pid("worker"), server.chain()]
        second = commandline.run(repository, folder)
        assert second.returncode == 1
        assert f"runs already at {server.notice()['url']}" in second.stderr
        status, said = server.end()
    assert status == 0
    assert "ada.berg@consilium.example" in said
    assert "Stopping" in said
    assert not any(map(lives, children))
    assert not (folder / "server.json").exists()
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    key = (folder / "secret.key").read_bytes()
    with serving(repository, folder) as server:
        assert server.get("/") == 200
        status, said = server.end(signal.SIGTERM)
    assert status == 0
    # The passwords are shown once, nothing is trained again, sessions stay.
    assert "@consilium.example" not in said
    assert "hospitals trained" not in said
    assert (folder / "secret.key").read_bytes() == key


@pytest.mark.slow
def test_what_is_killed_comes_back_and_the_training_goes_on(
    repository: Path, folder: Path, database: Database, trained: Mapping[str, Any]
) -> None:
    jobs = Jobs(database)
    number = jobs.submit(TrainingRequest(rounds=1), None).id

    def round_of_job() -> int | None:
        training = job_view(database, number)["training"]
        return training["round"] if training else None

    with serving(repository, folder) as server:
        until(lambda: round_of_job() is not None, server.is_up)
        first = server.pid("worker")
        os.kill(first, signal.SIGKILL)
        until(lambda: server.pid("worker") != first, server.is_up)
        until(lambda: job_view(database, number)["training"]["resumed_at"], server.is_up)
        # The page that was asked for while nobody served is answered, not refused.
        web = server.pid("web")
        os.kill(web, signal.SIGKILL)
        assert server.get("/") == 200
        assert server.pid("web") != web
        os.kill(server.chain(), signal.SIGKILL)
        until(lambda: job_view(database, number)["over"], server.is_up)
        status, said = server.end()
    view = job_view(database, number)
    assert (view["state"], view["training"]["model_sha256"]) == ("done", trained["model_sha256"])
    assert status == 0
    assert "The worker ended (signal 9); starting it again." in said
    assert "The web process ended (signal 9); starting it again." in said


@pytest.mark.slow
def test_nothing_is_left_behind_by_a_killed_server_and_the_next_one_resumes(
    repository: Path, folder: Path, database: Database
) -> None:
    number = Jobs(database).submit(TrainingRequest(rounds=1, local_epochs=1), None).id
    with serving(repository, folder) as server:
        until(lambda: job_view(database, number)["training"], server.is_up)
        children = [server.pid("web"), server.pid("worker"), server.chain()]
        server.process.kill()
        server.process.communicate()
        until(lambda: not any(map(lives, children)))
    assert not job_view(database, number)["over"]
    with serving(repository, folder) as server:
        until(lambda: job_view(database, number)["over"], server.is_up)
        assert server.end()[0] == 0
    assert job_view(database, number)["state"] == "done"


@pytest.mark.slow
def test_a_command_trains_beside_the_server(repository: Path, folder: Path) -> None:
    with serving(repository, folder) as server:
        assert server.get("/") == 200
        done = commandline.run(repository, folder, "train", "--rounds", "1", "--json")
        assert done.returncode == 0, done.stderr
        verified = commandline.run(repository, folder, "verify")
        assert verified.returncode == 0, verified.stdout
        assert server.end()[0] == 0


@pytest.mark.slow
def test_the_server_keeps_a_chain_that_a_command_had_started(
    repository: Path, folder: Path
) -> None:
    with commandline.start(repository, folder, "train", "--rounds", "1", "--json") as command:
        until((folder / "chain.json").exists, lambda: command.poll() is None)
        first = json.loads((folder / "chain.json").read_text())["pid"]
        with serving(repository, folder) as server:
            assert server.get("/") == 200
            command.communicate()
            until(lambda: server.chain() != first, server.is_up)
            verified = commandline.run(repository, folder, "verify")
            assert verified.returncode == 0, verified.stdout
            assert server.end()[0] == 0


@pytest.mark.slow
def test_a_taken_port_is_said_and_the_next_one_used(repository: Path, folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(repository, folder, CONSILIUM_PORT=str(port)) as server:
            assert server.get("/") == 200
            assert server.notice()["url"] != f"http://127.0.0.1:{port}"
            _, said = server.end()
    assert f"Port {port} is taken; using" in said


@pytest.mark.slow
def test_a_server_that_cannot_serve_ends_and_says_why(repository: Path, folder: Path) -> None:
    (folder / "secret.key").write_text("00\n")
    (folder / "secret.key").chmod(0o600)
    with serving(repository, folder) as server:
        _, errors = server.process.communicate()
        assert server.process.returncode == 1
    assert "The web process cannot run" in errors
    assert "expected at least 32 bytes" in " ".join(errors.split())


def fresh(repository: Path, folder: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """`run.py --fresh` with an answer that ends it."""
    return subprocess.run(
        [sys.executable, "-c", commandline.CODE, "--fresh"],
        cwd=repository,
        env=commandline.environment(folder, CONSILIUM_PORT="0"),
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "answer", ["y\n", *(pytest.param(one, marks=pytest.mark.slow) for one in ("", "\n", "no\n"))]
)
def test_fresh_without_the_word_deletes_nothing(
    repository: Path, folder: Path, answer: str
) -> None:
    before = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    done = fresh(repository, folder, answer)
    assert done.returncode == 1
    assert "Nothing was deleted" in done.stderr
    after = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert {path: size for path, size in after.items() if path in before} == before


@pytest.mark.slow
def test_after_fresh_the_first_start_trains_and_shows_the_accounts(
    repository: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", answering(ANSWER))
    assert start_over(settings_of(folder))
    with serving(repository, folder) as server:
        assert server.get("/") == 200
        status, said = server.end()
    assert status == 0
    assert "round 10/10" in said
    assert said.count("@consilium.example") == 8
    with closing(Database(settings_of(folder).database)) as database:
        assert Predictions(database, unused).find_model("heart") is not None


def unused() -> LedgerReader:
    raise AssertionError("expected no look at the chain")


def test_fresh_leaves_alone_what_is_not_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = folder / "thesis.pdf"
    own.write_text("years of work")
    monkeypatch.setattr("sys.stdin", answering(ANSWER))
    assert start_over(settings_of(folder))
    assert own.exists()
    left = {path.name for path in folder.iterdir()} - {own.name}
    assert left <= {TRAINING_LOCK, "server.lock", "progress.txt"}


def test_fresh_empties_another_database(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    with closing(Database(url)) as elsewhere:
        elsewhere.migrate()
        Jobs(elsewhere).submit(TrainingRequest(), None)
    monkeypatch.setattr("sys.stdin", answering(ANSWER))
    assert start_over(settings_of(folder, DATABASE_URL=url))
    with closing(Database(url)) as elsewhere:
        elsewhere.migrate()
        assert list(Jobs(elsewhere).queue()) == []


@pytest.mark.slow
def test_fresh_is_refused_while_somebody_trains(repository: Path, folder: Path) -> None:
    with FileLock(folder / TRAINING_LOCK):
        done = fresh(repository, folder, f"{ANSWER}\n")
    assert done.returncode == 1
    assert "a command still works in this folder" in done.stderr
    assert (folder / "parties").exists()


def answering(text: str) -> StringIO:
    return StringIO(f"{text}\n")


@pytest.mark.slow
def test_a_new_password_is_shown_once_and_works(
    repository: Path, folder: Path, database: Database
) -> None:
    accounts = Accounts(database, AuditLog(database))
    old = {one.name: one for one in accounts.create_demo()}["Ada Berg"]
    done = commandline.run(repository, folder, "password", "Ada Berg")
    assert done.returncode == 0, done.stderr
    email, password = done.stdout.split()
    assert (email, password != old.password) == (old.email, True)
    assert accounts.authenticate(email, password).name == "Ada Berg"
    entry = AuditLog(database).entries().entries[0]
    assert entry.action == "user.password_changed"
    assert password not in entry.details


@pytest.mark.slow
def test_a_password_for_a_stranger_has_a_sentence(repository: Path, folder: Path) -> None:
    done = commandline.run(repository, folder, "password", "nobody@consilium.example")
    assert (done.returncode, done.stdout) == (1, "")
    assert "got nobody@consilium.example" in done.stderr
