"""Who may call each external function, and how everybody else is refused.

Each call is valid on the stage but for its caller; a function may stand in several cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any

from contracts.artifact import ANCHORS, APPEALS, FEDERATION, MODELS, RECORDS, REGISTRY
from contracts.digests import set_fields
from contracts.ledger import Permission, Policy, Role
from contracts.registry import task_word
from tests.contracts import stage as s
from tests.contracts.direct import account
from tests.contracts.parties import digest, point
from tests.contracts.stage import CALLERS, Stage

EVERYBODY = frozenset(CALLERS)
ADMINISTRATORS = frozenset({"founder", "administrator"})
COORDINATORS = frozenset({"founder", "coordinator"})
HOSPITALS = frozenset({"hospital", "suspended hospital", "other hospital"})
NODES = frozenset({"node", "absent node", "former node", "other node"})
DOCTORS = frozenset({"doctor", "second doctor", "other doctor", "former doctor"})
REGISTERED = HOSPITALS | NODES | DOCTORS | {"auditor"}
NOBODY: frozenset[str] = frozenset()

UNAUTHORISED = "AccessControlUnauthorizedAccount"
# A seat and a role at once: the former node has the one, the others lack it.
SEATED = {"former node": "LacksRole"}


@dataclass(frozen=True)
class Case:
    """A call; `may` make it, those in `but` are refused for their own reason, the others alike."""

    function: str
    arguments: Callable[[Stage, int], tuple[Any, ...]]
    may: frozenset[str]
    otherwise: str = ""
    but: Mapping[str, str] = field(default_factory=dict)
    what: str = ""

    @property
    def name(self) -> str:
        return f"{self.function} {self.what}".strip()


def fixed(*arguments: object) -> Callable[[Stage, int], tuple[Any, ...]]:
    return lambda stage, caller: arguments


def at(state: str, *more: object) -> Callable[[Stage, int], tuple[Any, ...]]:
    """The key of the attempt in that state, and what follows it."""
    return lambda stage, caller: (stage.key(state), *more)


def own(role: Permission) -> Callable[[Stage, int], tuple[Any, ...]]:
    return lambda stage, caller: (role.value, account(caller))


def submission(stage: Stage, hospital: int) -> tuple[Any, ...]:
    return stage.key("submitting"), account(hospital), digest("root"), digest("update"), 9


def without_the_former(stage: Stage) -> tuple[Any, ...]:
    task, config, model, hospitals, _, threshold = stage.opening()
    return task, config, model, hospitals, tuple(map(account, (8, 9, 10, 12))), threshold


AUDITOR, ADMINISTRATOR = Permission.AUDITOR.value, Permission.ADMINISTRATOR.value
HOSPITAL_ITSELF = account(CALLERS["hospital"])
ANYBODY_NEW = account(40)
APPEALED = (digest(f"training {s.REJECTED}"), 1, account(5))
SOME_NODES = (tuple(map(account, s.NODES)),)

CASES: dict[str, tuple[Case, ...]] = {
    REGISTRY: (
        Case(
            "register",
            fixed(ANYBODY_NEW, Role.DOCTOR, point("new")),
            ADMINISTRATORS,
            UNAUTHORISED,
        ),
        Case("grantRole", fixed(AUDITOR, ANYBODY_NEW), ADMINISTRATORS, UNAUTHORISED),
        Case(
            "grantRole",
            fixed(ADMINISTRATOR, ANYBODY_NEW),
            NOBODY,
            "NeedsTwo",
            what="of an administrator",
        ),
        Case(
            "grantRole",
            fixed(Permission.NODE.value, ANYBODY_NEW),
            NOBODY,
            "NeedsTwo",
            what="of a node",
        ),
        Case("revokeRole", fixed(AUDITOR, ANYBODY_NEW), ADMINISTRATORS, UNAUTHORISED),
        Case(
            "revokeRole",
            fixed(ADMINISTRATOR, account(1)),
            NOBODY,
            "NeedsTwo",
            what="of an administrator",
        ),
        Case(
            "revokeRole",
            fixed(Permission.NODE.value, account(8)),
            NOBODY,
            "NeedsTwo",
            what="of a node",
        ),
        Case("renounceRole", own(Permission.AUDITOR), EVERYBODY),
        Case(
            "renounceRole",
            own(Permission.ADMINISTRATOR),
            EVERYBODY - ADMINISTRATORS,
            "TooFewAdministrators",
            what="of the last two administrators",
        ),
        Case(
            "renounceRole",
            fixed(Permission.HOSPITAL.value, HOSPITAL_ITSELF),
            frozenset({"hospital"}),
            "AccessControlBadConfirmation",
            what="of the hospital",
        ),
        Case("setAdministrator", fixed(ANYBODY_NEW, True), ADMINISTRATORS, UNAUTHORISED),
        Case("setNodes", fixed(*SOME_NODES), ADMINISTRATORS, UNAUTHORISED),
        Case(
            "setPolicy",
            fixed(task_word("skin"), astuple(Policy())),
            ADMINISTRATORS,
            UNAUTHORISED,
        ),
        Case(
            "setPolicy",
            fixed(*s.RULES),
            frozenset({"founder"}),
            UNAUTHORISED,
            {"administrator": "AlreadyProposed"},
            what="that the administrator proposed",
        ),
        Case(
            "withdraw",
            lambda stage, caller: (stage.action("setPolicy", *s.RULES),),
            frozenset({"administrator"}),
            "NotProposed",
        ),
        Case(
            "withdraw",
            lambda stage, caller: (stage.action("setPolicy", *s.LUNG),),
            frozenset({"former administrator"}),
            "NotProposed",
            what="by one who is no administrator any more",
        ),
        Case("rotateKey", fixed(point("another")), REGISTERED, "NotRegistered"),
        Case(
            "revokeKey",
            fixed(HOSPITAL_ITSELF),
            ADMINISTRATORS | {"hospital"},
            UNAUTHORISED,
        ),
        Case(
            "revokeKey",
            lambda stage, caller: (account(caller),),
            REGISTERED,
            "NotRegistered",
            what="of oneself",
        ),
    ),
    ANCHORS: (Case("anchor", fixed(11, 20, digest("more")), COORDINATORS, "NotCoordinator"),),
    RECORDS: (
        Case(
            "seal",
            fixed(digest("new record"), tuple(map(account, (13, 14))), 2),
            frozenset({"doctor", "second doctor"}),
            "LacksRole",
            {"other doctor": "NotInCare"},
        ),
        Case(
            "request",
            fixed(s.RECORD, digest("new opening"), digest("reason")),
            frozenset({"doctor", "second doctor"}),
            "LacksRole",
            {"other doctor": "NotInCare"},
        ),
        Case(
            "approve",
            fixed(digest("asked")),
            frozenset({"second doctor"}),
            "LacksRole",
            {"doctor": "Twice", "other doctor": "NotInCare"},
        ),
        Case(
            "requestInEmergency",
            fixed(s.RECORD, digest("new opening"), digest("reason")),
            frozenset({"doctor", "second doctor"}),
            "LacksRole",
            {"other doctor": "NotInCare"},
        ),
        Case(
            "decline",
            fixed(digest("asked")),
            frozenset({"second doctor"}),
            "LacksRole",
            {"doctor": "Twice", "other doctor": "NotInCare"},
        ),
        Case(
            "erase",
            fixed(s.RECORD),
            frozenset({"doctor", "second doctor"}),
            "LacksRole",
            {"other doctor": "NotInCare"},
        ),
        Case("open", fixed(s.OPENING), frozenset({"doctor"}), "NotYours"),
        Case("close", fixed(s.OPENING), frozenset({"doctor"}), "NotYours"),
        Case(
            "close",
            fixed(s.FORMER),
            frozenset({"former doctor"}),
            "NotYours",
            what="what a former doctor asked for",
        ),
        Case(
            "open",
            fixed(s.FORMER),
            NOBODY,
            "NotYours",
            {"former doctor": "LacksRole"},
            what="what a former doctor asked for",
        ),
    ),
    MODELS: (
        Case(
            "bind",
            lambda stage, caller: (stage.world.addresses[FEDERATION],),
            COORDINATORS,
            "NotCoordinator",
            what="to the same again",
        ),
        Case(
            "bind",
            fixed(account(40)),
            NOBODY,
            "NotCoordinator",
            dict.fromkeys(COORDINATORS, "AlreadyBound"),
            what="to another",
        ),
        Case(
            "promote",
            lambda stage, caller: stage.model("finished"),
            ADMINISTRATORS,
            "LacksRole",
        ),
        Case(
            "rollBack",
            lambda stage, caller: stage.model("used"),
            ADMINISTRATORS,
            "LacksRole",
        ),
    ),
    APPEALS: (
        Case(
            "attach",
            lambda stage, caller: (stage.world.addresses[FEDERATION],),
            COORDINATORS,
            "NotCoordinator",
            what="to the same again",
        ),
        Case(
            "attach",
            fixed(account(40)),
            NOBODY,
            "NotCoordinator",
            dict.fromkeys(COORDINATORS, "AlreadyAttached"),
            what="to another",
        ),
        Case(
            "appeal",
            lambda stage, caller: (stage.key(s.REJECTED)[0], 1, digest("reason")),
            frozenset({"hospital"}),
            "LacksRole",
            dict.fromkeys(("suspended hospital", "other hospital"), "NotRejected"),
        ),
        Case(
            "decide",
            lambda stage, caller: (*APPEALED, True, digest("reason")),
            ADMINISTRATORS,
            "LacksRole",
        ),
    ),
    FEDERATION: (
        Case(
            "openTraining",
            # The former node and the suspended hospital are no members of what is opened now.
            lambda stage, caller: (digest("new"), without_the_former(stage)),
            COORDINATORS,
            "NotCoordinator",
        ),
        Case(
            "endTraining",
            fixed(digest("training idle"), "enough"),
            COORDINATORS,
            "NotCoordinator",
        ),
        Case("openAttempt", at("idle", s.MODEL), COORDINATORS, "NotCoordinator"),
        Case("fail", at("opened", "given up"), COORDINATORS, "NotCoordinator"),
        Case("expire", at("expired"), EVERYBODY),
        Case(
            "join",
            lambda stage, caller: (stage.key("opened"), *stage.seat("opened", caller)),
            frozenset({"node", "absent node"}),
            "NotOfThisTraining",
            SEATED,
        ),
        Case("callForSubmissions", at("joined"), COORDINATORS, "NotCoordinator"),
        Case(
            "submit",
            submission,
            frozenset({"hospital"}),
            "NotOfThisTraining",
            {"suspended hospital": "LacksRole"},
            what="for oneself",
        ),
        Case(
            "submit",
            lambda stage, caller: submission(stage, CALLERS["hospital"]),
            frozenset({"hospital"}),
            "NotYourself",
            what="for the hospital",
        ),
        Case("closeSubmissions", at("submitted"), COORDINATORS, "NotCoordinator"),
        Case(
            "reveal",
            lambda stage, caller: (stage.key("revealing"), stage.nonce("revealing", caller)),
            frozenset({"node"}),
            "NotIn",
            SEATED,
        ),
        Case("closeReveals", at("revealed"), COORDINATORS, "NotCoordinator"),
        Case("agree", at("checking", digest("set"), True), frozenset({"node"}), "NotIn", SEATED),
        Case(
            "publishSet",
            lambda stage, caller: (stage.key("agreed"), set_fields(stage.agreed("agreed")[0])),
            EVERYBODY,
        ),
        Case("vote", at("voting", digest("result")), frozenset({"node"}), "NotIn", SEATED),
    ),
}

KEY = (digest("training voting"), 0, 1)
VIEWS: dict[str, dict[str, tuple[object, ...]]] = {
    REGISTRY: {
        **{one.name: () for one in Permission if one is not Permission.ADMINISTRATOR},
        "DEFAULT_ADMIN_ROLE": (),
        "founder": (),
        "cofounder": (),
        "getRoleAdmin": (AUDITOR,),
        "hasRole": (Permission.COORDINATOR.value, account(2)),
        "keysOf": (HOSPITAL_ITSELF,),
        "nodeSet": (),
        "partyOf": (HOSPITAL_ITSELF,),
        "policyOf": (s.TASK,),
        "proposerOf": (digest("action"),),
        "supportsInterface": (bytes.fromhex("7965db0b"),),
    },
    ANCHORS: {"anchorOf": (0,), "count": (), "registry": ()},
    RECORDS: {
        "isErased": (s.RECORD,),
        "openingOf": (s.OPENING,),
        "quorumOf": (s.RECORD,),
        "registry": (),
    },
    MODELS: {"inUse": (s.TASK,), "promotionsOf": (s.TASK,), "registry": (), "trainings": ()},
    APPEALS: {
        "appealOf": APPEALED,
        "federation": (),
        "registry": (),
        "upheldAt": (APPEALED[0], APPEALED[2]),
        "upheldOf": (APPEALED[0],),
    },
    FEDERATION: {
        "appeals": (),
        "attemptOf": (KEY,),
        "contracts": (),
        "models": (),
        "quorumOf": (4, 1),
        "registry": (),
        "roundOf": KEY[:2],
        "seatOf": (KEY, account(8)),
        "seatsOf": (KEY,),
        "submissionOf": (KEY, HOSPITAL_ITSELF),
        "submissionsOf": (KEY,),
        "trainingOf": KEY[:1],
    },
}
