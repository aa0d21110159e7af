"""The embedded chain's process: `python -m contracts.embedded --database instance/chain.db`.

Holds `<database>.lock` while it lives and says where it listens in `chain.json` beside the
database, once it does. Exit status 75 (EX_TEMPFAIL) means that another process has the lock.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import select
import signal
import sys
from pathlib import Path
from threading import Thread
from typing import Any

from filelock import FileLock, Timeout
from waitress.server import create_server  # type: ignore[import-untyped]

from contracts.embedded import LOCKED, NOTICE
from contracts.embedded.evm import EmbeddedChain, WrongGenesis
from contracts.embedded.methods import Methods
from contracts.embedded.server import Door
from contracts.embedded.store import Store

# Below the 1,024 files that a process may have open by default.
MOST_CONNECTIONS = 900


def main() -> int:
    """Serve until told to stop; see the module's docstring for the exit status."""
    arguments = _parse()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    database: Path = arguments.database.resolve()
    lock = FileLock(f"{database}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        sys.stderr.write(f"expected to be alone with {database}, another process has its lock\n")
        return LOCKED
    store = Store(database)
    try:
        chain = EmbeddedChain(store, arguments.chain_id)
    except WrongGenesis as error:
        sys.stderr.write(f"{error}\n")
        return 1
    instance = secrets.token_hex(16)
    leaving = _starter_is_gone if arguments.until_stdin_closes else lambda: False
    door = Door(Methods(chain, store, instance, leaving))
    server = _listen(door, database.parent / NOTICE, arguments.port)
    _announce(database.parent / NOTICE, int(server.effective_port), arguments.chain_id, instance)
    if arguments.until_stdin_closes:
        # The terminal sends its interrupt to the whole group; the parent decides when to stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Thread(target=_leave_with_parent, args=(door,), daemon=True).start()
    server.run()
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="contracts.embedded", description="the embedded chain")
    parser.add_argument("--database", type=Path, required=True, help="SQLite file of the chain")
    parser.add_argument("--chain-id", type=int, default=1337)
    parser.add_argument("--port", type=int, default=0, help="0: the last one if free, else any")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does"
    )
    return parser.parse_args()


def _listen(door: Door, notice: Path, port: int) -> Any:
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "threads": 4,
        "ident": None,
        # Each party of each training keeps a connection; who comes when all are taken waits.
        "connection_limit": MOST_CONNECTIONS,
        "asyncore_use_poll": True,
    }
    if port == 0:
        try:
            # A wallet that was told the last port finds the chain again.
            return create_server(door, port=_last_port(notice), **options)
        except OSError:
            pass
    return create_server(door, port=port, **options)


def _last_port(notice: Path) -> int:
    try:
        return int(json.loads(notice.read_text("utf-8"))["port"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _announce(notice: Path, port: int, chain_id: int, instance: str) -> None:
    content = {"port": port, "pid": os.getpid(), "chain_id": chain_id, "instance": instance}
    fresh = notice.with_suffix(f".{os.getpid()}.new")
    fresh.write_text(json.dumps(content), "utf-8")
    fresh.replace(notice)


def _starter_is_gone() -> bool:
    """Whether nobody holds the other end of standard input any more.

    Who comes right after the starter's death must not take this chain for one that stays, though
    the thread that ends it has not run yet.
    """
    end = select.poll()
    end.register(sys.stdin.fileno(), 0)  # that the other end is closed is told unasked
    return bool(end.poll(0))


def _leave_with_parent(door: Door) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    with door.lock:
        # A block is committed before it is answered, so nothing is left to tidy up.
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
