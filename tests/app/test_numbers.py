"""Numbers as people write them: both signs before a fraction, and nothing that could be two."""

from __future__ import annotations

import pytest

from app.services.numbers import read_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.01", 0.01),
        ("0,01", 0.01),
        (" 12,5 ", 12.5),
        (",5", 0.5),
        ("0,125", 0.125),
        ("1,2500", 1.25),
        ("1.500", 1.5),
        ("\N{MINUS SIGN}1,5", -1.5),
        ("1e-3", 0.001),
        ("1000", 1000.0),
    ],
)
def test_a_point_and_a_comma_are_read(text: str, number: float) -> None:
    assert read_number(text) == number


@pytest.mark.parametrize(
    "text", ["", "ten", "1,000", "12,345,678", "1.000,5", "1,5,2", "1_0", "nan", "inf", "1e999"]
)
def test_what_could_be_another_number_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="expected a number"):
        read_number(text)
