"""How quick pages are while a training runs, and what those who watch it cost it.

    python -m bench.web [--requests N] [--watchers N] [--rounds N]

Starts the real server on a new installation, starts a training as its administrator, and asks for
each page in turn, with a static file of the same server as the peer, until the training is over or
the requests are made. Prints the median and the 95th percentile of the time from request to the
last byte, on loopback, in milliseconds, and the ratio of medians to the static file's.

Then a second training, on another installation, which N people watch in every other block of its
rounds (see `bench.watched`). Prints the medians of watched and unwatched rounds by the wall clock
and of the worker's processor time, and the memory at its peak. The exit status is 1 when a watched
round takes more than 1.1 times as much, or everything together more than 4 GiB.
"""

from __future__ import annotations

import argparse
import os
import sys
from statistics import median, quantiles

from bench.visitor import Visitor, new_site, start_training
from bench.watched import MOST_BYTES, MOST_RATIO, measure, print_watched

PEER = "/static/css/base.css"
ROUNDS = 40


def measure_pages(visitor: Visitor, training: str, count: int) -> dict[str, list[float]]:
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


def print_pages(count: int) -> None:
    """Measure and print the pages, each asked for so many times."""
    with new_site() as site:
        visitor = Visitor(site.address, site.email, site.password)
        training = start_training(visitor, ROUNDS)
        times = measure_pages(visitor, training, count)
    peer = median(times[PEER])
    print(f"{'page':<24} {'n':>4} {'median ms':>10} {'p95 ms':>8} {'x static':>9}")
    for path, taken in times.items():
        name = path.replace(training, "training")
        middle, high = median(taken), quantiles(taken, n=20)[-1]
        print(f"{name:<24} {len(taken):>4} {middle:>10.1f} {high:>8.1f} {middle / peer:>9.1f}")


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=60, help="for each page; 0: none")
    parser.add_argument("--watchers", type=int, default=50, help="of the live page; 0: none")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the watched training")
    arguments = parser.parse_args()
    print(f"{os.cpu_count()} processors; load before the start {os.getloadavg()[0]:.1f}")
    if arguments.requests:
        print_pages(arguments.requests)
    if not arguments.watchers:
        return 0
    found = measure(arguments.watchers, arguments.rounds)
    print_watched(found, arguments.watchers)
    over = max(found.ratio("seconds"), found.ratio("worker")) > MOST_RATIO
    return int(over or found.peak.sum > MOST_BYTES or bool(found.tally["failures"]))


if __name__ == "__main__":
    sys.exit(main())
