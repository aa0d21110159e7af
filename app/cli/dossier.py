"""`run.py dossier`: one round, or the round that made a model, as one file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.errors import RequestError
from app.services.dossier import Dossiers
from app.services.dossier_check import check_dossier
from app.services.federation import open_federation
from app.services.round_names import round_title
from config import Settings
from contracts.members import grouped
from contracts.records import DONATION


def dossier(args: argparse.Namespace) -> int:
    """Write it and say what it is. Raises RequestError when there is no such round."""
    file = Path(args.file)
    with open_federation(Settings()) as federation:
        dossiers = Dossiers(federation.database, federation.ledger)
        training, number = _chosen(dossiers, args)
        written = dossiers.write(training, number)
    try:
        file.write_bytes(written)
    except OSError as error:
        raise RequestError(f"{file} cannot be written: {error.strerror}") from error
    sys.stdout.write(
        f"{round_title(number)} of the training {training[:12]} is in {file} "
        f"({len(written):,} bytes).\n"
        f"Federation  {grouped(check_dossier(written).fingerprint)}\n"
        f'Check       python3 run.py verify {file} --federation "FINGERPRINT"\n'
    )
    return 0


def _chosen(dossiers: Dossiers, args: argparse.Namespace) -> tuple[str, int]:
    if args.model is not None:
        return dossiers.round_of(args.model)
    training = dossiers.training(args.training)
    if args.round is None:
        return training, dossiers.last_round(training)
    return training, DONATION if args.round == "donation" else int(args.round)
