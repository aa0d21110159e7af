"""`run.py` without a command: what the first start makes, then the server until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from app.cli.console import progress
from app.cli.fresh import start_over
from app.cli.supervisor import NOTICE, Supervisor
from app.database import Database
from app.errors import BusyError
from app.models import TrainingRow
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.jobs import Jobs
from app.services.secret_key import make_secret_key
from config import SERVER_LOCK, TRAINING_LOCK, Settings
from contracts.chain import connect

HOST = "127.0.0.1"
# How many ports are tried, and how many browsers may wait while the web process is replaced.
PORTS = 50
BACKLOG = 128


def start(args: argparse.Namespace) -> int:
    """Make what is missing, then serve; the exit status is 1 when that is impossible."""
    settings = Settings()
    settings.instance_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(settings):
        if args.fresh and not start_over(settings):
            return 1
        # Kept from here on, so that the first training and the server share one chain.
        chain = connect(settings.instance_dir, rpc_url=settings.chain_rpc_url)
        with chain, closing(Database(settings.database)) as database:
            _prepare(settings, database, args)
            with closing(_listen(settings.port)) as listening:
                return Supervisor(settings, database, chain, listening, progress().print).run()


def _prepare(settings: Settings, database: Database, args: argparse.Namespace) -> None:
    database.migrate()
    make_secret_key(settings.instance_dir)
    _end_old_leases(settings, database)
    if not _has_model(database):
        _train_first(args)
    accounts = Accounts(database, AuditLog(database))
    if not accounts.everyone():
        _show_accounts(accounts)


def _train_first(args: argparse.Namespace) -> None:
    from app.cli import train  # takes seconds and hundreds of megabytes, and is needed once

    try:
        train.train(args)
    except BusyError as busy:
        progress().print(f"No first training: {busy}.", markup=False)


def _end_old_leases(settings: Settings, database: Database) -> None:
    """Let what a killed server was at be resumed at once: nobody trains while the lock is free."""
    try:
        with FileLock(settings.instance_dir / TRAINING_LOCK, timeout=0):
            Jobs(database).release()
    except Timeout:
        pass


def _has_model(database: Database) -> bool:
    with database.transaction() as session:
        query = select(TrainingRow.id).filter_by(state="finished").limit(1)
        return session.scalars(query).first() is not None


def _show_accounts(accounts: Accounts) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("name", "role", "e-mail", "password"):
        table.add_column(heading, no_wrap=True)
    for one in accounts.create_demo():
        table.add_row(one.name, one.role, one.email, one.password)
    console = Console(highlight=False, soft_wrap=True)
    console.print("Accounts to try it with. The passwords are shown this once; another one is made")
    console.print("by `python3 run.py password NAME`.\n", markup=False)
    # A table that is cut loses passwords.
    Console(highlight=False, width=max(120, console.width)).print(table)
    sys.stdout.write("\n")
    sys.stdout.flush()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """One server in a folder. Raises BusyError, which says where the other one is."""
    lock = FileLock(settings.instance_dir / SERVER_LOCK, timeout=0)
    try:
        held = lock.acquire()
    except Timeout as error:
        raise BusyError(f"a server of this folder runs already{_where(settings)}") from error
    with held:
        yield


def _where(settings: Settings) -> str:
    try:
        notice = json.loads((settings.instance_dir / NOTICE).read_text("utf-8"))
        return f" at {notice['url']}"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _listen(wanted: int) -> socket.socket:
    """A socket that listens on the port that is wanted, or on the next free one."""
    for port in [wanted] if wanted == 0 else range(wanted, min(wanted + PORTS, 65536)):
        listening = socket.socket()
        # A port that was in use a moment ago by our former self is free.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            continue
        if wanted not in (0, port):
            progress().print(f"Port {wanted} is taken; using {port}.", markup=False)
        return listening
    raise BusyError(f"no port from {wanted} to {wanted + PORTS - 1} is free: set CONSILIUM_PORT")
