"""What all tables share: the base, names of constraints, column types for both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, LargeBinary, MetaData
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase

# Named constraints, so that migrations can change them on every database.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Blob(LargeBinary):
    """Bytes, also where somebody else's statement turned them into text (SQLite lets it)."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """Give back the bytes, so that their hash can be seen to be wrong."""
        del dialect, coltype
        return lambda value: value.encode() if isinstance(value, str) else value


# MariaDB's DATETIME drops microseconds and its BLOB ends at 64 KB unless told otherwise.
Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Bytes = Blob().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")

HASH = 64
NAME = 100
ADDRESS = 42  # of an account on the chain: 0x and 40 hexadecimal digits


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(naming_convention=NAMES)


def now() -> datetime:
    """The present moment in UTC, without a zone, as it is stored."""
    return datetime.now(UTC).replace(tzinfo=None)
