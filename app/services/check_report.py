"""What a verification found: how much was checked, and what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from app.services.difference import Difference

NOTHING = "nothing"


@dataclass
class Report:
    """How much was checked, and what differs."""

    trainings: int = 0
    checked: int = 0
    differences: list[Difference] = field(default_factory=list)

    def compare(self, what: str, expected: object, found: object) -> None:
        """Count a check; note a difference."""
        self.checked += 1
        if expected != found:
            self.differences.append(Difference(what, _told(expected), _told(found)))

    def guard(self, what: str, check: Callable[[], None]) -> None:
        """Run a check; stored values that cannot even be read are a difference, not the end."""
        try:
            check()
        except (ValueError, TypeError, SQLAlchemyError) as error:
            self.compare(what, "readable values", f"{type(error).__name__}: {error}")


def _told(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return NOTHING if value is None else str(value)
