"""What attacks are called where a person reads; the names that machines use stay as they are."""

from __future__ import annotations

from app.services.requests import SEVERAL
from fl.attacks import ATTACKS


def attack_titles(names: str) -> str:
    """The titles of one attack or several by their names, joined as these were.

    A name that this version does not know stays as it is: a training may be older or newer.
    """
    return SEVERAL.join(
        ATTACKS[name].title if name in ATTACKS else name for name in names.split(SEVERAL)
    )
