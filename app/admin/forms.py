"""The administrator's forms of decisions about people."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, Length

from app.services.roles import WORDS

MOST_REASON = 500


class AuthoriseForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """The role in which somebody may act from now on."""

    role = SelectField("Role", choices=[SelectChoice(role, word) for role, word in WORDS.items()])


class ReasonForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why somebody is refused or suspended; the person reads it."""

    reason = StringField(
        "Reason",
        [
            DataRequired("Give the reason: the person reads it."),
            Length(max=MOST_REASON, message=f"At most {MOST_REASON} characters."),
        ],
        description="The person reads it at the next sign-in.",
    )
