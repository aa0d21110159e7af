"""The door of the embedded chain: JSON-RPC over HTTP, for programs of this machine only.

A page in a browser must not reach it. A browser sends `Origin` with every POST that a page makes
to another site, and `Host` with the name under which it found the address; so a request with an
`Origin`, or a `Host` that is not a loopback name, is refused (DNS rebinding).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from contracts.embedded.methods import (
    INVALID_REQUEST,
    PARSE_ERROR,
    SERVER_ERROR,
    Methods,
    RpcError,
)
from contracts.json_depth import load_json

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
MOST_BODY = 4 * 1024 * 1024
MOST_BATCH = 1000

logger = logging.getLogger(__name__)
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


class Door:
    """A WSGI application over `methods`; one request touches the chain at a time."""

    def __init__(self, methods: Methods) -> None:
        self._methods = methods
        self.lock = Lock()

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Answer one HTTP request."""
        refusal = _refusal(environ)
        if refusal is not None:
            return _respond(start, refusal, {"error": refusal})
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            request = load_json(body.decode())
        except ValueError:
            return _respond(start, "200 OK", _failure(None, RpcError(PARSE_ERROR, "parse error")))
        if isinstance(request, list) and 0 < len(request) <= MOST_BATCH:
            return _respond(start, "200 OK", [self._answer(one) for one in request])
        return _respond(start, "200 OK", self._answer(request))

    def _answer(self, request: Any) -> dict[str, Any]:
        try:
            identity, method, params = _parts(request)
        except RpcError as error:
            return _failure(None, error)
        try:
            with self.lock:
                result = self._methods.answer(method, params)
        except RpcError as error:
            return _failure(identity, error)
        except Exception:
            logger.exception("the request %s failed", method)
            return _failure(identity, RpcError(SERVER_ERROR, f"{method} failed; see the log"))
        return {"jsonrpc": "2.0", "id": identity, "result": result}


def _refusal(environ: dict[str, Any]) -> str | None:
    """Return the HTTP status that refuses the request, or None."""
    host = environ.get("HTTP_HOST", "").lower()
    name = host if host.endswith("]") else host.rsplit(":", 1)[0]
    if name not in LOOPBACK_HOSTS or "HTTP_ORIGIN" in environ:
        return "403 Forbidden"
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed"
    if int(environ.get("CONTENT_LENGTH") or 0) > MOST_BODY:
        return "413 Content Too Large"
    return None


def _parts(request: Any) -> tuple[Any, str, list[Any]]:
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise RpcError(INVALID_REQUEST, "expected an object with a method")
    params = request.get("params", [])
    if not isinstance(params, list):
        raise RpcError(INVALID_REQUEST, "expected params as an array")
    return request.get("id"), request["method"], params


def _failure(identity: Any, error: RpcError) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": error.as_json()}


def _respond(start: StartResponse, status: str, content: Any) -> Iterable[bytes]:
    body = json.dumps(content).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
