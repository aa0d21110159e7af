"""The process that runs the trainings that were asked for: `python -m app.worker`.

It ends when its standard input closes (`--until-stdin-closes`) or a signal comes, and leaves a
training under way to the next worker.
"""

from __future__ import annotations

import argparse
import logging
import secrets
import signal
import sys
from contextlib import suppress
from threading import Event

from app.parent import Parent


def main() -> int:
    """Work until told to leave; the exit status is 0 then."""
    parser = argparse.ArgumentParser(prog="app.worker", description="runs queued trainings")
    parser.add_argument("--owner", default=f"worker-{secrets.token_hex(8)}", help="in its leases")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does"
    )
    arguments = parser.parse_args()
    parent = Parent() if arguments.until_stdin_closes else None
    # Loading takes seconds, in which there is nothing yet to leave in order.
    from app.services.work import Leaving, Worker
    from config import Settings

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    leaving = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: leaving.set())
    if parent is not None:
        parent.on_end = leaving.set
    with suppress(Leaving):
        Worker(Settings(), arguments.owner, leaving).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
