"""The models' pages: the versions of each task, promoting one, rolling back, the file of one."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse

from app.errors import ModelRefused, RequestError
from app.services.promotions import OLDER
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.services.versions import Version
from app.versions import card
from app.web import login
from app.web.model_answer import model_answer
from app.web.reason_field import reason_field
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("versions", __name__, url_prefix="/models")
blueprint.register_blueprint(card.blueprint)

Answer = BaseResponse | str | tuple[str, HTTPStatus]


class PromoteForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why another model is put into use."""

    reason = reason_field("Give the reason: it is kept with the decision.")


@blueprint.get("/")
@requires(ADMINISTRATOR, AUDITOR)
def listed() -> str:
    """The versions of each task, and the one in use."""
    return render_template("versions/list.html", **_shown())


@blueprint.get("/now")
@requires(ADMINISTRATOR, AUDITOR)
def now() -> Answer:
    """The changing part of the page, while a change is being written on the ledger."""
    shown = _shown()
    if any(task.waiting for task in shown["tasks"]):
        return render_template("versions/_list.html", **shown)
    # The whole page: its header names the models in use, too.
    return Response(status=HTTPStatus.OK, headers={"HX-Refresh": "true"})


@blueprint.route("/<training_id>/promote", methods=["GET", "POST"])
@requires(ADMINISTRATOR)
def promote(training_id: str) -> Answer:
    """Put a version into use, again or roll back to it, after what changes was shown."""
    version = _version(training_id)
    if version.refusal:
        flash(version.refusal, "warning")
        return redirect(url_for("versions.listed"), HTTPStatus.SEE_OTHER)
    form = PromoteForm()
    if not form.validate_on_submit():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
        current = services().versions.of(version.task).in_use
        page = render_template("versions/promote.html", form=form, version=version, current=current)
        return page, status
    try:
        services().wishes.ask(login.person(), training_id, form.reason.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(
            f"Version {version.number} of {version.title.lower()} is put into use: it is being "
            "written on the ledger.",
            "success",
        )
    return redirect(url_for("versions.listed"), HTTPStatus.SEE_OTHER)


@blueprint.get("/<training_id>/file")
@requires(ADMINISTRATOR, AUDITOR)
def file(training_id: str) -> BaseResponse | Response:
    """A version as a safetensors file; who took it is on the audit log."""
    version = _version(training_id)
    person = login.person()
    try:
        task, body = services().models.file(training_id)
    except ModelRefused as refused:
        details = {"training": training_id, "reason": str(refused)}
        services().audit.add(person, "model.refused", version.task, details)
        flash(str(refused), "danger")
        return redirect(url_for("versions.listed"), HTTPStatus.SEE_OTHER)
    details = {"training": training_id, "model_sha256": version.model_sha256}
    services().audit.add(person, "model.downloaded", task, details)
    return model_answer(task, version.model_sha256, body)


def _shown() -> dict[str, Any]:
    return {
        "tasks": services().versions.every(),
        "may_promote": login.person().role == ADMINISTRATOR,
        "older": OLDER,
    }


def _version(training: str) -> Version:
    version = services().versions.find(training)
    if version is None:
        abort(HTTPStatus.NOT_FOUND)
    return version
