"""Errors as pages: what happened, what to do, a way on. Mapped to HTTP here and nowhere else.

`errors/error.html` gets code, title, text, action_url and action_text.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, current_app, render_template, request, url_for
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from jinja2 import TemplateError
from markupsafe import escape
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as BaseResponse

from app.errors import AppError, RequestError, SetupError
from app.web.login import viewer
from contracts.errors import LedgerError
from fl.errors import DatasetError


@dataclass(frozen=True)
class Page:
    """The words for a status. `text` says what to do."""

    title: str
    text: str


_FIRST_PAGE = "Go to the first page"
_OTHER: Final = Page("This did not work", "Go back and try again.")
_PAGES: Final = {
    400: Page("This request was not understood", "Go back, reload the page and try again."),
    403: Page(
        "This page is not for your role",
        "What your role may open is in the navigation. If you need more, ask an administrator.",
    ),
    404: Page(
        "There is nothing here",
        "The address may be mistyped or out of date. Start from the first page.",
    ),
    405: Page(
        "This address does not work that way",
        "Go back to the page that you came from and use its buttons.",
    ),
    413: Page("This is too much for one form", "Go back and send less."),
    429: Page(
        "Too many attempts",
        "Wait {minutes} and try again. If you forgot the password, ask an administrator.",
    ),
    500: Page(
        "Something went wrong here",
        "It was noted as {reference}. Go back and try again; if it happens again, give "
        "this reference to whoever runs the server.",
    ),
    503: Page(
        "This does not answer just now",
        "The database or the ledger is busy or cannot be reached. Wait a moment and reload.",
    ),
}
_STALE: Final = Page(
    "This form is from an earlier session",
    "You signed in or out since the page was opened. Go back, reload it and send it again.",
)


def install(app: Flask) -> None:
    """Answer every error with a page."""
    app.register_error_handler(CSRFError, _stale)
    app.register_error_handler(RateLimitExceeded, _too_many)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(AppError, _told)
    app.register_error_handler(DatasetError, _altered)
    app.register_error_handler(LedgerError, _unreachable)
    app.register_error_handler(OperationalError, _unreachable)
    app.register_error_handler(Exception, _unexpected)


def _http(error: HTTPException) -> BaseResponse:
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if code < HTTPStatus.BAD_REQUEST:
        return error.get_response()  # a redirect that routing asks for
    response = _answer(code, _PAGES.get(code, _OTHER))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _stale(_: CSRFError) -> Response:
    return _answer(HTTPStatus.BAD_REQUEST, _STALE)


def _too_many(error: RateLimitExceeded) -> Response:
    seconds = error.limit.limit.get_expiry()
    page = _PAGES[429]
    minutes = "a minute" if seconds <= 60 else f"up to {-(-seconds // 60)} minutes"
    page = Page(page.title, page.text.format(minutes=minutes))
    response = _answer(HTTPStatus.TOO_MANY_REQUESTS, page)
    response.headers["Retry-After"] = str(seconds)
    return response


def _told(error: AppError) -> Response:
    """What was raised for a person and no view expected: its own sentence."""
    if isinstance(error, SetupError):
        return _unexpected(error)
    asked_wrong = isinstance(error, RequestError)
    code = HTTPStatus.UNPROCESSABLE_ENTITY if asked_wrong else HTTPStatus.CONFLICT
    return _answer(code, Page(_OTHER.title, str(error)))


def _altered(error: DatasetError) -> Response:
    """Data that cannot be read as they were: the sentence says which."""
    _log("data", error)
    page = Page("These data cannot be read", f"{error}.")
    return _answer(HTTPStatus.CONFLICT, page)


def _unreachable(error: Exception) -> Response:
    _log("cannot be reached", error)
    return _answer(HTTPStatus.SERVICE_UNAVAILABLE, _PAGES[503])


def _unexpected(error: Exception) -> Response:
    reference = secrets.token_hex(4)
    _log(reference, error)
    page = _PAGES[500]
    text = page.text.format(reference=reference)
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, Page(page.title, text))


def _log(reference: str, error: Exception) -> None:
    current_app.logger.error("%s: %s %s", reference, request.method, request.path, exc_info=error)


def _answer(code: int, page: Page) -> Response:
    """The page in its frame; bare where the error is one of the frame or of its queries."""
    try:
        url, text = _way_on(code)
        body = render_template(
            "errors/error.html",
            code=int(code),
            title=page.title,
            text=page.text,
            action_url=url,
            action_text=text,
        )
    except (TemplateError, SQLAlchemyError, LedgerError, AppError, LookupError, AttributeError):
        body = _bare(page)
    return Response(body, status=int(code))


def _way_on(code: int) -> tuple[str, str]:
    person = viewer()
    if code == HTTPStatus.FORBIDDEN and person is not None and person.role is None:
        return url_for("auth.waiting"), "See what was decided about your registration"
    if code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_REQUEST) and person is None:
        return url_for("auth.sign_in"), "Go to the sign-in page"
    return url_for("home.index"), _FIRST_PAGE


def _bare(page: Page) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(page.title)} – Consilium</title></head><body><main>"
        f"<h1>{escape(page.title)}</h1><p>{escape(page.text)}</p>"
        f'<p><a href="/">{_FIRST_PAGE}</a></p></main></body></html>'
    )
