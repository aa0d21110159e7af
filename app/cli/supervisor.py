"""Keeps chain, worker and web process alive until it is told to stop."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from threading import Event
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from app.cli.children import Child
from app.database import Database
from app.services.jobs import Jobs
from app.services.passphrase import VARIABLE
from config import Settings
from contracts.chain import ChainEndpoint, connect, reach
from contracts.errors import LedgerError

NOTICE = "server.json"
TICK_SECONDS = 0.2
ANSWER_SECONDS = 1.0
# How often a chain that somebody else started is looked at, and how long a stop may take.
CHAIN_SECONDS = 2.0
GRACE_SECONDS = 10.0

Say = Callable[[str], None]


class Supervisor:
    """The server: `listening` is the socket that browsers reach, `chain` the one to keep."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        chain: ChainEndpoint,
        listening: socket.socket,
        say: Say,
    ) -> None:
        self._settings = settings
        self._jobs = Jobs(database)
        self._chain = chain
        self._listening = listening
        self._say = say
        self._stopping = Event()
        self._hurry = Event()
        self._owner = ""
        self._ready = False
        self._restart_at: dict[str, float] = {}
        self._chain_seen = time.monotonic()
        folder = settings.instance_dir
        self._worker = Child("worker", self._worker_command, folder / "worker.log")
        number = listening.fileno()
        self._web = Child(
            "web process",
            lambda: ["app.server", "--socket", str(number)],
            folder / "web.log",
            [number],
            # It opens no keystore, so it need not be able to.
            hidden=[VARIABLE],
        )

    @property
    def url(self) -> str:
        """Where browsers find the pages."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def run(self) -> int:
        """Serve until SIGINT, SIGTERM or SIGHUP; the exit status is 1 when that is impossible."""
        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        former = {number: signal.signal(number, self._on_signal) for number in signals}
        try:
            return self._serve()
        finally:
            self._end()
            for number, handler in former.items():
                signal.signal(number, handler)

    def _serve(self) -> int:
        for child in self._children():
            child.start()
        self._announce()
        while not self._stopping.is_set():
            self._keep_chain()
            if self._web.is_hopeless:
                self._say(f"The web process cannot run: {self._web.last_words()}")
                return 1
            for child in self._children():
                self._keep(child)
            self._tell_when_ready()
            self._stopping.wait(TICK_SECONDS)
        self._say("Stopping; a training under way goes on with the next start.")
        return 0

    def _children(self) -> Sequence[Child]:
        return self._web, self._worker

    def _worker_command(self) -> list[str]:
        self._owner = f"worker-{secrets.token_hex(8)}"
        return ["app.worker", "--owner", self._owner]

    def _keep(self, child: Child) -> None:
        """Start a child that died again, after a pause that grows while it dies at once."""
        status = child.died
        if status is None:
            return
        due = self._restart_at.get(child.name)
        if due is None:
            if child is self._worker:
                self._release_lease()
            self._restart_at[child.name] = time.monotonic() + child.pause()
            self._say(f"The {child.name} ended ({_ending(status)}); starting it again.")
        elif time.monotonic() >= due:
            del self._restart_at[child.name]
            child.start()
            self._announce()

    def _release_lease(self) -> None:
        """End the dead worker's lease: it need not run out, for nobody goes on with it."""
        try:
            self._jobs.release(self._owner)
        except SQLAlchemyError as error:
            self._say(f"The database does not answer: {error}. The lease runs out by itself.")

    def _keep_chain(self) -> None:
        """See that the embedded chain runs, also where somebody else had started it."""
        if self._chain.kind == "external" or not self._is_chain_suspect():
            return
        self._chain_seen = time.monotonic()
        folder = self._settings.instance_dir
        try:
            reach(folder)
        except LedgerError:
            self._chain.close()
            try:
                self._chain = connect(folder)
            except LedgerError as error:
                self._say(f"The chain does not run: {error}. Trying again.")
            else:
                self._say("The chain had ended; it runs again, nothing is lost.")

    def _is_chain_suspect(self) -> bool:
        waited = time.monotonic() - self._chain_seen > CHAIN_SECONDS
        return waited and (self._chain.ended or not self._chain.started_here)

    def _tell_when_ready(self) -> None:
        if not self._ready and self._web.died is None and _answers(self._listening):
            self._ready = True
            self._say(f"Consilium is at {self.url} (Ctrl-C stops it)")

    def _announce(self) -> None:
        """Write down where the server is, for whoever starts a second one and for doctor."""
        content = {
            "url": self.url,
            "pid": os.getpid(),
            "web": self._web.pid,
            "worker": self._worker.pid,
        }
        notice = self._settings.instance_dir / NOTICE
        fresh = notice.with_suffix(".new")
        fresh.write_text(json.dumps(content), "utf-8")
        fresh.replace(notice)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    def _end(self) -> None:
        for child in self._children():
            child.ask_to_end()
        end = time.monotonic() + GRACE_SECONDS
        while (
            any(child.died is None and child.pid for child in self._children())
            and time.monotonic() < end
            and not self._hurry.wait(TICK_SECONDS / 4)
        ):
            pass
        for child in self._children():
            child.wait(0)
        self._release_lease()
        self._chain.close()
        (self._settings.instance_dir / NOTICE).unlink(missing_ok=True)


def _answers(listening: socket.socket) -> bool:
    """Whether the web process answers a request by now."""
    host, port = listening.getsockname()
    connection = HTTPConnection(host, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/")
        connection.getresponse()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
