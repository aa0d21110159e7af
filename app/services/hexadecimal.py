"""Bytes as text in one form only: comparing bytes must not miss that their text was altered."""

from __future__ import annotations


def from_hex(value: str) -> bytes:
    """The bytes that `bytes.hex` wrote as `value`.

    Raises:
        ValueError: other digits, capital ones or spaces, which `bytes.fromhex` would overlook.
    """
    if value != value.lower():
        raise ValueError("no lower-case hexadecimal digits")
    try:
        found = bytes.fromhex(value)
    except ValueError as error:
        raise ValueError("no lower-case hexadecimal digits") from error
    if found.hex() != value:
        raise ValueError("digits with spaces")
    return found
