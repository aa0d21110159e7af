"""Sign in with a wallet, link one to the own account, unlink it.

static/js/wallet.js asks for a message, has the wallet sign it and sends both back. It is answered
in JSON: `message` (the text to sign), `location` (where to go on) or `error` (a sentence).
auth/wallet.html gets `wallet`, the person's `LinkedWallet` or None.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import Final

from flask import (
    Blueprint,
    Response,
    flash,
    jsonify,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from werkzeug.wrappers import Response as BaseResponse

from app.auth.next_page import wanted
from app.errors import MessageRefused, RequestError, WalletRefused
from app.services.roles import ROLES
from app.services.wallet_messages import LINK, SIGN_IN, Place, Purpose
from app.web import login
from app.web.roles import public, requires
from app.web.services import services
from contracts.errors import LedgerError

blueprint = Blueprint("wallets", __name__)

Answer = Response | tuple[Response, HTTPStatus]

# In the browser's session: a secret that the nonces given to it are bound to.
_BROWSER: Final = "wallet_browser"
_NO_CHAIN: Final = (
    "The federation’s chain does not answer just now, and the message must name it. Try again in a "
    "moment, or use your password."
)
_OTHER_PORT: Final = (
    "The address of this page is not the one that the server listens on, so a wallet cannot tell "
    "it from a copy. Open the address that the server printed when it started."
)


@blueprint.post("/sign-in/wallet/message")
@public
def sign_in_message() -> Answer:
    """A message with which the wallet's person can sign in."""
    return _offer(SIGN_IN)


@blueprint.post("/sign-in/wallet")
@public
def sign_in() -> Answer:
    """Let the person in whose wallet signed."""
    try:
        address = _accept(SIGN_IN)
        row = services().wallets.authenticate(address)
    except (MessageRefused, WalletRefused) as refused:
        return _refused(str(refused))
    except LedgerError:
        return _no_chain()
    login.sign_in(row, address)
    services().audit.add(row, "user.signed_in", row.email, {"wallet": address})
    return jsonify(location=wanted())


@blueprint.get("/wallet")
@requires(*ROLES)
def own() -> str:
    """The own wallet, and what was decided about it."""
    return render_template("auth/wallet.html", wallet=services().wallets.find(login.person().id))


@blueprint.post("/wallet/message")
@requires(*ROLES)
def link_message() -> Answer:
    """A message with which the wallet's person can link it to this account."""
    return _offer(LINK)


@blueprint.post("/wallet")
@requires(*ROLES)
def link() -> Answer:
    """Link the wallet that signed."""
    try:
        services().wallets.link(login.person(), _accept(LINK))
    except RequestError as refused:
        return _refused(str(refused))
    except LedgerError:
        return _no_chain()
    flash("The wallet is linked. You can sign in with it once an administrator has authorised it.")
    return jsonify(location=url_for("auth.wallets.own"))


@blueprint.post("/wallet/unlink")
@requires(*ROLES)
def unlink() -> BaseResponse:
    """Forget the own wallet; sessions that it opened end, perhaps this one."""
    try:
        services().wallets.unlink(login.person())
    except RequestError as error:
        flash(str(error), "danger")
    else:
        flash("The wallet is unlinked and lets nobody in any more.", "success")
    return redirect(url_for("auth.wallets.own"), HTTPStatus.SEE_OTHER)


def _offer(purpose: Purpose) -> Answer:
    browser = session.setdefault(_BROWSER, secrets.token_urlsafe(32))
    address = request.form.get("address", "")
    try:
        text = services().wallet_messages.offer(purpose, _place(), address, browser)
    except RequestError as refused:
        return _refused(str(refused))
    except LedgerError:
        return _no_chain()
    return jsonify(message=text)


def _accept(purpose: Purpose) -> str:
    """The address that signed what was sent. Raises MessageRefused and LedgerError."""
    return services().wallet_messages.accept(
        purpose,
        _place(),
        request.form.get("message", ""),
        request.form.get("signature", ""),
        session.get(_BROWSER, ""),
    )


def _place() -> Place:
    """Where this request was sent. Raises MessageRefused and LedgerError.

    The port of the Host header must be the server's own: else a page of another port could have a
    message signed that names itself, and hand it in here under its own name.
    """
    port = request.host.rpartition(":")[2] if ":" in request.host else "80"
    if port != request.environ["SERVER_PORT"]:
        raise MessageRefused(_OTHER_PORT)
    return Place(request.scheme, request.host, services().chain_id())


def _refused(text: str) -> Answer:
    return jsonify(error=text), HTTPStatus.UNPROCESSABLE_ENTITY


def _no_chain() -> Answer:
    return jsonify(error=_NO_CHAIN), HTTPStatus.SERVICE_UNAVAILABLE
