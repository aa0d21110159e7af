"""Serves a new installation until standard input closes; its first line tells address and accounts.

    python tests/browser/server.py FOLDER

The same supervisor, worker and web process as `run.py`, without the training of the first start.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import closing
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.cli.supervisor import Supervisor
from app.database import Database
from app.services.accounts import Accounts
from app.services.audit import AuditLog
from app.services.secret_key import make_secret_key
from config import Settings
from contracts.chain import connect


def main() -> int:
    os.environ["CONSILIUM_INSTANCE"] = sys.argv[1]
    settings = Settings()
    settings.instance_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    Thread(target=_leave_with_parent, daemon=True).start()
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    with (
        listening,
        connect(settings.instance_dir) as chain,
        closing(Database(settings.database)) as database,
    ):
        database.migrate()
        make_secret_key(settings.instance_dir)
        made = Accounts(database, AuditLog(database)).create_demo()
        accounts: dict[str, tuple[str, str]] = {}
        for one in made:
            others = sum(key.split()[0] == one.role for key in accounts)
            name = f"{one.role} {others + 1}" if others else one.role
            accounts[name] = (one.email, one.password)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        sys.stdout.write(json.dumps({"address": address, "accounts": accounts}) + "\n")
        sys.stdout.flush()
        return Supervisor(settings, database, chain, listening, _say).run()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _leave_with_parent() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
