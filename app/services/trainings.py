"""Trainings: start one, run it or resume it, note what came out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import RequestError
from app.models import JobRow, TrainingRow
from app.models.base import now
from app.services import appeal_writing
from app.services.approvals import ask
from app.services.comparisons import compare, past_of
from app.services.federation import HOSPITAL, NODE, Federation
from app.services.jobs import PAUSED
from app.services.parties import assembled, load_tables
from app.services.promotions import has_none, has_work, note_first, write_waiting
from app.services.request_parts import (
    chosen_of,
    partition_of,
    review_of,
    sampled_of,
    stopping_of,
)
from app.services.requests import TrainingRequest
from app.services.simulation import Simulation
from app.services.training_cases import drop_cases, with_cases
from app.services.training_outcome import FINISHED, note_outcome
from app.services.unopened import AWAITING, awaited, end_unopened, told
from app.stores.rounds import OPEN, Rounds
from contracts.errors import NotFound, Refused
from contracts.ledger import Ledger
from contracts.records import MOST_REASON, Policy, TrainingState
from fl.aggregates import result_digest
from fl.channel import Channel
from fl.datasets import SplitRule, Table, get_task
from fl.engines.in_process import InProcess
from fl.errors import FlError
from fl.federated_training import Ending, FederatedTraining, open_training
from fl.plan import Plan
from fl.round import Event, Watcher
from fl.training import LocalSettings

RUNNING = "running"
FAILED = "failed"


class Trainings:
    """The trainings of one federation."""

    def __init__(self, federation: Federation) -> None:
        self._federation = federation
        self._database = federation.database

    def plan(self, request: TrainingRequest) -> Plan:
        """The plan for a request; enrols its parties. Raises RequestError."""
        try:
            return self._plan(request)
        except FlError as error:
            raise RequestError(str(error)) from error

    def start(
        self,
        plan: Plan,
        also: Callable[[Session, str], None] = lambda _session, _training: None,
        simulation: Simulation | None = None,
    ) -> str:
        """Note a new training; its identifier, 64 hex digits.

        It waits where hospitals approve by hand; see `awaited`. `also` notes in the same
        transaction to whom it belongs. In a `simulation` some attack.
        """
        identifier = secrets.token_hex(32)
        row = TrainingRow(
            id=identifier,
            task=plan.task,
            network=plan.network,
            seed=plan.seed,
            rounds=plan.rounds,
            plan=plan.to_json(),
            plan_sha256=plan.digest().hex(),
            initial_sha256=result_digest(plan.initial_model()).hex(),
            deployment_id=self._federation.deployment,
            simulation=simulation.to_row() if simulation else None,
        )
        with self._database.transaction() as session:
            session.add(row)
            session.flush()
            if ask(session, identifier, [hospital.name for hospital in plan.hospitals]):
                row.state = AWAITING
                session.flush()
            also(session, identifier)
        return identifier

    def awaited(self, identifier: str) -> Sequence[str]:
        """The hospitals whose approval by hand a training waits for."""
        with self._database.transaction() as session:
            return awaited(session, identifier)

    def find_awaiting(self, plan: Plan, simulation: Simulation | None = None) -> str | None:
        """The training by this plan, with these attackers, that waits for approvals, or None."""
        with self._database.transaction() as session:
            query = select(TrainingRow).filter_by(
                state=AWAITING,
                plan_sha256=plan.digest().hex(),
                deployment_id=self._federation.deployment,
            )
            rows = session.scalars(query.order_by(TrainingRow.started_at))
            same = (one.id for one in rows if Simulation.from_row(one.simulation) == simulation)
            return next(same, None)

    def find_unfinished(self) -> str | None:
        """The identifier of the training that was interrupted, or None; not of one that rests."""
        with self._database.transaction() as session:
            paused = select(JobRow.training_id).where(
                JobRow.state == PAUSED, JobRow.training_id.is_not(None)
            )
            query = select(TrainingRow.id).filter_by(
                state=RUNNING, deployment_id=self._federation.deployment
            )
            query = query.where(TrainingRow.id.not_in(paused))
            return session.scalars(query.order_by(TrainingRow.started_at)).first()

    def find_finished(self) -> str | None:
        """The identifier of the latest finished training without simulated attackers, or None."""
        with self._database.transaction() as session:
            query = select(TrainingRow.id).filter_by(
                state=FINISHED, deployment_id=self._federation.deployment
            )
            query = query.where(TrainingRow.simulation.is_(None))
            return session.scalars(query.order_by(TrainingRow.ended_at.desc())).first()

    def run(
        self,
        identifier: str,
        watch: Watcher,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> Ending:
        """Run a training to its end, or resume it where it was interrupted.

        Raises ChainUnreachable, and whatever `watch` raises: it can then be resumed; RequestError
        while it waits for an approval.
        """
        plan = self.plan_of(identifier)
        training = bytes.fromhex(identifier)
        ledger = self._federation.ledger
        if waits := self.awaited(identifier):
            raise RequestError(told(waits))
        open_training(plan, training, ledger)
        self._note_opened(identifier)
        tables, simulation = load_tables(plan), self.simulation_of(identifier)
        if simulation is None:
            tables = with_cases(self._federation, identifier, plan, tables)
        with assembled(self._federation, plan, training, tables, simulation) as parties:
            ledgers = [ledger, *(party.ledger for party in parties.values())]
            store = Rounds(self._database, training, lambda: _traffic(ledgers))
            channel = Channel(InProcess(parties))
            ending = FederatedTraining(
                plan, training, ledger, channel, store, self._watching(watch), stop_requested
            ).run()
        self._conclude(identifier, plan, tables, ending)
        return ending

    def give_up(self, identifier: str, reason: str) -> None:
        """End a training that cannot go on, on the ledger where it was opened there.

        Raises ChainUnreachable.
        """
        ledger, record = self._federation.ledger, None
        drop_cases(self._federation, identifier)
        with suppress(NotFound, Refused):
            record = ledger.training(bytes.fromhex(identifier))
            self._note_opened(identifier)
            if record.state == TrainingState.OPEN:
                ledger.end_training(bytes.fromhex(identifier), shortened(reason))
            else:
                reason = record.reason or reason
        with self._database.transaction() as session:
            if end_unopened(session, identifier, reason):
                return
            row = session.get_one(TrainingRow, identifier)
            for attempt in row.attempts:
                if attempt.state == OPEN:
                    attempt.state, attempt.reason, attempt.ended_at = FAILED, reason, now()
            row.state, row.reason, row.ended_at = FAILED, reason, now()
            if record is not None:
                note_outcome(row, record)

    def outcome(self, identifier: str) -> tuple[str, str]:
        """The state of a training and its reason. Raises RequestError when there is none such."""
        with self._database.transaction() as session:
            row = _get_training(session, identifier)
            return row.state, row.reason

    def plan_of(self, identifier: str) -> Plan:
        """The plan of a training. Raises RequestError when there is no such training."""
        with self._database.transaction() as session:
            return Plan.from_json(_get_training(session, identifier).plan)

    def simulation_of(self, identifier: str) -> Simulation | None:
        """Who attacks in a training, or None. Raises RequestError when there is no such one."""
        with self._database.transaction() as session:
            return Simulation.from_row(_get_training(session, identifier).simulation)

    def _plan(self, request: TrainingRequest) -> Plan:
        task = get_task(request.task)
        policy = self._federation.policy(task.name)
        partition = partition_of(task.partition, request)
        available = tuple(task.load(partition))
        names = chosen_of(available, request.hospitals)
        partition = partition.joined_by(names)
        defaults = task.defaults
        settings = self._federation.settings
        rounds = request.rounds or defaults.rounds
        colluding = max(Plan.colluding, policy.fewest_accepted - 2)
        _check_policy(policy, task.name, len(names), settings.nodes, rounds)
        return Plan(
            task=task.name,
            partition=partition,
            split=SplitRule.of_classes(len(task.classes), request.donated_rows),
            network=defaults.network,
            rounds=rounds,
            local=LocalSettings(
                epochs=request.local_epochs or defaults.local_epochs,
                batch_size=defaults.batch_size,
                learning_rate=request.learning_rate or defaults.learning_rate,
                norm_bound=defaults.norm_bound,
                class_weighted=defaults.class_weighted,
                decay=request.decay or LocalSettings.decay,
            ),
            seed=request.seed,
            hospitals=self._federation.enrol(names, HOSPITAL),
            nodes=self._federation.enrol(self._federation.node_names(), NODE),
            threshold=settings.threshold,
            colluding=colluding,
            review=review_of(request),
            stopping=stopping_of(request),
            sampled=sampled_of(request.share, len(names), colluding, policy),
        )

    def _watching(self, watch: Watcher) -> Watcher:
        """Whoever promotes a model, or decides an appeal, does not wait until one is trained."""

        def watching(event: Event) -> None:
            watch(event)
            if has_work(self._database):
                write_waiting(self._federation)
            if appeal_writing.has_work(self._database):
                appeal_writing.write_waiting(self._federation)

        return watching

    def _note_opened(self, identifier: str) -> None:
        with self._database.transaction() as session:
            row = session.get_one(TrainingRow, identifier)
            if row.state == AWAITING:
                row.state = RUNNING

    def _conclude(
        self, identifier: str, plan: Plan, tables: Mapping[str, Table], ending: Ending
    ) -> None:
        record = self._federation.ledger.training(bytes.fromhex(identifier))
        with self._database.transaction() as session:
            row = session.get_one(TrainingRow, identifier)
            simulation, past = Simulation.from_row(row.simulation), past_of(row.attempts)
        found = compare(plan, tables, simulation, past, ending.finished)
        first = has_none(self._federation, plan.task)
        drop_cases(self._federation, identifier)
        with self._database.transaction() as session:
            row = session.get_one(TrainingRow, identifier)
            row.state = FINISHED if ending.finished else FAILED
            row.reason = ending.reason
            row.plain_accuracy = found.plain
            row.fedavg_accuracy, row.oracle_accuracy = found.fedavg, found.oracle
            note_outcome(row, record)
            row.ended_at = now()
            if first:
                note_first(session, row)
        write_waiting(self._federation)


def _check_policy(policy: Policy, task: str, hospitals: int, nodes: int, rounds: int) -> None:
    """Refuse what the contract would refuse, before anything is begun."""
    needed = max(3 * policy.faults + 1, policy.quorum)
    for what, least, actual in (
        ("hospitals", policy.fewest_hospitals, hospitals),
        ("nodes", needed, nodes),
    ):
        if actual < least:
            raise RequestError(
                f"the federation's policy for {task} asks for at least {least} {what}, got {actual}"
            )
    # Statistics and donated rows take an attempt each.
    if rounds + 2 > policy.most_attempts:
        raise RequestError(
            f"the federation's policy for {task} allows {policy.most_attempts} attempts in a "
            f"training, {rounds} rounds need at least {rounds + 2}"
        )


def _get_training(session: Session, identifier: str) -> TrainingRow:
    row = session.get(TrainingRow, identifier)
    if row is None:
        raise RequestError(f"expected a training of this installation, got {identifier}")
    return row


def shortened(reason: str) -> str:
    """The reason, cut to what the contract takes."""
    return reason.encode()[:MOST_REASON].decode(errors="ignore")


def _traffic(ledgers: Sequence[Ledger]) -> tuple[int, float]:
    counts = [ledger.traffic for ledger in ledgers]
    return sum(sent for sent, _ in counts), sum(seconds for _, seconds in counts)
