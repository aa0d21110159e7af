"""The forms of people who come in. Passwords are never sent back to the browser."""

from __future__ import annotations

from flask_wtf import FlaskForm
from wtforms import EmailField, Field, PasswordField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, EqualTo, Length, Regexp, ValidationError

from app.errors import PasswordRefused
from app.models.base import NAME
from app.models.users import EMAIL
from app.services.passwords import LONGEST, SHORTEST, require_acceptable
from app.services.roles import DOCTOR, WORDS

_ADDRESS = 500
_EMAIL_FORM = r"\s*[^@\s]+@[^@\s.]+(\.[^@\s.]+)+\s*$"
_PASSWORD_HINT = f"At least {SHORTEST} characters; several words are easy to remember."


class SignInForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Who are you? The lengths keep what is hashed and looked up small."""

    email = EmailField(
        "E-mail address",
        [DataRequired("Enter your e-mail address."), Length(max=EMAIL)],
        render_kw={"autocomplete": "username", "maxlength": EMAIL},
    )
    password = PasswordField(
        "Password",
        [DataRequired("Enter your password."), Length(max=LONGEST)],
        render_kw={"autocomplete": "current-password", "maxlength": LONGEST},
    )


class RegisterForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Who somebody is, and in which role."""

    name = StringField(
        "Name",
        [DataRequired("Enter your name."), Length(max=NAME)],
        render_kw={"autocomplete": "name", "maxlength": NAME},
    )
    email = EmailField(
        "E-mail address",
        [
            DataRequired("Enter your e-mail address."),
            Length(max=EMAIL),
            Regexp(_EMAIL_FORM, message="Expected an address such as name@hospital.org."),
        ],
        description="You sign in with it.",
        render_kw={"autocomplete": "email", "maxlength": EMAIL},
    )
    address = StringField(
        "Address",
        [DataRequired("Enter where you work."), Length(max=_ADDRESS)],
        description="Hospital or institution, street and town.",
        render_kw={"autocomplete": "street-address", "maxlength": _ADDRESS},
    )
    asked_role = RadioField(
        "Role that you ask for",
        choices=[SelectChoice(role, word) for role, word in WORDS.items()],
        default=DOCTOR,
        description="An administrator decides.",
    )
    password = PasswordField(
        "Password",
        [DataRequired("Choose a password.")],
        description=_PASSWORD_HINT,
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "Password again",
        [EqualTo("password", "The two passwords differ.")],
        render_kw={"autocomplete": "new-password"},
    )

    def validate_password(self, field: Field) -> None:
        """Refuse what `passwords.require_acceptable` refuses."""
        try:
            require_acceptable(field.data or "", self.email.data or "", self.name.data or "")
        except PasswordRefused as refused:
            raise ValidationError(str(refused)) from refused


class PasswordForm(FlaskForm):  # type: ignore[misc]  # flask-wtf is untyped
    """Another password."""

    old = PasswordField(
        "Present password",
        [DataRequired("Enter your present password."), Length(max=LONGEST)],
        render_kw={"autocomplete": "current-password"},
    )
    new = PasswordField(
        "New password",
        [DataRequired("Choose a password.")],
        description=_PASSWORD_HINT,
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        "New password again",
        [EqualTo("new", "The two passwords differ.")],
        render_kw={"autocomplete": "new-password"},
    )
