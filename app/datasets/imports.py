"""Import of a CSV, step by step: upload, purpose, columns, values, check.

What was sent of a step is kept before it is judged, so the way back loses nothing. Templates and
their variables: datasets/import/upload.html gets `error`
and `drafts` (files that wait); the others get `draft`, `step` and what
`_page` adds for each.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Flask,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.errors import RequestError
from app.services.exports import csv_text
from app.services.import_choices import NEW, ChoicesRefused
from app.services.import_columns import KINDS, free_columns, outside
from app.services.import_values import category_words, class_words
from app.services.imports import (
    COLUMNS,
    PURPOSE,
    VALUES,
    DryRun,
    Unconfirmed,
    refused_lines,
)
from app.services.roles import ADMINISTRATOR
from app.stores.datasets import Draft
from app.web import login
from app.web.downloads import file_answer
from app.web.roles import requires
from app.web.services import services
from fl.datasets import get_task, task_names
from fl.datasets.raw_csv import DELIMITERS, LARGEST_FILE, MOST_ROWS
from fl.datasets.units import units_of

blueprint = Blueprint("imports", __name__, url_prefix="/datasets/import")

Answer = BaseResponse | str | tuple[str, HTTPStatus]

CHECK = "check"
STEPS = {PURPOSE: "Purpose", COLUMNS: "Columns", VALUES: "Values", CHECK: "Check"}
# The form around the file.
ENVELOPE = 64 * 1024
PARSED_AT_ONCE = 2**20
# Fields are named after columns and values of the file.
LARGEST_CHOICES = 512 * 1024
SHOWN_ROWS, SHOWN_REFUSALS = 5, 50

_ORDER = [PURPOSE, COLUMNS, VALUES, CHECK]


def install(app: Flask) -> None:
    """Let these forms be larger than others; register before whatever reads forms."""
    app.before_request(_allow_upload)


def _allow_upload() -> None:
    if request.endpoint == "imports.upload":
        request.max_content_length = LARGEST_FILE + ENVELOPE
        # What the parser may hold at once, also of a part that it passes on to a file.
        request.max_form_memory_size = PARSED_AT_ONCE
    elif request.endpoint == "imports.choose":
        request.max_content_length = request.max_form_memory_size = LARGEST_CHOICES


@blueprint.route("", methods=["GET", "POST"])
@requires(ADMINISTRATOR)
def upload() -> Answer:
    """Choose a file."""
    error = ""
    if request.method == "POST":
        file = request.files.get("file")
        try:
            if file is None or not file.filename:
                raise RequestError("Choose a CSV file.")
            made = services().imports.begin(login.person(), file.filename, file.read())
        except RequestError as problem:
            error = str(problem)
        else:
            return _to(PURPOSE, made)
    page = render_template(
        "datasets/import/upload.html",
        error=error,
        drafts=services().imports.drafts(login.person()),
        most=LARGEST_FILE // 2**20,
        rows=MOST_ROWS,
    )
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK


@blueprint.route("/<draft>/<any(purpose, columns, values):step>", methods=["GET", "POST"])
@requires(ADMINISTRATOR)
def choose(draft: str, step: str) -> Answer:
    """A step's choices; sent, they are kept, then judged."""
    found, imports = _draft(draft), services().imports
    errors: dict[str, str] = {}
    if request.method == "POST":
        sent = {name: value for name, value in request.form.items() if name not in _OURS}
        found = imports.save(found, step, sent)
        if found.became:
            return _done(found.became)
        at = _ORDER.index(step)
        if request.form.get("go") == "back":
            return _to(_ORDER[at - 1], found)
        try:
            {PURPOSE: imports.purpose, COLUMNS: imports.takes, VALUES: imports.choices}[step](found)
        except ChoicesRefused as refused:
            errors = refused.errors
        else:
            return _to(_ORDER[at + 1], found)
    try:
        page = _page(found, step, errors)
    except ChoicesRefused:
        flash("Something in an earlier step has to be put right first.", "warning")
        return _to(PURPOSE, found)
    return page, HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK


@blueprint.route("/<draft>/check", methods=["GET", "POST"])
@requires(ADMINISTRATOR)
def check(draft: str) -> Answer:
    """What the import would do, with every refused row; sent, it is done."""
    found, imports = _draft(draft), services().imports
    try:
        if request.method == "POST":
            confirmed = request.form.get("lacking") == "yes"
            return _done(imports.carry_out(login.person(), found, confirmed))
        return _check_page(found, imports.try_out(found))
    except Unconfirmed as error:
        page = _check_page(found, imports.try_out(found), str(error))
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    except ChoicesRefused as refusal:
        flash(f"Something in an earlier step has to be put right first. {refusal}", "warning")
        return _to(PURPOSE, found)
    except RequestError as error:
        flash(str(error), "danger")
        if imports.find(login.person(), draft) is None:
            return redirect(url_for("imports.upload"), HTTPStatus.SEE_OTHER)
        return _to(CHECK, found)


