"""Limits on guessing: passwords and wallets by address and by account, registrations by address.

Counted in this process's memory, which is the only one that serves. Only refused attempts count
for passwords, so that who knows the password is never kept out by having used it often.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

from flask import Flask, Response, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address

from app.web.login import viewer

PER_ADDRESS: Final = "20 per 5 minutes"
PER_ACCOUNT: Final = "10 per 15 minutes"
REGISTRATIONS: Final = "30 per hour"
# Each is a row until it expires, and needs an answer of the chain.
WALLET_MESSAGES: Final = "60 per 5 minutes"


def install(app: Flask) -> None:
    """Limit the forms that check a password or a signature, or make an account."""
    limiter = Limiter(
        get_remote_address, app=app, storage_uri="memory://", strategy="moving-window"
    )
    guesses = partial(limiter.limit, methods=["POST"], deduct_when=_refused)
    _wrap(app, "auth.sign_in", guesses(PER_ADDRESS), guesses(PER_ACCOUNT, key_func=_account))
    _wrap(app, "auth.password", guesses(PER_ACCOUNT, key_func=_person))
    _wrap(app, "auth.wallets.sign_in", guesses(PER_ADDRESS))
    _wrap(app, "auth.wallets.link", guesses(PER_ACCOUNT, key_func=_person))
    for endpoint in ("patients.unlock", "patients.act", "patients.resharing.deal"):
        _wrap(app, endpoint, guesses(PER_ACCOUNT, key_func=_person))
    for endpoint in ("operator.rule", "operator.decide"):
        _wrap(app, endpoint, guesses(PER_ACCOUNT, key_func=_person))
    for endpoint in ("auth.wallets.sign_in_message", "auth.wallets.link_message"):
        _wrap(app, endpoint, limiter.limit(WALLET_MESSAGES, methods=["POST"]))
    _wrap(app, "auth.register", limiter.limit(REGISTRATIONS, methods=["POST"]))


def _wrap(app: Flask, endpoint: str, *limits: Callable[..., object]) -> None:
    view: Callable[..., object] = app.view_functions[endpoint]
    for limit in limits:
        view = limit(view)  # type: ignore[assignment]
    app.view_functions[endpoint] = view  # type: ignore[assignment]


def _refused(response: Response) -> bool:
    return response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


def _account() -> str:
    return "account:" + request.form.get("email", "").strip().lower()[:254]


def _person() -> str:
    person = viewer()
    return "nobody" if person is None else f"person:{person.row.id}"
