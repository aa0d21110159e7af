"""An aggregator node's part of a round, in the order of the protocol.

A node believes the ledger, its own folder, and what others signed; the coordinator only carries
messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from contracts.digests import nonce_commitment, set_digest
from contracts.records import (
    DONATION,
    AgreedSet,
    AttemptKey,
    AttemptState,
    TrainingState,
)
from crypto.digest import merkle_root
from crypto.envelope import public_key_bytes, sign, verify
from crypto.errors import FieldError
from crypto.field import F61
from crypto.kernels import Words
from crypto.shamir import decode
from crypto.vss import challenge_scalars
from fl.aggregates import Aggregate, aggregate_for, result_digest
from fl.agreement import read_set
from fl.carried import pack_carried, unpack_carried
from fl.errors import MessageError, StepRefused
from fl.handing_out import read_request
from fl.judging import Judging
from fl.messages import (
    ANSWERS,
    OUTCOME,
    SET,
    SUM,
    Submission,
    pack,
    pack_answers,
    unpack,
)
from fl.outcome import review_purpose
from fl.party import Step, round_place


class Node(Judging):
    """One aggregator node of a training: a share of every update, and never an update."""

    def steps(self) -> Mapping[str, Step]:
        """The steps that a node does, by name."""
        return {
            "join": self.join,
            "receive": self.receive,
            "reveal": self.reveal,
            "answer": self.answer,
            "last_session": self.last_session,
            "review": self.review,
            "exchange": self.exchange,
            "judge": self.judge,
            "release": self.release,
            "vote": self.vote,
            "keep": self.keep,
            "serve": self.serve,
            "erase": self.erase,
        }

    # 1. Open

    def join(self, key: AttemptKey, _message: bytes) -> bytes:
        """Take a seat: commit to a fresh nonce, publish a fresh receiving key; answers
        [transaction].

        Raises StepRefused when the chain does not extend what this node saw before, or when it
        already agreed to a set in another attempt of the round.
        """
        self._check_chain()
        self._check_free(key)
        custody = self._custody(key)
        custody.take_seat()
        commitment = nonce_commitment(key, self._account, custody.nonce)
        public_key = public_key_bytes(custody.receiving_key.public_key())
        return pack(self.ledger.join(key, commitment, public_key).transaction)

    # 3. Share and commit

    def receive(self, key: AttemptKey, message: bytes) -> bytes:
        """Open this node's envelopes of [submissions] and keep the shares; answers []."""
        (carried,) = unpack(message, list)
        submissions = _readable(carried)
        custody = self._custody(key)
        seats = [self.plan.name_of(join.node) for join in self.ledger.joins(key)]
        aggregate = aggregate_for(self.plan, key.round, b"")
        for record in self._closed_submissions(key):
            name = self.plan.name_of(record.hospital)
            found = submissions.get((name, record.share_root))
            custody.keep_share(record, found, seats, aggregate.length(record.samples))
        return pack()

    # 4. Check the sharing

    def reveal(self, key: AttemptKey, _message: bytes) -> bytes:
        """Reveal the nonce, once the ledger has closed the submissions; answers [transaction]."""
        return pack(self.ledger.reveal(key, self._custody(key).nonce).transaction)

    def answer(self, key: AttemptKey, _message: bytes) -> bytes:
        """Answer the ledger's challenge for every submission; the same answers ever after."""
        # Two answers for one mask would open a value of the share, so there is only ever one.
        place = f"{round_place(key)}/answers-{key.attempt}"
        return self.store.remember(place, lambda: self._answers(key))

    # 5. Review

    def last_session(self, key: AttemptKey, _message: bytes) -> bytes:
        """The highest number of a session of the review that this node used, as [number]."""
        return pack(self._examiner.last_session(key))

    def review(self, key: AttemptKey, message: bytes) -> bytes:
        """Begin a session of the review ([number, committee, answers, model]).

        Answers the first sealed messages, each with its receiver. Raises StepRefused for a number
        that was used before, and where the sharing is not such that anything may be computed on it.
        """
        number, names, carried, model = unpack(message, int, list, list, bytes)
        self.ledger.look_at(key, DONATION)
        committee = tuple(str(name) for name in names)
        sharing = self._sharing(key, carried)
        if not sharing.opens or set(committee) & set(sharing.left_out):
            raise StepRefused(f"{self.name} reviews nothing: {sharing.reason or 'a node is out'}")
        challenge = self._challenge(key)
        if key.round == DONATION:
            program = self._examiner.slices(key, number, committee, sharing.samples, challenge)
        else:
            self._aggregate(key, model)
            program = self._examiner.updates(
                key,
                number,
                committee,
                tuple(sharing.samples),
                self._donation(),
                model,
                self._norm_bound(key),
                challenge,
                self._is_untrained(key),
            )
        keys = {self.plan.name_of(j.node): j.receiving_key for j in self.ledger.joins(key)}
        sent = self._examiner.seat(key, self.context(key), number, committee, keys, program)
        return pack_carried(sent, b"")

    def exchange(self, key: AttemptKey, message: bytes) -> bytes:
        """Take the sealed messages of an exchange (of head session, exchange), by their senders.

        Answers those of the next exchange, or (as the head) the signed outcome at the end.
        """
        (session, number), received = unpack_carried(message, int, int)
        sent, outcome = self._examiner.exchange(session, number, received)
        statement = b""
        if outcome is not None:
            statement = self.state_once(review_purpose(session), key, outcome)
        return pack_carried(sent, statement)

    # 6. Agree, then aggregate

    def judge(self, key: AttemptKey, message: bytes) -> bytes:
        """Judge by answers and review ([answers, outcomes]), agree on the ledger, sign it.

        Answers a statement [set hash, opens]. Raises StepRefused when this node agreed to another
        set in this round: the difference of two sums would be somebody's update.
        """
        answers, outcomes = unpack(message, list, list)
        agreed = self._judgement(key, answers, outcomes)
        if self._account in agreed.left_out:
            raise StepRefused(f"{self.name} is left out by the judgement and does not sign it")
        digest = set_digest(key, agreed)
        if agreed.opens:
            self._check_free(key)
            self.store.record(f"{round_place(key)}/set", pack(key.attempt, digest))
        self.ledger.agree(key, digest, agreed.opens)
        return self.state_once(SET, key, pack(digest, agreed.opens))

    def release(self, key: AttemptKey, message: bytes) -> bytes:
        """Release the share of the agreed sum against a quorum of signatures ([set, statements]).

        Set and release are on disk before the share leaves; a retry gets the same bytes. Raises
        StepRefused without a quorum, or for another set than the one this node agreed to.
        """
        items, statements = unpack(message, list, list)
        agreed = read_set(items)
        self._check_quorum(key, set_digest(key, agreed), statements)
        length = aggregate_for(self.plan, key.round, b"").summed
        return self.store.remember(
            f"{round_place(key)}/sum",
            lambda: self.state(
                SUM, key, F61.to_bytes(self._custody(key).weighted_sum(agreed, length))
            ),
        )

    # 7. Vote and finalise

    def vote(self, key: AttemptKey, message: bytes) -> bytes:
        """Decode the sum from the released shares ([set, statements, model]), keep the result,
        vote.

        Answers a statement [result hash, transaction, nodes whose shares were wrong]. Raises
        ShareError when more shares are wrong than can be corrected, StepRefused when fewer than a
        quorum came: of t + 1 shares none could be seen to be wrong.
        """
        items, statements, model = unpack(message, list, list, bytes)
        agreed = read_set(items)
        if set_digest(key, agreed) != self.ledger.attempt(key).agreed_hash:
            raise StepRefused(f"{self.name} was handed another set than the ledger's")
        result, wrong = self._open_sum(key, agreed, self._aggregate(key, model), statements)
        digest = result_digest(result)
        self.store.record(f"results/{digest.hex()}", result)
        self._check_chain()
        receipt = self.ledger.vote(key, digest)
        return self.state_once(OUTCOME, key, pack(digest, receipt.transaction, wrong))

    # 8. Distribute

    def keep(self, key: AttemptKey, message: bytes) -> bytes:
        """Store a finalised result ([result]) that this node did not compute itself; answers []."""
        (result,) = unpack(message, bytes)
        digest = result_digest(result)
        if self.ledger.attempt(key).result_hash != digest:
            raise StepRefused(f"{self.name} was handed another result than the ledger's")
        self.store.record(f"results/{digest.hex()}", result)
        return pack()

    def serve(self, key: AttemptKey, message: bytes) -> bytes:
        """The finalised result that a signed request asks for ([digest, account, signature]), as
        [result].

        Raises StepRefused without one, and where the ledger does not let the account have it: it
        must hold DOWNLOADER now, or be the coordinator.
        """
        digest = read_request(self.ledger, self.context(key), self.name, message)
        result = self.store.get(f"results/{digest.hex()}")
        if result is None:
            raise StepRefused(f"{self.name} holds no result {digest.hex()}")
        if self.ledger.attempt(key).result_hash != digest:
            raise StepRefused(f"{self.name} hands out nothing that this attempt did not finalise")
        return pack(result)

    def erase(self, key: AttemptKey, _message: bytes) -> bytes:
        """Forget the attempt's receiving key, nonce and shares, once it is over; answers []."""
        attempt = self.ledger.attempt(key)
        ended = self.ledger.training(key.training).state == TrainingState.ENDED
        failed = attempt.state == AttemptState.FAILED and (ended or not attempt.locked)
        if attempt.state != AttemptState.FINALISED and not failed:
            raise StepRefused(f"{self.name} keeps its shares while the attempt can still finish")
        if key.round == DONATION and not failed and not ended:
            # The slices serve until the training ends; the keys that they came under do not.
            self._custody(key).leave_seat()
        else:
            self._custody(key).erase()
        return pack()

    # What the steps are made of

    def _check_chain(self) -> None:
        """Refuse a chain that does not extend the head that this node signed last; sign anew."""
        place = f"{self.training.hex()}/head"
        known = self.store.get(place)
        if known is not None:
            number, block_hash, signature = unpack(known, int, bytes, bytes)
            verify(self._key.public_key(), pack(number, block_hash), signature, self.name)
            if self.ledger.block(number).hash != block_hash:
                raise StepRefused(f"{self.name} knows another block {number}: the chain changed")
        head = self.ledger.head()
        signature = sign(self._key, pack(head.number, head.hash))
        self.store.replace(place, pack(head.number, head.hash, signature))

    def _check_free(self, key: AttemptKey) -> None:
        kept = self.store.get(f"{round_place(key)}/set")
        if kept is not None and unpack(kept, int, bytes)[0] != key.attempt:
            raise StepRefused(f"{self.name} agreed to a set in another attempt of this round")

    def _answers(self, key: AttemptKey) -> bytes:
        scalars = challenge_scalars(self._challenge(key))
        custody = self._custody(key)
        names = [self.plan.name_of(record.hospital) for record in self._closed_submissions(key)]
        given = {name: custody.answer(name, scalars) for name in names}
        return self.state(ANSWERS, key, pack_answers(given))

    def _check_quorum(self, key: AttemptKey, digest: bytes, carried: Sequence[bytes]) -> None:
        kept = self.store.get(f"{round_place(key)}/set")
        if kept is None or unpack(kept, int, bytes) != [key.attempt, digest]:
            raise StepRefused(f"{self.name} did not agree to this set in this attempt")
        expected = pack(digest, True)
        statements = self._statements(key, carried, SET, self._active(key)).values()
        signers = sum(statement.body == expected for statement in statements)
        quorum = self.ledger.training(key.training).quorum
        if signers < quorum:
            raise StepRefused(f"expected {quorum} signatures of the set, got {signers}")

    def _open_sum(
        self, key: AttemptKey, agreed: AgreedSet, aggregate: Aggregate, carried: Sequence[bytes]
    ) -> tuple[bytes, list[str]]:
        """The result's bytes, and the nodes whose shares were wrong or unreadable."""
        shares: dict[str, Words] = {}
        wrong: list[str] = []
        for node, statement in self._statements(key, carried, SUM, self._active(key)).items():
            try:
                share = F61.from_bytes(statement.body)
            except FieldError:
                share = np.empty(0, dtype=np.uint64)
            if share.size == aggregate.summed:
                shares[node] = share
            else:
                wrong.append(node)
        needed = self.plan.least_points(self.ledger.training(key.training).quorum)
        if len(shares) < needed:
            raise StepRefused(f"expected {needed} shares of the sum, got {len(shares)}")
        points = [self.plan.points[node] for node in shares]
        rows = np.array(list(shares.values()), dtype=np.uint64).reshape(len(shares), -1)
        decoded = decode(points, rows, self.plan.threshold)
        wrong += [node for node in shares if self.plan.points[node] in decoded.wrong]
        return aggregate.result(F61.to_signed(decoded.values), sum(agreed.weights)), wrong


def _readable(carried: Sequence[bytes]) -> dict[tuple[str, bytes], Submission]:
    """The readable submissions by hospital and share root: nobody can stand for another."""
    found: dict[tuple[str, bytes], Submission] = {}
    for data in carried:
        try:
            one = Submission.from_bytes(data)
        except MessageError:
            continue  # One hospital's garbage is no envelope of its own, and nobody else's matter.
        found[one.hospital, merkle_root(one.digests)] = one
    return found
