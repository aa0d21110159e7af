"""The roles that a person can have, and the word for each."""

from __future__ import annotations

from typing import Final

ADMINISTRATOR: Final = "administrator"
DOCTOR: Final = "doctor"
OPERATOR: Final = "operator"
AUDITOR: Final = "auditor"
INSTRUCTOR: Final = "instructor"
REMOTE: Final = "remote"

# In the order in which a form offers them.
WORDS: Final = {
    DOCTOR: "Doctor",
    OPERATOR: "Hospital operator",
    AUDITOR: "Auditor",
    INSTRUCTOR: "Instructor",
    REMOTE: "Remote user",
    ADMINISTRATOR: "Administrator",
}
ROLES: Final = tuple(WORDS)
