"""What parties failed at, for people: who, where, how, when, whether again, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.models import AttemptRow, FaultRow
from app.services.federation import HOSPITAL
from app.services.round_names import in_order, round_title
from app.stores.rounds import FAILED, FINALISED

# The kinds of error that a party names, in words; of any other only its name is known here.
_HOW: Final[Mapping[str, str]] = {
    "": "Did not do its part",
    "StepRefused": "Refused the step",
    "Refused": "The ledger refused its transaction",
    "RpcFailed": "The chain’s node refused its request",
    "NotFound": "Found no such record on the ledger",
    "BadEvidence": "Found evidence that does not hold",
    "MessageError": "Its answer is not in the agreed form, or not under its signature",
    "ConflictError": "Would have contradicted what it said before",
    "NonFiniteError": "Its training went out of bounds",
    "RangeError": "Its update holds numbers that cannot be shared",
    "ShareError": "Got shares that do not fit each other",
    "EnvelopeError": "Got an envelope that does not open",
    "MpcError": "Its part of the encrypted test cannot go on",
    "PermissionError": "Its folder cannot be read or written",
    "FileNotFoundError": "A file of its folder is gone",
    "FileExistsError": "Its folder is damaged",
    "IsADirectoryError": "Its folder is damaged",
    "NotADirectoryError": "Its folder is damaged",
    "OSError": "Its folder cannot be read or written",
    "MemoryError": "It ran out of memory",
    "TimeoutError": "It did not answer in time",
}
_BROKE: Final = "Broke down inside"


def party_errors(
    attempts: Sequence[AttemptRow], roles: Mapping[str, str], over: bool
) -> list[dict[str, Any]]:
    """Every error of a party in these attempts, the newest first. Keys:

    party, role ("" where unknown), round, title, attempt, step
        Who, and where.
    kind, how, reason
        The error's name, "" where what is on the ledger tells of it; the kind in words; its text,
        "" where the party kept it to itself.
    at, follows
        When (UTC), None where it was not noted; whether it was tried again, and what comes next.

    `over` tells whether the training has ended.
    """
    ordered = sorted(attempts, key=lambda one: (in_order(one.round), one.number))
    found = []
    for place, attempt in enumerate(ordered):
        for fault in attempt.faults:
            role = roles.get(fault.party, "")
            follows = _follows(attempt, ordered[place + 1 :], role, fault.step, over)
            found.append(_error(fault, attempt) | {"role": role, "follows": follows})
    return found[::-1]


def in_words(problem: str) -> str:
    """Why a party failed: what it told, or in words the kind of error when it told no more."""
    return _HOW.get(problem, problem)


def _error(fault: FaultRow, attempt: AttemptRow) -> dict[str, Any]:
    return {
        "party": fault.party,
        "round": attempt.round,
        "title": round_title(attempt.round),
        "attempt": attempt.number,
        "step": fault.step,
        "kind": fault.kind,
        "how": _HOW.get(fault.kind, _BROKE),
        "reason": "" if fault.reason == fault.kind else fault.reason,
        "at": fault.at,
    }


def _follows(
    attempt: AttemptRow, later: Sequence[AttemptRow], role: str, step: str, over: bool
) -> str:
    """What became of the round, and when the party is asked again."""
    if attempt.state == FAILED:
        again = next((one for one in later if one.round == attempt.round), None)
        if again is not None:
            return f"The round was tried again, as attempt {again.number}."
        if over:
            return "It was not tried again: the training ended there."
        return "The round is tried again with everybody, if the ledger allows another attempt."
    if attempt.state != FINALISED:
        if over:
            return "It was not tried again: the training ended there."
        return _meanwhile(role, step)
    if role != HOSPITAL:
        done = "The other nodes were enough to finish the round."
    elif step == "distribute":
        done = "The round’s model stands; what it would have reported of it is missing."
    else:
        done = "The round was finished without its update."
    if later:
        return f"{done} It was asked again in {round_title(later[0].round).lower()}."
    return done if over else f"{done} It is asked again in the next round."


def _meanwhile(role: str, step: str) -> str:
    if role != HOSPITAL:
        return "The other nodes go on while they are enough; it is asked again at its next step."
    if step == "distribute":
        return "The round ends without its report; it is asked again in the next one."
    return (
        "The round goes on without its update while enough hospitals are left; it is asked again "
        "in the next one."
    )
