"""The coordinator: it asks each party for its part, carries what they say, and keeps public
records.

It holds no key of a party and sees no share: only sealed envelopes, digests, signatures and the
opened sum. It can be slow or drop messages; it cannot alter an accepted update.
"""

from __future__ import annotations

from contracts.digests import submissions_root
from contracts.errors import NotFound, Refused
from contracts.records import DONATION, AttemptKey, AttemptState, Standing
from crypto.vss import Answer
from fl.aggregates import aggregate_for, result_digest
from fl.agreement import (
    Sharing,
    Verdicts,
    judge_attempt,
    judge_sharing,
    judged_nodes,
    norm_bound_of,
    pack_set,
)
from fl.appeals import excused_in
from fl.errors import MessageError, PartyFailed, RoundFailed
from fl.evaluation import read_evaluation
from fl.examination import REVIEW, Examination
from fl.handing_out import make_request
from fl.messages import (
    ANSWERS,
    OUTCOME,
    REPORT,
    SET,
    SUM,
    Submission,
    pack,
    unpack,
    unpack_answers,
)
from fl.outcome import Outcome, SliceOutcome
from fl.plan import Member
from fl.replies import read_outcome, read_set_signature
from fl.reviewable import check_in_range
from fl.round import AttemptFailed, run_attempt
from fl.store import AttemptNote, SubmissionNote

SUBMISSION = "submission"


