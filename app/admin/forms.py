"""The administrator's forms of decisions about people."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from app.services.roles import WORDS
from app.web.reason_field import reason_field


class AuthoriseForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """The role in which somebody may act from now on."""

    role = SelectField("Role", choices=[SelectChoice(role, word) for role, word in WORDS.items()])


class ReasonForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Why somebody is refused or suspended; the person reads it."""

    reason = reason_field(
        "Give the reason: the person reads it.", "The person reads it at the next sign-in."
    )
