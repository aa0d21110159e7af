"""The doctor's key in this browser's session: what opens it lies in the cookie and nowhere else."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from flask import session

from app.services.open_keys import OpenKey
from app.services.roles import DOCTOR
from app.web import login
from app.web.services import services

_KEY: Final = "doctor_key"
_CONFIRMED: Final = "doctor_key_confirmed"


def unlock(password: str, confirmed: bool) -> None:
    """Open the viewer's key for this session; nothing happens for who is no active doctor.

    `confirmed` tells that the password was given for the records, not only at the sign-in. Raises
    SignInRefused for another password.
    """
    viewer = login.viewer()
    if viewer is None or viewer.role != DOCTOR:
        return
    opened = services().open_keys.unlock(viewer.row, viewer.get_id(), password)
    session[_KEY] = base64.b64encode(opened).decode("ascii")
    session[_CONFIRMED] = confirmed


def find() -> OpenKey | None:
    """The key that this session has open, or None."""
    viewer = login.viewer()
    if viewer is None:
        return None
    try:
        kept = base64.b64decode(session.get(_KEY, ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        return None
    return services().open_keys.find(viewer.get_id(), kept)


def is_confirmed() -> bool:
    """Whether the password was asked for in this session since the sign-in, and the key is open."""
    return bool(session.get(_CONFIRMED)) and find() is not None
