"""Sign in and out, register, wait, change the password.

Templates and their variables: auth/sign_in.html, auth/register.html and auth/password.html get
`form`; auth/waiting.html gets `user`, the row of who is signed in, or None.
"""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from app.auth import wallets
from app.auth.forms import PasswordForm, RegisterForm, SignInForm
from app.auth.next_page import wanted
from app.errors import PasswordRefused, RequestError, SignInRefused
from app.services.accounts import ACTIVE
from app.web import doctor_key, login
from app.web.roles import public, signed_in
from app.web.services import services

blueprint = Blueprint("auth", __name__)
blueprint.register_blueprint(wallets.blueprint)

Answer = Response | str | tuple[str, int]


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
def sign_in() -> Answer:
    """Ask who it is; then on to the page that was wanted, or to what was decided."""
    form = SignInForm()
    if not form.validate_on_submit():
        return _form_page("auth/sign_in.html", form)
    try:
        row = services().accounts.authenticate(form.email.data, form.password.data)
    except SignInRefused as refused:
        form.form_errors.append(str(refused))
        return _form_page("auth/sign_in.html", form)
    login.sign_in(row)
    _open_key(form.password.data)
    services().audit.add(row, "user.signed_in", row.email)
    target = wanted() if row.state == ACTIVE else url_for("auth.waiting")
    return redirect(target, HTTPStatus.SEE_OTHER)


@blueprint.post("/sign-out")
@signed_in
def sign_out() -> Answer:
    """End this session, here and in the database."""
    row = login.person()
    login.sign_out()
    services().audit.add(row, "user.signed_out", row.email)
    flash("You are signed out.", "success")
    return redirect(url_for("auth.sign_in"), HTTPStatus.SEE_OTHER)


@blueprint.route("/register", methods=["GET", "POST"])
@public
def register() -> Answer:
    """Ask for a role. Whether the e-mail address was known already is not told."""
    form = RegisterForm()
    if not form.validate_on_submit():
        return _form_page("auth/register.html", form)
    services().accounts.register(
        form.email.data,
        form.name.data,
        form.address.data,
        form.asked_role.data,
        form.password.data,
    )
    return redirect(url_for("auth.waiting"), HTTPStatus.SEE_OTHER)


@blueprint.get("/waiting")
@public
def waiting() -> Answer:
    """What happens after a registration, or what was decided about it."""
    person = login.viewer()
    if person is not None and person.role is not None:
        return redirect(url_for("home.index"), HTTPStatus.SEE_OTHER)
    return render_template("auth/waiting.html", user=person.row if person else None)


@blueprint.route("/password", methods=["GET", "POST"])
@signed_in
def password() -> Answer:
    """Change the password: every session ends, this browser gets a new one."""
    form = PasswordForm()
    if not form.validate_on_submit():
        return _form_page("auth/password.html", form)
    try:
        row = services().accounts.change_password(login.person().id, form.old.data, form.new.data)
    except SignInRefused as refused:
        form.old.errors = [str(refused)]
    except PasswordRefused as refused:
        form.new.errors = [str(refused)]
    else:
        login.sign_in(row)
        _open_key(form.new.data)
        flash("The password is changed. You are signed out everywhere else.", "success")
        return redirect(url_for("home.index"), HTTPStatus.SEE_OTHER)
    return _form_page("auth/password.html", form)


def _open_key(password: str) -> None:
    """Open a doctor's key for the session that begins; one that was altered keeps nobody out."""
    try:
        doctor_key.unlock(password, confirmed=False)
    except RequestError as refused:
        flash(str(refused), "danger")


def _form_page(template: str, form: FlaskForm) -> tuple[str, int]:
    """The form, empty or with what was typed and what is wrong with it."""
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.is_submitted() else HTTPStatus.OK
    return render_template(template, form=form), status
