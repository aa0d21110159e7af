"""Install the packages of a requirements file with pip, and say what to do when that fails."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from app.setup.console import Console
from app.setup.errors import InstallFailed
from app.setup.process import Finished, Runner

# https://pytorch.org/get-started/locally/ (Linux, pip, CPU): on Linux the build on PyPI brings
# several gigabytes of CUDA libraries that nothing here uses.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"

_ADVICE = (
    (
        r"No space left on device",
        "The disk is full: free about 3 GB where this folder lies, then start again.",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "The server's certificate was refused: check this machine's clock, and if a proxy stands"
        " between, give pip its certificate (PIP_CERT=FILE).",
    ),
    (
        r"NewConnectionError|Failed to establish|Temporary failure in name resolution"
        r"|Name or service not known|ConnectTimeout|Read timed out|ReadTimeout|ProxyError"
        r"|Network is unreachable|Connection refused|Max retries exceeded",
        "The package index was not reached: check the network (a proxy goes into HTTPS_PROXY),"
        " then start again. Without a network, collect the wheels elsewhere with 'pip download"
        " -r requirements.txt -c constraints.txt -d DIR' and start with PIP_NO_INDEX=1"
        " PIP_FIND_LINKS=DIR.",
    ),
    (
        r"Permission denied",
        "A file could not be written: the folder must belong to the user who starts this.",
    ),
    (
        r"Failed building wheel|Failed to build|error: command '.*(gcc|cc|c\+\+)'"
        r"|metadata-generation-failed",
        "There is no ready wheel of that package for this Python and machine, and building it"
        " failed: use Python 3.11, or install a compiler (apt-get install build-essential"
        " python3-dev).",
    ),
)
_NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")


def install(python: Path, root: Path, requirements: str, run: Runner, console: Console) -> None:
    """Install `requirements` (a file under `root`) under the pins of constraints.txt.

    Raises InstallFailed with pip's last lines and a way out.
    """
    wanted = ("-r", str(root / requirements), "-c", str(root / "constraints.txt"))
    finished = _pip(python, wanted, run, console)
    if finished.status != 0:
        raise InstallFailed(
            f"pip could not install {requirements} (exit status {finished.status}).",
            advice(finished.output),
            finished.output,
        )


def install_torch(
    python: Path,
    root: Path,
    run: Runner,
    console: Console,
    environ: Mapping[str, str],
    platform: str = sys.platform,
) -> None:
    """Install torch alone: a wheel that pip finds locally, else PyTorch's own build for CPUs.

    Neither is an error here: what is left to do, `install` does from the index in use.
    """
    requirement = pinned(root / "requirements.txt", "torch")
    alone = ("--no-deps", "--only-binary", ":all:", requirement)
    if _pip(python, ("--no-index", *alone), run, console).status == 0:
        return
    if not platform.startswith("linux") or environ.get("PIP_NO_INDEX"):
        return
    quickly = ("--index-url", TORCH_CPU_INDEX, "--retries", "1", "--timeout", "20")
    if _pip(python, (*quickly, *alone), run, console).status != 0:
        console.say("      PyTorch's index for CPUs does not answer; the usual index is used.")


def pinned(requirements: Path, name: str) -> str:
    """Return the line `name==version` of a requirements file; KeyError when it has none."""
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if line.startswith(name + "=="):
            return line.strip()
    raise KeyError(f"{requirements.name} pins no {name}")


def advice(output: str) -> str:
    """Return what a person can do about a failed installation, from what pip printed."""
    for pattern, sentence in _ADVICE:
        if re.search(pattern, output):
            return sentence
    missing = _NOT_FOUND.search(output)
    if missing or "ResolutionImpossible" in output:
        what = missing[1] if missing else "one of the packages named above"
        return (
            f"No file of {what} fits this Python ({sys.version_info[0]}."
            f"{sys.version_info[1]}) and machine where pip looks: check PIP_NO_INDEX,"
            " PIP_FIND_LINKS and PIP_INDEX_URL, or use Python 3.11."
        )
    return "Read pip's lines above, repair the cause and start again."


def _pip(python: Path, arguments: tuple[str, ...], run: Runner, console: Console) -> Finished:
    # -I: only the environment's own packages, whatever lies in the working directory.
    command = (str(python), "-I", "-m", "pip", "install", "--disable-pip-version-check")
    finished = run((*command, "--no-input", *arguments), console.show)
    if finished.status < 0:
        raise InstallFailed(
            f"pip was ended by signal {-finished.status}.",
            "If nobody ended it, memory ran out: close other programs and start again.",
            finished.output,
            cut_off=True,
        )
    return finished
