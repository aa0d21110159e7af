"""Predictions for a file of patients: template, upload, what was wrong, progress, results.

Templates and their variables: doctor/batch_upload.html gets `task`, `tasks`, `error`, `described`
(a `Table` of the columns) and `batches`; doctor/batch.html gets `task`, `batch`, `about`, and once
all is answered `lines` (a `LinesPage`), `view`, `orders`, `answered` and `outdated`.
`doctor/_batch_progress.html` is what stands for a running one, asked for piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.doctor.batch_columns import description, template
from app.doctor.batch_file import LARGEST_FILE, MOST_ROWS, read_sheet
from app.doctor.batch_tables import ORDERS, View, lines_of, page_of, refused, results
from app.doctor.reasons import unlike
from app.errors import ModelRefused, RequestError
from app.patients.access import with_key
from app.services.batches import CHECKED, DONE, KEPT_FOR, PIECE, RUNNING, Batch
from app.services.exports import csv_text
from app.services.open_keys import OpenKey
from app.services.roles import DOCTOR
from app.services.tables import Table
from app.web import doctor_key, header, login
from app.web.downloads import file_answer, table_answer
from app.web.roles import requires
from app.web.services import services
from fl.datasets import Task, get_task, task_names
from fl.datasets.use import find_use

blueprint = Blueprint("batches", __name__)

Answer = BaseResponse | str | tuple[str, HTTPStatus]
SEE_OTHER: Final = HTTPStatus.SEE_OTHER
# The file and the form around it. Werkzeug and the server keep 500 KiB in memory, and write what
# is larger to the disk.
_LARGEST_REQUEST: Final = LARGEST_FILE + 20 * 1024
_SHOWN: Final = 50


def install(app: Flask) -> None:
    """Let the form be as large as a file; register before whatever reads forms."""
    app.before_request(_allow_upload)


def _allow_upload() -> BaseResponse | None:
    if request.endpoint != "doctor.batches.upload":
        return None
    if (request.content_length or 0) > _LARGEST_REQUEST:
        flash(f"Expected at most {LARGEST_FILE // 1024} KB: split the file.", "danger")
        return redirect(request.path, SEE_OTHER)
    request.max_content_length = _LARGEST_REQUEST
    return None


def _doing(view: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give the view the open key; without one, its page asks for the password."""

    @wraps(view)
    def guarded(**arguments: Any) -> Answer:
        key = doctor_key.find()
        if key is not None:
            return view(key, **arguments)
        there = url_for("doctor.batches.one", **arguments)
        if "HX-Request" in request.headers:
            return Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": there})
        return redirect(there, SEE_OTHER)

    return guarded


@blueprint.get("/predictions/<task>/batch")
@requires(DOCTOR)
@with_key
def page(key: OpenKey, task: str) -> Answer:
    """Where a file is sent, and the files that were."""
    del key
    return _upload_page(_task(task))


@blueprint.post("/predictions/<task>/batch")
@requires(DOCTOR)
def upload(task: str) -> Answer:
    """Read a file and seal what it holds; nothing of it stays otherwise."""
    chosen, key = _task(task), doctor_key.find()
    if key is None:
        return redirect(url_for("doctor.batches.page", task=task), SEE_OTHER)
    file = request.files.get("file")
    try:
        if file is None or not file.filename:
            raise RequestError("Choose a CSV file.")
        sheet = read_sheet(chosen, file.read())
        made = services().batches.add(login.person(), key, chosen.name, sheet.about, sheet.rows)
    except RequestError as error:
        return _upload_page(chosen, str(error)), HTTPStatus.UNPROCESSABLE_ENTITY
    return redirect(url_for("doctor.batches.one", batch_id=made), SEE_OTHER)


@blueprint.get("/predictions/<task>/batch/template.csv")
@requires(DOCTOR)
def empty(task: str) -> Response:
    """The template: its header, and a line that is an example."""
    chosen = _task(task)
    first, *lines = template(chosen)
    written = csv_text(first, lines).encode("utf-8-sig")
    return file_answer(written, "csv", f"consilium-{chosen.name}-template.csv")


@blueprint.get("/predictions/<task>/batch/columns.csv")
@requires(DOCTOR)
def columns(task: str) -> Response:
    """What each column of the template may hold."""
    return table_answer(description(_task(task)), "csv", {})


