"""`run.py --fresh`: start over after a question."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from filelock import FileLock, Timeout

from app.cli.console import progress
from app.database import Database, migration_config
from app.errors import BusyError
from app.services.passphrase import FILE as PASSPHRASE_FILE
from config import TRAINING_LOCK, Settings
from contracts.chain import reach
from contracts.errors import ChainUnreachable

ANSWER = "delete"
# What an installation leaves in its folder. Anything else there is somebody else's and stays.
OURS = (
    "consilium.db*", "chain.db*", "chain.json*", "chain.log", "parties", "datasets", "secret.key",
)  # fmt: skip
ALSO_OURS = (PASSPHRASE_FILE, "server.json*", "worker.log", "web.log")


def start_over(settings: Settings) -> bool:
    """Delete the installation when the answer is yes; whether it was.

    For whoever holds the server's lock. Raises BusyError while a command works there.
    """
    with _nobody_works(settings):
        found = _found(settings.instance_dir)
        if not found and not settings.database_url:
            return True
        if not _is_wanted(settings):
            progress().print("Nothing was deleted.")
            return False
        if settings.database_url:
            _empty(settings.database_url)
        for path in found:
            _remove(path)
    progress().print("Deleted. Starting over.")
    return True


@contextmanager
def _nobody_works(settings: Settings) -> Iterator[None]:
    busy = "a command still works in this folder: wait until it is done"
    try:
        held = FileLock(settings.instance_dir / TRAINING_LOCK, timeout=0).acquire()
    except Timeout as error:
        raise BusyError(busy) from error
    with held:
        try:
            reach(settings.instance_dir)
        except ChainUnreachable:
            yield
        else:
            raise BusyError(busy)


def _is_wanted(settings: Settings) -> bool:
    console = progress()
    console.print(f"This deletes everything in {settings.instance_dir}:", markup=False)
    console.print("all trainings and models, the chain's record of them, the parties' keys, all")
    console.print("people and the audit log. It cannot be undone.")
    if settings.database_url:
        console.print("It empties the database of DATABASE_URL, too.")
    console.print(f"Type {ANSWER} to go on: ", end="")
    return sys.stdin.readline().strip() == ANSWER


def _found(folder: Path) -> list[Path]:
    found = {path for pattern in (*OURS, *ALSO_OURS) for path in folder.glob(pattern)}
    # Keystores without their passphrase would look like a loss, so it goes last.
    return sorted(found, key=lambda path: (path.name == PASSPHRASE_FILE, path))


def _empty(url: str) -> None:
    database = Database(url)
    try:
        command.downgrade(migration_config(database.engine), "base")
    finally:
        database.close()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
