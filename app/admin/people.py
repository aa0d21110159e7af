"""The people who registered: authorise, refuse or suspend them, and decide about wallets."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin.forms import AuthoriseForm, ReasonForm
from app.errors import RequestError
from app.models import UserRow
from app.services.roles import ADMINISTRATOR, WORDS
from app.web import login
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("people", __name__)

Answer = Response | tuple[str, HTTPStatus]


@blueprint.get("/users")
@requires(ADMINISTRATOR)
def users() -> str:
    """Who waits for a decision, and everybody."""
    return _page()


@blueprint.post("/users/<int:user_id>/authorise")
@requires(ADMINISTRATOR)
def authorise(user_id: int) -> Answer:
    """Let a person act in a role."""
    person = _person(user_id)
    form = AuthoriseForm()
    if not form.validate_on_submit():
        return _page(user_id, ReasonForm(formdata=None)), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        services().accounts.authorise(login.person(), user_id, form.role.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(f"{person.name} is authorised: {WORDS[form.role.data]}.", "success")
    return redirect(url_for("admin.people.users"), HTTPStatus.SEE_OTHER)


@blueprint.post("/users/<int:user_id>/refuse")
@requires(ADMINISTRATOR)
def refuse(user_id: int) -> Answer:
    """Refuse a person who waits, with the reason."""
    person = _person(user_id)
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(user_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        services().accounts.refuse(login.person(), user_id, form.reason.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(f"{person.name} is refused. The reason is shown at the next sign-in.", "success")
    return redirect(url_for("admin.people.users"), HTTPStatus.SEE_OTHER)


@blueprint.post("/users/<int:user_id>/suspend")
@requires(ADMINISTRATOR)
def suspend(user_id: int) -> Answer:
    """Take an active person's role away, with the reason."""
    person = _person(user_id)
    form = ReasonForm()
    if not form.validate_on_submit():
        return _page(user_id, form), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        services().accounts.suspend(login.person(), user_id, form.reason.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(f"{person.name} is suspended and signed out everywhere.", "success")
    return redirect(url_for("admin.people.users"), HTTPStatus.SEE_OTHER)


@blueprint.post("/users/<int:user_id>/wallet/authorise")
@requires(ADMINISTRATOR)
def authorise_wallet(user_id: int) -> Answer:
    """Let a person sign in with the wallet that the page showed."""
    return _decide_wallet(user_id, services().wallets.authorise, "is authorised")


@blueprint.post("/users/<int:user_id>/wallet/withdraw")
@requires(ADMINISTRATOR)
def withdraw_wallet(user_id: int) -> Answer:
    """Let a person no longer sign in with the wallet that the page showed."""
    return _decide_wallet(user_id, services().wallets.withdraw, "lets nobody in any more")


@blueprint.post("/users/<int:user_id>/hospital")
@requires(ADMINISTRATOR)
def assign_hospital(user_id: int) -> Answer:
    """Say for which hospital an operator acts."""
    person = _person(user_id)
    hospital = request.form.get("hospital", "")
    try:
        services().operators.assign(login.person(), user_id, hospital)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(f"{person.name} acts for {hospital}.", "success")
    return redirect(url_for("admin.people.users"), HTTPStatus.SEE_OTHER)


def _decide_wallet(
    user_id: int, decide: Callable[[UserRow, int, str], UserRow], done: str
) -> Answer:
    person = _person(user_id)
    try:
        decide(login.person(), user_id, request.form.get("address", ""))
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(f"The wallet of {person.name} {done}.", "success")
    return redirect(url_for("admin.people.users"), HTTPStatus.SEE_OTHER)


def _page(wrong: int | None = None, form: ReasonForm | None = None) -> str:
    """The page; `form` is the refused one of the person `wrong`, which keeps what was typed."""
    accounts = services().accounts
    return render_template(
        "admin/users.html",
        waiting=accounts.waiting(),
        everyone=accounts.everyone(),
        wallets=services().wallets.everyone(),
        operators=services().operators.everyone(),
        hospitals=services().operators.hospitals(),
        words=WORDS,
        wrong=wrong,
        form=form,
        me=login.person().id,
    )


def _person(user_id: int) -> UserRow:
    row = services().accounts.find(user_id)
    if row is None:
        abort(HTTPStatus.NOT_FOUND)
    return row
