"""An operator's page: the own hospital, what waits for an approval, what was decided.

static/js/wallet.js asks for typed data, has the wallet sign it (EIP-712) and sends the signature
back. It is answered in JSON: `typed` and `issued` (what to sign, and when it was written),
`location` (where to go on) or `error` (a sentence). operator/home.html gets `hospital` (None: not
set yet), `wallet` (a `LinkedWallet` or None), `rule`, `waiting` and `decided` (lists of `Asked`),
`models` (a list of `OwnModel`); `party` (account and key, or None), `tasks` (whose data sets name
the hospital), `submissions` (a `Table`, one page of `total` rows), `page`, `pages`,
`rejections` (`OwnRejection`s by training and the round's title).
"""

from __future__ import annotations

import json
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.errors import ModelRefused, RequestError
from app.operator import appeals
from app.services.approval_message import MOST_REASON, TypedData
from app.services.hospital_record import find_party, submissions_table, tasks_of
from app.services.roles import ADMINISTRATOR, AUDITOR, OPERATOR
from app.services.unopened import WAITING
from app.web import login
from app.web.downloads import file_answer, table_answer
from app.web.model_answer import model_answer
from app.web.roles import requires
from app.web.services import services
from fl.datasets import get_task

blueprint = Blueprint("operator", __name__, url_prefix="/operator")
blueprint.register_blueprint(appeals.blueprint)

PAGE = 20

Answer = Response | tuple[Response, HTTPStatus]


@blueprint.get("/")
@requires(OPERATOR)
def home() -> str:
    """The own hospital, what waits for it, and what was decided."""
    me = login.person().id
    hospital = services().staff.find(me)
    approvals = services().approvals
    asked = approvals.of_hospital(hospital) if hospital else []
    return render_template(
        "operator/home.html",
        hospital=hospital,
        wallet=services().wallets.find(me),
        rule=approvals.find_rule(hospital) if hospital else None,
        waiting=[one for one in asked if one.row.state == WAITING],
        decided=[one for one in asked if one.row.state != WAITING],
        most_reason=MOST_REASON,
        models=services().models.of_hospital(hospital) if hospital else [],
        **_record(hospital),
    )


@blueprint.get("/submissions.<form>")
@requires(OPERATOR)
def submissions(form: str) -> Response:
    """All submissions of the own hospital as CSV, XLSX or JSON."""
    hospital = services().staff.find(login.person().id)
    if hospital is None:
        abort(HTTPStatus.NOT_FOUND)
    table = submissions_table(services().database, hospital)
    return table_answer(table, form, {"hospital": hospital})


