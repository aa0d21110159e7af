"""How far a verification is, for whoever watches it; loaded by pages, which verify nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """What is checked now; `done` of `total` trainings are over.

    So far `checked` values were compared and `differences` found.
    """

    what: str
    done: int
    total: int
    checked: int
    differences: int
