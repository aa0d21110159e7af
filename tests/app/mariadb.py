"""A private MariaDB server: it listens on a socket in a folder of its own and goes with it."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

import pymysql
from sqlalchemy import Connection, MetaData, NullPool, create_engine, select

DEADLINE_SECONDS = 60
_NO_NETWORK = ("--skip-networking", "--skip-name-resolve", "--character-set-server=utf8mb4")


class MariaDB:
    """Start with `with`; `new_database` makes an empty database and returns its URL."""

    def __enter__(self) -> Self:
        # A socket's path may hold about a hundred characters, so not in pytest's folders.
        self._folder = Path(tempfile.mkdtemp(prefix="consilium-"))
        self._socket = self._folder / "s"
        self._numbers = count(1)
        data, user = f"--datadir={self._folder / 'data'}", f"--user={getpass.getuser()}"
        install = [_program("mariadb-install-db"), "--no-defaults", data, user]
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        serve = [_program("mariadbd"), "--no-defaults", data, user, f"--socket={self._socket}"]
        serve += [f"--pid-file={self._folder / 'pid'}", *_NO_NETWORK]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(serve, stdout=log, stderr=log)
        self._await()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """The URL of a database that nobody has used."""
        name = f"test_{next(self._numbers)}"
        with self._connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return f"mysql+pymysql://root@localhost/{name}?unix_socket={self._socket}&charset=utf8mb4"

    def _connect(self) -> pymysql.Connection[pymysql.cursors.Cursor]:
        return pymysql.connect(user="root", unix_socket=str(self._socket))

    def _await(self) -> None:
        end = time.monotonic() + DEADLINE_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError((self._folder / "log").read_text())
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0


class Emptied:
    """A database that goes back to the rows and the triggers that it had when this was made."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._connect() as connection:
            tables = MetaData()
            tables.reflect(connection)
            self._rows = {
                table: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in tables.sorted_tables
            }
            self._triggers = {
                name: connection.exec_driver_sql(f"SHOW CREATE TRIGGER {name}").one()[2]
                for name in _triggers(connection)
            }

    def empty(self) -> None:
        """Take away what a test wrote, and let numbers begin at one again."""
        with self._connect() as connection:
            connection.exec_driver_sql("SET FOREIGN_KEY_CHECKS=0")
            for table, rows in self._rows.items():
                held = [dict(row) for row in connection.execute(select(table)).mappings()]
                if held != rows:
                    connection.exec_driver_sql(f"TRUNCATE TABLE {table.name}")
                    if rows:
                        connection.execute(table.insert(), rows)
            for name in self._triggers.keys() - _triggers(connection):
                connection.exec_driver_sql(self._triggers[name])
            connection.commit()

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


def _triggers(connection: Connection) -> set[str]:
    return {row[0] for row in connection.exec_driver_sql("SHOW TRIGGERS")}


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None, f"expected {name} beside mariadbd"
    return found
