"""What a patient agreed to: that it is recorded, and that it may train models; since when.

It is part of the sealed attributes, so it has their history. Attributes that were sealed before
anybody was asked say that it is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from app.errors import RequestError
from app.models.base import now

UNKNOWN: Final = "not known"
AGREED: Final = "agreed"
REFUSED: Final = "refused"
BASIS: Final = "another legal basis"
RECORDING: Final = {
    AGREED: "The patient agreed",
    BASIS: "Another legal basis, such as emergency care",
    REFUSED: "The patient refused, or took the consent back",
}
TRAINING: Final = {
    UNKNOWN: "Not asked yet",
    AGREED: "The patient agreed",
    REFUSED: "The patient refused, or took the consent back",
}
LONGEST_BASIS: Final = 300


@dataclass(frozen=True)
class Consent:
    """Whether the patient may be recorded, and used for training; `on` is the day, ISO 8601.

    `basis` says on what else a recording rests, `noted_by` is who entered all this.
    """

    recording: str = UNKNOWN
    training: str = UNKNOWN
    on: str = ""
    basis: str = ""
    noted_by: str = ""


NOT_KNOWN: Final = Consent()


def check_consent(consent: Consent) -> None:
    """Raise RequestError for what nobody can have noted; one that is not known is fine here."""
    if consent.recording not in (UNKNOWN, *RECORDING) or consent.training not in TRAINING:
        raise RequestError("Choose what the patient agreed to.")
    if len(consent.basis) > LONGEST_BASIS:
        raise RequestError(f"State the legal basis in at most {LONGEST_BASIS} characters.")
    require_basis(consent)
    if consent.recording == UNKNOWN:
        return
    try:
        on = date.fromisoformat(consent.on)
    except ValueError as error:
        raise RequestError("Enter the day on which the patient was asked.") from error
    check_asked(on)


def require_basis(consent: Consent) -> None:
    """Raise RequestError where another legal basis counts and is not stated."""
    if consent.recording == BASIS and not consent.basis.strip():
        raise RequestError("State on which other legal basis the patient is recorded.")


def check_asked(on: date) -> None:
    """Raise RequestError for a day on which nobody can have asked yet."""
    if on > now().date():
        raise RequestError("The patient cannot have been asked on a day to come.")


def require_recording(consent: Consent) -> None:
    """Raise RequestError unless something allows to record the patient."""
    if consent.recording == UNKNOWN:
        raise RequestError("Say whether the patient agreed to be recorded.")
    if consent.recording == REFUSED:
        raise RequestError(
            "The patient does not agree to be recorded, so nothing is recorded. If the law allows "
            "it all the same, as in an emergency, choose the other legal basis and state it."
        )
