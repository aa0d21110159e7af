"""What `run.py doctor` looks at: each check returns one row, and none raises.

Measured quantities come in as arguments where a test must be able to choose them.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import shutil
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from app.setup import programs
from app.setup.environment import FOLDER, Environment, missing_for_venv, venv_advice
from app.setup.python_version import NEWEST, OLDEST, refusal

GIB = 1 << 30
# .venv took 1.5 GiB with everything installed; pip unpacks torch beside it while it installs.
DISK_FOR_SETUP = 3 * GIB
DISK_TO_RUN = GIB // 2
# What is left to the system beside a training of the heart model, with room.
MEMORY_TO_RUN = GIB
# The year of this version: a clock that says less was never set.
EARLIEST_YEAR = 2026
LATEST_YEAR = 2100
LARGEST_SKEW_SECONDS = 5.0
RPC_TIMEOUT_SECONDS = 5.0
# In the instance folder; app/services/passphrase.py makes it.
KEYSTORE_OPENER = "keystore.passphrase"


class Status(Enum):
    """How a check came out: MISSING is something optional, PROBLEM keeps the application down."""

    OK = "ok"
    MISSING = "missing"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Row:
    """A line of the doctor's report: what was found, what needs it, and what to do if it fails."""

    status: Status
    subject: str
    found: str
    needed_for: str
    advice: str = ""


def check_python(version: tuple[int, int] = (sys.version_info[0], sys.version_info[1])) -> Row:
    """Check the version of the Python that runs this, a pair (major, minor)."""
    range_text = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    sentence = refusal(version)
    return Row(
        Status.PROBLEM if sentence else Status.OK,
        "Python",
        f"{version[0]}.{version[1]}",
        f"everything ({range_text})",
        sentence,
    )


def check_environment(environment: Environment) -> Row:
    """Check whether the environment is installed, and if not, whether it can be made."""
    if environment.is_current():
        return Row(Status.OK, "environment", f"{FOLDER} is up to date", "everything")
    purpose = "everything; the next start makes it"
    state = f"{FOLDER} is " + ("incomplete" if environment.folder.exists() else "not there yet")
    lacking = missing_for_venv()
    if lacking:
        found = f"{state}, and this Python lacks {lacking}"
        return Row(Status.PROBLEM, "environment", found, purpose, venv_advice())
    return Row(Status.MISSING, "environment", state, purpose, "python3 run.py")


def check_disk(root: Path, installed: bool, free: int | None = None) -> Row:
    """Check the space, in bytes, where the repository lies; less is enough once `installed`."""
    if free is None:
        free = shutil.disk_usage(root).free
    needed = DISK_TO_RUN if installed else DISK_FOR_SETUP
    return Row(
        Status.OK if free >= needed else Status.PROBLEM,
        "disk",
        f"{free / GIB:.1f} GiB free",
        f"{'trainings' if installed else 'the set-up'} ({needed / GIB:.1f} GiB)",
        "" if free >= needed else f"Free some space on the disk that holds {root}.",
    )


def check_memory(free: int | None = None) -> Row:
    """Check the memory, in bytes, that programs can still have; unknown counts as enough."""
    if free is None:
        free = _free_memory()
    enough = free is None or free >= MEMORY_TO_RUN
    return Row(
        Status.OK if enough else Status.PROBLEM,
        "memory",
        "unknown on this system" if free is None else f"{free / GIB:.1f} GiB free",
        f"training ({MEMORY_TO_RUN / GIB:.1f} GiB)",
        "" if enough else "Close other programs.",
    )


