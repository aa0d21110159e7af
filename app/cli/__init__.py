"""What `run.py` calls once the set-up is done: a command a file."""

from __future__ import annotations

import argparse

from app.cli import train, verify
from app.cli.console import complain
from app.errors import AppError
from contracts.errors import LedgerError


def main(args: argparse.Namespace) -> int:
    """Run the command that was parsed; its exit status."""
    commands = {"start": train.start, "train": train.train, "verify": verify.verify}
    try:
        return commands[args.command](args)
    except (AppError, LedgerError) as error:
        complain(str(error))
        return 1
