"""A person at a browser: pages are opened and forms are sent as a browser does."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Browser:
    """One browser with its own cookies."""

    def __init__(self, app: Flask, **environment: str) -> None:
        self.client = app.test_client()
        self.client.environ_base.update(environment)

    def open(self, path: str, method: str, **options: Any) -> TestResponse:
        """Ask without a token; the answer is read to its end, so that files are closed."""
        return self.client.open(path, method=method, buffered=True, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, "GET", **options)

    def token(self, page: str = "/sign-in") -> str:
        """The CSRF token that a page of this browser's session carries."""
        found = TOKEN.search(self.get(page, follow_redirects=True).text)
        assert found, f"expected a form on {page}"
        return found[1]

    def send(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form with the token that its page would carry."""
        fields = {"csrf_token": self.token()} | (data or {})
        return self.open(path, "POST", data=fields, **options)

    def sign_in(self, email: str, password: str, **options: Any) -> TestResponse:
        return self.send("/sign-in", {"email": email, "password": password}, **options)

    def is_signed_in(self) -> bool:
        return self.get("/password").status_code == 200

    def cookie(self) -> str:
        """The session as the browser keeps it."""
        kept = self.client.get_cookie("consilium")
        return "" if kept is None else kept.value

    def keep(self, cookie: str) -> None:
        """Put a session in the browser, as whoever copied it would."""
        self.client.set_cookie("consilium", cookie)


class Parts(HTMLParser):
    """What a page holds: addresses, and whatever the policy would not let run or apply."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.headings = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "h1":
            self.headings += 1
        if tag == "style" or (tag == "script" and not given.get("src")):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
