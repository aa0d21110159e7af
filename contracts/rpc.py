"""JSON-RPC to a chain over HTTP, with errors of this package."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from requests import Session
from requests.exceptions import (
    ConnectionError,
    InvalidSchema,
    InvalidURL,
    MissingSchema,
    RequestException,
    Timeout,
)
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from contracts.errors import ChainUnreachable, RpcFailed

DEADLINE = 30.0
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Rpc:
    """One node at `url`; `deadline` is in seconds a request. Connects with the first request."""

    _seen: dict[tuple[str, str], str] | None = None

    def __init__(self, url: str, deadline: float = DEADLINE) -> None:
        self.url = url
        options: dict[str, Any] = {"timeout": deadline}
        if urlsplit(url).hostname in LOOPBACK:
            # A proxy of the environment could not reach this machine's own ports.
            options["proxies"] = {"http": ""}
        self._session = Session()
        # Looking for proxies in the environment takes a third of a short request's time.
        self._session.trust_env = "proxies" not in options
        # A request is repeated by whoever knows that it may be, never by the transport.
        self._provider = HTTPProvider(
            url, options, self._session, exception_retry_configuration=None
        )

    def __enter__(self) -> Rpc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, method: str, *params: Any) -> Any:
        """Return the result of `method`.

        Raises:
            ChainUnreachable: nothing answers, or the answer is no JSON-RPC.
            RpcFailed: the node answers with an error.
        """
        try:
            response: Any = self._provider.make_request(RPCEndpoint(method), list(params))
        except (RequestException, Web3Exception, ValueError) as error:
            raise ChainUnreachable(self.url, _problem(error)) from error
        problem = response.get("error") if isinstance(response, dict) else None
        if problem is not None:
            raise _failed(method, problem)
        if not isinstance(response, dict) or "result" not in response:
            raise ChainUnreachable(self.url, "its answer is no JSON-RPC")
        return response["result"]

    def view(self, to: str, data: str) -> str:
        """What the contract at `to` answers to a call that changes nothing. Raises as `call`."""
        if self._seen is None or (to, data) not in self._seen:
            answer = str(self.call("eth_call", {"to": to, "data": data}, "latest"))
            if self._seen is None:
                return answer
            self._seen[to, data] = answer
        return self._seen[to, data]

    @contextmanager
    def at_one_look(self) -> Iterator[None]:
        """Within it, what a view answered is not asked again before `look_again`.

        For one who decides on the state of one moment; what others send meanwhile may not show.
        """
        if self._seen is not None:
            yield
            return
        self._seen = {}
        try:
            yield
        finally:
            self._seen = None

    def look_together(self, views: Sequence[tuple[str, str]]) -> None:
        """Ask for several views, each (to, data), in one request, where one look is under way.

        Each is then known to `view`; one that fails, or a node that takes no batches, is left to be
        asked for alone, with its own error.
        """
        seen = self._seen
        wanted = [one for one in dict.fromkeys(views) if seen is not None and one not in seen]
        if seen is None or len(wanted) < 2:
            return
        calls = [
            (RPCEndpoint("eth_call"), [{"to": to, "data": data}, "latest"]) for to, data in wanted
        ]
        try:
            answers: Any = self._provider.make_batch_request(calls)
        except (RequestException, Web3Exception, ValueError) as error:
            raise ChainUnreachable(self.url, _problem(error)) from error
        if not isinstance(answers, list) or len(answers) != len(wanted):
            return
        # They are in the order of their numbers; one without a number could be another's answer.
        if not all(isinstance(one, dict) and one.get("id") is not None for one in answers):
            return
        for view, answer in zip(wanted, answers, strict=True):
            if isinstance(answer.get("result"), str):
                seen[view] = answer["result"]

    def look_again(self) -> None:
        """Forget what views answered, since something was sent."""
        if self._seen is not None:
            self._seen.clear()

    def close(self) -> None:
        """Close the connection of the thread that made this client."""
        self._session.close()


def _problem(error: Exception) -> str:
    """Why there was no answer, in words; the cause stays with the exception."""
    match error:
        case MissingSchema() | InvalidSchema() | InvalidURL():
            return "that is no address of one; it begins with http:// or https://"
        case Timeout():
            return "it did not answer in time"
        case ConnectionError():
            return "nothing answers there"
        case _:
            return f"{type(error).__name__}: {error}"


def _failed(method: str, error: Any) -> RpcFailed:
    if not isinstance(error, dict):
        return RpcFailed(method, 0, str(error))
    data = error.get("data")
    return RpcFailed(
        method,
        int(error.get("code", 0)),
        str(error.get("message", "")),
        data if isinstance(data, str) and data.startswith("0x") else None,
    )
