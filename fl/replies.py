"""What a party's answer to each question must look like; whoever answers otherwise is named.

The coordinator checks an answer when it comes, so that one party's garbage stays its own failure.
What is signed is judged again by everybody who is handed it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from crypto.context import Context
from fl.errors import MessageError
from fl.evaluation import read_evaluation
from fl.messages import (
    ANSWERS,
    OUTCOME,
    REPORT,
    SET,
    SUM,
    Statement,
    Submission,
    unpack,
    unpack_answers,
)
from fl.outcome import MOST_SESSIONS
from fl.plan import Member, Plan

_TRANSACTION = re.compile(r"0x[0-9a-f]{64}")


def check_reply(plan: Plan, context: Context, member: Member, question: str, data: bytes) -> None:
    """Check the answer of `member` to a question of the protocol. Raises MessageError."""
    if question in _PLAIN:
        _PLAIN[question](data)
    elif question in _SIGNED:
        purpose, read = _SIGNED[question]
        key = member.verifying_key
        read(Statement.read(data, context, member.name, key, purpose).body)
    if question == "share" and Submission.from_bytes(data).hospital != member.name:
        raise MessageError(f"expected a submission of {member.name}, got another's")
    if question == "adopt":
        read_evaluation(unpack(data, str, str, bytes, bytes)[2], len(plan.data.classes))


def read_outcome(body: bytes) -> tuple[bytes, list[str]]:
    """The result's hash and the nodes whose shares were wrong. Raises MessageError."""
    digest, transaction, wrong = unpack(body, bytes, str, list)
    if len(digest) != 32 or not all(isinstance(name, str) for name in wrong):
        raise MessageError("expected a hash of 32 bytes and names of nodes")
    _check_transaction(transaction)
    return digest, wrong


def read_set_signature(body: bytes) -> tuple[bytes, bool]:
    """The hash of the set that was signed, and whether it opens. Raises MessageError."""
    digest, opens = unpack(body, bytes, bool)
    return digest, opens


def read_session_number(data: bytes) -> int:
    """The highest session that a node used in an attempt. Raises MessageError."""
    (number,) = unpack(data, int)
    if not 0 <= number <= MOST_SESSIONS:
        raise MessageError(f"expected a session's number up to {MOST_SESSIONS}, got {number}")
    return int(number)


def _read_nothing(data: bytes) -> None:
    unpack(data)


def _read_transaction(data: bytes) -> None:
    _check_transaction(unpack(data, str)[0])


def _check_transaction(text: str) -> None:
    if not _TRANSACTION.fullmatch(text):
        raise MessageError(f"expected a transaction's hash, got {text[:80]!r}")


_PLAIN: Mapping[str, Callable[[bytes], Any]] = {
    "join": _read_transaction,
    "train": lambda data: unpack(data, int),
    "share": Submission.from_bytes,
    "submit": _read_transaction,
    "receive": _read_nothing,
    "reveal": _read_transaction,
    "keep": _read_nothing,
    "serve": lambda data: unpack(data, bytes),
    "erase": _read_nothing,
}
_SIGNED: Mapping[str, tuple[str, Callable[[bytes], Any]]] = {
    "answer": (ANSWERS, unpack_answers),
    "judge": (SET, read_set_signature),
    # Whether a share is wrong is for the nodes to find: they name it after decoding.
    "release": (SUM, bytes),
    "vote": (OUTCOME, read_outcome),
    "adopt": (REPORT, bytes),
}
