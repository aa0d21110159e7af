"""People who watch a training's live page, in a process of their own: `python -m bench.watchers`.

Standard input's first line says who watches what ({"address", "path", "email", "password",
"count"}); then each line "watch" or "rest" begins or ends the watching, and its end ends the
process, which prints a line "ready" once everybody is signed in, and at the end a line of JSON.

Each watcher signs in, opens the page once, and asks as the script of a visible page does: every
second, or as much later as the server says, for what changes, and after each round for what changes
then. They come at any moment of a second.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bench.visitor import Visitor

EVERY_SECONDS = 1.0
_POLLED = re.compile(r'id="live"[^>]*data-hx-get="([^"]+)"')
_AFTER_A_ROUND = re.compile(r'id="rounds"[^>]*data-hx-get="([^"]+)"')
_SHOWN = re.compile(r'data-over="(\w+)" data-finalised="(\d+)"')


@dataclass
class Tally:
    """How long answers took (seconds by kind), their bytes, and what was no answer."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    bytes: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, seconds: float, size: int) -> None:
        """Count an answer."""
        with self._lock:
            self.seconds.setdefault(kind, []).append(seconds)
            self.bytes += size

    def fail(self, what: str) -> None:
        """Count what was no answer."""
        with self._lock:
            self.failures[what] += 1


class Watcher:
    """One person at the page, on a connection that is kept as browsers keep it."""

    def __init__(self, visitor: Visitor, path: str, tally: Tally) -> None:
        self._path = path
        self._tally = tally
        self._headers = visitor.headers
        self._connection = http.client.HTTPConnection(urlsplit(visitor.address).netloc, timeout=60)
        self._polled = self._after_a_round = self._shown = ""
        self._pause = 0

    def look(self) -> None:
        """Each second: open the page the first time, then ask for what has changed when due."""
        if not self._polled:
            self._open()
            return
        self._pause -= 1
        if self._pause > 0:
            return
        part = self._ask("now", self._polled, {"HX-Request": "true"})
        shown = _found(_SHOWN, part, 0)
        if shown != self._shown:
            self._shown = shown
            self._ask("rounds", self._after_a_round, {"HX-Request": "true"})

    def _open(self) -> None:
        page = self._ask("page", self._path, {})
        self._polled = _found(_POLLED, page).replace("&amp;", "&")
        self._after_a_round = _found(_AFTER_A_ROUND, page)
        self._shown = _found(_SHOWN, page, 0)

    def _ask(self, kind: str, path: str, headers: dict[str, str]) -> str:
        start = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers | headers)
        answer = self._connection.getresponse()
        body = answer.read()
        self._tally.add(kind, time.perf_counter() - start, len(body))
        if answer.status not in (200, 286):
            self._tally.fail(f"{kind}: status {answer.status}")
        if kind == "now":
            self._pause = int(answer.headers.get("Consilium-Ask-After", "1"))
        return body.decode()


def _found(pattern: re.Pattern[str], text: str, group: int = 1) -> str:
    found = pattern.search(text)
    return found[group] if found else ""


def keep_looking(
    look: Callable[[], None], place: float, watching: threading.Event, over: threading.Event
) -> None:
    """Look once every interval, `place` of it after its beginning, while `watching` is set."""
    while not over.is_set():
        if not watching.wait(0.1):
            continue
        late = (time.monotonic() / EVERY_SECONDS - place) % 1
        if over.wait(EVERY_SECONDS * (1 - late)) or not watching.is_set():
            continue
        look()


def main() -> None:
    """Watch as standard input says."""
    task = json.loads(sys.stdin.readline())
    tally, watching, over = Tally(), threading.Event(), threading.Event()
    threads = []
    for number in range(task["count"]):
        visitor = Visitor(task["address"], task["email"], task["password"])
        watcher = Watcher(visitor, task["path"], tally)
        place = number / task["count"]
        threads.append(
            threading.Thread(target=keep_looking, args=(watcher.look, place, watching, over))
        )
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    for line in sys.stdin:
        (watching.set if line.strip() == "watch" else watching.clear)()
    over.set()
    for thread in threads:
        thread.join()
    told = {"seconds": tally.seconds, "bytes": tally.bytes, "failures": tally.failures}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
