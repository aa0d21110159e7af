"""The application's own virtual environment `.venv`: made once, kept in step with its pins."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from app.setup import packages, stamp
from app.setup.console import Console
from app.setup.errors import EnvironmentBroken, InstallFailed
from app.setup.lock import exclusive
from app.setup.process import Runner, run_and_follow
from app.setup.python_version import is_supported
from app.setup.stamp import DEVELOPMENT, RUNTIME, Group

FOLDER = ".venv"
LOCK = ".venv.lock"
# In the environment while pip works; left behind, it says that pip was cut off in the middle.
INSTALLING = "installing"

# Prints the version if the interpreter runs and pip is there.
_PROBE = "import sys, pip; print(*sys.version_info[:2])"


class Environment:
    """The virtual environment of the repository at `root`.

    `run` starts programs (pip, venv); `interpreter` is the Python that makes the environment.
    """

    def __init__(
        self,
        root: Path,
        console: Console,
        run: Runner = run_and_follow,
        interpreter: Path = Path(sys.executable),
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._root = root
        self._console = console
        self._run = run
        self._interpreter = interpreter
        self._environ = environ
        self.folder = root / FOLDER
        inside = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        self.python = self.folder.joinpath(*inside)

    def is_active(self) -> bool:
        """Tell whether this process runs in the environment."""
        return Path(sys.prefix).resolve() == self.folder.resolve()

    def is_current(self, group: Group = RUNTIME) -> bool:
        """Tell whether everything that `group` asks for is installed; reads three small files."""
        if (self.folder / INSTALLING).exists():
            return False
        return stamp.is_current(self._root, self.folder, self.python, group)

    def ensure(self, group: Group = RUNTIME) -> None:
        """Make the environment and install `group` in it, unless that was done before.

        Raises EnvironmentBroken or InstallFailed. Waits while another process does the same.
        """
        if self.is_current(group):
            return
        with exclusive(self._root / LOCK, self._tell_waiting):
            if not self.is_current(group):
                self._make_or_repair()
                self._install(group)

    def _make_or_repair(self) -> None:
        if not (self.folder / INSTALLING).exists() and self._works():
            return
        if self.is_active():
            raise EnvironmentBroken(
                f"{FOLDER} is incomplete and cannot repair itself while it is in use.",
                "Start with the system's Python: python3 run.py",
            )
        require_venv()
        self._console.say(f"[1/3] Making a virtual environment in {FOLDER}")
        # rmtree rather than venv's --clear, so that a link is refused instead of emptied.
        if self.folder.exists():
            shutil.rmtree(self.folder)
        command = (str(self._interpreter), "-I", "-m", "venv", str(self.folder))
        finished = self._run(command, self._console.show)
        if finished.status != 0 or not self._works():
            raise EnvironmentBroken(
                f"The virtual environment could not be made:\n{finished.output}",
                f"Remove {self.folder}, check the disk with 'python3 run.py doctor',"
                " and start again.",
            )

    def _works(self) -> bool:
        if not self.python.exists():
            return False
        finished = self._run((str(self.python), "-I", "-c", _PROBE), _ignore)
        words = finished.output.split()
        if finished.status != 0 or len(words) != 2 or not all(map(str.isdigit, words)):
            return False
        return is_supported((int(words[0]), int(words[1])))

    def _install(self, group: Group) -> None:
        marker = self.folder / INSTALLING
        stamp.path_of(self.folder, group).unlink(missing_ok=True)
        marker.touch()
        try:
            self._install_packages(group)
        except InstallFailed as error:
            if not error.cut_off:
                marker.unlink()
            raise
        stamp.write(self._root, self.folder, self.python, RUNTIME)
        if group is not RUNTIME:
            stamp.write(self._root, self.folder, self.python, group)
        marker.unlink()

    def _install_packages(self, group: Group) -> None:
        torch = packages.pinned(self._root / "requirements.txt", "torch")
        self._console.say(f"[2/3] Installing {torch}, the largest package")
        packages.install_torch(self.python, self._root, self._run, self._console, self._environ)
        what = "packages" if group is RUNTIME else "packages, and what the tests need"
        self._console.say(f"[3/3] Installing the other {what} ({group.files[0]})")
        packages.install(self.python, self._root, group.files[0], self._run, self._console)

    def _tell_waiting(self) -> None:
        self._console.say("Another start is setting up this folder; waiting for it to finish.")


def _ignore(_line: str) -> None:
    return


def missing_for_venv(find: Callable[[str], object] = importlib.util.find_spec) -> str:
    """Return the first module that a virtual environment needs and this Python lacks, or ''."""
    return next((name for name in ("venv", "ensurepip") if find(name) is None), "")


def venv_advice() -> str:
    """Return how to get the parts of Python that Debian keeps in a package of their own."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return f"On Debian and Ubuntu: apt-get install python{version}-venv"


def require_venv(find: Callable[[str], object] = importlib.util.find_spec) -> None:
    """Raise EnvironmentBroken when this Python cannot make virtual environments."""
    missing = missing_for_venv(find)
    if missing:
        raise EnvironmentBroken(
            f"This Python comes without its module {missing}, which makes virtual environments.",
            venv_advice(),
        )


__all__ = ["DEVELOPMENT", "RUNTIME", "Environment", "missing_for_venv", "require_venv"]
