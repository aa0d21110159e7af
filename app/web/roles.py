"""Who may open what. Every route carries a decision; without one the application does not start.

The decision is a mark on the view, put there by `public`, `signed_in` or `requires`, and one hook
before every request obeys it: before CSRF, before limits, and before anything is looked up, so that
a refusal never tells whether what was asked for exists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, redirect, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.errors import SetupError
from app.services.roles import ROLES
from app.web.login import viewer

View = TypeVar("View", bound=Callable[..., Any])

_MARK: Final = "consilium_access"


@dataclass(frozen=True)
class Access:
    """A decision: `public` for anybody, else the roles; `any_state` also for who has none yet."""

    public: bool = False
    any_state: bool = False
    roles: frozenset[str] = frozenset()

    def admits(self, role: str | None, signed_in: bool) -> bool:
        """Whether a person in this role (None: nobody has decided) may go on."""
        if self.public or (self.any_state and signed_in):
            return True
        return signed_in and role in self.roles


def public(view: View) -> View:
    """Let anybody in."""
    return _mark(view, Access(public=True))


def signed_in(view: View) -> View:
    """Let everybody in who is signed in, also who waits or was refused."""
    return _mark(view, Access(any_state=True))


def requires(*roles: str) -> Callable[[View], View]:
    """Let active people in one of these roles in. Raises ValueError for an unknown role."""
    unknown = set(roles) - set(ROLES)
    if unknown or not roles:
        raise ValueError(f"expected roles of {', '.join(ROLES)}; got {', '.join(roles)}")
    return lambda view: _mark(view, Access(roles=frozenset(roles)))


def find_access(app: Flask, endpoint: str) -> Access | None:
    """The decision of an endpoint, or None where none was taken."""
    decision = getattr(app.view_functions[endpoint], _MARK, None)
    return decision if isinstance(decision, Access) else None


def install(app: Flask) -> None:
    """Obey the decisions before every request."""
    app.before_request(_guard)


def require_decisions(app: Flask) -> None:
    """Raise SetupError, with their names, when there are routes without a decision."""
    missing = sorted(name for name in app.view_functions if find_access(app, name) is None)
    if missing:
        raise SetupError(f"expected a role decision on every route; none on {', '.join(missing)}")


def _mark(view: View, access: Access) -> View:
    setattr(view, _MARK, access)
    return view


def _guard() -> BaseResponse | None:
    if request.endpoint is None:
        return None
    access = find_access(current_app, request.endpoint)
    if access is not None and access.public:
        return None
    person = viewer()
    if person is None:
        return _to_sign_in()
    if access is None or not access.admits(person.role, signed_in=True):
        abort(403)
    return None


def _to_sign_in() -> BaseResponse:
    """The way to the sign-in page and back; a page's own request learns it from a header.

    `ended` has the page say why: who sends a form or a page's own request was signed in before, and
    so was whose cookie holds a token.
    """
    part = request.headers.get("HX-Request")
    if part:
        wanted = _own_path(request.headers.get("HX-Current-URL"))
    elif request.method in ("GET", "HEAD") or _answers_get():
        wanted = request.full_path.rstrip("?")
    else:
        wanted = _own_path(request.referrer)
    sent = request.method not in ("GET", "HEAD") or part or "_user_id" in session
    target = url_for("auth.sign_in", next=wanted, ended="yes" if sent else None)
    if part:
        return Response(status=401, headers={"HX-Redirect": target})
    return redirect(target, 303)


def _answers_get() -> bool:
    rule = request.url_rule
    return rule is not None and "GET" in (rule.methods or ())


def _own_path(address: str | None) -> str | None:
    """The path of a page of this server, or None for any other address."""
    parts = urlsplit(address or "")
    if parts.netloc != request.host or not parts.path:
        return None
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
