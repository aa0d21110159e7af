"""The forms of sealed records: a patient, the care group, a reason, the password once a session."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    IntegerField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from app.models import UserRow
from app.services import passwords
from app.services.openings import MOST_REASON
from app.services.patients import LONGEST, LONGEST_NOTES, SEXES
from app.services.record_sealing import Attributes

_QUORUM: Final = 2


def _text(label: str, missing: str = "", description: str = "") -> StringField:
    required = [DataRequired(missing)] if missing else [Optional()]
    return StringField(
        label,
        [*required, Length(max=LONGEST, message=f"At most {LONGEST} characters.")],
        description=description,
        render_kw={"autocomplete": "off", "maxlength": LONGEST},
    )


class AttributesForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """What is held of a patient."""

    family_name = _text("Family name", "Enter the family name.")
    given_name = _text("Given name", "Enter the given name.")
    born = DateField("Date of birth", [InputRequired("Enter the date of birth.")])
    sex = SelectField(
        "Sex",
        choices=[SelectChoice(one, one.capitalize()) for one in SEXES],
        default=SEXES[-1],
    )
    number = _text("Patient number", description="As the hospital’s own files have it.")
    contact = _text("Contact", description="Telephone or address, where you need it.")
    notes = TextAreaField(
        "Notes",
        [Optional(), Length(max=LONGEST_NOTES, message=f"At most {LONGEST_NOTES} characters.")],
        render_kw={"rows": 4, "maxlength": LONGEST_NOTES},
    )

    def attributes(self) -> Attributes:
        """What was entered. Only of a valid form."""
        return Attributes(
            family_name=self.family_name.data.strip(),
            given_name=self.given_name.data.strip(),
            born=self.born.data.isoformat(),
            sex=self.sex.data,
            number=(self.number.data or "").strip(),
            contact=(self.contact.data or "").strip(),
            notes=(self.notes.data or "").strip(),
        )


class GroupForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Who cares for a patient, and how many of them open the record."""

    carers = SelectMultipleField(
        "Colleagues who care for the patient, too",
        coerce=int,
        description="Each gets a share of the record’s key. You are of the group yourself.",
    )
    quorum = IntegerField(
        "Doctors needed to open the record",
        [InputRequired("Enter how many doctors are needed.")],
        default=_QUORUM,
        description="With you: a majority of the group. Two of three is usual.",
        render_kw={"min": 2, "inputmode": "numeric"},
    )

    def offer(self, colleagues: Sequence[UserRow], ticked: Sequence[int] = ()) -> None:
        """Offer the colleagues, with those ticked who are of the group."""
        self.carers.choices = [SelectChoice(one.id, one.name) for one in colleagues]
        if not self.is_submitted():
            self.carers.data = list(ticked)


class PatientForm(AttributesForm, GroupForm):
    """A new patient and who cares for it."""


class ReasonForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why a record is to be opened."""

    reason = StringField(
        "Reason",
        [
            DataRequired("Give the reason: your colleagues decide by it."),
            Length(max=MOST_REASON, message=f"At most {MOST_REASON} characters."),
        ],
        description="Sealed: only the doctors of the care group read it.",
        render_kw={"autocomplete": "off", "maxlength": MOST_REASON},
    )


class EraseForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """The tick before a record is erased."""

    sure = BooleanField(
        "Erase it for good: nobody can bring it back",
        [InputRequired("Tick the box: nobody can bring it back.")],
    )


class AskForm(ReasonForm):
    """The request: of colleagues, or in an emergency with the administration's share."""

    emergency = BooleanField(
        "This is an emergency",
        description="The administration’s share counts as one colleague’s approval, so with two of "
        "three the record opens at once. The care group, audit log and ledger are told.",
    )


class PasswordForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """The password that opens the own key."""

    password = PasswordField(
        "Your password",
        [DataRequired("Enter your password."), Length(max=passwords.LONGEST)],
        render_kw={"autocomplete": "current-password", "maxlength": passwords.LONGEST},
    )


def filled(attributes: Attributes) -> dict[str, Any]:
    """What a form shows of stored attributes."""
    return asdict(attributes) | {"born": date.fromisoformat(attributes.born)}
