"""`run.py verify`: every stored hash against the chain, or a dossier's file against itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.cli.console import complain
from app.services.dossier_chain import check_chain
from app.services.dossier_check import Findings, check_dossier
from app.services.dossier_format import NotADossier
from app.services.round_names import round_title
from contracts.members import grouped, read_fingerprint

UNREADABLE = 2


def verify(args: argparse.Namespace) -> int:
    """Name each difference; the exit status is 1 when there is one."""
    return _verify_installation() if args.file is None else _verify_file(args)


def _verify_installation() -> int:
    # A file is checked where there is no installation: nothing of one is loaded for it.
    from app.services.federation import open_federation
    from app.services.verification import Verification
    from config import Settings

    with open_federation(Settings()) as federation:
        report = Verification(federation).run()
    for difference in report.differences:
        sys.stdout.write(f"DIFFERS  {difference}\n")
    sys.stdout.write(
        f"{report.checked} values checked in {report.trainings} trainings, "
        f"{len(report.differences)} differences.\n"
    )
    return 1 if report.differences else 0


def _verify_file(args: argparse.Namespace) -> int:
    """Status 2 for what is no dossier. Raises ChainUnreachable for a chain that does not answer."""
    try:
        fingerprint = read_fingerprint(args.federation) if args.federation else None
        findings = check_dossier(Path(args.file).read_bytes(), fingerprint)
    except OSError as error:
        complain(f"{args.file} cannot be read: {error.strerror}")
        return UNREADABLE
    except (NotADossier, ValueError) as error:
        complain(f"{args.file}: {error}" if isinstance(error, NotADossier) else str(error))
        return UNREADABLE
    if args.chain:
        check_chain(findings, args.chain)
    for difference in findings.differences:
        sys.stdout.write(f"DIFFERS  {difference}\n")
    sys.stdout.write(_answer(findings, args.chain))
    return 1 if findings.differences else 0


def _answer(findings: Findings, url: str | None) -> str:
    count = f"{findings.checked} values checked, {len(findings.differences)} differences.\n"
    dossier = findings.dossier
    if findings.differences or dossier is None:
        return count
    lines = [
        f"{round_title(dossier.round)} of the training {dossier.training.hex()[:12]}, "
        f"result {dossier.summary.result_sha256.hex()}",
    ]
    if findings.genuine:
        lines.append("genuine: made by the federation of this fingerprint")
    if findings.on_chain:
        contract = dossier.contracts.federation
        lines.append(f"genuine, by the chain at {url}: it is on the contract {contract}")
    if not (findings.genuine or findings.on_chain):
        lines.append("consistent, signed by these accounts:")
        lines += [f"  {account}  {name}" for account, name in findings.signers]
        lines.append("Whose accounts they are, this file cannot show. It is of the federation")
        lines.append(f"  {grouped(findings.fingerprint)}")
        lines.append("Compare with a fingerprint that you have from elsewhere: --federation.")
    return count + "\n".join(lines) + "\n"
