"""Everything against the chain: ask for a check, watch it, see what it found, and earlier ones."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Blueprint, abort, redirect, render_template, url_for
from werkzeug.wrappers import Response

from app.services.checks import MOST_DIFFERENCES, CheckView
from app.services.hash_lines import is_digest
from app.services.roles import ADMINISTRATOR, AUDITOR
from app.web import login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("verify", __name__)

# htmx stops polling at this status.
STOP_POLLING = 286
# Beyond it no number of a check can be.
_MOST = 2**31


@blueprint.get("/verify")
@requires(ADMINISTRATOR, AUDITOR)
def listed() -> str:
    """What a check does, the button that asks for one, and the last ones."""
    checks = services().checks.latest()
    under_way = next((one for one in checks if not one.over), None)
    return render_template("ledger/verify.html", checks=checks, under_way=under_way)


@blueprint.post("/verify")
@requires(ADMINISTRATOR, AUDITOR)
def start() -> Response:
    """Ask for a check; leads to the one that waits or runs already, where there is one."""
    number = services().checks.submit(login.person())
    return redirect(url_for("ledger.verify.one", number=number), HTTPStatus.SEE_OTHER)


@blueprint.get("/verify/<int:number>")
@requires(ADMINISTRATOR, AUDITOR)
def one(number: int) -> str:
    """A check, live while it runs; afterwards what it found."""
    return render_template("ledger/verification.html", **_shown(number))


@blueprint.get("/verify/<int:number>/now")
@requires(ADMINISTRATOR, AUDITOR)
def now(number: int) -> tuple[str, int]:
    """The part of the page that changes each second."""
    shown = _shown(number)
    part = render_template("ledger/_verification_now.html", **shown)
    return part, STOP_POLLING if shown["check"].over else HTTPStatus.OK


def _shown(number: int) -> dict[str, Any]:
    """The variables of a check's templates; 404 when there is none such."""
    made = services()
    check: CheckView | None = made.checks.find(number) if number < _MOST else None
    if check is None:
        abort(HTTPStatus.NOT_FOUND)
    return {
        "check": check,
        "training": made.jobs.current() if check.waits else None,
        "differences": made.checks.differences(number) if check.over else [],
        "most": MOST_DIFFERENCES,
        "is_digest": is_digest,
    }
