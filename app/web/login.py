"""Who is signed in: a random token in the signed cookie, looked up in the database every time."""

from __future__ import annotations

from http import HTTPStatus

from flask import Flask, abort, session
from flask_login import LoginManager, current_user, login_user, logout_user

from app.models import UserRow
from app.services.accounts import ACTIVE
from app.web.services import services


class Viewer:
    """The person who looks at the page, for views and templates; what flask-login asks for."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, row: UserRow, token: str) -> None:
        self.row = row
        self._token = token

    @property
    def role(self) -> str | None:
        """The role in which the person may act now; None while waiting, refused or suspended."""
        return self.row.role if self.row.state == ACTIVE else None

    def get_id(self) -> str:
        """What the cookie keeps."""
        return self._token


def install(app: Flask) -> None:
    """Let flask-login find the viewer of a request."""
    manager = LoginManager(app)
    manager.session_protection = "strong"
    manager.user_loader(_load)


def viewer() -> Viewer | None:
    """Who is signed in, or None."""
    found = current_user._get_current_object()  # noqa: SLF001
    return found if isinstance(found, Viewer) else None


def person() -> UserRow:
    """The row of who is signed in. Raises Unauthorized when nobody is."""
    found = viewer()
    if found is None:
        abort(HTTPStatus.UNAUTHORIZED)
    return found.row


def sign_in(row: UserRow, wallet: str | None = None) -> None:
    """Begin a new session; what the browser's old one held is dropped and its token ended.

    `wallet` is the address that signed in, where it was no password.
    """
    sign_out()
    login_user(Viewer(row, services().sessions.open(row, wallet)))


def sign_out() -> None:
    """End the session here and in the database, so that a copied cookie is worth nothing."""
    found = viewer()
    if found is not None:
        services().sessions.end(found.get_id())
    logout_user()
    session.clear()


def _load(token: str) -> Viewer | None:
    row = services().sessions.find(token)
    return None if row is None else Viewer(row, token)
