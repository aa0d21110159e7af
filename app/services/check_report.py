"""What a verification found: how much was checked, and what differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from app.services.difference import Difference
from crypto.errors import CryptoError
from fl.errors import FlError

# What comes of reading values that somebody altered. A chain that does not answer is none of it.
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    OSError,
    SQLAlchemyError,
    CryptoError,
    FlError,
)

NOTHING = "nothing"


@dataclass
class Report:
    """How much was checked, and what differs.

    `elsewhere` is how many trainings are recorded on other chains and were not checked.
    """

    trainings: int = 0
    elsewhere: int = 0
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
        except (OperationalError, InterfaceError):
            raise  # The database is gone: nothing is known of its values.
        except UNREADABLE as error:
            # The database's own texts name the statement and its parameters behind the first line.
            told = (str(error).splitlines() or [""])[0]
            self.compare(what, "readable values", f"{type(error).__name__}: {told}")


def _told(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return NOTHING if value is None else str(value)
