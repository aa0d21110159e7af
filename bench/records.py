"""What sealing a patient's record costs: `python -m bench.records`.

For one record of 2 of 3 doctors: dealing (Feldman's scheme on P-256), a holder's check of one
share, opening with two shares; sealing the three shares to the doctors' keys, and opening one; and,
as the named peer, what the same scalar costs in plain Shamir sharing over the same field, without
commitments, so that `ratios` tell the price of being verifiable. Medians in milliseconds, in turns
within one run. Writes bench/results/records.json; `--quick` writes nothing.

With `--reshare N` instead: new shares for N records after a doctor left (see `bench.resharing`);
writes bench/results/resharing.json.
"""

from __future__ import annotations

import argparse
import json
import secrets
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import resharing
from bench.verification import machine
from crypto.box import open_box, seal_box
from crypto.envelope import PrivateKey, new_private_key
from crypto.feldman import ORDER, deal, fits, new_secret, recover

RESULTS: Final = Path(__file__).parent / "results" / "records.json"
RESHARED: Final = RESULTS.with_name("resharing.json")
POINTS: Final = (1, 2, 3)
PURPOSE: Final = "consilium/bench"
# Does what it is given, and notes under the name how long that took.
Timed = Callable[[str, Callable[[], Any]], Any]


def shamir_deal(secret: int) -> dict[int, int]:
    """Shares of a polynomial of degree one, and nothing to check them with."""
    slope = secrets.randbelow(ORDER)
    return {x: (secret + slope * x) % ORDER for x in POINTS}


def shamir_open(shares: dict[int, int]) -> int:
    """The secret of the shares at 1 and 2."""
    return (2 * shares[1] - shares[2]) % ORDER


def measure(repeats: int) -> dict[str, float]:
    """Median milliseconds of each step."""
    keys = {x: new_private_key() for x in POINTS}
    seconds: dict[str, list[float]] = {}
    for _ in range(repeats):
        _one_record(keys, partial(_time, seconds))
    return {name: round(1000 * median(taken), 4) for name, taken in seconds.items()}


def _one_record(keys: Mapping[int, PrivateKey], timed: Timed) -> None:
    secret = new_secret()
    number = int.from_bytes(secret, "big")
    dealing = timed("deal", partial(deal, secret, 1, POINTS))
    assert timed("check", partial(fits, dealing.commitments, 3, dealing.shares[3]))
    two = {x: dealing.shares[x] for x in (1, 2)}
    assert timed("open", partial(recover, dealing.commitments, two)) == secret
    boxes = timed("seal shares", partial(_seal, keys, dealing.shares))
    assert timed("open a share", partial(open_box, keys[1], boxes[1], PURPOSE)) == two[1]
    plain = timed("shamir deal", partial(shamir_deal, number))
    assert timed("shamir open", partial(shamir_open, plain)) == number


def _seal(keys: Mapping[int, PrivateKey], shares: Mapping[int, bytes]) -> dict[int, bytes]:
    return {x: seal_box(keys[x].public_key(), shares[x], PURPOSE) for x in POINTS}


def _time(seconds: dict[str, list[float]], what: str, act: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = act()
    seconds.setdefault(what, []).append(time.perf_counter() - start)
    return result


def main() -> None:
    """Measure and print; write the results unless `--quick`."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--quick", action="store_true", help="a few repeats, nothing written")
    parser.add_argument("--reshare", type=int, metavar="N", help="new shares for N records")
    options = parser.parse_args()
    quick, before = options.quick, machine()
    if options.reshare:
        _print({**resharing.measure(options.reshare), "machine": before}, RESHARED, quick)
        return
    figures = measure(5 if quick else 300)
    whole = round(figures["deal"] + 3 * figures["check"] + figures["open"], 3)
    pairs = {name: figures[name] / figures[f"shamir {name}"] for name in ("deal", "open")}
    document = {
        "milliseconds": figures,
        "deal, three checks, open (ms)": whole,
        "ratios": {name: round(ratio, 1) for name, ratio in pairs.items()},
        "machine": before,
    }
    _print(document, RESULTS, quick)


def _print(document: Mapping[str, Any], path: Path, quick: bool) -> None:
    print(json.dumps(document, indent=2))
    if not quick:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
