"""The process that answers browsers: `python -m app.server --socket FD`.

It serves on a socket that the supervisor listens on, so that nobody is turned away while this
process is replaced: who connects meanwhile waits.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys

from app import create_app
from app.parent import CANNOT_RUN, Parent

THREADS = 8
# More than the largest upload (fl/datasets/raw_csv.py); what is larger is not even received.
LARGEST_REQUEST = 32 * 2**20


def main() -> int:
    """Serve until standard input closes or a signal comes; requests under way are answered.

    The exit status is 78 when the application cannot be made; standard error then says why.
    """
    parser = argparse.ArgumentParser(prog="app.server", description="serves the pages")
    parser.add_argument("--socket", type=int, required=True, help="descriptor of the socket")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when standard input does"
    )
    arguments = parser.parse_args()
    parent = Parent() if arguments.until_stdin_closes else None
    # Loading takes seconds, in which there is nothing yet to leave in order.
    from waitress.server import create_server  # type: ignore[import-untyped]

    from app.errors import AppError
    from config import Settings

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    try:
        application = create_app(Settings())
    except AppError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_RUN
    listening = socket.socket(fileno=arguments.socket)
    server = create_server(
        application,
        sockets=[listening],
        threads=THREADS,
        ident=None,
        max_request_body_size=LARGEST_REQUEST,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if parent is not None:
        # The server's loop runs in the main thread, which is where signals are handled.
        parent.on_end = lambda: os.kill(os.getpid(), signal.SIGTERM)
    server.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
