"""Whether what is stored is what the chain recorded: every hash computed again, every one compared.

Three things are checked of each value: that the bytes still have the hash that is stored with them,
that this hash is the chain's, and that nothing is missing on either side. Hospitals recompute their
own commitments from what lies in their folders, nodes their copies of the results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from app.models import ResultRow, TrainingRow
from app.services.anchoring import Anchoring
from app.services.appeal_check import check_appeals
from app.services.audit import AuditLog
from app.services.check_report import NOTHING, Report
from app.services.copy_check import CopyCheck
from app.services.federation import Federation
from app.services.ledger_roles import check_roles
from app.services.members_check import check_deployment, check_members
from app.services.promotion_check import check_promotions
from app.services.record_check import check_records
from app.services.record_ledger_check import check_record_ledger
from app.services.training_check import TrainingCheck, training_name
from app.services.verification_progress import Progress


class Verification:
    """Checks everything that is recorded on the federation's contract.

    `watch` is told before each thing that is checked; what it raises ends the check.
    """

    def __init__(
        self, federation: Federation, watch: Callable[[Progress], None] = lambda _: None
    ) -> None:
        self._federation = federation
        self._ledger = federation.ledger
        self._watch = watch
        self._report = Report()
        self._total = 0

    def run(self) -> Report:
        """Check everything; the report names each difference.

        Raises ChainUnreachable, and OperationalError or InterfaceError when the database is gone.
        """
        guard = self._report.guard
        with self._federation.database.transaction() as session:
            # Who attacks in a simulation stands on no chain.
            query = select(TrainingRow).options(defer(TrainingRow.simulation))
            own = TrainingRow.deployment_id == self._federation.deployment
            others = select(func.count()).select_from(TrainingRow).where(~own)
            self._report.elsewhere = session.scalar(others) or 0
            rows: list[TrainingRow] = []
            ordered = query.where(own).order_by(TrainingRow.started_at)
            guard("trainings", lambda: rows.extend(session.scalars(ordered)))
            self._total = len(rows)
            self._tell("contract, results, audit log")
            guard("contract", partial(check_deployment, self._report, self._federation, session))
            guard("results", partial(self._results, session))
            self._check_count(rows)
            guard("audit log", self._audit_chain)
            guard("audit log’s anchors", self._audit_anchors)
            self._tell("parties")
            guard("parties", partial(check_members, self._report, self._ledger, session, rows))
            guard("roles", partial(self._roles, session))
            guard("promotions", partial(check_promotions, self._report, self._federation, session))
            guard("appeals", partial(check_appeals, self._report, self._federation, session))
            guard("sealed records", partial(check_records, self._report, session))
            told = partial(check_record_ledger, self._report, self._federation, session)
            guard("openings on the ledger", told)
            for row in rows:
                self._training(session, row)
            self._tell("copy of the ledger")
            copy = CopyCheck(self._report, self._ledger, session)
            guard("copy of the ledger", copy.run)
        return self._report

    def _tell(self, what: str) -> None:
        report = self._report
        self._watch(
            Progress(what, report.trainings, self._total, report.checked, len(report.differences))
        )

    def _results(self, session: Session) -> None:
        for result in session.scalars(select(ResultRow).order_by(ResultRow.sha256)):
            digest = sha256(result.body).hexdigest()
            self._compare(f"stored {result.kind} {result.sha256[:12]}", result.sha256, digest)

    def _check_count(self, rows: Sequence[TrainingRow]) -> None:
        opened = {e.training.hex() for e in self._ledger.events() if e.training}
        for missing in sorted(opened - {row.id for row in rows}):
            self._compare(f"training {missing[:12]}", "a row in the database", NOTHING)

    def _roles(self, session: Session) -> None:
        """People's roles that are noted as granted on the registry."""
        check_roles(self._report, session, self._federation.deployment, self._ledger.registry)

    def _audit_chain(self) -> None:
        """The audit log's chain of hashes."""
        broken = AuditLog(self._federation.database).verify()
        told = f"entry {', '.join(map(str, broken))} altered or missing" if broken else "whole"
        self._compare("audit log", "whole", told)

    def _audit_anchors(self) -> None:
        """The roots over the audit log that the ledger holds."""
        for one in Anchoring(self._federation.database, self._ledger.anchors).check():
            what = f"audit log, entries {one.anchor.first} to {one.anchor.last}"
            found = "an entry is missing" if one.found is None else one.found.hex()
            self._compare(what, one.anchor.root.hex(), found)

    def _training(self, session: Session, row: TrainingRow) -> None:
        check = TrainingCheck(self._report, self._federation, row, self._tell)
        self._report.guard(training_name(row.id), partial(check.run, session))
        self._report.trainings += 1

    def _compare(self, what: str, expected: object, found: object) -> None:
        self._report.compare(what, expected, found)
