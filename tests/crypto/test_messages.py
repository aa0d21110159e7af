"""Messages come back as they were sent; whatever else arrives is a MessageError, nothing worse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crypto.context import Context
from crypto.envelope import sign
from crypto.field import F61
from crypto.vss import DISPUTED, MISSING, Answer
from fl.errors import MessageError
from fl.messages import (
    ANSWERS,
    STATEMENT_LABEL,
    Statement,
    Submission,
    pack,
    pack_answers,
    unpack,
    unpack_answers,
)
from tests.crypto.parties import ADA, CONTEXT, MALLORY, NORTH, OTHER_CONTEXTS
from tests.crypto.words import P61, words61

names = st.text(max_size=8)
blobs = st.lists(st.binary(max_size=12), max_size=4).map(tuple)
given_answers = st.one_of(st.tuples(words61, words61), st.sampled_from([MISSING, DISPUTED]))


def read(data: bytes, **changes: Any) -> Statement:
    """Read as a statement of Ada's answers in this attempt, but for what the test changes."""
    arguments: dict[str, Any] = {
        "context": CONTEXT,
        "sender": "Ada",
        "key": ADA.public_key(),
        "purpose": ANSWERS,
    }
    return Statement.read(data, **(arguments | changes))


def said(body: bytes = b"body", context: Context = CONTEXT) -> Statement:
    return Statement.make(context, "Ada", ADA, ANSWERS, body)


# Round trips


@given(
    items=st.tuples(names, st.integers(0, 2**64), st.binary(), st.booleans(), st.lists(st.binary()))
)
def test_what_is_packed_is_unpacked(items: tuple[Any, ...]) -> None:
    assert unpack(pack(*items), str, int, bytes, bool, list) == list(items)


@given(hospital=names, digests=blobs, envelopes=blobs)
def test_a_submission_comes_back(
    hospital: str, digests: tuple[bytes, ...], envelopes: tuple[bytes, ...]
) -> None:
    submission = Submission(hospital, digests, envelopes)
    assert Submission.from_bytes(submission.to_bytes()) == submission


@given(body=st.binary(max_size=60))
def test_a_statement_comes_back_and_is_its_senders(body: bytes) -> None:
    statement = said(body)
    assert read(statement.to_bytes()) == statement


@given(answers=st.dictionaries(names, given_answers, max_size=4))
def test_answers_come_back(answers: dict[str, Answer]) -> None:
    assert unpack_answers(pack_answers(answers)) == answers


# Refusals

READERS: dict[str, Callable[[bytes], Any]] = {
    "unpack": lambda data: unpack(data, str, int, bytes),
    "submission": Submission.from_bytes,
    "statement": read,
    "answers": unpack_answers,
}
WRITERS: dict[str, Callable[[Any], bytes]] = {
    "unpack": lambda items: pack(*items),
    "submission": Submission.to_bytes,
    "statement": Statement.to_bytes,
    "answers": pack_answers,
}
readers = pytest.mark.parametrize("kind", READERS)


@readers
@given(data=st.binary(max_size=60))
@example(b"\x81" * 100_000)
@example(b"\x9b" + b"\x7f" * 8)
@example(b"\xd8\x1c\x81\xd8\x1d\x00")
@example(b"\x81\xd8\x1c\xa1\x61a\xd8\x1d\x00")
@example(b"\x81\xa1\x61a\x82\xf9\x7e\x00\x01")
def test_random_bytes_are_a_message_in_its_one_form_or_refused(kind: str, data: bytes) -> None:
    try:
        read_back = READERS[kind](data)
    except MessageError:
        return
    assert WRITERS[kind](read_back) == data


cbor_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@readers
@given(item=cbor_values)
def test_well_formed_bytes_are_a_message_in_its_one_form_or_refused(kind: str, item: Any) -> None:
    data = cbor2.dumps(item, canonical=True)
    try:
        read_back = READERS[kind](data)
    except MessageError:
        return
    assert WRITERS[kind](read_back) == data


GENUINE = {
    "unpack": pack("name", 1, b""),
    "submission": Submission("north", (b"d",), (b"e",)).to_bytes(),
    "statement": said().to_bytes(),
    "answers": pack_answers({"north": (1, 2)}),
}


@readers
def test_another_encoding_of_a_message_is_refused(kind: str) -> None:
    data = GENUINE[kind]
    assert WRITERS[kind](READERS[kind](data)) == data
    head = bytes([0x98, data[0] & 0x1F])
    for other in (data + b"\x00", data[:-1], head + data[1:], b"\xd9\xd9\xf7" + data):
        with pytest.raises(MessageError):
            READERS[kind](other)


