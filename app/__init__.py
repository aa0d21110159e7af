"""The application: what a person starts, and what a browser reaches.

Importing this package imports nothing from outside the standard library, because `run.py` needs
`app.setup` before anything is installed; for the same reason this file keeps to syntax that an old
Python can read. So `create_app` imports what it needs when it is called.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from config import Settings


def create_app(settings: "Settings") -> "Flask":
    """The Flask application of one installation; see `app.web.factory.create`."""
    from app.web.factory import create

    return create(settings)
