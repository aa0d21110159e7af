"""`run.py policy`: the rules of the collaboration on the ledger, shown or changed."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from app.errors import RequestError
from app.services.audit import SYSTEM, AuditLog
from app.services.federation import Federation, open_federation
from app.setup.commandline import policy_changes
from config import Settings
from contracts.records import Policy
from fl.datasets import task_names

_LINES = (
    ("may be trained", "allowed"),
    ("fewest hospitals", "fewest_hospitals"),
    ("fewest accepted updates", "fewest_accepted"),
    ("lying nodes to be borne (faults)", "faults"),
    ("fewest equal votes", "quorum"),
    ("blocks a step may take", "step_blocks"),
    ("attempts in a training", "most_attempts"),
)


def policy(args: argparse.Namespace) -> int:
    """Show all tasks' rules, after changing those of one.

    Raises LedgerError where refused, and RequestError for a task that there is not.
    """
    with open_federation(Settings()) as federation:
        changes = policy_changes(args)
        if args.task and args.task not in task_names():
            raise RequestError(f"expected a task of {', '.join(task_names())}; got {args.task}")
        if args.task and changes:
            _change(federation, args.task, changes)
        _show({name: federation.ledger.registry.policy(name) for name in task_names()})
    return 0


def _change(federation: Federation, task: str, changes: dict[str, Any]) -> None:
    found = federation.ledger.registry.policy(task)
    after = replace(found if found.step_blocks else Policy(), **changes)
    if after != found:
        federation.set_policy(task, after)
        AuditLog(federation.database).add(SYSTEM, "policy.changed", task, changes)
        sys.stdout.write("Changed, for the trainings that begin from now on.\n")


def _show(policies: dict[str, Policy]) -> None:
    """A line a rule, a column a task."""
    table = Table(box=SIMPLE)
    for column in ("rule", *policies):
        table.add_column(column)
    for title, rule in _LINES:
        table.add_row(title, *(_told(one, rule) for one in policies.values()))
    Console(highlight=False).print(table)
    if any(one.step_blocks == 0 for one in policies.values()):
        sys.stdout.write("A task without rules gets the default ones with its first training.\n")


def _told(policy: Policy, rule: str) -> str:
    value = getattr(policy, rule)
    if policy.step_blocks == 0:
        return "-"
    if rule == "allowed":
        return "yes" if value else "no"
    return "as the protocol asks" if rule == "quorum" and not value else str(value)
