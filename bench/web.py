"""How quick pages are while a training runs: `python -m bench.web [--requests N]`.

Starts the real server on a new installation, starts a training as its administrator, and asks for
each page in turn, with a static file of the same server as the peer, until the training is over or
the requests are made. Prints the median and the 95th percentile of the time from request to the
last byte, on loopback, in milliseconds, and the ratio of medians to the static file's.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import requests

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "tests" / "browser" / "server.py"
PEER = "/static/css/base.css"
ROUNDS = 40


class Visitor:
    """A signed-in administrator's browser, without the browser."""

    def __init__(self, address: str, email: str, password: str) -> None:
        self._address = address
        self._session = requests.Session()
        self.post("/sign-in", email=email, password=password)

    def get(self, path: str) -> requests.Response:
        """A page; raises for an answer that is none."""
        answer = self._session.get(self._address + path, timeout=60)
        answer.raise_for_status()
        return answer

    def post(self, path: str, **fields: str | list[str]) -> requests.Response:
        """Send the form at `path`, with its token."""
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(path).text)
        assert token, f"expected a form at {path}"
        form = {"csrf_token": token[1], **fields}
        answer = self._session.post(self._address + path, data=form, timeout=60)
        answer.raise_for_status()
        return answer

    def milliseconds(self, path: str) -> float:
        """How long a page takes, from the request to its last byte."""
        start = time.perf_counter()
        answer = self.get(path)
        taken = 1000 * (time.perf_counter() - start)
        assert answer.url == self._address + path, f"{path} led to {answer.url}"
        return taken


def start_training(visitor: Visitor) -> str:
    """Ask for a long training and wait until it runs; the path of its page."""
    path = "/admin/trainings/new/heart"
    page = visitor.get(path).text
    fields: dict[str, str | list[str]] = {
        name: value
        for name, value in re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', page)
        if name not in ("csrf_token", "hospitals")
    }
    fields |= {
        "rounds": str(ROUNDS),
        "hospitals": re.findall(r'name="hospitals"[^>]*value="([^"]+)"', page),
    }
    visitor.post(path, **fields)
    while not (
        found := re.search(r'href="(/admin/trainings/[0-9a-f]{64})"', visitor.get("/admin/").text)
    ):
        time.sleep(0.5)
    return found[1]


def measure(visitor: Visitor, training: str, count: int) -> dict[str, list[float]]:
    """Times by path, taken in turn, while the training runs."""
    lists = ["/about", "/admin/", "/admin/users", "/admin/trainings"]
    paths = [*lists, training, f"{training}/now", PEER]
    times: dict[str, list[float]] = {path: [] for path in paths}
    for _ in range(count):
        for path in paths:
            times[path].append(visitor.milliseconds(path))
        # 286 tells htmx that the training is over.
        if visitor.get(f"{training}/now").status_code == 286:
            break
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=60, help="for each page")
    count = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(  # noqa: S603, no word from outside
            [sys.executable, str(SERVER), folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert server.stdin and server.stdout
        told = json.loads(server.stdout.readline())
        try:
            visitor = Visitor(told["address"], *told["accounts"]["administrator"])
            training = start_training(visitor)
            times = measure(visitor, training, count)
        finally:
            server.stdin.close()
            server.wait()
    peer = median(times[PEER])
    print(f"{'page':<24} {'n':>4} {'median ms':>10} {'p95 ms':>8} {'x static':>9}")
    for path, taken in times.items():
        name = path.replace(training, "training")
        middle, high = median(taken), quantiles(taken, n=20)[-1]
        print(f"{name:<24} {len(taken):>4} {middle:>10.1f} {high:>8.1f} {middle / peer:>9.1f}")


if __name__ == "__main__":
    main()
