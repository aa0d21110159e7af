"""What `run.py` calls once the set-up is done: a command a file."""

from __future__ import annotations

import argparse

from pydantic import ValidationError
from pydantic_settings import SettingsError

from app.cli.console import complain
from app.errors import AppError
from contracts.errors import LedgerError

WRONG_USAGE = 2


def main(args: argparse.Namespace) -> int:
    """Run the command that was parsed; its exit status."""
    try:
        return _run(args)
    except ValidationError as error:
        for wrong in error.errors():
            name = ".".join(map(str, wrong["loc"]))
            complain(f"the setting {name} is {wrong['input']!r}: {wrong['msg'].lower()}")
        return WRONG_USAGE
    except SettingsError as error:
        complain(str(error))
        return WRONG_USAGE
    except (AppError, LedgerError) as error:
        complain(str(error))
        return 1


def _run(args: argparse.Namespace) -> int:
    # Each command loads what it needs: the server's parent needs neither torch nor numba.
    if args.command == "train":
        from app.cli import train

        return train.train(args)
    if args.command == "verify":
        from app.cli import verify

        return verify.verify(args)
    if args.command == "ledger":
        from app.cli import ledger

        return ledger.ledger(args)
    if args.command == "dossier":
        from app.cli import dossier

        return dossier.dossier(args)
    if args.command == "password":
        from app.cli import password

        return password.password(args)
    if args.command == "keys":
        from app.cli import keys

        return keys.keys(args)
    if args.command == "policy":
        from app.cli import policy

        return policy.policy(args)
    if args.command == "calibration":
        from app.cli import calibration

        return calibration.calibration(args)
    if args.command == "experiment":
        from app.cli import experiment

        return experiment.experiment(args)
    from app.cli import serve

    return serve.start(args)