def _check_page(draft: Draft, run: DryRun, error: str = "") -> str:
    refused = run.converted.refused
    return render_template(
        "datasets/import/check.html",
        draft=draft,
        error=error,
        step=CHECK,
        steps=STEPS,
        run=run,
        task=run.choices.task,
        counts={
            name: [int((table.labels == at).sum()) for at in range(len(run.choices.task.classes))]
            for name, table in run.converted.tables.items()
        },
        shown=refused[:SHOWN_REFUSALS],
        most=SHOWN_REFUSALS,
    )


@blueprint.get("/<draft>/refused.csv")
@requires(ADMINISTRATOR)
def refused(draft: str) -> BaseResponse:
    """The report of refused rows as a file."""
    found = _draft(draft)
    try:
        run = services().imports.try_out(found)
    except ChoicesRefused:
        return _to(PURPOSE, found)
    header = ("line", "column", "expected", "came")
    text = csv_text(header, refused_lines(run.converted.refused))
    return file_answer(text.encode(), "csv", "refused-rows.csv")


@blueprint.post("/<draft>/give-up")
@requires(ADMINISTRATOR)
def give_up(draft: str) -> BaseResponse:
    """Forget the file and what was chosen."""
    services().imports.give_up(_draft(draft))
    flash("The file and what was chosen for it are erased.", "info")
    return redirect(url_for("datasets.listed"), HTTPStatus.SEE_OTHER)


_OURS = ("csrf_token", "go")


def _draft(token: str) -> Draft:
    found = services().imports.find(login.person(), token)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    if found.became:
        # Sent again, or come back to: what was wanted is there.
        abort(_done(found.became) if services().imports.stands(found) else _removed())
    return found


def _to(step: str, draft: Draft) -> BaseResponse:
    if step == CHECK:
        address = url_for("imports.check", draft=draft.token)
    else:
        address = url_for("imports.choose", draft=draft.token, step=step)
    return redirect(address, HTTPStatus.SEE_OTHER)


def _done(task: str) -> BaseResponse:
    flash("Imported. What the hospitals publish of it stands below.", "success")
    return redirect(url_for("datasets.one", task=task), HTTPStatus.SEE_OTHER)


def _removed() -> BaseResponse:
    flash("This file was imported, and its rows were removed since.", "info")
    return redirect(url_for("datasets.listed"), HTTPStatus.SEE_OTHER)


def _page(draft: Draft, step: str, errors: dict[str, str]) -> str:
    """A step's page. Raises ChoicesRefused where an earlier step cannot be as it is."""
    imports = services().imports
    raw = imports.raw(draft)
    shown: dict[str, Any] = {"fields": imports.fields(draft, step), "errors": errors}
    if step == PURPOSE:
        shown |= {
            "raw": raw,
            "rows": raw.rows[:SHOWN_ROWS],
            "delimiter": DELIMITERS[raw.delimiter],
            "tasks": [get_task(name) for name in task_names()],
            "new": NEW,
        }
    else:
        purpose = imports.purpose(draft)
        task = get_task(purpose.task) if purpose.task else None
        shown |= {"purpose": purpose, "task": task}
    if step == COLUMNS:
        names = free_columns(raw, purpose)
        shown |= {"names": names, "kinds": KINDS, "example": _example(raw.header, raw.rows)}
        shown["outside"] = {} if task else outside(raw, purpose, shown["fields"])
        shown["units"] = {c.name: units_of(c) for c in task.columns} if task else {}
    if step == VALUES:
        takes = imports.takes(draft)
        words = [(take.column, category_words(raw, purpose, take)) for take in takes]
        shown |= {"texts": class_words(raw, purpose), "words": [one for one in words if one[1]]}
    return render_template(
        f"datasets/import/{step}.html", draft=draft, step=step, steps=STEPS, **shown
    )


def _example(header: tuple[str, ...], rows: Any) -> dict[str, str]:
    """A value of each column, to tell what it is."""
    found: dict[str, str] = {}
    for _, cells in rows:
        for name, text in zip(header, cells, strict=False):
            if text:
                found.setdefault(name, text[:40])
        if len(found) == len(header):
            break
    return found