@blueprint.get("/batches/<batch_id>")
@requires(DOCTOR)
@with_key
def one(key: OpenKey, batch_id: str) -> Answer:
    """A file: what was read of it, how far it is, or its results."""
    batch = _batch(batch_id)
    task = get_task(batch.task)
    shown: dict[str, Any] = {}
    try:
        about = services().batches.about(login.person(), key, batch_id)
        if batch.state == DONE:
            shown = _results(key, task, batch)
        elif batch.state == CHECKED:
            found = services().batches.doubtful(login.person(), key, batch_id, _SHOWN)
            shown = {"doubtful": found}
    except RequestError as error:
        told = render_template("doctor/batch_closed.html", task=task, batch=batch, why=str(error))
        return told, HTTPStatus.CONFLICT
    wrong = refused(task, about.wrong[:_SHOWN])
    return render_template(
        "doctor/batch.html",
        task=task,
        batch=batch,
        about=about,
        problems=wrong,
        use=find_use(task.name),
        piece=PIECE,
        **shown,
    )


@blueprint.post("/batches/<batch_id>/start")
@requires(DOCTOR)
@_doing
def start(key: OpenKey, batch_id: str) -> Answer:
    """Have the rows predicted, or predicted once more."""
    del key
    batch = _batch(batch_id)
    unusual = bool(request.form.get("unusual")) if batch.state != DONE else batch.unusual
    try:
        services().batches.start(login.person(), batch_id, unusual)
    except RequestError as error:
        flash(str(error), "danger")
    return redirect(url_for("doctor.batches.one", batch_id=batch_id), SEE_OTHER)


@blueprint.post("/batches/<batch_id>/pieces")
@requires(DOCTOR)
@_doing
def advance(key: OpenKey, batch_id: str) -> Answer:
    """Answer the next rows: asked for by the open page, one piece after the other."""
    batch, told = _batch(batch_id), ""
    try:
        if services().batches.advance(login.person(), key, batch_id, unlike):
            flash("Another model was put into use meanwhile: every row is asked of it anew.")
    except ModelRefused as refusal:
        told = str(refusal)
        header.forget(batch.task)
        details = {"task": batch.task, "reason": told}
        services().audit.add(login.person(), "prediction.refused", batch.task, details)
    except RequestError as error:
        told = str(error)
    return _after_piece(_batch(batch_id), told)


@blueprint.get("/batches/<batch_id>/problems.csv")
@requires(DOCTOR)
@with_key
def problems(key: OpenKey, batch_id: str) -> Answer:
    """What is wrong with the rows that were not taken, as a file."""
    batch = _batch(batch_id)
    about = services().batches.about(login.person(), key, batch_id)
    return table_answer(refused(get_task(batch.task), about.wrong), "csv", {})


@blueprint.get("/batches/<batch_id>/predictions.<any(csv, xlsx):form>")
@requires(DOCTOR)
@with_key
def file(key: OpenKey, batch_id: str, form: str) -> Answer:
    """The results as a file."""
    batch = _batch(batch_id)
    answered = services().batches.answered(login.person(), key, batch_id)
    return table_answer(results(get_task(batch.task), answered), form, {})


@blueprint.post("/batches/<batch_id>/delete")
@requires(DOCTOR)
def delete(batch_id: str) -> Answer:
    """Erase a file with its results; the key need not be open for it."""
    batch = _batch(batch_id)
    services().batches.delete(login.person(), batch_id)
    flash("The file and its results are erased.", "success")
    return redirect(url_for("doctor.batches.page", task=batch.task), SEE_OTHER)


def _after_piece(batch: Batch, told: str) -> Answer:
    there = url_for("doctor.batches.one", batch_id=batch.id)
    if "HX-Request" not in request.headers:
        if told:
            flash(told, "danger")
        return redirect(there, SEE_OTHER)
    if batch.state != RUNNING:
        return Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": there})
    return render_template("doctor/_batch_progress.html", batch=batch, piece=PIECE, why=told)


def _results(key: OpenKey, task: Task, batch: Batch) -> dict[str, Any]:
    answered = services().batches.answered(login.person(), key, batch.id)
    view, used = View.of(request.args), services().predictions.find_model(task.name)
    return {
        "answered": answered,
        "view": view,
        "orders": ORDERS,
        "lines": page_of(lines_of(task, answered), view),
        "outdated": used is not None and used.model_sha256 != answered.model_sha256,
    }


def _upload_page(task: Task, error: str = "") -> str:
    described: Table = description(task)
    return render_template(
        "doctor/batch_upload.html",
        task=task,
        tasks=[get_task(name) for name in task_names()],
        error=error,
        described=described,
        use=find_use(task.name),
        batches=[one for one in services().batches.mine(login.person()) if one.task == task.name],
        largest=LARGEST_FILE // 1024,
        most=MOST_ROWS,
        days=KEPT_FOR.days,
    )


def _batch(identifier: str) -> Batch:
    """The viewer's batch; 404 for any other, whether there is one or not."""
    found = services().batches.find(login.person(), identifier)
    if found is None or found.task not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    return found


def _task(name: str) -> Task:
    if name not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    return get_task(name)
