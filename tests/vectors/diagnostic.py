"""Bytes as a person reads them: CBOR in the diagnostic notation of RFC 8949, section 8."""

from __future__ import annotations

import json
from typing import Any

import cbor2

_WIDTH = 32


def diagnostic(data: bytes) -> str:
    """One line for each item of the outermost array or map.

    A longer byte string goes on in the next line; what stands side by side is one string.
    """
    item = cbor2.loads(data)
    if isinstance(item, dict):
        lines = [f"{_value(key)}: {_value(value)}" for key, value in item.items()]
        return "{" + ",\n ".join(lines) + "}"
    return "[" + ",\n ".join(_value(value) for value in item) + "]"


def _value(value: Any) -> str:
    if isinstance(value, bytes):
        return _hexadecimal(value)
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)}: {_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def _hexadecimal(data: bytes) -> str:
    parts = [data[k : k + _WIDTH].hex() for k in range(0, len(data), _WIDTH)] or [""]
    return "\n ".join(f"h'{part}'" for part in parts)
