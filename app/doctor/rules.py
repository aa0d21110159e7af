"""The rules behind the suggestions of a task, with their sources, to be read and reviewed."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, abort, render_template

from app.doctor.suggestions import NO_RULES, band_words, listed, review_words
from app.services.roles import ADMINISTRATOR, AUDITOR, DOCTOR
from app.web import login
from app.web.roles import requires
from fl.datasets import get_task, task_names
from fl.datasets.suggestion_file import find_rules

blueprint = Blueprint("rules", __name__, url_prefix="/suggestions")


@blueprint.get("/<task>")
@requires(ADMINISTRATOR, AUDITOR, DOCTOR)
def page(task: str) -> str:
    """Every rule of the task, its sources, and what was looked for and not found."""
    if task not in task_names():
        abort(HTTPStatus.NOT_FOUND)
    book = find_rules(task)
    return render_template(
        "doctor/suggestions.html",
        task=get_task(task),
        book=book,
        rules=listed(book) if book else (),
        review=review_words(book) if book else "",
        bands=band_words(),
        no_rules=NO_RULES,
        is_doctor=login.person().role == DOCTOR,
    )
