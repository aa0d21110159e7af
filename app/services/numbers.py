"""Numbers as people write them, with a point or a comma before the fraction."""

from __future__ import annotations

import math
import re

# Either a thousand or one and a fraction of three digits: nobody but the writer knows.
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d{1,3})?")
WITH_POINT = "Write a point before the fraction, as in 0.5, and nothing between thousands."


def read_number(text: str) -> float:
    """The number that a person wrote: "0.01", "0,01", "1e-3".

    Raises ValueError for what is none, and for a comma that may stand between thousands.
    """
    text = text.strip().replace("\N{MINUS SIGN}", "-")
    if not _NUMBER.fullmatch(text) or _THOUSANDS.fullmatch(text):
        raise ValueError(f"expected a number, got {text!r}")
    number = float(text.replace(",", "."))
    if not math.isfinite(number):
        raise ValueError(f"expected a number that can be kept, got {text!r}")
    return number
