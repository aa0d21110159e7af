"""A signed-in administrator's browser, without the browser; a server to visit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "tests" / "browser" / "server.py"


@dataclass(frozen=True)
class Site:
    """A running server of a new installation; `pid` is its supervisor's number."""

    address: str
    folder: Path
    pid: int
    email: str
    password: str


@contextmanager
def new_site() -> Iterator[Site]:
    """Start the real server on a new installation, and end it; an administrator's account."""
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(  # noqa: S603, no word from outside
            [sys.executable, str(SERVER), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert server.stdin and server.stdout
        told = json.loads(server.stdout.readline())
        try:
            yield Site(
                told["address"], Path(folder), server.pid, *told["accounts"]["administrator"]
            )
        finally:
            server.stdin.close()
            server.wait()


class Visitor:
    """A signed-in administrator's browser, without the browser."""

    def __init__(self, address: str, email: str, password: str) -> None:
        self.address = address
        self._session = requests.Session()
        self.post("/sign-in", email=email, password=password)

    @property
    def headers(self) -> dict[str, str]:
        """What a session is known by; it ends where another browser's name comes with it."""
        cookie = "; ".join(f"{one.name}={one.value}" for one in self._session.cookies)
        return {"Cookie": cookie, "User-Agent": str(self._session.headers["User-Agent"])}

    def get(self, path: str) -> requests.Response:
        """A page; raises for an answer that is none."""
        answer = self._session.get(self.address + path, timeout=60)
        answer.raise_for_status()
        return answer

    def post(self, path: str, **fields: str | list[str]) -> requests.Response:
        """Send the form at `path`, with its token."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path).text)
        assert token, f"expected a form at {path}"
        form = {"csrf_token": token[1], **fields}
        answer = self._session.post(self.address + path, data=form, timeout=60)
        answer.raise_for_status()
        return answer

    def milliseconds(self, path: str) -> float:
        """How long a page takes, from the request to its last byte."""
        start = time.perf_counter()
        answer = self.get(path)
        taken = 1000 * (time.perf_counter() - start)
        assert answer.url == self.address + path, f"{path} led to {answer.url}"
        return taken


def start_training(visitor: Visitor, rounds: int) -> str:
    """Ask for a training of so many rounds and wait until it runs; the path of its page."""
    path = "/admin/trainings/new/heart"
    page = visitor.get(path).text
    fields: dict[str, str | list[str]] = {
        name: value
        for name, value in re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', page)
        if name not in ("csrf_token", "hospitals")
    }
    fields |= {
        "rounds": str(rounds),
        "hospitals": re.findall(r'name="hospitals"[^>]*value="([^"]+)"', page),
    }
    visitor.post(path, **fields)
    while not (
        found := re.search(r'href="(/admin/trainings/[0-9a-f]{64})"', visitor.get("/admin/").text)
    ):
        time.sleep(0.5)
    return found[1]
