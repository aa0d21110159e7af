"""Reads the rules of `fl.datasets.suggesting` from `suggestions/TASK.toml`; refuses bad ones.

Whoever adds a rule must name a source that was opened, a band and an input: docs/formats.md.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from fl.datasets import get_task
from fl.datasets.suggesting import BANDS, KINDS, Condition, Rule, RuleBook, Source
from fl.datasets.task import Column, Task
from fl.errors import DescriptionError

_BOOK = ("revised", "reviewed_by", "reviewed_on", "read_how", "not_found", "sources", "rules")
_SOURCE = ("title", "organisation", "year", "section", "address", "opened", "fact")
_RULE = ("id", "kind", "text", "sources", "bands", "inputs")
_LOWER, _UPPER = ("at_least", "above"), ("at_most", "below")
_OLDEST = 1950


@lru_cache(maxsize=16)
def find_rules(task: str) -> RuleBook | None:
    """The rules of a built-in task, or None. Raises DescriptionError where they are damaged."""
    if not task.isalpha():
        return None  # Names of imported tasks have a dash; none leads out of this folder.
    folder = resources.files("fl.datasets").joinpath("suggestions")
    try:
        text = folder.joinpath(f"{task}.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return read_rules(text, get_task(task))


def read_rules(text: str, task: Task) -> RuleBook:
    """Read the rules of a task in TOML.

    Raises DescriptionError, which names the rule or source, for one that is not whole, of unknown
    inputs, sources or bands, that depends on the model alone, or that nothing could meet.
    """
    try:
        fields: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"expected suggestions in TOML: {error}") from error
    _only("the file", fields, _BOOK)
    _day("revised", fields["revised"])
    _reviewed(fields)
    _text("the file", "read_how", fields["read_how"])
    sources = {name: _source(name, one) for name, one in _table("sources", fields).items()}
    rules = [_rule(one, sources, task) for one in _list("the file", "rules", fields)]
    ids = [rule.id for rule in rules]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise DescriptionError(f"expected each rule once; got {', '.join(twice)} again")
    used = {source for rule in rules for source in rule.sources}
    if idle := [name for name, source in sources.items() if source not in used]:
        raise DescriptionError(f"expected a rule of each source; got none of {', '.join(idle)}")
    return RuleBook(
        revised=fields["revised"],
        reviewed_by=fields["reviewed_by"],
        reviewed_on=fields["reviewed_on"],
        read_how=fields["read_how"],
        not_found=tuple(_texts("the file", "not_found", fields["not_found"])),
        rules=tuple(sorted(rules, key=lambda rule: KINDS.index(rule.kind))),
    )


def _reviewed(fields: Mapping[str, Any]) -> None:
    if fields["reviewed_by"] == "" == fields["reviewed_on"]:
        return
    _text("the file", "reviewed_by", fields["reviewed_by"])
    _day("reviewed_on", fields["reviewed_on"])


def _source(name: str, fields: Any) -> Source:
    where = f"source {name}"
    _only(where, fields, _SOURCE, ("copy",))
    for one in ("title", "organisation", "section", "fact"):
        _text(where, one, fields[one])
    _day(f"opened of {where}", fields["opened"])
    last = date.fromisoformat(fields["opened"]).year
    if type(fields["year"]) is not int or not _OLDEST <= fields["year"] <= last:
        raise DescriptionError(
            f"expected the year of {where} from {_OLDEST} to {last}; got {fields['year']!r}"
        )
    _address(where, fields["address"])
    if "copy" in fields:
        _address(where, fields["copy"])
    return Source(**fields)


def _rule(fields: Any, sources: Mapping[str, Source], task: Task) -> Rule:
    where = f"rule {fields.get('id', '?')!r}" if isinstance(fields, dict) else "a rule"
    _only(where, fields, _RULE)
    _text(where, "id", fields["id"])
    _text(where, "text", fields["text"])
    _among(where, "kind", [fields["kind"]], KINDS)
    named = _texts(where, "sources", fields["sources"])
    _among(where, "sources", named, sources)
    bands = _texts(where, "bands", fields["bands"])
    _among(where, "bands", bands, BANDS)
    if not fields["inputs"]:
        raise DescriptionError(f"expected an input in {where}: the model alone suggests nothing")
    conditions = [_condition(where, one, task) for one in _list(where, "inputs", fields)]
    if len({one.column for one in conditions}) < len(conditions):
        raise DescriptionError(f"expected each input of {where} once")
    return Rule(
        id=fields["id"],
        kind=fields["kind"],
        text=fields["text"],
        sources=tuple(sources[one] for one in named),
        bands=tuple(bands),
        conditions=tuple(conditions),
    )


def _condition(where: str, fields: Any, task: Task) -> Condition:
    if not isinstance(fields, dict) or len(fields) < 2:
        raise DescriptionError(f"expected a column and what is asked of it in {where}")
    columns = {column.name: column for column in task.columns}
    _among(where, "inputs", [fields.get("column")], columns)
    column = columns[fields["column"]]
    where = f"{column.name} in {where}"
    if column.kind != "number":
        _only(where, fields, ("column", "is"))
        return Condition(column, categories=_categories(where, column, fields["is"]))
    _only(where, fields, ("column",), (*_LOWER, *_UPPER))
    bounds = {name: value for name, value in fields.items() if name != "column"}
    _bounds(where, column, bounds)
    return Condition(column, **bounds)


def _categories(where: str, column: Column, given: Any) -> tuple[int, ...]:
    values = [one.value for one in column.categories]
    named = _texts(where, "is", given)
    _among(where, "is", named, values)
    if len(named) == len(values):
        raise DescriptionError(f"expected fewer values of {where}: every patient has one of them")
    return tuple(map(values.index, named))


def _bounds(where: str, column: Column, bounds: Mapping[str, Any]) -> None:
    """Refuse bounds that are twice, that no value meets, or that every possible one does."""
    for name, value in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise DescriptionError(f"expected a number for {name} of {where}; got {value!r}")
        # At one end of the possible range everybody or nobody would be meant.
        shut = column.low if name in ("at_least", "below") else column.high
        if not column.low <= value <= column.high or value == shut:
            possible = f"{column.low:g} to {column.high:g}"
            raise DescriptionError(f"expected {name} of {where} within {possible}; got {value:g}")
    low = [bounds[name] for name in _LOWER if name in bounds]
    high = [bounds[name] for name in _UPPER if name in bounds]
    if len(low) > 1 or len(high) > 1 or (low and high and low[0] >= high[0]):
        raise DescriptionError(f"expected a range of {where}; got {dict(bounds)}")


def _only(where: str, fields: Any, wanted: Sequence[str], optional: Sequence[str] = ()) -> None:
    if not isinstance(fields, dict):
        raise DescriptionError(f"expected a table for {where}; got {fields!r}")
    if missing := [name for name in wanted if name not in fields]:
        raise DescriptionError(f"expected {', '.join(missing)} of {where}")
    if unknown := [name for name in fields if name not in (*wanted, *optional)]:
        raise DescriptionError(f"expected nothing else of {where}; got {', '.join(unknown)}")


def _table(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(fields[name], dict):
        raise DescriptionError(f"expected tables in {name}")
    return dict(fields[name])


def _list(where: str, name: str, fields: Mapping[str, Any]) -> list[Any]:
    if not isinstance(fields[name], list) or not fields[name]:
        raise DescriptionError(f"expected {name} of {where} as a list that is not empty")
    return list(fields[name])


def _text(where: str, name: str, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise DescriptionError(f"expected a text for {name} of {where}; got {value!r}")


def _texts(where: str, name: str, value: Any) -> list[str]:
    """The texts of a list, each once. Raises DescriptionError for anything else, and for none."""
    found = _list(where, name, {name: value})
    for one in found:
        _text(where, name, one)
    if len(set(found)) < len(found):
        raise DescriptionError(f"expected each of {name} of {where} once")
    return found


def _among(
    where: str, name: str, given: Sequence[Any], known: Sequence[str] | Mapping[str, Any]
) -> None:
    if unknown := [one for one in given if one not in tuple(known)]:
        raise DescriptionError(
            f"expected {name} of {where} from {', '.join(known)}; got {unknown[0]!r}"
        )


def _day(name: str, value: Any) -> None:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise DescriptionError(f"expected a day, YYYY-MM-DD, for {name}; got {value!r}") from None
    if day.isoformat() != value:
        raise DescriptionError(f"expected a day, YYYY-MM-DD, for {name}; got {value!r}")


def _address(where: str, value: Any) -> None:
    parts = urlsplit(value) if isinstance(value, str) else urlsplit("")
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise DescriptionError(f"expected an address on the web of {where}; got {value!r}")
