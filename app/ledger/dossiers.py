"""A round's dossier: a page that says what it shows and how to check it, the file, its QR code."""

from __future__ import annotations

from contextlib import closing
from http import HTTPStatus
from io import BytesIO

import segno
from flask import Blueprint, Response, abort, render_template, url_for
from werkzeug.wrappers import Response as Answer

from app.services.dossier import has_dossier
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.services.round_names import round_title
from app.web import login
from app.web.dossier_file import dossier_file
from app.web.roles import requires
from app.web.services import services
from contracts.errors import LedgerError
from contracts.members import grouped

blueprint = Blueprint("dossiers", __name__)

_PLACE = "/trainings/<training_id>/rounds/<int:number>/dossier"
# Empty modules on each side, without which a camera does not find the code (ISO/IEC 18004).
_QUIET = 4


@blueprint.get(_PLACE)
@requires(ADMINISTRATOR, AUDITOR)
def page(training_id: str, number: int) -> str:
    """What the dossier of a round shows, how to check it, and where the file is."""
    _require(training_id, number)
    return render_template(
        "ledger/dossier.html",
        training=training_id,
        number=number,
        title=round_title(number),
        address=_address(training_id, number),
        fingerprint=_fingerprint(),
        is_administrator=login.person().role == ADMINISTRATOR,
    )


@blueprint.get(f"{_PLACE}/file")
@requires(ADMINISTRATOR, AUDITOR)
def file(training_id: str, number: int) -> Answer:
    """The dossier itself, for whoever wants to check it elsewhere."""
    _require(training_id, number)
    return dossier_file(training_id, number, _address(training_id, number))


@blueprint.get(f"{_PLACE}/qr.svg")
@requires(ADMINISTRATOR, AUDITOR)
def code(training_id: str, number: int) -> Response:
    """The address of the dossier's page as a QR code, dark on white in either theme."""
    _require(training_id, number)
    picture = BytesIO()
    made = segno.make(_address(training_id, number), error="m", micro=False)
    made.save(
        picture, kind="svg", border=_QUIET, dark="#000", light="#fff", omitsize=True, xmldecl=False
    )
    return Response(picture.getvalue(), mimetype="image/svg+xml")


def _require(training: str, number: int) -> None:
    """404 where the round is not finished, or there is none such."""
    if number >= 2**31 or not has_dossier(services().database, training, number):
        abort(HTTPStatus.NOT_FOUND)


def _address(training: str, number: int) -> str:
    """The page, with the host under which this request came: what a camera can open."""
    return url_for("ledger.dossiers.page", training_id=training, number=number, _external=True)


def _fingerprint() -> str | None:
    """The federation's fingerprint, or None without its chain."""
    try:
        with closing(services().open_ledger()) as ledger:
            return grouped(ledger.fingerprint())
    except LedgerError:
        return None
