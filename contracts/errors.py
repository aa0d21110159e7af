"""What the package raises; every error is a `LedgerError`.

LedgerError
|-- ChainUnreachable    nothing answers there, or the answer is no JSON-RPC
|   `-- ChainNotStarted the embedded chain did not become ready
|-- WrongChain          the chain that answers is not the one that was asked for
|-- RpcFailed           the node answered with an error that is no refusal of the contract
|-- Refused             the contract (or this client, before it) refused the transaction
|-- NotFound            the ledger holds no such record
|-- ReadOnly            a transaction was asked of a ledger that has no account
|-- BadEvidence         a proof, a signature or a header is not what it should be
`-- CompilerMissing, CompilationFailed   see compile.py
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class LedgerError(Exception):
    """Root of the tree."""


class ChainUnreachable(LedgerError):
    """No JSON-RPC node answers at `url`."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"expected a JSON-RPC node at {url}: {problem}")
        self.url = url


class ChainNotStarted(ChainUnreachable):
    """The embedded chain's process ended or stayed silent; `log_tail` is the end of its log."""

    def __init__(self, database: str, problem: str, log_tail: str) -> None:
        super().__init__(database, problem + (f"; it said: {log_tail}" if log_tail else ""))
        self.log_tail = log_tail


class WrongChain(LedgerError):
    """Another chain id than the expected one, or no contract of ours at the address."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, found {actual}")
        self.expected = expected
        self.actual = actual


class RpcFailed(LedgerError):
    """The node refused a request; `data` is what it returned with it (hex), if anything."""

    def __init__(self, method: str, code: int, message: str, data: str | None = None) -> None:
        super().__init__(f"{method} failed with {code}: {message}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class Refused(LedgerError):
    """The contract refused: `reason` names its custom error, `details` holds its arguments."""

    def __init__(self, reason: str, details: Mapping[str, object] | None = None) -> None:
        self.reason = reason
        self.details: Mapping[str, object] = MappingProxyType(dict(details or {}))
        told = ", ".join(f"{name} {_text(value)}" for name, value in self.details.items())
        super().__init__(f"the ledger refused: {reason}({told})")


class NotFound(LedgerError):
    """The ledger holds no such record."""

    def __init__(self, what: str) -> None:
        super().__init__(f"expected {what} on the ledger, found none")


class BadEvidence(LedgerError):
    """A header, a proof or a signature that does not hold; the message says which."""


class ReadOnly(LedgerError):
    """This ledger was opened without a private key, so it cannot send."""

    def __init__(self, function: str) -> None:
        super().__init__(f"expected a private key to send {function}, got none")


def _text(value: object) -> str:
    if isinstance(value, Enum):
        return value.name
    return "0x" + value.hex() if isinstance(value, bytes) else str(value)
