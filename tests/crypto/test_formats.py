"""`docs/formats.md` is complete: every example, label, purpose and field type is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contracts import digests
from fl import messages
from tests.vectors import make_vectors
from tests.vectors.diagnostic import diagnostic
from tests.vectors.examples import EXAMPLES

LABEL = re.compile(r'"(consilium/[a-z-]+/v\d+)')


@pytest.fixture(scope="module")
def document(repository: Path) -> str:
    return (repository / "docs" / "formats.md").read_text(encoding="utf-8")


def test_every_example_stands_in_the_page_once(document: str) -> None:
    assert sorted(make_vectors.shown_examples(document)) == sorted(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_what_the_code_prints(document: str, name: str) -> None:
    block = f"<!-- example: {name} -->\n\n```text\n{EXAMPLES[name]().text}\n```\n"
    assert block in document


def labels(repository: Path) -> set[str]:
    """Every label that the code hashes or signs under."""
    files = [
        path
        for package in ("app", "contracts", "crypto", "fl")
        for suffix in ("py", "sol")
        for path in (repository / package).rglob(f"*.{suffix}")
    ]
    return {label for path in files for label in LABEL.findall(path.read_text(encoding="utf-8"))}


def test_every_label_in_the_code_is_documented_and_every_documented_one_is_in_the_code(
    repository: Path, document: str
) -> None:
    known = labels(repository)
    assert len(known) > 5
    assert set(re.findall(r"consilium/[a-z-]+/v\d+", document)) == known


def test_every_purpose_is_documented(document: str) -> None:
    purposes = [
        getattr(messages, n) for n in ("SHARE", "ANSWERS", "SET", "SUM", "OUTCOME", "REPORT")
    ]
    assert len(set(purposes)) == 6
    assert [purpose for purpose in purposes if f"`{purpose}`" not in document] == []


def test_the_agreed_sets_type_is_the_contracts(document: str) -> None:
    (shown,) = re.findall(r"one tuple,\s+`([^`]+)`", document)
    assert re.sub(r"\s", "", shown) == digests.SET_TYPE


def test_diagnostic_notation_of_a_map_and_of_long_bytes() -> None:
    # {"a": [1, true]} and [33 bytes], from RFC 8949's rules by hand.
    assert diagnostic(bytes.fromhex("a161618201f5")) == '{"a": [1, true]}'
    long = bytes.fromhex("815821") + bytes(33)
    assert diagnostic(long) == f"[h'{'00' * 32}'\n h'00']"
