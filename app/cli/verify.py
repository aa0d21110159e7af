"""`run.py verify`: recompute every stored hash and compare it with the chain."""

from __future__ import annotations

import argparse
import sys

from app.services.federation import open_federation
from app.services.verification import Verification
from config import Settings


def verify(_args: argparse.Namespace) -> int:
    """Name each difference; the exit status is 1 when there is one."""
    with open_federation(Settings()) as federation:
        report = Verification(federation).run()
    for difference in report.differences:
        sys.stdout.write(f"DIFFERS  {difference}\n")
    sys.stdout.write(
        f"{report.checked} values checked in {report.trainings} trainings, "
        f"{len(report.differences)} differences.\n"
    )
    return 1 if report.differences else 0
