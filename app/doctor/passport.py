"""A doctor's check of what an answer's passport names: a hash compared with the chain now.

Only what belongs to a version: the ledger's own pages tell of everybody's records, too.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, abort, render_template

from app.ledger.words import event_words
from app.services.hash_check import check_hash
from app.services.passport import find_passport
from app.services.roles import DOCTOR
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("passports", __name__, url_prefix="/models/<training_id>")


@blueprint.get("/checks/<value>")
@requires(DOCTOR)
def check(training_id: str, value: str) -> str:
    """A hash or transaction of a version's passport, compared with the chain; 404 for others."""
    made = services()
    passport = find_passport(made.database, training_id)
    if passport is None or value not in passport.values():
        abort(HTTPStatus.NOT_FOUND)
    found = check_hash(made.database, made.open_ledger, value)
    return render_template(
        "doctor/check.html", passport=passport, check=found, event_words=event_words
    )