class Attempt(Examination):
    """One attempt at a round, as the coordinator drives it."""

    def run(self) -> None:
        """Run or resume the attempt. Raises RoundFailed when it ends without a result."""
        actions = {
            "open": self.open,
            "train": self.train,
            "share": self.share,
            "submit": self.submit,
            "check": self.check,
            "review": self.review,
            "agree": self.agree,
            "aggregate": self.aggregate,
            "vote": self.vote,
            "distribute": self.distribute,
        }
        self._check_running()
        try:
            run_attempt(self.key, actions, self.channel, self.store, self._watch)
        except RoundFailed as failure:
            self._fail(failure.reason)
            raise
        except Refused as refusal:
            # The ledger forbids the next step: the attempt cannot go on, whoever is to blame.
            self._fail(str(refusal))
            raise RoundFailed(str(refusal)) from refusal
        self._conclude()

    # 1. Open

    def open(self) -> None:
        """Open the attempt on the ledger and seat the nodes."""
        self.store.begin_attempt(self.key)
        if self.plan.reviews(self.key.round) and self.key.round != DONATION:
            check_in_range(self.plan, self._start_model(), self._next_bound())
        self.ledger.open_attempt(self.key, self.ledger.training(self.key.training).model)
        self._ask_all(self.plan.nodes, "join", "open", lambda _: b"")
        self._name_absent(self.plan.nodes, self._seated(), "open", "took no seat on the ledger")
        joined = self.ledger.attempt(self.key).joined
        if joined < self._quorum:
            raise RoundFailed(
                f"{joined} of {len(self.plan.nodes)} nodes joined, {self._quorum} are needed",
                retryable=True,
            )
        self.ledger.call_for_submissions(self.key)

    # 2. Train

    def train(self) -> None:
        """Let every hospital that was drawn train on the round's model."""
        message = pack(self._model(), self._statistics())
        self._ask_all(self._drawn, "train", "train", lambda _: message)

    # 3. Share and commit

    def share(self) -> None:
        """Collect the sealed shares of the hospitals that trained."""
        self._collect("share", "share", SUBMISSION, self._hospitals_left(), lambda _: b"")

    def submit(self) -> None:
        """Let the hospitals commit on the ledger, then close the submissions."""
        self._ask_all(self._hospitals_left(), "submit", "submit", lambda _: b"")
        records = self.ledger.submissions(self.key)
        there = [self.plan.hospital(self.plan.name_of(one.hospital)) for one in records]
        self._name_absent(self._drawn, there, "submit", "submitted nothing to the ledger")
        transactions = self._transactions("Submitted")
        for member, record in zip(there, records, strict=True):
            note = SubmissionNote(
                member.name,
                record.samples,
                record.share_root,
                record.update_hash,
                transactions[record.hospital],
            )
            self.store.keep_submission(self.key, note)
        submitted = sum(member in self._drawn for member in there)
        if submitted < self.plan.least_accepted:
            raise RoundFailed(
                f"{submitted} hospitals submitted, {self.plan.least_accepted} are needed",
                retryable=True,
            )
        self.ledger.close_submissions(self.key)

    # 4. Check the sharing

    def check(self) -> None:
        """Carry the envelopes to the nodes, reveal the nonces, collect the answers."""
        carried = self._messages(SUBMISSION, self.plan.hospitals).values()
        submissions = [Submission.from_bytes(data) for data in carried]
        seats = self._seated()

        def for_node(node: Member) -> bytes:
            own = seats.index(node)
            return pack([one.for_seat(own).to_bytes() for one in submissions])

        self._ask_all(self._nodes_in(), "receive", "check", for_node)
        self._ask_all(self._nodes_in(), "reveal", "check", lambda _: b"")
        revealed = self.ledger.attempt(self.key).revealed
        if revealed < self._quorum:
            raise RoundFailed(
                f"{revealed} nodes revealed their nonce, {self._quorum} are needed",
                retryable=True,
            )
        self.ledger.close_reveals(self.key)
        self._name_absent(self._seated(), self._nodes_in(), "check", "withheld its nonce")
        self._collect("answer", "check", ANSWERS, self._nodes_in(), lambda _: b"")

    # 5. Review

    def review(self) -> None:
        """Let a committee of three nodes test what was shared, on the shares themselves."""
        if not self.plan.reviews(self.key.round):
            return
        with self.ledger.at_one_look():
            self.ledger.look_at(self.key, DONATION)
            if self.find_review(self._judged()) is not None:
                return
            sharing = self._sharing()
            if not sharing.opens:
                return  # The nodes agree on a set that opens nothing; there is nothing to test.
            seated = self._examiners(sharing)
            model = b"" if self.key.round == DONATION else self._model()
        answers = list(self._messages(ANSWERS, self.plan.nodes).values())
        self.run_review(seated, pack(answers, model))

    def _examiners(self, sharing: Sharing) -> list[Member]:
        """The nodes that can sit in a committee: in the attempt, and holders of the slices."""
        there = [node for node in self._nodes_in() if node.name not in sharing.left_out]
        if self.key.round == DONATION:
            return there
        attempts = self.ledger.round(self.key.training, DONATION).attempts
        donation = AttemptKey(self.key.training, DONATION, attempts)
        held = {j.node for j in self.ledger.final_joins(donation) if j.standing == Standing.IN}
        return [node for node in there if node.account in held]

    # 6. Agree, then aggregate

    def agree(self) -> None:
        """Let the nodes judge and sign; publish the agreed set."""
        verdicts = self.verdicts()
        answers = list(self._messages(ANSWERS, self.plan.nodes).values())
        message = pack(answers, self.review_messages())
        self._name(verdicts, self._sharing())
        self._collect("judge", "agree", SET, self._in_set(verdicts), lambda _: message)
        if self.ledger.attempt(self.key).agreed_hash is None:
            # Nodes that are left out sign nothing: a set that leaves out too many has no quorum.
            reason = verdicts.agreed.reason or "no quorum of nodes agreed on a set"
            raise RoundFailed(reason, retryable=True)
        self._name_dissenters()
        self.ledger.publish_set(self.key, verdicts.agreed)
        if not (verdicts.agreed.opens or verdicts.agreed.keeps):
            raise RoundFailed(verdicts.agreed.reason)

    def aggregate(self) -> None:
        """Collect the nodes' shares of the sum, each against the quorum's signatures."""
        verdicts = self.verdicts()
        if not self._sums(verdicts):
            return
        signatures = list(self._messages(SET, self.plan.nodes).values())
        message = pack(pack_set(verdicts.agreed), signatures)
        self._collect("release", "aggregate", SUM, self._in_set(verdicts), lambda _: message)

    # 7. Vote and finalise

    def vote(self) -> None:
        """Let every node decode and vote; a quorum of equal votes finalises on the ledger."""
        verdicts = self.verdicts()
        if not self._sums(verdicts):
            return
        shares = list(self._messages(SUM, self.plan.nodes).values())
        message = pack(pack_set(verdicts.agreed), shares, self._model())
        voters = self._in_set(verdicts)
        self._collect("vote", "vote", OUTCOME, voters, lambda _: message)
        result = self.ledger.attempt(self.key).result_hash
        outcomes = self._outcomes()
        transactions, votes = self._transactions("Voted"), self.ledger.votes(self.key)
        for vote in votes:
            node = self.plan.name_of(vote.node)
            self.store.keep_vote(self.key, node, vote.result_hash, transactions[vote.node])
        if result is None:
            raise RoundFailed(self._why_no_result(outcomes))
        on_ledger = [(self.plan.name_of(vote.node), vote.result_hash) for vote in votes]
        for node, digest in [*on_ledger, *((n, said) for n, (said, _) in outcomes.items())]:
            if digest != result:
                self._fault(node, "vote", "voted for another hash than the quorum")
        self._name_wrong([set(named) for said, named in outcomes.values() if said == result])

    # 8. Distribute

    def distribute(self) -> None:
        """Hand the result to every party; note the hospitals' evaluations; let the nodes erase."""
        if self.key.round == DONATION:
            self._ask_all(self._seated(), "erase", "distribute", lambda _: b"")
            return
        result, served_by = self._fetch()
        kind = aggregate_for(self.plan, self.key.round, b"").kind
        self.store.keep_result(kind, result)
        behind = [node for node in self.plan.nodes if node.name not in served_by]
        self._ask_all(behind, "keep", "distribute", lambda _: pack(result))
        message = pack(result, self._statistics())
        self._collect("adopt", "distribute", REPORT, self.plan.hospitals, lambda _: message)
        for hospital, data in self._messages(REPORT, self.plan.hospitals).items():
            self._keep_report(hospital, data)
        self._ask_all(self._seated(), "erase", "distribute", lambda _: b"")

    def _conclude(self) -> None:
        """Note how the attempt ended, once its last step is noted: nothing of it is left to do."""
        verdicts = self.verdicts()
        names = self.plan.name_of
        agreed = verdicts.agreed
        weights = dict(zip(map(names, agreed.accepted), agreed.weights, strict=True))
        record = self.ledger.attempt(self.key)
        outcome = self.find_review(self._judged())
        updates = self.key.round not in (0, DONATION)
        self.store.end_attempt(
            self.key,
            AttemptNote(
                finalised=True,
                set_hash=record.agreed_hash,
                result_hash=record.result_hash,
                accepted=weights,
                refused=verdicts.refused,
                rejected=verdicts.rejected,
                excused=verdicts.excused,
                reviewed=outcome is not None,
                kept=agreed.keeps,
                findings=verdicts.findings,
                flagged=verdicts.flagged,
                slices=outcome.sizes if isinstance(outcome, SliceOutcome) else {},
                committee=outcome.committee if outcome else (),
                signers=self._signers(record.agreed_hash),
                norm_bound=self._norm_bound() if updates else None,
                reason=agreed.reason if agreed.keeps else "",
            ),
        )

    def _signers(self, agreed: bytes | None) -> dict[str, str]:
        """The nodes that signed the agreed set, each with its transaction."""
        transactions = self._transactions("SetSigned")
        return {
            self.plan.name_of(join.node): transactions[join.node]
            for join in self.ledger.joins(self.key)
            if join.agreed is not None and join.agreed[0] == agreed
        }

    def verdicts(self) -> Verdicts:
        """The judgement that everybody computes from what was signed; see `fl.agreement`."""
        outcome: Outcome | None = None
        if self.plan.reviews(self.key.round):
            outcome = self.find_review(self._judged())
        return judge_attempt(
            self.plan,
            aggregate_for(self.plan, self.key.round, b""),
            submissions_root(self.ledger.submissions(self.key)),
            self._sharing(),
            outcome,
            self._norm_bound(),
            excused_in(self.ledger, self.plan, self.key),
        )

    def _sharing(self) -> Sharing:
        answers: dict[str, dict[str, Answer]] = {}
        for node, data in self._messages(ANSWERS, self.plan.nodes).items():
            try:
                answers[node] = unpack_answers(self._read(node, data, ANSWERS))
            except MessageError:
                continue  # The judgement leaves out a node without readable answers, and names it.
        return judge_sharing(
            self.plan,
            self.key.round,
            self._quorum,
            self._judged(),
            self.ledger.submissions(self.key),
            answers,
        )

    def _judged(self) -> list[str]:
        return judged_nodes(self.plan, self.ledger.joins(self.key))

    def _sums(self, verdicts: Verdicts) -> bool:
        """Whether a sum is opened: not of slices, nor when too few updates were accepted."""
        return verdicts.agreed.opens and self.key.round != DONATION

    # What the steps are made of

    @property
    def _quorum(self) -> int:
        return self.ledger.training(self.key.training).quorum

    def _model(self) -> bytes:
        """The model that the round starts from."""
        digest = self.ledger.attempt(self.key).model_in
        if (known := self.store.result(digest)) is not None:
            return known
        initial = self.plan.initial_model()
        if result_digest(initial) != digest:
            raise RoundFailed("the model that the ledger names is not in the store")
        return initial

    def _start_model(self) -> bytes:
        """The model that the next attempt starts from, before it is opened."""
        digest = self.ledger.training(self.key.training).model
        return self.store.result(digest) or self.plan.initial_model()

    def _next_bound(self) -> int:
        """The norm bound of the next attempt, in units of 2^-16."""
        return norm_bound_of(self.plan, self.ledger.training(self.key.training))

    def _norm_bound(self) -> int:
        """The norm bound that this attempt began with, in units of 2^-16."""
        return norm_bound_of(self.plan, self.ledger.attempt(self.key))

    def _statistics(self) -> bytes:
        digest = self.ledger.training(self.key.training).statistics
        if digest is None:
            return b""
        known = self.store.result(digest)
        if known is None:
            raise RoundFailed("the statistics that the ledger names are not in the store")
        return known

    def _outcomes(self) -> dict[str, tuple[bytes, list[str]]]:
        outcomes: dict[str, tuple[bytes, list[str]]] = {}
        for node, data in self._messages(OUTCOME, self.plan.nodes).items():
            outcomes[node] = read_outcome(self._read(node, data, OUTCOME))
        return outcomes

    def _why_no_result(self, outcomes: dict[str, tuple[bytes, list[str]]]) -> str:
        votes = {digest for digest, _ in outcomes.values()}
        if not votes:
            return "no node could decode the sum: too many shares are wrong or missing"
        return (
            f"{len(outcomes)} nodes voted for {len(votes)} different results, "
            f"{self._quorum} equal votes are needed"
        )

    def _fetch(self) -> tuple[bytes, list[str]]:
        """The finalised result, and the nodes that served it."""
        attempt = self.ledger.attempt(self.key)
        digest = attempt.result_hash or b""
        if digest == attempt.model_in:
            return self._model(), []  # Too few were accepted: the round keeps its model.
        voters = {v.node for v in self.ledger.votes(self.key) if v.result_hash == digest}
        found: bytes | None = None
        served = []
        for node in self.plan.nodes:
            try:
                request = make_request(self.ledger, self._context, node.name, digest)
                answer = self.channel.ask(node.name, "serve", self.key, request)
                (result,) = unpack(answer, bytes)
            except PartyFailed as failure:
                # A node that did not vote for it need not have it: it is handed the result next.
                if node.account in voters:
                    self._fault(node.name, "distribute", failure.reason, failure.kind)
                continue
            except MessageError as error:
                self._fault(node.name, "distribute", str(error), type(error).__name__)
                continue
            if result_digest(result) != digest:
                self._fault(node.name, "distribute", "served another result than the ledger's")
                continue
            served.append(node.name)
            found = result
        if found is None:
            raise RoundFailed("no node serves the finalised result")
        return found, served

    def _keep_report(self, hospital: str, data: bytes) -> None:
        body = self._read(hospital, data, REPORT)
        found = read_evaluation(body, len(self.plan.data.classes))
        if found is not None:
            self.store.keep_evaluation(self.key, hospital, found)

    def _in_set(self, verdicts: Verdicts) -> list[Member]:
        return [n for n in self._nodes_in() if n.account not in verdicts.agreed.left_out]

    def _name(self, verdicts: Verdicts, sharing: Sharing) -> None:
        for hospital, reason in verdicts.refused.items():
            self._fault(hospital, REVIEW if hospital in sharing.samples else "check", reason)
        for node, reason in verdicts.left_out.items():
            self._fault(node, "check", reason)

    def _name_dissenters(self) -> None:
        """Name the nodes that signed another set than the quorum, on the ledger or to us."""
        record = self.ledger.attempt(self.key)
        settled = (record.agreed_hash, record.opens)
        messages = self._messages(SET, self.plan.nodes)
        said = {n: read_set_signature(self._read(n, data, SET)) for n, data in messages.items()}
        for join in self.ledger.joins(self.key):
            node = self.plan.name_of(join.node)
            if {join.agreed or settled, said.get(node, settled)} != {settled}:
                self._fault(node, "agree", "signed another set than the quorum")

    def _name_wrong(self, blames: list[set[str]]) -> None:
        """Name the nodes whose shares of the sum were wrong, by what each voter found."""
        for name in self.plan.points:
            # One more than t say so, hence one that follows the protocol.
            if sum(name in named for named in blames) > self.plan.threshold:
                self._fault(name, "aggregate", "its share of the sum was wrong")

    def _check_running(self) -> None:
        """Raise RoundFailed when the ledger gave the attempt up and only the note of it is missing.

        Nobody is asked anything then: whoever could not answer any more would be named for nothing.
        """
        try:
            record = self.ledger.attempt(self.key)
        except NotFound:
            return
        if record.state == AttemptState.FAILED:
            self._note_failure(record.reason)
            raise RoundFailed(record.reason, retryable=record.agreed_hash is None)

    def _fail(self, reason: str) -> None:
        try:
            state = self.ledger.attempt(self.key).state
            if state == AttemptState.FINALISED:
                return  # The ledger has its result for good, whatever became of it here.
            if state != AttemptState.FAILED:
                self.ledger.fail(self.key, reason)
        except NotFound:
            pass  # The ledger refused to open the attempt, so there is nothing to give up.
        self._note_failure(reason)

    def _note_failure(self, reason: str) -> None:
        self.store.end_attempt(self.key, AttemptNote(finalised=False, reason=reason))
        self._watch(AttemptFailed(self.key, reason))
