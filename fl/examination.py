"""The coordinator's part in the review: it picks committees of three nodes and carries their words.

What it carries is sealed from node to node; it sees sizes and order. A node that does not answer
ends its session; one further committee is tried, without that node, and then the round ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fl.carried import pack_carried, unpack_carried
from fl.correspondence import Correspondence
from fl.errors import MessageError, PartyFailed, RoundFailed
from fl.messages import pack, unpack
from fl.outcome import COMMITTEE, Outcome, find_outcome, read_session, review_purpose
from fl.plan import Member
from fl.replies import read_session_number
from fl.round import PartyDone

COMMITTEES = 2
# No program of the review exchanges so often: whoever goes on has lost the thread.
MOST_EXCHANGES = 10_000
REVIEW = "review"


class Examination(Correspondence):
    """The review of one attempt, from outside."""

    def find_review(self, active: Sequence[str]) -> Outcome | None:
        """The outcome that a committee of active nodes signed, if the review is over."""
        return find_outcome(
            self._context, self.plan, active, self.key.round, self.review_messages()
        )

    def review_messages(self) -> list[bytes]:
        """The signed outcomes that came so far, of the first session that is complete."""
        for session in range(1, self._sessions() + 1):
            kind = review_purpose(session)
            found = self._messages(kind, self.plan.nodes)
            if len(found) == COMMITTEE:
                return list(found.values())
        return []

    def run_review(self, seated: Sequence[Member], message: bytes) -> None:
        """Let a committee of `seated` nodes review; `message` holds what each is handed.

        Raises RoundFailed when two committees failed, or three nodes are not there.
        """
        out: set[str] = set()
        reason = ""
        for _ in range(COMMITTEES):
            committee = [node for node in seated if node.name not in out][:COMMITTEE]
            if len(committee) < COMMITTEE:
                reason = reason or f"{len(committee)} nodes hold shares"
                break
            try:
                self._hold_session(committee, message)
                return
            except PartyFailed as failure:
                out.add(failure.party)
                reason = str(failure)
                self._fault(failure.party, REVIEW, failure.reason, failure.kind)
        raise RoundFailed(
            f"the review was not finished by two committees of three nodes: {reason}",
            retryable=True,
        )

    def _hold_session(self, committee: Sequence[Member], message: bytes) -> None:
        names = [node.name for node in committee]
        number = max(self._last_session(node) for node in committee) + 1
        answers, carried = unpack(message, list, bytes)
        begin = pack(number, names, answers, carried)
        sent = {name: self._step(name, "review", begin) for name in names}
        for exchange in range(1, MOST_EXCHANGES):
            statements = {name: statement for name, (_, statement) in sent.items() if statement}
            if len(statements) == COMMITTEE:
                self._keep(committee, number, statements)
                return
            inboxes: dict[str, list[tuple[str, memoryview]]] = {name: [] for name in names}
            for sender, (messages, _) in sent.items():
                for receiver, data in messages.items():
                    if receiver not in inboxes:
                        raise PartyFailed(sender, "exchange", "wrote to a node that is not in it")
                    inboxes[receiver].append((sender, data))
            sent = {
                name: self._step(name, "exchange", pack_carried(inboxes[name], number, exchange))
                for name in names
            }
        raise PartyFailed(names[0], "exchange", "the session did not come to an end")

    def _step(
        self, name: str, question: str, message: bytes
    ) -> tuple[Mapping[str, memoryview], bytes]:
        try:
            answer = self.channel.ask(name, question, self.key, message)
            (statement,), messages = unpack_carried(answer, bytes)
            return messages, statement
        except PartyFailed as failure:
            raise PartyFailed(name, question, failure.reason, failure.kind) from failure
        except MessageError as error:
            raise PartyFailed(name, question, str(error), type(error).__name__) from error

    def _last_session(self, node: Member) -> int:
        try:
            answer = self.channel.ask(node.name, "last_session", self.key, b"")
            return read_session_number(answer)
        except MessageError as error:
            raise PartyFailed(
                node.name, "last_session", str(error), type(error).__name__
            ) from error

    def _keep(self, committee: Sequence[Member], number: int, statements: dict[str, bytes]) -> None:
        """Store the signed outcomes of a session, once all three say the same."""
        purpose = review_purpose(number)
        bodies = set()
        for node in committee:
            try:
                body = self._read(node.name, statements[node.name], purpose)
                read_session(body)
            except MessageError as error:
                raise PartyFailed(node.name, REVIEW, str(error), type(error).__name__) from error
            bodies.add(body)
        if len(bodies) != 1:
            raise PartyFailed(committee[0].name, REVIEW, "the committee signed different outcomes")
        for node in committee:
            self.store.keep_message(self.key, purpose, node.name, statements[node.name])
            self._watch(PartyDone(self.key, REVIEW, node.name))

    def _sessions(self) -> int:
        """The highest session with a stored outcome; sessions are few."""
        return max(self.store.sessions(self.key), default=0)
