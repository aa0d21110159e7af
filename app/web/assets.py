"""Addresses of static files that name their contents, so that a browser need not ask again."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from flask import Flask, url_for

DIGITS = 12


def install(app: Flask) -> None:
    """Give templates `asset(name)`: the address of a file under static/, with its digest."""
    digests: dict[str, str] = {}

    @app.template_global("asset")
    def _asset(name: str) -> str:
        if name not in digests:
            contents = (Path(app.root_path) / "static" / name).read_bytes()
            digests[name] = sha256(contents).hexdigest()[:DIGITS]
        return url_for("static", filename=name, v=digests[name])
