"""Answers that are files, with names that say what they are."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, abort

from app.services import exports, figures
from app.services.tables import Table


def file_answer(written: bytes, form: str, name: str) -> Response:
    """A download; `form` is that of a table or a figure, or a media type."""
    kinds = {**exports.TYPES, **figures.TYPES}
    answer = Response(written, content_type=kinds.get(form, form))
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def table_answer(table: Table, form: str, facts: Mapping[str, Any]) -> Response:
    """A table as a file; 404 for a form that no table has. `facts` say what it is of."""
    if form not in exports.TYPES:
        abort(HTTPStatus.NOT_FOUND)
    written = exports.export([table], form, facts)
    return file_answer(written, form, f"consilium-{table.name}.{form}")
