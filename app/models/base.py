"""What all tables share: the base, names of constraints, column types for both databases."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, LargeBinary, MetaData
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase

# Named constraints, so that migrations can change them on every database.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

# MariaDB's DATETIME drops microseconds and its BLOB ends at 64 KB unless told otherwise.
Moment = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
Bytes = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")

HASH = 64
NAME = 100


class Base(DeclarativeBase):
    """The declarative base of every table."""

    metadata = MetaData(naming_convention=NAMES)


def now() -> datetime:
    """The present moment in UTC, without a zone, as it is stored."""
    return datetime.now(UTC).replace(tzinfo=None)
