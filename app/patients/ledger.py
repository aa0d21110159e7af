"""What stands on the ledger of a patient's record, for the doctors of its care group.

patients/ledger.html gets `patient`, `steps`, and `standing` of the local copy of the ledger.
"""

from __future__ import annotations

from flask import Blueprint, render_template

from app.ledger.words import event_words
from app.patients.access import Answer, patient_of, with_key
from app.services.ledger_standing import bring_up_to_date
from app.services.open_keys import OpenKey
from app.services.roles import DOCTOR
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("ledger", __name__, url_prefix="/<patient_id>/ledger")


@blueprint.get("")
@requires(DOCTOR)
@with_key
def page(key: OpenKey, patient_id: str) -> Answer:
    """Each step with its transaction, and what came of it."""
    patient, made = patient_of(key, patient_id), services()
    return render_template(
        "patients/ledger.html",
        patient=patient,
        standing=bring_up_to_date(made.database, made.open_ledger),
        steps=made.record_ledger_views.of_patient(patient.id),
        event_words=event_words,
    )
