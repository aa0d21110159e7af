"""The appeals' pages: the list, and one appeal, which two administrators decide.

appeals/list.html gets `appeals` (a list of `Appeal`), appeals/one.html `appeal`, `agrees` (whether
the ledger has the update's hash that salt and hash give; None where the chain does not answer),
`effect`, and for an administrator `form` and `own` (what this person said, or None).
"""

from __future__ import annotations

from contextlib import closing
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as BaseResponse

from app.errors import RequestError
from app.services.appeal_view import Appeal
from app.services.appeals import EFFECT
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.web import login
from app.web.reason_field import reason_field
from app.web.roles import requires
from app.web.services import services
from contracts.errors import LedgerError
from contracts.records import AttemptKey

blueprint = Blueprint("appeals", __name__, url_prefix="/appeals")

Answer = BaseResponse | str | tuple[str, HTTPStatus]


class DecisionForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why an appeal is upheld or dismissed."""

    reason = reason_field("Give the reason: it is kept with the decision.")


@blueprint.get("/")
@requires(ADMINISTRATOR, AUDITOR)
def listed() -> str:
    """All appeals, the open ones first."""
    return render_template("appeals/list.html", appeals=services().appeal_views.every())


@blueprint.get("/<int:appeal_id>")
@requires(ADMINISTRATOR, AUDITOR)
def one(appeal_id: int) -> str:
    """An appeal, with what opens the update's hash; the salt is for administrators only."""
    return render_template("appeals/one.html", form=DecisionForm(), **_shown(_appeal(appeal_id)))


@blueprint.get("/<int:appeal_id>/now")
@requires(ADMINISTRATOR, AUDITOR)
def now(appeal_id: int) -> Response:
    """Nothing while the appeal is being written on the ledger, then the page again."""
    if _appeal(appeal_id).writing:
        return Response(status=HTTPStatus.NO_CONTENT)
    return Response(status=HTTPStatus.OK, headers={"HX-Refresh": "true"})


@blueprint.post("/<int:appeal_id>/decision")
@requires(ADMINISTRATOR)
def decide(appeal_id: int) -> Answer:
    """Uphold an appeal or dismiss it; the second administrator who says the same decides."""
    appeal, form = _appeal(appeal_id), DecisionForm()
    choice = request.form.get("decision")
    if not form.validate_on_submit() or choice not in ("uphold", "dismiss"):
        if choice not in ("uphold", "dismiss"):
            form.form_errors.append("Choose to uphold it or to dismiss it.")
        page = render_template("appeals/one.html", form=form, **_shown(appeal))
        return page, HTTPStatus.UNPROCESSABLE_ENTITY
    upheld = choice == "uphold"
    try:
        services().appeals.decide(login.person(), appeal_id, upheld, form.reason.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        verb = "uphold" if upheld else "dismiss"
        flash(f"You {verb} it. That is being written on the ledger.", "success")
    return redirect(url_for("appeals.one", appeal_id=appeal_id), HTTPStatus.SEE_OTHER)


def _appeal(number: int) -> Appeal:
    found = services().appeal_views.find(number)
    if found is None:
        abort(HTTPStatus.NOT_FOUND)
    return found


def _shown(appeal: Appeal) -> dict[str, Any]:
    person = login.person()
    return {
        "appeal": appeal,
        "agrees": _agrees(appeal),
        "effect": EFFECT,
        "decides": person.role == ADMINISTRATOR,
        "own": appeal.said_by(person.id),
    }


def _agrees(appeal: Appeal) -> bool | None:
    """Whether the chain has the hash that is opened; None where it does not answer."""
    training = bytes.fromhex(appeal.training)
    try:
        with closing(services().open_ledger()) as ledger:
            attempt = ledger.round(training, appeal.round).attempts
            found = ledger.submissions(AttemptKey(training, appeal.round, attempt))
    except (LedgerError, ValueError):
        return None
    on_chain = {one.update_hash.hex() for one in found}
    return bool(appeal.opens) and appeal.update_sha256 in on_chain
