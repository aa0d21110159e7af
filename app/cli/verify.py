"""`run.py verify`: every stored hash against the chain, or a dossier's file against itself."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from app.cli.console import complain, counted, progress
from app.services.dossier_chain import check_chain
from app.services.dossier_check import FEDERATION_DIFFERS, Findings, check_dossier
from app.services.dossier_format import NotADossier
from app.services.round_names import round_title
from contracts.errors import ChainUnreachable
from contracts.members import grouped, read_fingerprint

if TYPE_CHECKING:
    from app.services.check_report import Report
    from app.services.verification_progress import Progress

UNREADABLE = 2


def verify(args: argparse.Namespace) -> int:
    """Name each difference; the exit status is 1 when there is one."""
    if args.file is not None:
        return _verify_file(args)
    return _verify_installation() if args.hospital is None else _verify_hospital(args.hospital)


def _verify_installation() -> int:
    # A file is checked where there is no installation: nothing of one is loaded for it.
    from app.services.federation import open_federation
    from app.services.verification import Verification
    from config import Settings

    console = progress()

    def watch(at: Progress) -> None:
        console.print(f"{at.done}/{at.total} trainings  checking {at.what}", markup=False)

    with open_federation(Settings()) as federation:
        report = Verification(federation, watch).run()
    if report.elsewhere:
        sys.stdout.write(
            f"Not checked, on another chain: {counted(report.elsewhere, 'training')}.\n"
        )
    return _tell(report)


def _verify_hospital(asked: str) -> int:
    from app.services.federation import open_federation
    from app.services.hospital_check import HospitalCheck, hospital_names
    from config import Settings

    with open_federation(Settings()) as federation:
        names = hospital_names(federation.database)
        name = next((one for one in names if one.casefold() == asked.casefold()), None)
        if name is None:
            there = ", ".join(names) or "none before the first training"
            complain(f"no hospital has the name {escape(asked)}; there are: {there}")
            return UNREADABLE
        check = HospitalCheck(federation, name)
        for one in check.run():
            sys.stdout.write(
                f"{one.training[:12]}  {one.place:<24} update {one.update}  shares {one.shares}\n"
            )
    return _tell(check.report)


def _tell(report: Report) -> int:
    for difference in report.differences:
        sys.stdout.write(f"DIFFERS  {difference}\n")
    trainings = counted(report.trainings, "training")
    differences = counted(len(report.differences), "difference")
    sys.stdout.write(f"{counted(report.checked, 'value')} checked in {trainings}, {differences}.\n")
    return 1 if report.differences else 0


def _verify_file(args: argparse.Namespace) -> int:
    """Status 2 for what is no dossier, and for a chain that does not answer."""
    try:
        fingerprint = read_fingerprint(args.federation) if args.federation else None
        findings = check_dossier(Path(args.file).read_bytes(), fingerprint)
    except OSError as error:
        complain(f"{args.file} cannot be read: {error.strerror}")
        return UNREADABLE
    except (NotADossier, ValueError) as error:
        complain(f"{args.file}: {error}" if isinstance(error, NotADossier) else str(error))
        return UNREADABLE
    try:
        if args.chain:
            check_chain(findings, args.chain)
    except ChainUnreachable as error:
        complain(f"the file was not compared with a chain: {error}")
        return UNREADABLE
    for difference in findings.differences:
        sys.stdout.write(f"DIFFERS  {difference}\n")
    if any(difference.what == FEDERATION_DIFFERS for difference in findings.differences):
        sys.stdout.write(
            "Another federation made it, or one of this federation's keys was changed since the "
            "fingerprint was published: ask for the present one.\n"
        )
    sys.stdout.write(_answer(findings, args.chain))
    return 1 if findings.differences else 0


def _answer(findings: Findings, url: str | None) -> str:
    differences = counted(len(findings.differences), "difference")
    count = f"{counted(findings.checked, 'value')} checked, {differences}.\n"
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
