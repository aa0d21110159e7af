"""A training's results: the page, its tables and figures as files, the report, the predicted rows.

Administrators and auditors read all of it; the rows themselves are for administrators.
"""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import ModelRefused, RequestError
from app.results import comparison
from app.results.files import figure_file, stem, tables_file
from app.services.charts import result_charts
from app.services.exports import export
from app.services.overview import Overview
from app.services.predicted_rows import PredictedRows
from app.services.report import write_report
from app.services.result_tables import attack_sentence, result_tables, submissions_on_page
from app.services.results import training_document
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.services.tables import Table
from app.web import login
from app.web.downloads import file_answer
from app.web.roles import requires
from app.web.services import services
from fl.datasets import get_task

blueprint = Blueprint("results", __name__, url_prefix="/trainings")
blueprint.register_blueprint(comparison.blueprint)

PAGE = 25
# By what the submissions may be chosen.
FILTERS = ("hospital", "round", "verdict")


@blueprint.get("")
@requires(ADMINISTRATOR, AUDITOR)
def listed() -> str:
    """The trainings that began, each with the way to its results, to be ticked and compared."""
    lines = [line for line in Overview(services().database).trainings() if line.training]
    return render_template("results/list.html", lines=lines)


@blueprint.get("/<training_id>/results")
@requires(ADMINISTRATOR, AUDITOR)
def one(training_id: str) -> str:
    """Tables and charts of what came out; `?hospital=`, `round=`, `verdict=` choose submissions."""
    document = _document(training_id)
    tables = result_tables(document)
    chosen = _chosen()
    return render_template(
        "results/results.html",
        document=document,
        task=get_task(document["task"]),
        tables=tables,
        charts=result_charts(document, tables),
        attacks=_attacks(document["simulation"]),
        choices=_choices(tables["submissions"]),
        chosen={name: value for name, value in chosen.items() if value is not None},
        is_administrator=login.person().role == ADMINISTRATOR,
        **_page(submissions_on_page(tables["submissions"]).where(chosen)),
    )


@blueprint.get("/<training_id>/results/tables/<name>.<form>")
@requires(ADMINISTRATOR, AUDITOR)
def table(training_id: str, name: str, form: str) -> Response:
    """A table as a file, or `all` of them; submissions as they are chosen on the page."""
    document = _document(training_id)
    tables = result_tables(document)
    if name == "submissions":
        tables[name] = tables[name].where(_chosen())
    return tables_file(tables, name, form, stem(document), _facts(document))


@blueprint.get("/<training_id>/results/figures/<name>.<form>")
@requires(ADMINISTRATOR, AUDITOR)
def figure(training_id: str, name: str, form: str) -> Response:
    """A chart as a file."""
    document = _document(training_id)
    charts = result_charts(document, result_tables(document))
    source = f"{get_task(document['task']).title}, training {training_id}"
    return figure_file(charts, name, form, stem(document), source)


@blueprint.get("/<training_id>/results/report.pdf")
@requires(ADMINISTRATOR, AUDITOR)
def report(training_id: str) -> Response:
    """The training as a report to print and to file."""
    document = _document(training_id)
    written = write_report(services().database, document)
    return file_answer(written, "application/pdf", f"{stem(document)}-report.pdf")


@blueprint.get("/<training_id>/results/predictions.<form>")
@requires(ADMINISTRATOR)
def predictions(training_id: str, form: str) -> Response:
    """The hospitals' test rows with truth, prediction and probabilities."""
    document = _document(training_id)
    if form not in ("csv", "xlsx"):
        abort(HTTPStatus.NOT_FOUND)
    made = services()
    try:
        rows = PredictedRows(made.predictions).table(training_id)
    except (ModelRefused, RequestError) as error:
        flash(str(error), "warning")
        return redirect(url_for("results.one", training_id=training_id), HTTPStatus.SEE_OTHER)
    made.audit.add(login.person(), "predictions.downloaded", training_id, {"rows": len(rows.rows)})
    name = f"{stem(document)}-predicted-rows.{form}"
    return file_answer(export([rows], form, {}), form, name)


def _document(training_id: str) -> dict[str, Any]:
    """The training's document; 404 when there is none such."""
    try:
        return training_document(services().database, training_id)
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)


def _facts(document: dict[str, Any]) -> dict[str, Any]:
    """What a JSON file says of the training that its tables are of."""
    return {name: document[name] for name in ("training", "task", "seed", "state", "model_sha256")}


def _chosen() -> dict[str, Any]:
    """The filters of the submissions; None where all are wanted."""
    given = request.args
    return {
        "hospital": given.get("hospital") or None,
        "round": given.get("round", type=int),
        "verdict": given.get("verdict") or None,
    }


def _attacks(simulation: dict[str, Any] | None) -> str:
    """Who attacks and in what way, in titles; "" where nobody does."""
    return attack_sentence(simulation) if simulation else ""


def _choices(table: Table) -> dict[str, list[Any]]:
    """What each filter offers, in the order of the table."""
    records = table.records()
    return {name: list(dict.fromkeys(one[name] for one in records)) for name in FILTERS}


def _page(table: Table) -> dict[str, Any]:
    """The part of the submissions that is shown."""
    pages = max(1, -(-len(table.rows) // PAGE))
    number = min(max(request.args.get("page", default=1, type=int), 1), pages)
    shown = table.rows[(number - 1) * PAGE : number * PAGE]
    part = replace(table, rows=shown)
    return {"submissions": part, "total": len(table.rows), "page": number, "pages": pages}
