"""The coordinator: it asks each party for its part, carries what they say, and keeps public
records.

It holds no key of a party and sees no share: only sealed envelopes, digests, signatures and the
opened sum. It can be slow or drop messages; it cannot alter an accepted update.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.digests import submissions_root
from contracts.errors import NotFound, Refused
from contracts.ledger import Ledger
from contracts.records import AttemptKey, AttemptState, Standing
from crypto.vss import Answer
from fl.aggregates import aggregate_for, result_digest
from fl.agreement import Verdicts, judge_attempt, pack_set
from fl.channel import Channel
from fl.errors import MessageError, PartyFailed, RoundFailed
from fl.messages import (
    ANSWERS,
    OUTCOME,
    REPORT,
    SET,
    SUM,
    Statement,
    Submission,
    pack,
    unpack,
    unpack_answers,
)
from fl.party import context_of
from fl.plan import Member, Plan
from fl.replies import check_reply, read_outcome, read_set_signature
from fl.round import AttemptFailed, PartyDone, PartyNamed, Watcher, run_attempt
from fl.store import AttemptNote, RoundStore, SubmissionNote

SUBMISSION = "submission"


class Attempt:
    """One attempt at a round, as the coordinator drives it."""

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

    def run(self) -> None:
        """Run or resume the attempt. Raises RoundFailed when it ends without a result."""
        actions = {
            "open": self.open,
            "train": self.train,
            "share": self.share,
            "submit": self.submit,
            "check": self.check,
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
        """Let every hospital train on the round's model."""
        message = pack(self._model(), self._statistics())
        self._ask_all(self.plan.hospitals, "train", "train", lambda _: message)

    # 3. Share and commit

    def share(self) -> None:
        """Collect the sealed shares of the hospitals that trained."""
        answers = self._ask_all(self._hospitals_left(), "share", "share", lambda _: b"")
        for hospital, data in answers.items():
            self.store.keep_message(self.key, SUBMISSION, hospital, data)

    def submit(self) -> None:
        """Let the hospitals commit on the ledger, then close the submissions."""
        self._ask_all(self._hospitals_left(), "submit", "submit", lambda _: b"")
        records = self.ledger.submissions(self.key)
        there = [self.plan.hospital(self.plan.name_of(one.hospital)) for one in records]
        self._name_absent(self.plan.hospitals, there, "submit", "submitted nothing to the ledger")
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
        if len(records) < self.plan.least_accepted:
            raise RoundFailed(
                f"{len(records)} hospitals submitted, {self.plan.least_accepted} are needed",
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

    # 6. Agree, then aggregate

    def agree(self) -> None:
        """Let the nodes judge and sign; publish the agreed set."""
        verdicts = self.verdicts()
        message = pack(list(self._messages(ANSWERS, self.plan.nodes).values()))
        self._name(verdicts)
        self._collect("judge", "agree", SET, self._in_set(verdicts), lambda _: message)
        if self.ledger.attempt(self.key).agreed_hash is None:
            # Nodes that are left out sign nothing: a set that leaves out too many has no quorum.
            reason = verdicts.agreed.reason or "no quorum of nodes agreed on a set"
            raise RoundFailed(reason, retryable=True)
        self._name_dissenters()
        self.ledger.publish_set(self.key, verdicts.agreed)
        if not verdicts.agreed.opens:
            raise RoundFailed(verdicts.agreed.reason)

    def aggregate(self) -> None:
        """Collect the nodes' shares of the sum, each against the quorum's signatures."""
        verdicts = self.verdicts()
        signatures = list(self._messages(SET, self.plan.nodes).values())
        message = pack(pack_set(verdicts.agreed), signatures)
        self._collect("release", "aggregate", SUM, self._in_set(verdicts), lambda _: message)

    # 7. Vote and finalise

    def vote(self) -> None:
        """Let every node decode and vote; a quorum of equal votes finalises on the ledger."""
        verdicts = self.verdicts()
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
        result, served_by = self._fetch()
        kind = aggregate_for(self.plan, self.key.round, b"").kind
        self.store.keep_result(kind, result)
        behind = [node for node in self.plan.nodes if node.name not in served_by]
        self._ask_all(behind, "keep", "distribute", lambda _: pack(result))
        message = pack(result, self._statistics())
        adopted = self._ask_all(self.plan.hospitals, "adopt", "distribute", lambda _: message)
        for hospital, data in adopted.items():
            self._keep_report(hospital, data)
        self._ask_all(self._seated(), "erase", "distribute", lambda _: b"")

    def _conclude(self) -> None:
        """Note how the attempt ended, once its last step is noted: nothing of it is left to do."""
        verdicts = self.verdicts()
        names = self.plan.name_of
        agreed = verdicts.agreed
        weights = dict(zip(map(names, agreed.accepted), agreed.weights, strict=True))
        record = self.ledger.attempt(self.key)
        self.store.end_attempt(
            self.key,
            AttemptNote(
                finalised=True,
                set_hash=record.agreed_hash,
                result_hash=record.result_hash,
                accepted=weights,
                refused=verdicts.refused,
            ),
        )

    def verdicts(self) -> Verdicts:
        """The judgement that everybody computes from the signed answers; see `fl.agreement`."""
        answers: dict[str, dict[str, Answer]] = {}
        for node, data in self._messages(ANSWERS, self.plan.nodes).items():
            try:
                answers[node] = unpack_answers(self._read(node, data, ANSWERS))
            except MessageError:
                continue  # The judgement leaves out a node without readable answers, and names it.
        submissions = self.ledger.submissions(self.key)
        left = {self.plan.name_of(join.node): join for join in self.ledger.joins(self.key)}
        # Nodes that the published set leaves out were active when it was judged.
        active = [
            n for n, join in left.items() if join.standing in (Standing.IN, Standing.LEFT_OUT)
        ]
        return judge_attempt(
            self.plan,
            aggregate_for(self.plan, self.key.round, b""),
            submissions_root(submissions),
            self._quorum,
            active,
            submissions,
            answers,
        )

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

    def _statistics(self) -> bytes:
        digest = self.ledger.training(self.key.training).statistics
        if digest is None:
            return b""
        known = self.store.result(digest)
        if known is None:
            raise RoundFailed("the statistics that the ledger names are not in the store")
        return known

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
                self._fault(member.name, step, failure.reason)
                continue
            except MessageError as error:
                self._fault(member.name, step, str(error))
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
        missing = [m for m in members if self.store.message(self.key, kind, m.name) is None]
        for name, data in self._ask_all(missing, question, step, message).items():
            self.store.keep_message(self.key, kind, name, data)

    def _messages(self, kind: str, members: Iterable[Member]) -> dict[str, bytes]:
        found = {m.name: self.store.message(self.key, kind, m.name) for m in members}
        return {name: data for name, data in found.items() if data is not None}

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
        digest = self.ledger.attempt(self.key).result_hash or b""
        voters = {v.node for v in self.ledger.votes(self.key) if v.result_hash == digest}
        found: bytes | None = None
        served = []
        for node in self.plan.nodes:
            try:
                answer = self.channel.ask(node.name, "serve", self.key, pack(digest))
                (result,) = unpack(answer, bytes)
            except PartyFailed as failure:
                # A node that did not vote for it need not have it: it is handed the result next.
                if node.account in voters:
                    self._fault(node.name, "distribute", failure.reason)
                continue
            except MessageError as error:
                self._fault(node.name, "distribute", str(error))
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
        (confusion,) = unpack(self._read(hospital, data, REPORT), list)
        if confusion:
            self.store.keep_evaluation(self.key, hospital, confusion)

    def _hospitals_left(self) -> list[Member]:
        faults = self.store.faults(self.key)
        return [member for member in self.plan.hospitals if member.name not in faults]

    def _seated(self) -> list[Member]:
        seats = {join.node for join in self.ledger.joins(self.key)}
        return [node for node in self.plan.nodes if node.account in seats]

    def _nodes_in(self) -> list[Member]:
        seats = {j.node for j in self.ledger.joins(self.key) if j.standing == Standing.IN}
        return [node for node in self.plan.nodes if node.account in seats]

    def _in_set(self, verdicts: Verdicts) -> list[Member]:
        return [n for n in self._nodes_in() if n.account not in verdicts.agreed.left_out]

    def _name(self, verdicts: Verdicts) -> None:
        for hospital, reason in verdicts.refused.items():
            self._fault(hospital, "check", reason)
        for node, reason in verdicts.left_out.items():
            self._fault(node, "check", reason)

    def _name_absent(
        self, members: Iterable[Member], there: Iterable[Member], step: str, reason: str
    ) -> None:
        """Name who is absent on the ledger, whatever it answered, unless it is named already."""
        present, named = list(there), self.store.faults(self.key)
        for member in members:
            if member not in present and member.name not in named:
                self._fault(member.name, step, reason)

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

    def _fault(self, party: str, step: str, reason: str) -> None:
        self.store.keep_fault(self.key, party, step, reason)
        self._watch(PartyNamed(self.key, step, party, reason))

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
            if self.ledger.attempt(self.key).state != AttemptState.FAILED:
                self.ledger.fail(self.key, reason)
        except NotFound:
            pass  # The ledger refused to open the attempt, so there is nothing to give up.
        self._note_failure(reason)

    def _note_failure(self, reason: str) -> None:
        self.store.end_attempt(self.key, AttemptNote(finalised=False, reason=reason))
        self._watch(AttemptFailed(self.key, reason))
