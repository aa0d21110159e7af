"""A field for a number that may be typed with a decimal comma."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import FloatField

from app.services.numbers import WITH_POINT, read_number


class RealField(FloatField):  # type: ignore[misc]  # wtforms is untyped
    """A float; what was typed stays in the field, whatever it is."""

    data: Any  # A float once the form is valid, or None where it may stay empty.

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        """Read what was sent. Raises ValueError, as WTForms wants it."""
        if not valuelist:
            return
        self.data = None
        self.data = read_number(valuelist[0])


def about_comma(raw: Sequence[str] | None) -> str:
    """What to write instead, after a space, where a comma cannot be read; else ""."""
    return f" {WITH_POINT}" if raw and "," in raw[0] else ""
