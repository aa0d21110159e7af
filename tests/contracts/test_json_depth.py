"""JSON from strangers: as json.loads reads it, and no depth that would end the process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.json_depth import DEEPEST, TooDeep, load_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\a', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@pytest.fixture
def many_calls() -> Iterator[None]:
    """As many calls allowed as py_ecc allows."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@given(VALUES)
def test_it_reads_what_json_reads(value: object) -> None:
    """Brackets and quotes within texts are no nesting."""
    assert load_json(json.dumps(value)) == value


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"[":', " [\n"])
@pytest.mark.usefixtures("many_calls")
def test_deep_nesting_is_refused_before_the_parser_follows_it(opening: str) -> None:
    """In a thread as servers have them: the parser itself would overflow its stack."""
    refused = []

    def read() -> None:
        try:
            load_json(opening * 200_000)
        except TooDeep as error:
            refused.append(error)

    thread = Thread(target=read)
    thread.start()
    thread.join()
    assert refused


def test_the_bound_itself_is_allowed() -> None:
    """One level more is not."""
    value = load_json("[" * DEEPEST + "]" * DEEPEST)
    assert isinstance(value, list)
    with pytest.raises(TooDeep):
        load_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


def test_it_stays_with_what_is_no_json() -> None:
    """The same error as without the bound."""
    with pytest.raises(json.JSONDecodeError):
        load_json('{"a": [1, }')
