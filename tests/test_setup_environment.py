"""The environment: made once, repaired when it was cut off, renewed when its pins change."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from app.setup import environment as module
from app.setup import packages
from app.setup.console import Console
from app.setup.environment import INSTALLING, Environment
from app.setup.errors import EnvironmentBroken, InstallFailed
from app.setup.lock import exclusive
from app.setup.process import Finished, child_environment, run_and_follow
from app.setup.stamp import DEVELOPMENT, RUNTIME


class Machine:
    """Plays venv and pip: makes the folder, notes every installation, and fails on demand."""

    def __init__(self) -> None:
        self.made = 0
        self.installed: list[list[str]] = []
        self.answer: Callable[[Sequence[str]], Finished] = lambda words: Finished(0, "")

    def __call__(self, command: Sequence[str], follow: object) -> Finished:
        if "install" in command:
            words = list(command[command.index("install") + 1 :])
            self.installed.append(words)
            return self.answer(words)
        if "venv" in command:
            self.made += 1
            python = Path(command[-1], "bin", "python")
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
            return Finished(0, "")
        return Finished(0, "3 11")

    def files(self) -> list[str]:
        """Return the requirement files that were installed, in order."""
        return [
            Path(words[words.index("-r") + 1]).name for words in self.installed if "-r" in words
        ]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def environment(tmp_path: Path, machine: Machine) -> Environment:
    (tmp_path / "requirements.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\npytest==9.2.0\n")
    (tmp_path / "constraints.txt").write_text("numpy==2.4.6\n")
    return Environment(tmp_path, Console(io.StringIO()), run=machine, environ={})


def test_a_second_start_does_nothing(environment: Environment, machine: Machine) -> None:
    assert not environment.is_current()
    environment.ensure()
    assert environment.is_current()
    done = len(machine.installed)
    environment.ensure()
    assert (machine.made, len(machine.installed)) == (1, done)
    assert machine.files() == ["requirements.txt"]


def test_torch_comes_first_and_alone(environment: Environment, machine: Machine) -> None:
    environment.ensure()
    assert machine.installed[0][-1] == "torch==2.13.0"
    assert {"--no-index", "--no-deps"} <= set(machine.installed[0])
    assert [word for word in machine.installed[-1] if word.endswith("constraints.txt")]


@pytest.mark.parametrize("name", ["requirements.txt", "constraints.txt"])
def test_changed_pins_are_installed_into_the_same_environment(
    environment: Environment, machine: Machine, tmp_path: Path, name: str
) -> None:
    environment.ensure()
    with (tmp_path / name).open("a") as file:
        file.write("rich==15.0.0\n")
    assert not environment.is_current()
    environment.ensure()
    assert machine.made == 1
    assert machine.files() == ["requirements.txt"] * 2


def test_the_tests_packages_come_at_their_first_use(
    environment: Environment, machine: Machine
) -> None:
    environment.ensure()
    assert not environment.is_current(DEVELOPMENT)
    environment.ensure(DEVELOPMENT)
    assert environment.is_current(DEVELOPMENT)
    assert environment.is_current(RUNTIME)
    assert machine.files() == ["requirements.txt", "requirements-dev.txt"]


def test_an_installation_that_was_cut_off_is_made_anew(
    environment: Environment, machine: Machine
) -> None:
    def interrupt(words: Sequence[str]) -> Finished:
        raise KeyboardInterrupt

    machine.answer = interrupt
    with pytest.raises(KeyboardInterrupt):
        environment.ensure()
    assert not environment.is_current()
    half_a_package = environment.folder / "half"
    half_a_package.touch()
    machine.answer = lambda words: Finished(0, "")
    environment.ensure()
    assert machine.made == 2
    assert not half_a_package.exists()
    assert environment.is_current()


def test_an_installation_that_failed_goes_on_from_what_is_there(
    environment: Environment, machine: Machine
) -> None:
    machine.answer = lambda words: Finished(int("-r" in words), "No space left on device")
    with pytest.raises(InstallFailed, match=r"requirements\.txt") as failed:
        environment.ensure()
    assert "disk is full" in failed.value.advice
    assert not environment.is_current()
    machine.answer = lambda words: Finished(0, "")
    environment.ensure()
    assert machine.made == 1


def test_a_killed_pip_leaves_nothing_to_build_on(
    environment: Environment, machine: Machine
) -> None:
    machine.answer = lambda words: Finished(-9, "Collecting torch")
    with pytest.raises(InstallFailed, match="signal 9"):
        environment.ensure()
    assert (environment.folder / INSTALLING).exists()
    machine.answer = lambda words: Finished(0, "")
    environment.ensure()
    assert machine.made == 2


def test_another_interpreter_behind_the_environment_is_noticed(
    environment: Environment, machine: Machine, tmp_path: Path
) -> None:
    environment.ensure()
    replacement = tmp_path / "python-next"
    replacement.touch()
    environment.python.unlink()
    environment.python.symlink_to(replacement)
    assert not environment.is_current()
    environment.python.unlink()
    assert not environment.is_current()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0}'])
def test_a_damaged_stamp_counts_as_none(environment: Environment, content: str) -> None:
    environment.ensure()
    (environment.folder / "consilium-runtime.json").write_text(content)
    assert not environment.is_current()


def test_an_environment_of_an_unsupported_python_is_replaced(
    environment: Environment, machine: Machine, tmp_path: Path
) -> None:
    environment.ensure()
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\n")

    def old(command: Sequence[str], follow: object) -> Finished:
        if "install" not in command and "venv" not in command and machine.made == 1:
            return Finished(0, "3 9")
        return machine(command, follow)

    Environment(tmp_path, Console(io.StringIO()), run=old, environ={}).ensure()
    assert machine.made == 2


def test_a_broken_venv_says_so(tmp_path: Path, environment: Environment) -> None:
    def refuse(command: Sequence[str], follow: object) -> Finished:
        return Finished(1, "cannot")

    broken = Environment(tmp_path, Console(io.StringIO()), run=refuse, environ={})
    with pytest.raises(EnvironmentBroken, match="cannot"):
        broken.ensure()


def test_debians_missing_part_is_named() -> None:
    lacking = {"ensurepip"}
    with pytest.raises(EnvironmentBroken, match="ensurepip") as raised:
        module.require_venv(lambda name: None if name in lacking else object())
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"apt-get install python{version}-venv" in raised.value.advice


@pytest.mark.parametrize(
    ("platform", "environ", "local", "indexes"),
    [
        ("linux", {}, True, []),
        ("linux", {}, False, [packages.TORCH_CPU_INDEX]),
        ("linux", {"PIP_NO_INDEX": "1"}, False, []),
        ("darwin", {}, False, []),
    ],
)
def test_where_torch_is_looked_for(
    tmp_path: Path,
    machine: Machine,
    platform: str,
    environ: dict[str, str],
    local: bool,
    indexes: list[str],
) -> None:
    (tmp_path / "requirements.txt").write_text("torch==2.13.0\n")
    machine.answer = lambda words: Finished(int("--no-index" in words and not local), "")
    console = Console(io.StringIO())
    packages.install_torch(Path("python"), tmp_path, machine, console, environ, platform)
    asked = [words[words.index("--index-url") + 1] for words in machine.installed[1:]]
    assert asked == indexes


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection: [Errno -2]", "check the network"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "clock"),
        ("ERROR: Failed building wheel for coincurve", "no ready wheel"),
        ("ERROR: No matching distribution found for torch==2.13.0", "No file of torch==2.13.0"),
        ("ERROR: ResolutionImpossible: for help visit", "one of the packages named above"),
        ("something else", "Read pip's lines"),
    ],
)
def test_pips_errors_come_with_a_way_out(output: str, expected: str) -> None:
    assert expected in packages.advice(output)


def test_an_empty_folder_of_wheels_gives_a_clear_message(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    subprocess.run([sys.executable, "-I", "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    with pytest.raises(InstallFailed) as failed:
        packages.install(
            python, repository, "requirements.txt", run_and_follow, Console(io.StringIO())
        )
    assert "No matching distribution found" in failed.value.output
    assert "PIP_FIND_LINKS" in failed.value.advice


def test_the_second_of_two_starts_waits(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    order: list[str] = []
    waits = threading.Event()

    def second() -> None:
        with exclusive(path, waits.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(path, lambda: None):
        thread.start()
        assert waits.wait(timeout=60)
        order.append("first")
    thread.join(timeout=60)
    assert order == ["first", "second"]


def test_a_followed_program_gives_its_lines_and_its_status() -> None:
    seen: list[str] = []
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    finished = run_and_follow([sys.executable, "-c", code], seen.append)
    assert finished.status == 7
    assert sorted(seen) == sorted(finished.output.splitlines()) == ["err", "out"]


def test_children_write_bytecode_and_see_only_their_environment() -> None:
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": "/x", "PIP_TARGET": "/y", "PATH": "/z"}
    assert child_environment(given) == {"PATH": "/z"}
