"""The operations beside a training's rounds, each once, for measuring what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from contracts.course import DEPUTY, Phase, course_account, course_digest, course_key, point_of
from contracts.ledger import Ledger
from contracts.records import AttemptKey, Permission, Policy, Receipt, Role

DOCTORS = ("doctor 0", "doctor 1", "doctor 2")
_HURRIED, _TASK = Policy(step_blocks=1), "hurried"


def administration(lead: Ledger, hospitals: list[str], nodes: list[str]) -> Iterator[Phase]:
    """Phases under the contracts of `lead`, its coordinator; the parties are registered ones."""
    deputy = _of(lead, DEPUTY)
    doctors = [_of(lead, name) for name in DOCTORS]
    try:
        yield from _registry(lead, deputy, doctors)
        yield from _openings(doctors)
        root = course_digest("audit log")
        yield _one("anchor", lambda: lead.anchors.anchor(1, 100, root))
        yield from _expiry(lead, deputy, hospitals, nodes)
    finally:
        for ledger in (deputy, *doctors):
            ledger.close()


def _registry(lead: Ledger, deputy: Ledger, doctors: list[Ledger]) -> Iterator[Phase]:
    registry = lead.registry
    for one in doctors:
        account = one.account or ""
        registry.register(account, Role.DOCTOR, point_of(account))
    first = doctors[0].account or ""
    yield _one("rotateKey", lambda: doctors[0].registry.rotate_key(point_of("another")))
    yield _one("revokeKey", lambda: registry.revoke_key(first))
    yield _one("grantRole", lambda: registry.grant(Permission.AUDITOR, first))
    yield _one("revokeRole", lambda: registry.revoke(Permission.AUDITOR, first))
    registry.grant(Permission.AUDITOR, first)
    yield _one("renounceRole", lambda: doctors[0].registry.renounce(Permission.AUDITOR))
    both = [partial(one.registry.set_administrator, first, True) for one in (lead, deputy)]
    yield Phase("setAdministrator", both, parallel=False)
    registry.set_policy("withdrawn", Policy())
    action = registry.policy_action("withdrawn", Policy())
    yield _one("withdraw", lambda: registry.withdraw(action))


def _openings(doctors: list[Ledger]) -> Iterator[Phase]:
    record, opening = course_digest("record"), course_digest("opening")
    first, second = doctors[0].openings, doctors[1].openings
    accounts = [one.account or "" for one in doctors]
    yield _one("seal", lambda: first.seal(record, accounts, 2))
    yield _one("request", lambda: first.request(record, opening, course_digest("reason")))
    yield _one("approve", lambda: second.approve(record, opening))
    yield _one("open", lambda: first.open(record, opening))
    yield _one("close", lambda: first.close(record, opening))
    urgent, why = course_digest("urgent opening"), course_digest("urgent reason")
    yield _one("requestInEmergency", lambda: first.request_in_emergency(record, urgent, why))
    yield _one("decline", lambda: second.decline(record, urgent))
    yield _one("erase", lambda: second.erase(record))


def _expiry(
    lead: Ledger, deputy: Ledger, hospitals: list[str], nodes: list[str]
) -> Iterator[Phase]:
    """An attempt whose first step takes longer than it may."""
    for one in (lead, deputy):
        one.registry.set_policy(_TASK, _HURRIED)
    training, model = course_digest("hurried training"), course_digest("hurried model")
    lead.open_training(training, _TASK, course_digest("config"), model, hospitals, nodes, 1)
    key = AttemptKey(training, 0, 1)
    lead.open_attempt(key, model)
    for word in ("one", "two"):
        deputy.registry.set_policy(word, Policy())
    yield _one("expire", lambda: deputy.expire(key))


def _one(operation: str, call: Callable[[], Receipt]) -> Phase:
    return Phase(operation, [call], parallel=False)


def _of(lead: Ledger, name: str) -> Ledger:
    return Ledger(lead.rpc_url, lead.contract, course_key(name))


def accounts(names: list[str]) -> list[str]:
    """The addresses of the parties of a course, by name."""
    return [course_account(name) for name in names]
