"""Where each party of a running training is, written down as it happens."""

from __future__ import annotations

from sqlalchemy import select, update

from app.database import Database
from app.models import PartyProgressRow
from app.models.base import now
from app.services.federation import HOSPITAL, NODE
from app.services.round_names import STATISTICS
from contracts.records import DONATION, AttemptKey
from fl.plan import Plan
from fl.round import STEPS, AttemptFailed, Event, PartyDone, PartyNamed, StepDone

WAITING = "waiting"
WORKING = "working"
DONE = "done"
FAILED = "failed"
NOT_DRAWN = "not drawn"

ROLES = dict.fromkeys(STEPS, (NODE,)) | {
    "train": (HOSPITAL,),
    "share": (HOSPITAL,),
    "submit": (HOSPITAL,),
    "distribute": (HOSPITAL, NODE),
}


class PartyProgress:
    """Watches one training (see `fl.round.Watcher`) and keeps a row a party.

    A row's `state` is waiting, working, done, failed or not drawn (for the round); `text` says why
    it failed.
    """

    def __init__(self, database: Database, identifier: str, plan: Plan) -> None:
        self._database = database
        self._identifier = identifier
        self._plan = plan
        self._donates = plan.reviews(DONATION)
        self._named: set[str] = set()
        self._attempt: AttemptKey | None = None
        self._done: set[str] = set()
        self._make_rows(plan)

    def __call__(self, event: Event) -> None:
        """Write down what the event tells."""
        self._enter(event.key)
        if isinstance(event, PartyDone):
            if event.party not in self._done:
                self._done.add(event.party)
                self._write([event.party], event.key.round, event.step, DONE)
        elif isinstance(event, PartyNamed):
            self._named.add(event.party)
            self._write([event.party], event.key.round, event.step, FAILED, event.reason)
        elif isinstance(event, StepDone):
            self._step_over(event)
        elif isinstance(event, AttemptFailed):
            self._named.clear()
            self._begin(event.key.round, STEPS[0])

    def _enter(self, key: AttemptKey) -> None:
        if self._attempt != key:
            self._attempt = key
            self._named.clear()
            self._done.clear()
            self._write(self._resting(key.round), key.round, "train", NOT_DRAWN)

    def _step_over(self, event: StepDone) -> None:
        """Whoever has a part in the next step works on it from now on."""
        self._done.clear()
        following = STEPS.index(event.step) + 1
        if following < len(STEPS):
            self._begin(event.key.round, STEPS[following])
        elif number := self._next_round(event.key.round):
            self._named.clear()
            self._begin(number, STEPS[0])

    def _next_round(self, number: int) -> int | None:
        """The round that comes next, or None after the last."""
        if number == STATISTICS and self._donates:
            return DONATION
        following = 1 if number == DONATION else number + 1
        return following if following <= self._plan.rounds else None

    def _resting(self, number: int) -> list[str]:
        """The hospitals that were not drawn for a round."""
        drawn = self._plan.drawn(number)
        return [one.name for one in self._plan.hospitals if one not in drawn]

    def _begin(self, round_number: int, step: str) -> None:
        idle = set(self._named)
        if step != "distribute":  # The result is everybody's.
            idle.update(self._resting(round_number))
        query = update(PartyProgressRow).where(
            PartyProgressRow.training_id == self._identifier,
            PartyProgressRow.role.in_(ROLES[step]),
            PartyProgressRow.party.not_in(idle),
        )
        values = {"round": round_number, "step": step, "state": WORKING, "text": "", "at": now()}
        with self._database.transaction() as session:
            session.execute(query.values(values).execution_options(synchronize_session=False))

    def _write(
        self, parties: list[str], round_number: int, step: str, state: str, text: str = ""
    ) -> None:
        query = update(PartyProgressRow).where(
            PartyProgressRow.training_id == self._identifier, PartyProgressRow.party.in_(parties)
        )
        values = {"round": round_number, "step": step, "state": state, "text": text, "at": now()}
        with self._database.transaction() as session:
            session.execute(query.values(values).execution_options(synchronize_session=False))

    def _make_rows(self, plan: Plan) -> None:
        with self._database.transaction() as session:
            query = select(PartyProgressRow.party).filter_by(training_id=self._identifier)
            known = set(session.scalars(query))
            for role, members in ((HOSPITAL, plan.hospitals), (NODE, plan.nodes)):
                for member in members:
                    if member.name not in known:
                        session.add(
                            PartyProgressRow(
                                training_id=self._identifier,
                                party=member.name,
                                role=role,
                                round=0,
                                step=STEPS[0],
                                state=WORKING if role == NODE else WAITING,
                            )
                        )
