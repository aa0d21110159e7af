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
# The people in a role, as a list is called.
PLURALS: Final = {
    DOCTOR: "Doctors",
    OPERATOR: "Hospital operators",
    AUDITOR: "Auditors",
    INSTRUCTOR: "Instructors",
    REMOTE: "Remote users",
    ADMINISTRATOR: "Administrators",
}
ROLES: Final = tuple(WORDS)
