"""What a node finds out before it acts: from the ledger, from its folder, from what others signed.

A node believes nothing else; the coordinator only carries messages.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.digests import challenge_digest, nonce_commitment, submissions_root
from contracts.ledger import Ledger
from contracts.records import (
    DONATION,
    AgreedSet,
    AttemptKey,
    AttemptState,
    Standing,
    SubmissionRecord,
)
from crypto.vss import Answer
from fl.aggregates import Aggregate, aggregate_for, result_digest
from fl.agreement import Sharing, judge_attempt, judge_sharing, judged_nodes, norm_bound_of
from fl.appeals import excused_in
from fl.custody import Custody
from fl.errors import MessageError, StepRefused
from fl.examiner import Examiner
from fl.messages import ANSWERS, Statement, unpack, unpack_answers
from fl.outcome import Outcome, SliceOutcome, find_outcome
from fl.party import Identity, Party
from fl.plan import Plan
from fl.store import PartyStore


class Judging(Party):
    """A party that judges an attempt for itself."""

    def __init__(
        self, identity: Identity, plan: Plan, training: bytes, ledger: Ledger, store: PartyStore
    ) -> None:
        super().__init__(identity, plan, training, ledger, store)
        self._examiner = Examiner(self.name, plan, store, self._custody)

    @property
    def _account(self) -> str:
        return self.plan.node(self.name).account

    def _custody(self, key: AttemptKey) -> Custody:
        return Custody(self.name, self.plan, key, self.context(key), self.store)

    def _closed_submissions(self, key: AttemptKey) -> tuple[SubmissionRecord, ...]:
        attempt = self.ledger.attempt(key)
        records = self.ledger.submissions(key)
        closed = AttemptState.REVEALING <= attempt.state <= AttemptState.FINALISED
        if not closed or submissions_root(records) != attempt.submissions_root:
            raise StepRefused(f"{self.name} waits until the ledger closes the submissions")
        return records

    def _challenge(self, key: AttemptKey) -> bytes:
        """The ledger's challenge, computed again from commitments, nonces and submissions."""
        joins = {join.node: join for join in self.ledger.joins(key)}
        nonces = []
        for node in self.plan.nodes:
            join = joins.get(node.account)
            nonce = join.nonce if join else None
            if join and nonce and nonce_commitment(key, join.node, nonce) != join.nonce_commitment:
                raise StepRefused(f"{node.name} revealed another nonce than it committed to")
            nonces.append(nonce)
        root = submissions_root(self._closed_submissions(key))
        ledger = self.ledger
        expected = challenge_digest(ledger.chain_id, ledger.contract, key, root, nonces)
        if ledger.attempt(key).challenge != expected:
            raise StepRefused(f"{self.name} computes another challenge than the ledger's")
        return expected

    def _active(self, key: AttemptKey) -> list[str]:
        """The nodes that joined, revealed and are not left out."""
        joins = self.ledger.joins(key)
        return [self.plan.name_of(join.node) for join in joins if join.standing == Standing.IN]

    def _judged(self, key: AttemptKey) -> list[str]:
        return judged_nodes(self.plan, self.ledger.joins(key))

    def _statements(
        self, key: AttemptKey, carried: Sequence[bytes], purpose: str, active: Sequence[str]
    ) -> dict[str, Statement]:
        """The readable statements of the nodes named in `active`, the first of each."""
        found: dict[str, Statement] = {}
        for data in carried:
            try:
                sender = str(unpack(data, str, str, bytes, bytes)[0])
                if sender in active and sender not in found:
                    member = self.plan.node(sender)
                    found[sender] = Statement.read(
                        data, self.context(key), sender, member.verifying_key, purpose
                    )
            except MessageError:
                continue  # Whoever sends garbage has said nothing; the caller notes who is silent.
        return found

    def _donation(self) -> AttemptKey:
        """The attempt in which the slices were donated."""
        attempts = self.ledger.round(self.training, DONATION).attempts
        if not attempts or self.ledger.training(self.training).slices is None:
            raise StepRefused(f"{self.name} waits until slices are donated")
        return AttemptKey(self.training, DONATION, attempts)

    def _is_untrained(self, key: AttemptKey) -> bool:
        """Whether the attempt starts from the initial model, which can judge no slice."""
        initial = self.ledger.training(self.training).initial_model
        return self.ledger.attempt(key).model_in == initial

    def _norm_bound(self, key: AttemptKey) -> int:
        return norm_bound_of(self.plan, self.ledger.attempt(key))

    def _judgement(
        self, key: AttemptKey, carried: Sequence[bytes], outcomes: Sequence[bytes]
    ) -> AgreedSet:
        sharing = self._sharing(key, carried)
        outcome: Outcome | None = None
        if self.plan.reviews(key.round) and sharing.opens:
            context, judged = self.context(key), self._judged(key)
            outcome = find_outcome(context, self.plan, judged, key.round, outcomes)
            if outcome is None:
                raise StepRefused(f"{self.name} was handed no outcome that three nodes signed")
            if isinstance(outcome, SliceOutcome):
                self._examiner.keep_slices(key, outcome)
        return judge_attempt(
            self.plan,
            aggregate_for(self.plan, key.round, b""),
            submissions_root(self._closed_submissions(key)),
            sharing,
            outcome,
            self._norm_bound(key),
            excused_in(self.ledger, self.plan, key),
        ).agreed

    def _sharing(self, key: AttemptKey, carried: Sequence[bytes]) -> Sharing:
        answers: dict[str, dict[str, Answer]] = {}
        judged = self._judged(key)
        for node, statement in self._statements(key, carried, ANSWERS, judged).items():
            try:
                answers[node] = unpack_answers(statement.body)
            except MessageError:
                continue  # Unreadable answers are no answers: the node is left out as silent.
        return judge_sharing(
            self.plan,
            key.round,
            self.ledger.training(key.training).quorum,
            judged,
            self._closed_submissions(key),
            answers,
        )

    def _aggregate(self, key: AttemptKey, model: bytes) -> Aggregate:
        if result_digest(model) != self.ledger.attempt(key).model_in:
            raise StepRefused(f"{self.name} was handed another model than the ledger's")
        return aggregate_for(self.plan, key.round, model)
