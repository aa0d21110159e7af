"""A peer's own virtual environment, made when its requirements change."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

from app.setup.console import Console
from app.setup.errors import InstallFailed
from app.setup.packages import advice, install_torch
from app.setup.process import run_and_follow

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "bench" / ".peers"


def python_of(peer: str, console: Console) -> Path:
    """The Python of the environment bench/.peers/PEER, made as bench/requirements-PEER.txt says.

    Raises InstallFailed with pip's last lines where that cannot be done.
    """
    requirements = ROOT / "bench" / f"requirements-{peer}.txt"
    folder = FOLDER / peer
    python, stamp = folder / "bin" / "python", folder / "installed"
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    console.say(f"Making {folder.relative_to(ROOT)}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (FOLDER / ".gitignore").write_text("*\n")
    _run(console, sys.executable, "-m", "venv", str(folder))
    if "torch==" in requirements.read_text():
        # The build for CPUs where it can be had, as for the project itself, of the same version.
        install_torch(python, ROOT, run_and_follow, console, os.environ)
    # The files list everything: what a package asks for beyond it is not needed here.
    pip = ("-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input")
    _run(console, str(python), *pip, "--no-deps", "-r", str(requirements))
    stamp.write_text(wanted)
    return python


def _run(console: Console, *command: str) -> None:
    finished = run_and_follow(command, console.show)
    if finished.status:
        said = finished.output.strip().splitlines() or [f"exit status {finished.status}"]
        raise InstallFailed(said[-1], advice(finished.output), finished.output)
