"""Where an operator asks for a second look at a rejection of the own hospital, and what came of it.

operator/appeal.html gets `form`, `one` (the submission's record) and `effect`;
operator/appealed.html gets `appeal` (an `Appeal` of the own hospital).
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app.errors import RequestError
from app.services.appeals import EFFECT, NO_EFFECT
from app.services.hospital_record import submissions_table
from app.services.roles import OPERATOR
from app.services.round_names import round_title
from app.web import login
from app.web.reason_field import reason_field
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("appeals", __name__, url_prefix="/appeals")

Answer = Response | str | tuple[str, HTTPStatus]


class AppealForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why the hospital asks for a second look."""

    reason = reason_field("Give the reason: two administrators decide by it.")


@blueprint.get("/<int:appeal_id>")
@requires(OPERATOR)
def one(appeal_id: int) -> str:
    """An appeal of the own hospital: what was asked, what administrators said, what was decided."""
    hospital = services().staff.find(login.person().id)
    found = services().appeal_views.find(appeal_id)
    if found is None or found.hospital != hospital:
        abort(HTTPStatus.NOT_FOUND)
    return render_template("operator/appealed.html", appeal=found)


@blueprint.route("/<training_id>/<int:number>", methods=["GET", "POST"])
@requires(OPERATOR)
def ask(training_id: str, number: int) -> Answer:
    """Appeal against the rejection in a round, after what that opens was said."""
    person = login.person()
    hospital = services().staff.find(person.id)
    known = services().appeal_views.of_hospital(hospital) if hospital else {}
    own = known.get((training_id, round_title(number)))
    if hospital is None or own is None:
        abort(HTTPStatus.NOT_FOUND)
    back = f"{url_for('operator.home')}#submissions"
    if own.refusal:
        flash(own.refusal, "info")
        return redirect(back, HTTPStatus.SEE_OTHER)
    form = AppealForm()
    if not form.validate_on_submit():
        status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
        rows = submissions_table(services().database, hospital).records()
        wanted = training_id, round_title(number)
        found = next(one for one in rows if (one["training"], one["round"]) == wanted)
        effect = EFFECT if own.running else NO_EFFECT
        page = render_template("operator/appeal.html", form=form, one=found, effect=effect)
        return page, status
    try:
        services().appeals.ask(person, training_id, number, form.reason.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash("Asked. The worker opens the update’s hash and writes it on the ledger.", "success")
    return redirect(back, HTTPStatus.SEE_OTHER)