def _record(hospital: str | None) -> dict[str, Any]:
    """The own hospital's account and key, its data sets, and a page of its submissions."""
    if hospital is None:
        return {"party": None, "tasks": [], "submissions": None, "rejections": {}}
    database = services().database
    table = submissions_table(database, hospital)
    pages = max(1, -(-len(table.rows) // PAGE))
    page = min(max(1, request.args.get("page", default=1, type=int)), pages)
    shown = replace(table, rows=table.rows[(page - 1) * PAGE : page * PAGE])
    return {
        "party": find_party(database, hospital),
        "tasks": [get_task(name) for name in tasks_of(hospital)],
        "submissions": shown,
        "rejections": services().appeal_views.of_hospital(hospital),
        "total": len(table.rows),
        "page": page,
        "pages": pages,
    }


@blueprint.post("/rule/message")
@requires(OPERATOR)
def rule_message() -> Answer:
    """What to sign to switch approvals by hand on or off."""
    try:
        return _offered(
            services().approvals.offer_rule(login.person(), _flag("required"), _text("address"))
        )
    except RequestError as refused:
        return _refused(refused)


@blueprint.post("/rule")
@requires(OPERATOR)
def rule() -> Answer:
    """Switch approvals by hand on or off, as was signed."""
    try:
        made = services().approvals.set_rule(
            login.person(), _flag("required"), _whole("issued"), _text("signature")
        )
    except RequestError as refused:
        return _refused(refused)
    begins = "need your approval by hand" if made.required else "begin without being asked"
    flash(f"From now on trainings with {made.hospital} {begins}.", "success")
    return jsonify(location=url_for("operator.home"))


@blueprint.post("/approvals/<training_id>/message")
@requires(OPERATOR)
def decision_message(training_id: str) -> Answer:
    """What to sign to approve a training or to refuse it."""
    try:
        return _offered(
            services().approvals.offer(
                login.person(), training_id, _flag("approve"), _text("reason"), _text("address")
            )
        )
    except RequestError as refused:
        return _refused(refused)


@blueprint.post("/approvals/<training_id>")
@requires(OPERATOR)
def decide(training_id: str) -> Answer:
    """Approve a training or refuse it, as was signed."""
    try:
        approve = _flag("approve")
        reason, issued, signature = _text("reason"), _whole("issued"), _text("signature")
        services().approvals.decide(login.person(), training_id, approve, reason, issued, signature)
    except RequestError as refused:
        return _refused(refused)
    flash(
        "Approved. The training begins once every hospital that is asked has approved it."
        if approve
        else "Refused. The training has ended, and whoever asked for it reads the reason.",
        "success",
    )
    return jsonify(location=url_for("operator.home"))


@blueprint.get("/approvals/<training_id>/<hospital>/signed")
@requires(OPERATOR, ADMINISTRATOR, AUDITOR)
def signed(training_id: str, hospital: str) -> Response:
    """What was signed about a training, as a file; an operator gets the own hospital's only."""
    person = login.person()
    if person.role == OPERATOR and services().staff.find(person.id) != hospital:
        abort(HTTPStatus.NOT_FOUND)
    document = services().approvals.document(training_id, hospital)
    if document is None:
        abort(HTTPStatus.NOT_FOUND)
    name = f"approval-{training_id[:8]}-{hospital.lower().replace(' ', '-')}.json"
    return file_answer((json.dumps(document, indent=2) + "\n").encode(), "json", name)


@blueprint.get("/models/<training_id>")
@requires(OPERATOR)
def model(training_id: str) -> Response | BaseResponse:
    """A model of the own hospital as a file, where the ledger lets the hospital have it."""
    return _handed_out(training_id, as_safetensors=False)


@blueprint.get("/models/<training_id>/file")
@requires(OPERATOR)
def model_file(training_id: str) -> Response | BaseResponse:
    """The same model as a safetensors file, by the same rule."""
    return _handed_out(training_id, as_safetensors=True)


def _handed_out(training_id: str, as_safetensors: bool) -> Response | BaseResponse:
    person = login.person()
    hospital = services().staff.find(person.id)
    if hospital is None:
        abort(HTTPStatus.NOT_FOUND)
    try:
        own, body = services().models.get(hospital, training_id)
        if as_safetensors:
            _, body = services().models.file(training_id)
    except ModelRefused as refused:
        details = {"training": training_id, "reason": str(refused)}
        services().audit.add(person, "model.refused", hospital, details)
        flash(str(refused), "danger")
        return redirect(url_for("operator.home"), HTTPStatus.SEE_OTHER)
    details = {"training": training_id, "model_sha256": own.sha256}
    services().audit.add(person, "model.downloaded", hospital, details)
    kind = "safetensors" if as_safetensors else "cbor"
    return model_answer(own.task, own.sha256, body, kind)


def _offered(typed: TypedData) -> Answer:
    return jsonify(typed=typed, issued=typed["message"]["issued"])


def _refused(refused: RequestError) -> Answer:
    return jsonify(error=str(refused)), HTTPStatus.UNPROCESSABLE_ENTITY


def _text(name: str) -> str:
    return request.form.get(name, "")


def _flag(name: str) -> bool:
    """Whether a field says yes; anything but yes and no is a malformed request."""
    value = _text(name)
    if value not in ("yes", "no"):
        raise RequestError("The page sent neither yes nor no. Reload it and try again.")
    return value == "yes"


def _whole(name: str) -> int:
    try:
        return int(_text(name))
    except ValueError as error:
        raise RequestError("The page sent no time of signing. Reload it and try again.") from error
