"""What the values of options may be; each reads a text or says what was expected."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Sequence

# With fewer, the sum of the others' updates would show an update to its neighbour.
FEWEST_HOSPITALS = 3
# As in fl/verdict.py: comparisons have room for no more.
LARGEST_DENOMINATOR = 16
TASKS = ("heart", "diabetes")
# As fl/datasets/description.py names them.
_IMPORTED = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-[0-9a-f]{12}")


def whole(least: int, most: int) -> Callable[[str], int]:
    """What reads a whole number in this range."""

    def parse_whole(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a whole number from {least} to {most}, got {text!r}"
            )
        return value

    return parse_whole


def real(most: float) -> Callable[[str], float]:
    """What reads a number above 0, up to `most`."""

    def parse_real(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 < value <= most:
            raise argparse.ArgumentTypeError(
                f"expected a number above 0 and at most {most:g}, with a point before its "
                f"fraction; got {text!r}"
            )
        return value

    return parse_real


def task(text: str) -> str:
    """A built-in task, or a name as imported tasks have: what there is of them is known later."""
    if text not in TASKS and not _IMPORTED.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text!r} (choose from {', '.join(TASKS)}, or an imported task by "
            "its full name)"
        )
    return text


def hospitals(text: str) -> int | tuple[str, ...]:
    """A number of hospitals, or at least three names between commas."""
    if text.strip().isdecimal():
        return int(text)
    names = _names(text)
    if len(names) < FEWEST_HOSPITALS:
        raise argparse.ArgumentTypeError(
            f"expected at least {FEWEST_HOSPITALS} hospitals, got {len(names)}: {text!r}"
        )
    return names


def fraction(text: str) -> str:
    """A fraction P/Q above 0, up to 1, with a denominator up to 16."""
    numerator, slash, denominator = text.partition("/")
    known = slash and numerator.isdecimal() and denominator.isdecimal()
    if not known or not 1 <= int(numerator) <= int(denominator) <= LARGEST_DENOMINATOR:
        raise argparse.ArgumentTypeError(
            f"expected a fraction such as 1/2, with a denominator up to {LARGEST_DENOMINATOR}, "
            f"got {text!r}"
        )
    return text


def round_number(text: str) -> str:
    """A round's number, or `donation`."""
    return text if text == "donation" else str(whole(0, 1000)(text))


def attackers(text: str) -> int | tuple[str, ...]:
    """A number of attackers, or their names between commas."""
    return whole(1, 1000)(text) if text.strip().lstrip("+-").isdecimal() else _names(text)


def attack(names: Sequence[str]) -> Callable[[str], tuple[str, int | None]]:
    """The name of an attack, and after `=` how many carry it out; None without a number."""

    def parse_attack(text: str) -> tuple[str, int | None]:
        name, is_numbered, number = text.partition("=")
        if name not in names:
            raise argparse.ArgumentTypeError(
                f"expected an attack of {', '.join(names)}; got {name!r}"
            )
        return name, whole(1, 1000)(number) if is_numbered else None

    return parse_attack


def joining(text: str) -> tuple[str, ...]:
    """Names of imported hospitals between commas, or `none`."""
    return () if text == "none" else _names(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise argparse.ArgumentTypeError(f"expected different names between commas, got {text!r}")
    return names
