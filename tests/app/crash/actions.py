"""Durable actions of a process, counted by name, and a SIGKILL right before a chosen one.

An action is what outlives the process: a file of a party that gets its name or goes (its bytes are
then written beside it already), a table that is made, a transaction of the database that is about
to be committed, a transaction that is about to be sent to the chain. Being killed right after an
action leaves the same behind as being killed right before the next, so all moments are covered.

An action's name is `round/step/what`, with `#2` and so on where it comes again in the same process;
the round and step are `start` before the first step.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import event

from app.database import Database
from app.stores.party_files import PartyFiles
from app.stores.rounds import Rounds
from contracts.chain import NOTICE
from contracts.interface import Interface
from contracts.records import DONATION, AttemptKey
from contracts.sender import Sender
from fl.engines.in_process import InProcess
from fl.errors import StepRefused
from fl.party import Party

# The first action that brings the training on.
NEXT = "next"
WRITES = ("INSERT", "UPDATE", "DELETE")
MAKES = ("CREATE", "ALTER", "DROP")


class Actions:
    """Writes every action to `log`, a line each, and calls `die` around the one named `kill`.

    It dies before that action, with `after` right after it. `NEXT` stands for the first action that
    brings the training on: none of `known`, which a resumed training does again.
    """

    def __init__(
        self, log: Path, die: Callable[[], None], kill: str | None, after: bool, known: list[str]
    ) -> None:
        self._log = log
        self._die = die
        self._kill = kill
        self._after = after
        self._known = set(known)
        self._seen: Counter[str] = Counter()
        self._late = False
        self.where = "start"

    def around(self, what: str, act: Callable[[], Any]) -> Any:
        """Do an action under its name."""
        chosen = self.note(what)
        if chosen and not self._after:
            self._die()
        result = act()
        if chosen and self._after:
            self._die()
        return result

    def before(self, what: str) -> None:
        """Note an action whose end nobody tells: with `after`, death comes before the next one."""
        if self.note(what):
            if not self._after:
                self._die()
            self._late = True

    def note(self, what: str) -> bool:
        """Note an action that comes next; whether it is the chosen one."""
        if self._late:
            self._die()
        name = f"{self.where}/{what}"
        self._seen[name] += 1
        if self._seen[name] > 1:
            name = f"{name}#{self._seen[name]}"
        append(self._log, name)
        return name == self._kill or (self._kill == NEXT and timeless(name) not in self._known)


def timeless(name: str) -> str:
    """An action's name without the number of its review's session, which no life uses again."""
    return re.sub(r"(/session/|/review-)\d+", r"\1n", name)


def kill_self() -> None:
    """End this process as `kill -9` does: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


def kill_chain(folder: Path) -> None:
    """End the embedded chain of an installation as `kill -9` does, if it still runs."""
    notice = json.loads((folder / NOTICE).read_text())
    with suppress(ProcessLookupError):
        os.kill(notice["pid"], signal.SIGKILL)


def append(file: Path, line: str) -> None:
    """Add a line in one write, which a kill cannot tear."""
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def watch_files(actions: Actions) -> None:
    """Name the parties' files when they get their name and when they are erased."""
    erase = PartyFiles.erase

    def named(act: Callable[..., None]) -> Callable[..., None]:
        def link(source: Any, target: Any) -> None:
            if not Path(source).name.startswith(".new-"):
                return act(source, target)
            return actions.around(f"{_owner(Path(target))} writes", lambda: act(source, target))

        return link

    def erased(files: PartyFiles, prefix: str) -> None:
        actions.around(f"{_owner(files._path(prefix))} erased", lambda: erase(files, prefix))

    os.link = named(os.link)
    os.replace = named(os.replace)
    PartyFiles.erase = erased  # type: ignore[method-assign]


def watch_database(actions: Actions) -> None:
    """Name every transaction that writes by its first statement, and every table that is made.

    The outbox is part of sending; test_kill_outbox dies at each of its steps.
    """
    start = Database.__init__

    def listen(database: Database, url: str) -> None:
        start(database, url)
        first: list[str] = []

        @event.listens_for(database.engine, "before_cursor_execute")
        def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
            words = statement.split()
            if words[0] in WRITES and "outbox" not in words:
                first.append(" ".join(words[: 2 if words[0] == "UPDATE" else 3]))
            elif words[0] in MAKES:
                actions.before(" ".join(words[:3]))

        @event.listens_for(database.engine, "commit")
        def commit(_connection: Any) -> None:
            if first:
                actions.before(f"commits {first[0]}")
            first.clear()

        @event.listens_for(database.engine, "rollback")
        def forget(_connection: Any) -> None:
            first.clear()

    Database.__init__ = listen  # type: ignore[method-assign]


def watch_chain(actions: Actions) -> None:
    """Name every transaction that is about to be sent."""
    send = Sender._send
    calls: dict[bytes, str] = {}
    call_data = Interface.call_data

    def remember(interface: Interface, function: str, arguments: Any) -> bytes:
        data = call_data(interface, function, arguments)
        calls[data] = function
        return data

    def named(sender: Sender, fields: dict[str, Any]) -> Any:
        function = calls.get(fields["data"], "deploy")
        return actions.around(f"sends {function}", lambda: send(sender, fields))

    Interface.call_data = remember  # type: ignore[method-assign]
    Sender._send = named  # type: ignore[method-assign]


def watch_steps(actions: Actions) -> None:
    """Follow which step of which round is being done."""
    finished = Rounds.finished

    def follow(rounds: Rounds, key: AttemptKey, step: str) -> bool:
        actions.where = f"{key.round}/{step}"
        return finished(rounds, key, step)

    Rounds.finished = follow  # type: ignore[method-assign]


def watch_words(log: Path) -> None:
    """Write down the hash of whatever a party says."""
    ask = InProcess.ask

    def overhear(
        engine: InProcess, party: str, step: str, key: AttemptKey, message: bytes
    ) -> bytes:
        answer = ask(engine, party, step, key, message)
        append(log, f"{key.round} {key.attempt} {step} {sha256(answer).hexdigest()} {party}")
        return answer

    InProcess.ask = overhear  # type: ignore[method-assign]


def break_parties(broken: dict[str, str]) -> None:
    """Let parties refuse a step of every round from 1 on: `broken` maps names to steps."""
    ask = Party.ask

    def refuse(party: Party, step: str, key: AttemptKey, message: bytes) -> bytes:
        if key.round not in (0, DONATION) and broken.get(party.name) == step:
            raise StepRefused(f"{party.name} is broken")
        return ask(party, step, key, message)

    Party.ask = refuse  # type: ignore[method-assign]


def _owner(path: Path) -> str:
    """`node-1's 1/attempt-1/seat`: the party and where it keeps the file, without the training.

    A file of no party is the installation's.
    """
    if "parties" not in path.parts:
        return f"installation's {path.name}"
    parts = path.parts[path.parts.index("parties") + 1 :]
    kept = [part for part in parts[1:] if len(part) < 64 and part != "state"]
    return f"{parts[0]}'s {'/'.join(kept) or 'result'}"