def check_clock(folder: Path, now: Callable[[], float] = time.time) -> Row:
    """Check that the clock is set and agrees with the times that the disk gives to files."""
    purpose = "certificates, and the times in the records"
    moment = now()
    year = time.gmtime(moment).tm_year
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        advice = "Set the clock, for example: timedatectl set-ntp true"
        return Row(Status.PROBLEM, "clock", f"it says the year {year}", purpose, advice)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            skew = abs(os.fstat(file.fileno()).st_mtime - moment)
    except OSError:
        return Row(Status.OK, "clock", f"year {year}; files could not be compared", purpose)
    if skew > LARGEST_SKEW_SECONDS:
        advice = "Set the clocks of this machine and of the one that holds the disk alike."
        return Row(Status.PROBLEM, "clock", f"{skew:.0f} s from the disk's", purpose, advice)
    return Row(Status.OK, "clock", f"year {year}, agrees with the disk", purpose)


def check_loopback() -> Row:
    """Check that a server can listen on a free port of 127.0.0.1 and be reached there."""
    purpose = "the embedded chain, a process of its own"
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            with socket.create_connection(address, timeout=RPC_TIMEOUT_SECONDS):
                return Row(Status.OK, "loopback", "a port is free and answers", purpose)
    except OSError as error:
        advice = "Let programs listen on 127.0.0.1: look at the firewall and the sandbox."
        return Row(Status.PROBLEM, "loopback", str(error), purpose, advice)


def check_chain(url: str) -> Row:
    """Check that the chain at `url` (CHAIN_RPC_URL) answers the question for its id."""
    purpose = "trainings on the chain that CHAIN_RPC_URL names"
    try:
        chain_id = _ask_chain_id(url)
    except (OSError, ValueError, KeyError, TypeError) as error:
        advice = "Start that chain, correct CHAIN_RPC_URL, or unset it to use the embedded chain."
        return Row(Status.PROBLEM, "chain", f"{url}: {error}", purpose, advice)
    return Row(Status.OK, "chain", f"{url} answers, chain id {chain_id}", purpose)


def check_instance(folder: Path) -> Row:
    """Check that files can be written in the instance folder, or that the folder can be made."""
    purpose = "database, chain, keys and models"
    place = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            return Row(Status.OK, "instance", f"{place} can be written", purpose)
    except OSError as error:
        advice = f"Give the folder to the user who starts this: chown -R $USER {place}"
        return Row(Status.PROBLEM, "instance", f"{place}: {error.strerror}", purpose, advice)


def check_passphrase(instance: Path) -> Row:
    """Check that nobody else can read the passphrase of the keystores, where it lies in a file."""
    path = instance / KEYSTORE_OPENER
    purpose = "the parties' keys, encrypted"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        found = "no file; made with the first key, unless the environment has it"
        return Row(Status.OK, "passphrase", found, purpose)
    except OSError as error:
        advice = f"Give it to the user who starts this: chown $USER {path}"
        return Row(Status.PROBLEM, "passphrase", f"{path}: {error.strerror}", purpose, advice)
    if os.name == "posix" and mode & 0o077:
        found = f"{path} can be read by others"
        return Row(Status.PROBLEM, "passphrase", found, purpose, f"chmod 600 {path}")
    return Row(Status.OK, "passphrase", f"{path}, for its owner only", purpose)


def check_libgl(find: Callable[[str], str | None] = ctypes.util.find_library) -> Row:
    """Check for the library that image processing (OpenCV) loads on Linux."""
    found = find("GL") or ("not needed here" if not sys.platform.startswith("linux") else None)
    return Row(
        Status.OK if found else Status.MISSING,
        "libGL",
        found or "not found",
        "images, in a later version",
        "" if found else "apt-get install libgl1",
    )


def check_program(program: programs.Program, root: Path) -> Row:
    """Check for an optional program."""
    found = programs.find(program, root)
    return Row(
        Status.OK if found else Status.MISSING,
        program.name,
        str(found or "not found"),
        program.needed_for,
        "" if found else program.get,
    )


def _free_memory() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _ask_chain_id(url: str) -> int:
    if not url.startswith(("http://", "https://")):
        raise ValueError("expected an address that begins with http:// or https://")
    question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        url, json.dumps(question).encode(), {"Content-Type": "application/json"}
    )
    # No proxy: it could not reach this machine's loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=RPC_TIMEOUT_SECONDS) as answer:
        return int(json.load(answer)["result"], 16)
