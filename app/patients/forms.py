"""The forms of sealed records: a patient, the care group, a reason, the password once a session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    IntegerField,
    PasswordField,
    RadioField,
    SelectField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    Optional,
    ValidationError,
)

from app.errors import RequestError
from app.models import UserRow
from app.models.base import now
from app.services import passwords
from app.services.openings import MOST_REASON
from app.services.patient_consent import (
    BASIS,
    LONGEST_BASIS,
    RECORDING,
    TRAINING,
    UNKNOWN,
    Consent,
    check_asked,
    require_basis,
    require_recording,
)
from app.services.patients import (
    FEWEST_CARERS,
    LONGEST,
    LONGEST_NOTES,
    SEXES,
    check_born,
    require_quorum,
    require_size,
)
from app.services.record_entries import CAME_TRUE, NOT_KNOWN, NOT_TRUE, TRUE, Came, Outcome
from app.services.record_sealing import Attributes
from app.services.resharing_view import Leaver
from app.services.retention import MOST_REASON as MOST_LONGER

_QUORUM: Final = 2
_PLACE: Final = "place_"


def today() -> date:
    """Today in UTC, as dates of a record are checked."""
    return now().date()


@contextmanager
def _told_at_the_field() -> Iterator[None]:
    """What a service would refuse is told beside its field, all at once."""
    try:
        yield
    except RequestError as error:
        raise ValidationError(str(error)) from error


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

    def validate_born(self, field: DateField) -> None:
        """Raise ValidationError for a day that cannot be right."""
        if field.data is not None:
            with _told_at_the_field():
                check_born(field.data)

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


class ConsentForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """What a patient agreed to."""

    recording = RadioField(
        "May the patient be recorded?",
        [InputRequired("Say whether the patient agreed to be recorded.")],
        choices=[SelectChoice(*one) for one in RECORDING.items()],
    )
    basis = StringField(
        "The other legal basis",
        [Length(max=LONGEST_BASIS, message=f"At most {LONGEST_BASIS} characters.")],
        description="Only if the patient did not agree: why the law allows the record.",
        render_kw={"autocomplete": "off", "maxlength": LONGEST_BASIS},
    )
    training = RadioField(
        "May the patient’s data train models?",
        [InputRequired("Say whether the patient agreed to training.")],
        choices=[SelectChoice(*one) for one in TRAINING.items()],
        default=UNKNOWN,
        description="If so, each confirmed diagnosis joins the next trainings of the doctor’s "
        "hospital, without a name. Taken back, it joins none that begins later; models that "
        "learned from it stay as they are.",
    )
    asked_on = DateField(
        "Asked on", [InputRequired("Enter the day on which the patient was asked.")], default=today
    )

    def validate_basis(self, field: StringField) -> None:
        """Raise ValidationError where it counts and is missing."""
        with _told_at_the_field():
            require_basis(Consent(self.recording.data or UNKNOWN, basis=field.data or ""))

    def validate_asked_on(self, field: DateField) -> None:
        """Raise ValidationError for a day to come."""
        if field.data is not None:
            with _told_at_the_field():
                check_asked(field.data)

    def consent(self, noted_by: str) -> Consent:
        """What was entered, and by whom. Only of a valid form."""
        return Consent(
            recording=self.recording.data,
            training=self.training.data,
            on=self.asked_on.data.isoformat(),
            basis=(self.basis.data or "").strip() if self.recording.data == BASIS else "",
            noted_by=noted_by,
        )


def _size(carers: SelectMultipleField) -> int:
    """How many are of the group, with whom chose the others."""
    return len(set(carers.data or ())) + 1


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

    def validate_carers(self, field: SelectMultipleField) -> None:
        """Raise ValidationError for too few or too many."""
        with _told_at_the_field():
            require_size(_size(field))

    def validate_quorum(self, field: IntegerField) -> None:
        """Raise ValidationError for what is no majority of the group."""
        size = _size(self.carers)
        if field.data is not None and size >= FEWEST_CARERS:
            with _told_at_the_field():
                require_quorum(size, field.data)

    def offer(self, colleagues: Sequence[UserRow], ticked: Sequence[int] = ()) -> None:
        """Offer the colleagues, with those ticked who are of the group."""
        self.carers.choices = [SelectChoice(one.id, one.name) for one in colleagues]
        if not self.is_submitted():
            self.carers.data = list(ticked)


class PatientForm(AttributesForm, ConsentForm, GroupForm):
    """A new patient, what it agreed to, and who cares for it."""

    def validate_recording(self, field: RadioField) -> None:
        """Raise ValidationError where nothing allows to record the patient."""
        with _told_at_the_field():
            require_recording(Consent(field.data or UNKNOWN))


class SuccessorsForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Who takes whose place in the care groups: a field for each who has no share any more."""

    def named(self) -> dict[int, int]:
        """Who takes the place of whom, persons' numbers; without those left for later."""
        chosen = {one.name: one.data for one in self if one.name.startswith(_PLACE)}
        return {int(name.removeprefix(_PLACE)): user for name, user in chosen.items() if user}


def successors_form(leavers: Sequence[Leaver], doctors: Sequence[UserRow]) -> SuccessorsForm:
    """The form for those who left; who lost a key and has a new one gets it by default."""
    able = {one.id for one in doctors}
    choices = [SelectChoice(0, "Nobody yet"), *(SelectChoice(one.id, one.name) for one in doctors)]
    fields = {
        f"{_PLACE}{one.user}": SelectField(
            f"In the place of {one.name}",
            coerce=int,
            choices=choices,
            default=one.user if one.user in able else 0,
            description=f"{one.records} of your records. {one.why}",
        )
        for one in leavers
    }
    form: SuccessorsForm = type("PlacesForm", (SuccessorsForm,), fields)()
    return form


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


class OutcomeForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """The diagnosis that was confirmed for an answer."""

    came = RadioField(
        "Was it confirmed?",
        [InputRequired("Choose whether the diagnosis was confirmed.")],
        choices=[
            SelectChoice(str(came), CAME_TRUE[came].capitalize())
            for came in (TRUE, NOT_TRUE, NOT_KNOWN)
        ],
    )
    at = DateField("Day of the diagnosis", [InputRequired("Enter the day.")], default=today)
    basis = StringField(
        "On what it rests",
        [Optional(), Length(max=LONGEST_BASIS, message=f"At most {LONGEST_BASIS} characters.")],
        description="Such as the finding or the letter.",
        render_kw={"autocomplete": "off", "maxlength": LONGEST_BASIS},
    )

    def outcome(self, answer: str) -> Outcome:
        """What was entered of this answer. Only of a valid form."""
        came: Came = {"0": NOT_TRUE, "1": TRUE}.get(self.came.data, NOT_KNOWN)
        basis = " ".join((self.basis.data or "").split())
        return Outcome(answer, came, self.at.data.isoformat(), basis)


class LongerForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Until when a record is kept, and why."""

    until = DateField("Keep it until", [InputRequired("Enter a day.")])
    why = StringField(
        "Why",
        [
            DataRequired("Give the reason: it is kept in the record."),
            Length(max=MOST_LONGER, message=f"At most {MOST_LONGER} characters."),
        ],
        description="Sealed to the record: who opens it reads it.",
        render_kw={"autocomplete": "off", "maxlength": MOST_LONGER},
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
