"""JSON from strangers, read with a bound on how deep it nests."""

from __future__ import annotations

import json
import re
from typing import Any, Final

# What is read here nests a dozen levels deep; the rest is room.
DEEPEST: Final = 60
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"')


class TooDeep(ValueError):
    """JSON that nests deeper than anything that is expected."""


def load_json(text: str, **options: Any) -> Any:
    """What `json.loads` reads, with its options. Raises ValueError for no JSON, TooDeep.

    Python's parser follows nesting as deep as calls are allowed, which is one number for the
    process; py_ecc, on which the chain's client rests, raises it beyond what a thread's stack
    holds. So forty thousand brackets would end the process, and are counted before.
    """
    depth = 0
    for one in re.findall(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if one in "[{" else -1
        if depth > DEEPEST:
            raise TooDeep(f"expected at most {DEEPEST} levels")
    return json.loads(text, **options)
