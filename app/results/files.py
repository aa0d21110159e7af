"""Answers that are files: tables and figures, with names that say what they are."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, abort

from app.services import exports, figures
from app.services.chart import Chart
from app.services.tables import Table
from app.web.downloads import file_answer

ALL = "all"
# Rows of which one sheet or array is not enough.
_TOGETHER = ("xlsx", "json")


def stem(document: Mapping[str, Any]) -> str:
    """What the names of a training's files begin with."""
    return f"consilium-{document['task']}-{document['training'][:8]}"


def tables_file(
    tables: Mapping[str, Table], name: str, form: str, begins: str, facts: Mapping[str, Any]
) -> Response:
    """A table by its name, or all of them where the form holds several; 404 for anything else."""
    if name == ALL and form in _TOGETHER:
        chosen = list(tables.values())
    elif name in tables and form in exports.TYPES:
        chosen = [tables[name]]
    else:
        abort(HTTPStatus.NOT_FOUND)
    what = "results" if name == ALL else name
    return file_answer(exports.export(chosen, form, facts), form, f"{begins}-{what}.{form}")


def figure_file(
    charts: Mapping[str, Chart], name: str, form: str, begins: str, source: str
) -> Response:
    """A chart by its name; 404 where there is no such chart or form."""
    if name not in charts or form not in figures.TYPES:
        abort(HTTPStatus.NOT_FOUND)
    drawn = figures.render(charts[name], form, source)
    return file_answer(drawn, form, f"{begins}-{name}.{form}")
