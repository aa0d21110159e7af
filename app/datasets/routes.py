"""What each hospital holds, as far as it publishes it: by task, by hospital, as files.

Templates and their variables: datasets/list.html gets `tasks` (`TaskData` each) and `damaged`
(sentences); datasets/task.html `data` (a `TaskData`), `form` (how the rows are dealt, None where
hospitals are given), `choice` (the query that keeps it), `file` (a `FileCheck`, None for imported
tasks) and `origins` (of imported hospitals); datasets/hospital.html `data`, `summary`, `choice`,
`charts` (by column), `rows` (a public set's first ones, else None), `origin` and `in_use` (why an
imported hospital's rows cannot be removed, or "").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.datasets.forms import deal_form
from app.errors import RequestError
from app.services.datasets import (
    HIDDEN,
    TaskData,
    as_csv,
    document,
    every_task,
    preview,
    task_data,
)
from app.services.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from app.services.training_cases import count_cases
from app.web import login
from app.web.downloads import file_answer
from app.web.roles import requires
from app.web.services import services
from fl.datasets import Task, get_task, task_names
from fl.datasets.source import Provenance
from fl.datasets.summary import FEW_ROWS, LEAST, MANY_ROWS, Distribution

blueprint = Blueprint("datasets", __name__, url_prefix="/datasets")

PREVIEW = 5

# What a hospital publishes is published: its operator reads what the others publish, too.
_READERS = (ADMINISTRATOR, AUDITOR, OPERATOR)
_CHOICES = ("hospitals", "kind", "alpha", "seed")


@dataclass(frozen=True)
class FileCheck:
    """A built-in task's file, and what it hashes to now."""

    source: Provenance
    actual: str

    @property
    def agrees(self) -> bool:
        """Whether it is the published one."""
        return self.actual == self.source.sha256


@blueprint.get("")
@requires(*_READERS)
def listed() -> str:
    """All tasks."""
    imports = services().imports
    imports.tidy()
    return render_template(
        "datasets/list.html", tasks=every_task(), hidden=HIDDEN, damaged=imports.damaged()
    )


@blueprint.get("/<task>")
@requires(*_READERS)
def one(task: str) -> tuple[str, HTTPStatus]:
    """A task: its hospitals side by side, its columns, where its rows are from."""
    chosen = _task(task)
    form = None if chosen.hospitals else deal_form(chosen, request.args)
    wrong = form is not None and bool(request.args) and not form.validate()
    data = task_data(chosen) if form is None or wrong else task_data(chosen, form.partition())
    page = render_template(
        "datasets/task.html",
        data=data,
        form=form,
        choice=_choice(data),
        file=_file(chosen),
        origins=[services().imports.find_origin(task, name) for name in chosen.joined],
        chart=_class_chart(data),
        **_RULES,
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK


@blueprint.get("/<task>/summary.<any(csv, json):form>")
@requires(*_READERS)
def summary(task: str, form: str) -> Response:
    """What the hospitals publish, as a file."""
    data = _dealt(_task(task))
    text = as_csv(data) if form == "csv" else json.dumps(document(data), indent=1) + "\n"
    return file_answer(text.encode(), form, f"{data.task.name}-summary.{form}")


@blueprint.get("/<task>/hospitals/<hospital>")
@requires(*_READERS)
def hospital(task: str, hospital: str) -> str:
    """One hospital: patients by class, missing values, distributions."""
    data = _dealt(_task(task))
    found = next((each for each in data.summaries if each.hospital == hospital), None)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    imports = services().imports
    origin = imports.find_origin(task, hospital)
    return render_template(
        "datasets/hospital.html",
        origin=origin,
        in_use=imports.in_use(task, hospital) if origin else "",
        data=data,
        summary=found,
        choice=_choice(data),
        charts=[_chart(each) for each in found.distributions],
        rows=_public_rows(data, hospital),
        cases=count_cases(services().database, task).get(hospital, 0),
        **_RULES,
    )


@blueprint.post("/<task>/hospitals/<hospital>/remove")
@requires(ADMINISTRATOR)
def remove(task: str, hospital: str) -> BaseResponse:
    """Erase an imported hospital's rows."""
    chosen = _task(task)
    if hospital not in chosen.joined:
        abort(HTTPStatus.NOT_FOUND)
    try:
        services().imports.remove(login.person(), task, hospital)
    except RequestError as error:
        flash(str(error), "danger")
        address = url_for("datasets.hospital", task=task, hospital=hospital)
        return redirect(address, HTTPStatus.SEE_OTHER)
    flash(f"The rows of {hospital} are erased.", "success")
    still = task in task_names()
    address = url_for("datasets.one", task=task) if still else url_for("datasets.listed")
    return redirect(address, HTTPStatus.SEE_OTHER)


_RULES = {"least": LEAST, "few": FEW_ROWS, "many": MANY_ROWS, "hidden": HIDDEN}


def _task(name: str) -> Task:
    if name not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    return get_task(name)


def _dealt(task: Task) -> TaskData:
    """The task as the address deals it; 404 where it says nothing that can be dealt."""
    if task.hospitals:
        return task_data(task)
    form = deal_form(task, request.args)
    if request.args and not form.validate():
        abort(HTTPStatus.NOT_FOUND)
    return task_data(task, form.partition())


def _choice(data: TaskData) -> dict[str, Any]:
    """The query that deals the task in the same way again."""
    if data.task.hospitals or data.partition == data.task.partition:
        return {}
    return {name: getattr(data.partition, name) for name in _CHOICES}


def _file(task: Task) -> FileCheck | None:
    return FileCheck(task.source, task.source.actual_sha256()) if task.source else None


def _public_rows(data: TaskData, hospital: str) -> list[list[str]] | None:
    """The first rows, of a public set only."""
    if data.task.source is None or hospital in data.task.joined:
        return None
    return preview(data.task, data.task.load(data.partition)[hospital], PREVIEW)


def _class_chart(data: TaskData) -> dict[str, Any]:
    """Bars by hospital, a colour a class."""
    return {
        "labels": [summary.hospital for summary in data.summaries],
        "series": [
            {"label": name, "data": [summary.classes[name] for summary in data.summaries]}
            for name in data.task.classes
        ],
        "across": "hospital",
    }


def _chart(one: Distribution) -> dict[str, Any]:
    """Bars by bin or category, a colour a class; nothing where a cell is kept back."""
    unit = f", {one.column.unit}" if one.column.unit else ""
    return {
        "labels": list(one.labels),
        "series": [{"label": name, "data": list(cells)} for name, cells in one.counts.items()],
        "across": f"{one.column.label}{unit}",
        "name": one.column.label,
    }
