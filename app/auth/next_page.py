"""Where to go after signing in."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request, url_for


def wanted() -> str:
    """The page that somebody wanted before signing in, if it is one of ours; else the first."""
    target = request.args.get("next", "")
    parts = urlsplit(target)
    own = target.startswith("/") and not target.startswith("//") and "\\" not in target
    if own and not parts.netloc and target.isprintable():
        return target
    return url_for("home.index")
