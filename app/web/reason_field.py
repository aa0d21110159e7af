"""The field in which a person says why: for a decision, an appeal, a change of models."""

from __future__ import annotations

from typing import Final

from wtforms import StringField
from wtforms.validators import DataRequired, Length

from app.services.promotions import MOST_REASON

# What becomes of a reason that belongs to an entry on the ledger.
ON_LEDGER: Final = "Kept here and in the audit log; the ledger holds its hash. No patient’s data."


def reason_field(missing: str, description: str = ON_LEDGER) -> StringField:
    """A reason of at most MOST_REASON characters; `missing` is the answer to an empty one."""
    too_long = f"At most {MOST_REASON} characters."
    return StringField(
        "Reason",
        [DataRequired(missing), Length(max=MOST_REASON, message=too_long)],
        description=description,
    )
