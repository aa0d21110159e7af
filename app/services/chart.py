"""What a chart is, as pages draw it and as files hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

# bars: side by side; stacked: on each other; lines: over rounds; ring: shares of a whole;
# ranges: a share with its interval; dots: a figure a hospital and round, held against another.
ChartKind = Literal["bars", "stacked", "lines", "ring", "ranges", "dots"]

PERCENT = 100.0
# Colours of the pages' variables --chart-1 to --chart-4.
BLUE, AMBER, GREEN, RED = 1, 2, 3, 4
VERDICT_COLOURS = {"accepted": GREEN, "rejected": RED, "refused": AMBER}


@dataclass(frozen=True)
class Series:
    """Values under one name, one a label; None where there is none. `colour` is 1 to 4.

    `low` and `high` are an interval's ends; `against` is what each value is held against, and
    `said` the verdict that followed.
    """

    name: str
    values: tuple[float | None, ...]
    colour: int
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    against: tuple[float | None, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chart:
    """What is drawn: `caption` says what, over what and of how many; `unit` is that of the values.

    `across` names the axis of the labels, `table` the table with the same figures; `digits` are
    those behind the point that are told of a value that is no whole number.
    """

    name: str
    kind: ChartKind
    title: str
    caption: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str
    across: str
    table: str
    digits: int = 1

    def to_json(self) -> dict[str, Any]:
        """As a page's script reads it."""
        return asdict(self)


def in_percent(shares: Sequence[float | None]) -> tuple[float | None, ...]:
    """Shares of 1 in percent, with two digits."""
    return tuple(None if share is None else round(PERCENT * share, 2) for share in shares)
