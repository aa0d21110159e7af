"""What a round is called: its number on the ledger is not always one for people."""

from __future__ import annotations

from contracts.records import DONATION

STATISTICS = 0


def round_title(number: int) -> str:
    """The round's name: "Statistics", "Donated rows", or "Round 3"."""
    if number == STATISTICS:
        return "Statistics"
    return "Donated rows" if number == DONATION else f"Round {number}"


def is_update(number: int) -> bool:
    """Whether the round makes a model: neither the statistics nor the donation does."""
    return number not in (STATISTICS, DONATION)


def in_order(number: int) -> tuple[bool, int]:
    """Sorts rounds as they happen: the donation lies between the statistics and round 1."""
    return is_update(number), number
