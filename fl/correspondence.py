"""The coordinator's dealings with the parties in one attempt: it asks, checks, keeps and names.

Whatever a party answers is checked on arrival, so that what is kept can be read later; who fails is
named and missing from the answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.ledger import Ledger
from contracts.records import AttemptKey, Standing
from fl.channel import Channel
from fl.errors import MessageError, PartyFailed
from fl.messages import Statement
from fl.party import context_of
from fl.plan import Member, Plan
from fl.replies import check_reply
from fl.round import PartyDone, PartyNamed, Watcher
from fl.store import RoundStore


class Correspondence:
    """Who is in the attempt, what they were asked and what they said."""

    def __init__(
        self,
        plan: Plan,
        key: AttemptKey,
        ledger: Ledger,
        channel: Channel,
        store: RoundStore,
        watch: Watcher,
    ) -> None:
        self.plan = plan
        self.key = key
        self.ledger = ledger
        self.channel = channel
        self.store = store
        self._watch = watch
        self._context = context_of(ledger, key)

    def _ask_all(
        self,
        members: Iterable[Member],
        question: str,
        step: str,
        message: Callable[[Member], bytes],
    ) -> dict[str, bytes]:
        """Ask each member; who fails is named and missing from the answers."""
        answers: dict[str, bytes] = {}
        for member in members:
            try:
                answer = self.channel.ask(member.name, question, self.key, message(member))
                check_reply(self.plan, self._context, member, question, answer)
            except PartyFailed as failure:
                self._fault(member.name, step, failure.reason, failure.kind)
                continue
            except MessageError as error:
                self._fault(member.name, step, str(error), type(error).__name__)
                continue
            answers[member.name] = answer
            self._watch(PartyDone(self.key, step, member.name))
        return answers

    def _collect(
        self,
        question: str,
        step: str,
        kind: str,
        members: Iterable[Member],
        message: Callable[[Member], bytes],
    ) -> None:
        """Ask the members whose message of this kind is not stored yet, and store it."""
        stored = self.store.messages(self.key, kind)
        missing = [m for m in members if m.name not in stored]
        for name, data in self._ask_all(missing, question, step, message).items():
            self.store.keep_message(self.key, kind, name, data)

    def _messages(self, kind: str, members: Iterable[Member]) -> dict[str, bytes]:
        """The stored messages of a kind, in the order of the members that sent one."""
        found = self.store.messages(self.key, kind)
        return {m.name: found[m.name] for m in members if m.name in found}

    def _read(self, sender: str, data: bytes, purpose: str) -> bytes:
        known = {m.name: m for m in (*self.plan.nodes, *self.plan.hospitals)}
        key = known[sender].verifying_key
        return Statement.read(data, self._context, sender, key, purpose).body

    def _transactions(self, event: str) -> dict[str, str]:
        """The ledger's transactions of one kind in this attempt, by the account that sent them."""
        return {
            str(one.values.get("hospital") or one.values.get("node")): one.transaction
            for one in self.ledger.events(self.key.training)
            if one.name == event and one.key == self.key
        }

    @property
    def _drawn(self) -> tuple[Member, ...]:
        """The hospitals that take part in the round."""
        return self.plan.drawn(self.key.round)

    def _hospitals_left(self) -> list[Member]:
        faults = self.store.faults(self.key)
        return [member for member in self._drawn if member.name not in faults]

    def _seated(self) -> list[Member]:
        seats = {join.node for join in self.ledger.joins(self.key)}
        return [node for node in self.plan.nodes if node.account in seats]

    def _nodes_in(self) -> list[Member]:
        seats = {j.node for j in self.ledger.joins(self.key) if j.standing == Standing.IN}
        return [node for node in self.plan.nodes if node.account in seats]

    def _name_absent(
        self, members: Iterable[Member], there: Iterable[Member], step: str, reason: str
    ) -> None:
        """Name who is absent on the ledger, whatever it answered, unless it is named already."""
        present, named = list(there), self.store.faults(self.key)
        for member in members:
            if member not in present and member.name not in named:
                self._fault(member.name, step, reason)

    def _fault(self, party: str, step: str, reason: str, kind: str = "") -> None:
        """Name a party; `kind` is that of its error, "" where the ledger or others tell of it."""
        self.store.keep_fault(self.key, party, step, reason, kind)
        self._watch(PartyNamed(self.key, step, party, reason))
