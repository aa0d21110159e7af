"""What passes the door of a party when something goes wrong behind it."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.errors import ChainUnreachable, NotFound
from contracts.records import AttemptKey
from crypto.errors import RangeError
from fl.engines.in_process import InProcess
from fl.errors import PartyFailed, StepRefused, ValueFormatError

KEY = AttemptKey(b"\1" * 32, 1, 1)


class Broken:
    """A party in which the error comes up."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def ask(self, *_: Any) -> bytes:
        raise self._error


def failure(error: Exception) -> PartyFailed:
    engine = InProcess({"Hungary": Broken(error)})
    with pytest.raises(PartyFailed) as failed:
        engine.ask("Hungary", "train", KEY, b"")
    return failed.value


@pytest.mark.parametrize(
    "error",
    [
        StepRefused("Hungary was not drawn for this round"),
        RangeError("expected finite values, got 1 NaN or infinite"),
        NotFound("expected an attempt"),
    ],
)
def test_errors_of_the_protocol_come_with_their_text(error: Exception) -> None:
    found = failure(error)
    assert (found.party, found.step) == ("Hungary", "train")
    assert (found.reason, found.kind) == (str(error), type(error).__name__)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("could not convert string to float: '63 years'"),
        KeyError("Mrs. Weiss"),
        ValueFormatError("age", "a number", "63 years"),
        RuntimeError(),
    ],
)
def test_what_could_quote_a_patient_is_told_by_its_kind_alone(error: Exception) -> None:
    found = failure(error)
    assert (found.reason, found.kind) == (type(error).__name__, type(error).__name__)


def test_a_chain_that_is_gone_is_nobody_s_failure() -> None:
    engine = InProcess({"Hungary": Broken(ChainUnreachable("http://127.0.0.1", "refused"))})
    with pytest.raises(ChainUnreachable):
        engine.ask("Hungary", "train", KEY, b"")
