"""The committed CSV files, which must be the published ones byte for byte, and their sources."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from fl.errors import ChecksumError, DatasetError


@dataclass(frozen=True)
class Provenance:
    """Where a task's rows are from, as `files/README.md` tells at length.

    `file` lies in `files/` and was published with `sha256` (lower-case hex).
    """

    file: str
    sha256: str
    what: str
    authors: str
    cite: str
    licence: str
    taken: str

    def actual_sha256(self) -> str:
        """The SHA-256 that the file has now."""
        return hashlib.sha256(_content(self.file)).hexdigest()


def read_csv(file: str, sha256: str, columns: Sequence[str]) -> list[Mapping[str, str]]:
    """Return the rows of ``files/<file>`` as texts by column name.

    Raises ChecksumError when the file's SHA-256 is not ``sha256`` (lower-case hex), and
    DatasetError when one of ``columns`` is not in its header.
    """
    content = _content(file)
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ChecksumError(file, sha256, actual)
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"))))
    absent = sorted(set(columns) - set(rows[0] if rows else ()))
    if absent:
        raise DatasetError(f"expected columns {', '.join(absent)} in {file}; they are absent")
    return list(rows)


def _content(file: str) -> bytes:
    return resources.files("fl.datasets").joinpath("files", file).read_bytes()
