"""The people who registered: look for them, decide about them, their roles and wallets."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.admin.forms import AuthoriseForm, ReasonForm
from app.errors import RequestError
from app.models import UserRow
from app.services.people_list import (
    STATES,
    WALLETS,
    Wanted,
    count_by_role,
    page_of,
    people_table,
    select_people,
)
from app.services.roles import ADMINISTRATOR, OPERATOR, PLURALS, WORDS
from app.web import login
from app.web.downloads import table_answer
from app.web.roles import requires
from app.web.services import services

blueprint = Blueprint("people", __name__)

Answer = Response | tuple[str, HTTPStatus]


@blueprint.get("/users")
@requires(ADMINISTRATOR)
def users() -> str:
    """Who waits for a decision, and everybody who is looked for."""
    return _page()


@blueprint.get("/users/people.<form>")
@requires(ADMINISTRATOR)
def export(form: str) -> Response:
    """Those who are looked for, all pages, as CSV, XLSX or JSON."""
    made, wanted = services(), Wanted.of(request.args)
    wallets = made.wallets.everyone()
    found = select_people(made.accounts.everyone(), wallets, wanted)
    table = people_table(found, wallets, made.staff.everyone(), made.ledger_roles.standing())
    answer = table_answer(table, form, {"wanted": wanted.to_query()})
    details = {"form": form, "people": len(found), **wanted.to_query()}
    made.audit.add(login.person(), "people.exported", "", details)
    return answer


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


@blueprint.post("/users/<int:user_id>/role")
@requires(ADMINISTRATOR)
def change_role(user_id: int) -> Answer:
    """Give an active person another role."""
    person = _person(user_id)
    form = AuthoriseForm()
    if not form.validate_on_submit():
        return _page(user_id, ReasonForm(formdata=None)), HTTPStatus.UNPROCESSABLE_ENTITY
    try:
        services().accounts.change_role(login.person(), user_id, form.role.data)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash(f"{person.name} is now: {WORDS[form.role.data]}.", "success")
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
    """Say to which hospital an operator or a doctor belongs."""
    person = _person(user_id)
    hospital = request.form.get("hospital", "")
    try:
        services().staff.assign(login.person(), user_id, hospital)
    except RequestError as error:
        flash(str(error), "danger")
    else:
        does = "acts for" if person.role == OPERATOR else "works at"
        flash(f"{person.name} {does} {hospital}.", "success")
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
    made = services()
    everyone, wallets = made.accounts.everyone(), made.wallets.everyone()
    wanted = Wanted.of(request.args)
    found = select_people(everyone, wallets, wanted)
    return render_template(
        "admin/users.html",
        waiting=made.accounts.waiting(),
        everyone=everyone,
        counts=count_by_role(everyone),
        wanted=wanted,
        listed=page_of(found, request.args.get("page", default=1, type=int)),
        states=STATES,
        wallet_states=WALLETS,
        wallets=wallets,
        ledger_roles=made.ledger_roles.standing(),
        staff=made.staff.everyone(),
        hospitals=made.staff.hospitals(),
        words=WORDS,
        plurals=PLURALS,
        wrong=wrong,
        form=form,
        me=login.person().id,
    )


def _person(user_id: int) -> UserRow:
    row = services().accounts.find(user_id)
    if row is None:
        abort(HTTPStatus.NOT_FOUND)
    return row
