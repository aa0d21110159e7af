"""Optional programs: one table of what each is for, where it is looked for, how to get it.

`run.py doctor` prints it, and tests marked `needs(NAME)` ask it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

# Folders under the repository that may hold programs, in this order after PATH.
PROGRAM_FOLDERS = (
    "node_modules/.bin",
    ".venv/node/node_modules/.bin",
    ".ci/cache/node/node_modules/.bin",
    ".ci/cache/slither/bin",
)


@dataclass(frozen=True)
class Program:
    """A program that something optional needs.

    `commands` are the names it goes by, any of which will do; `get` is the command that gets it.
    """

    name: str
    commands: tuple[str, ...]
    needed_for: str
    get: str


PROGRAMS = (
    Program(
        "node",
        ("node", "nodejs"),
        "running ganache, anvil and the Solidity compiler",
        "apt-get install nodejs npm",
    ),
    Program(
        "ganache",
        ("ganache",),
        "the same contract on Ganache instead of the embedded chain",
        "npm install --no-save ganache@7.9.2",
    ),
    Program(
        "anvil",
        ("anvil",),
        "the same contract on Anvil instead of the embedded chain",
        "npm install --no-save @foundry-rs/anvil@1.7.1",
    ),
    Program(
        "solc",
        ("solcjs",),
        "compiling the contracts again (what was compiled is part of the repository)",
        "npm install --no-save solc@0.8.37",
    ),
    Program(
        "slither",
        ("slither",),
        "static analysis of the contracts",
        "python3 -m venv .ci/cache/slither && .ci/cache/slither/bin/pip install slither-analyzer",
    ),
    Program(
        "mariadb",
        ("mariadbd", "mysqld"),
        "MariaDB as the database instead of SQLite",
        "apt-get install mariadb-server",
    ),
    Program(
        "chromium",
        ("chromium", "chromium-browser", "google-chrome"),
        "tests in a browser",
        "apt-get install chromium chromium-driver",
    ),
)
# Servers that Debian keeps out of an ordinary user's PATH.
_SYSTEM_FOLDERS = (Path("/usr/sbin"), Path("/usr/local/sbin"))


def get(name: str) -> Program:
    """Return the program called `name`; KeyError, which lists the known names, for another."""
    for program in PROGRAMS:
        if program.name == name:
            return program
    known = ", ".join(program.name for program in PROGRAMS)
    raise KeyError(f"unknown program {name!r}; known are {known}")


def folders(root: Path) -> list[Path]:
    """Return the folders that may hold programs and need not be on PATH, in order."""
    return [*(root / folder for folder in PROGRAM_FOLDERS), *_SYSTEM_FOLDERS]


def find(program: Program, root: Path, path: str | None = None) -> Path | None:
    """Return where `program` lies, or None.

    `path` is a search path like PATH, the environment's own by default; after it come the
    `folders` of `root`.
    """
    for command in program.commands:
        found = shutil.which(command, path=path)
        for folder in folders(root):
            found = found or shutil.which(command, path=str(folder))
        if found:
            return Path(found)
    return None