@pytest.mark.parametrize(
    ("items", "types"),
    [
        ((1,), (str,)),
        (("1",), (int,)),
        ((True,), (int,)),
        ((1,), (bool,)),
        (("a",), (bytes,)),
        ((b"a",), (str,)),
        (({},), (list,)),
        ((1, 2), (int,)),
        ((1,), (int, int)),
        ((None,), (int,)),
    ],
)
def test_other_types_or_numbers_of_items_are_refused(
    items: tuple[Any, ...], types: tuple[type, ...]
) -> None:
    with pytest.raises(MessageError):
        unpack(pack(*items), *types)


@pytest.mark.parametrize(
    "items",
    [
        ["north", [b"d"], ["e"]],
        ["north", [1], [b"e"]],
        ["north", [None], []],
        [1, [], []],
        ["north", b"d", [b"e"]],
        ["north", []],
    ],
)
def test_a_submission_of_other_parts_is_refused(items: list[Any]) -> None:
    with pytest.raises(MessageError):
        Submission.from_bytes(pack(*items))


BAD_ANSWERS = {
    "p": {"north": [P61, 0]},
    "negative": {"north": [0, -1]},
    "one value": {"north": [1]},
    "three values": {"north": [1, 2, 3]},
    "floats": {"north": [1.0, 2.0]},
    "truth values": {"north": [True, False]},
    "text": {"north": ["1", "2"]},
    "another word": {"north": "kept"},
    "a number": {"north": 1},
    "nothing": {"north": None},
    "a dealer that is no name": {1: [1, 2]},
    "a dealer in bytes": {b"north": [1, 2]},
    "a pair in a pair": {"north": [[1, 2], [3, 4]]},
}


@pytest.mark.parametrize("answers", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_answers_that_are_none_are_refused(answers: dict[Any, Any]) -> None:
    with pytest.raises(MessageError):
        unpack_answers(pack(answers))


def test_the_largest_element_is_an_answer() -> None:
    assert unpack_answers(pack({"north": [F61.modulus - 1, 0]})) == {"north": (P61 - 1, 0)}


# Statements


@pytest.mark.parametrize("other", OTHER_CONTEXTS.values(), ids=OTHER_CONTEXTS)
def test_a_statement_of_another_attempt_is_refused(other: Context) -> None:
    with pytest.raises(MessageError, match="signature of Ada"):
        read(said(context=other).to_bytes())


@pytest.mark.parametrize(
    "changes",
    [{"sender": "Ben"}, {"purpose": "sum"}, {"key": MALLORY.public_key()}],
    ids=["sender", "purpose", "signer"],
)
def test_a_statement_out_of_its_place_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="expected"):
        read(said().to_bytes(), **changes)


def test_a_statement_of_somebody_elses_signature_is_refused() -> None:
    forged = Statement.make(CONTEXT, "Ada", MALLORY, ANSWERS, b"body")
    with pytest.raises(MessageError, match="signature of Ada"):
        read(forged.to_bytes())


def test_every_altered_byte_of_a_statement_is_refused() -> None:
    data = said().to_bytes()
    for at in range(len(data)):
        for flip in (0x01, 0x20, 0x80, 0xFF):
            altered = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            with pytest.raises(MessageError):
                read(altered)


def test_a_statement_renamed_for_another_purpose_is_refused() -> None:
    statement = said()
    renamed = Statement("Ada", "sum", statement.body, statement.signature)
    with pytest.raises(MessageError, match="signature of Ada"):
        read(renamed.to_bytes(), purpose="sum")


def test_a_signature_for_another_label_is_no_statement() -> None:
    message = CONTEXT.bind("consilium/envelope/v1", ANSWERS, "Ada", b"body")
    other = Statement("Ada", ANSWERS, b"body", sign(ADA, message))
    with pytest.raises(MessageError):
        read(other.to_bytes())
    message = CONTEXT.bind(STATEMENT_LABEL, ANSWERS, "Ada", b"body")
    assert read(Statement("Ada", ANSWERS, b"body", sign(ADA, message)).to_bytes()).body == b"body"


def test_a_hospital_speaks_like_a_node() -> None:
    data = Statement.make(CONTEXT, "north", NORTH, "report", pack([[3, 1], [0, 4]])).to_bytes()
    statement = read(data, sender="north", purpose="report", key=NORTH.public_key())
    assert unpack(statement.body, list) == [[[3, 1], [0, 4]]]
