"""Trainings side by side: what was asked, what came out, by round; and the same as files."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import RequestError
from app.results.files import figure_file, tables_file
from app.services.comparison import Comparison, compare_trainings, result_kinds
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.web import login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("compare", __name__, url_prefix="/compare")

STEM = "consilium-comparison"


@blueprint.get("")
@requires(ADMINISTRATOR, AUDITOR)
def page() -> Response | str:
    """Two to six trainings side by side: `?with=ID&with=ID`."""
    try:
        found = compare_trainings(services().database, request.args.getlist("with"))
    except RequestError as error:
        flash(str(error), "warning")
        mine = login.person().role == ADMINISTRATOR
        back = "admin.trainings.listed" if mine else "results.listed"
        ticked = urlencode({"with": request.args.getlist("with")}, doseq=True)
        return redirect(f"{url_for(back)}?{ticked}", HTTPStatus.SEE_OTHER)
    return render_template("results/compare.html", found=found, kinds=result_kinds())


@blueprint.get("/tables/<name>.<form>")
@requires(ADMINISTRATOR, AUDITOR)
def table(name: str, form: str) -> Response:
    """A table of the comparison as a file, or `all` of them."""
    found = _found()
    return tables_file(found.tables, name, form, STEM, _facts(found))


@blueprint.get("/figures/<name>.<form>")
@requires(ADMINISTRATOR, AUDITOR)
def figure(name: str, form: str) -> Response:
    """A chart of the comparison as a file."""
    found = _found()
    source = ", ".join(f"training {one['training'][:16]}" for one in found.documents)
    return figure_file(found.charts, name, form, STEM, source)


def _found() -> Comparison:
    try:
        return compare_trainings(services().database, request.args.getlist("with"))
    except RequestError:
        abort(HTTPStatus.NOT_FOUND)


def _facts(found: Comparison) -> dict[str, Any]:
    return {"trainings": [one["training"] for one in found.documents]}
