"""An attempt, computed again from the calls that were signed, by the contract's own rules.

What a chain answers is not asked: each call is taken with the account that signed it, and refused
where the contract would have refused it (Attempts.sol, Submissions.sol, Agreements.sol), but for
what only a whole chain can tell, its deadlines and budgets. `left` is what the contract must have
recorded of each call, to be compared with the events in its receipt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.digests import (
    challenge_digest,
    nonce_commitment,
    set_digest,
    submissions_root,
)
from contracts.errors import BadEvidence
from contracts.groundwork import Opening, read_set, refuse_unless
from contracts.members import Members
from contracts.records import (
    DONATION,
    AgreedSet,
    AttemptKey,
    AttemptState,
    JoinRecord,
    Permission,
    Standing,
    SubmissionRecord,
    Verdict,
)

# The event of a call and what stands in it.
Left = tuple[str, dict[str, object]]

COORDINATORS = frozenset({"openAttempt", "callForSubmissions", "closeSubmissions", "closeReveals"})
NODES = frozenset({"join", "reveal", "agree", "vote"})


@dataclass
class Seat:
    """A node's part in the attempt."""

    commitment: bytes
    receiving_key: bytes
    standing: Standing = Standing.IN
    nonce: bytes | None = None
    agreed: tuple[bytes, bool] | None = None
    vote: bytes | None = None


@dataclass
class Replay:
    """The attempt `key` of a training on the contract at `contract` of the chain `chain_id`."""

    opening: Opening
    key: AttemptKey
    chain_id: int
    contract: str
    state: AttemptState = AttemptState.NONE
    model_in: bytes = b""
    submissions: list[SubmissionRecord] = field(default_factory=list)
    seats: dict[str, Seat] = field(default_factory=dict)
    challenge: bytes | None = None
    agreed: tuple[bytes, bool] | None = None
    published: AgreedSet | None = None
    result: bytes | None = None

    def apply(
        self, sender: str, function: str, values: Mapping[str, Any], members: Members
    ) -> list[Left]:
        """Do a call; what it must have left on the chain. Raises BadEvidence if it is refused."""
        steps: dict[str, Callable[[str, Mapping[str, Any]], list[Left]]] = {
            "openAttempt": self._open,
            "join": self._join,
            "callForSubmissions": self._call,
            "submit": self._submit,
            "closeSubmissions": self._close,
            "reveal": self._reveal,
            "closeReveals": self._draw,
            "agree": self._agree,
            "publishSet": self._publish,
            "vote": self._vote,
        }
        if function not in steps:
            raise BadEvidence(f"{function} is no part of a finished attempt")
        if function in COORDINATORS and not members.has(Permission.COORDINATOR, sender):
            raise BadEvidence(f"{function}: {sender} is no coordinator")
        if function in NODES and not members.has(Permission.NODE, sender):
            raise BadEvidence(f"{function}: {sender} is no node")
        if function == "submit" and not members.has(Permission.SUBMITTER, sender):
            raise BadEvidence(f"{function}: {sender} may not submit")
        return steps[function](sender, values)

    def joins(self) -> list[JoinRecord]:
        """The seats in the training's order of nodes."""
        return [
            JoinRecord(node, s.standing, s.commitment, s.receiving_key, s.nonce, s.agreed, s.vote)
            for node in self.opening.nodes
            if (s := self.seats.get(node)) is not None
        ]

    def _open(self, _: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.NONE)
        self.model_in = values["model_in"]
        return [self._advance(AttemptState.OPENED)]

    def _join(self, node: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.OPENED)
        refuse_unless(node in self.opening.nodes, f"{node} is no node of this training")
        refuse_unless(node not in self.seats, f"{node} joined twice")
        commitment, receiving_key = values["nonce_commitment"], values["receiving_key"]
        self.seats[node] = Seat(commitment, receiving_key)
        said = {"nonce_commitment": commitment, "receiving_key": receiving_key}
        return [("NodeJoined", {"node": node, **said})]

    def _call(self, _: str, __: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.OPENED)
        self._require_quorum(len(self.seats))
        return [self._advance(AttemptState.SUBMITTING)]

    def _submit(self, sender: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.SUBMITTING)
        hospital = values["hospital"]
        known = [one.hospital for one in self.submissions]
        refuse_unless(sender == hospital, f"{sender} submitted for {hospital}")
        refuse_unless(hospital in self.opening.hospitals, f"{hospital} is no hospital of this")
        refuse_unless(hospital not in known, f"{hospital} submitted twice")
        said = {name: values[name] for name in ("share_root", "update_hash", "samples")}
        refuse_unless(said["samples"] > 0, f"{hospital} submitted no samples")
        self.submissions.append(SubmissionRecord(hospital, **said, verdict=Verdict.NONE, weight=0))
        return [("Submitted", {"hospital": hospital, **said})]

    def _close(self, _: str, __: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.SUBMITTING)
        enough = len(self.submissions) >= self.opening.fewest_accepted
        refuse_unless(enough, "too few hospitals submitted")
        return [self._advance(AttemptState.REVEALING)]

    def _reveal(self, node: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.REVEALING)
        seat, nonce = self._seat(node), values["nonce"]
        committed = nonce_commitment(self.key, node, nonce) == seat.commitment
        refuse_unless(any(nonce) and committed, f"{node} revealed another nonce")
        refuse_unless(seat.nonce is None, f"{node} revealed twice")
        seat.nonce = nonce
        return [("NonceRevealed", {"node": node, "nonce": nonce})]

    def _draw(self, _: str, __: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.REVEALING)
        nonces = [seat.nonce if (seat := self.seats.get(n)) else None for n in self.opening.nodes]
        self._require_quorum(sum(nonce is not None for nonce in nonces))
        for seat in self.seats.values():
            if seat.nonce is None:
                seat.standing = Standing.WITHHELD
        root = submissions_root(self.submissions)
        self.challenge = challenge_digest(self.chain_id, self.contract, self.key, root, nonces)
        advanced = self._advance(AttemptState.CHECKING)
        return [("ChallengeDrawn", {"challenge": self.challenge}), advanced]

    def _agree(self, node: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.CHECKING, AttemptState.AGREED)
        seat = self._seat(node)
        refuse_unless(seat.agreed is None, f"{node} signed two sets")
        seat.agreed = values["set_hash"], values["opens"]
        equal = Counter(one.agreed for one in self.seats.values())[seat.agreed]
        left: list[Left] = [("SetSigned", {"node": node, **values_of(values, "set_hash", "opens")})]
        if self.state == AttemptState.CHECKING and equal == self.opening.quorum:
            self.agreed = seat.agreed
            left.append(self._advance(AttemptState.AGREED))
        return left

    def _publish(self, _: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.AGREED)
        found = read_set(values)
        digest = set_digest(self.key, found), found.opens
        refuse_unless(digest == self.agreed, "the published set is not the one that was agreed on")
        right = found.submissions_root == submissions_root(self.submissions)
        refuse_unless(right, "the published set is about other submissions")
        self.published = found
        left: list[Left] = [("SetPublished", {"set_hash": digest[0], "opens": found.opens})]
        for node in found.left_out:
            seat = self.seats.get(node)
            if seat is not None and seat.standing == Standing.IN:
                seat.standing = Standing.LEFT_OUT
        if found.opens and self.key.round != DONATION:
            return [*left, self._advance(AttemptState.VOTING)]
        if found.opens or (found.keeps and self.key.round not in (0, DONATION)):
            return left + self._finalise(digest[0] if found.opens else self.model_in)
        raise BadEvidence("the published set ended the attempt without a result")

    def _vote(self, node: str, values: Mapping[str, Any]) -> list[Left]:
        self._require(AttemptState.VOTING, AttemptState.FINALISED)
        seat, result = self._seat(node), values["result_hash"]
        refuse_unless(seat.vote is None, f"{node} voted twice")
        seat.vote = result
        equal = sum(one.vote == result for one in self.seats.values())
        left: list[Left] = [("Voted", {"node": node, "result_hash": result})]
        if self.state == AttemptState.VOTING and equal == self.opening.quorum:
            left += self._finalise(result)
        return left

    def _finalise(self, result: bytes) -> list[Left]:
        self.result = result
        return [("Finalised", {"result_hash": result}), self._advance(AttemptState.FINALISED)]

    def _advance(self, state: AttemptState) -> Left:
        self.state = state
        return "AttemptAdvanced", {"state": state}

    def _require(self, *states: AttemptState) -> None:
        names = " or ".join(state.name.lower() for state in states)
        refuse_unless(
            self.state in states,
            f"expected the attempt to be {names}, it was {self.state.name.lower()}",
        )

    def _require_quorum(self, count: int) -> None:
        refuse_unless(count >= self.opening.quorum, f"{count} nodes are no quorum")

    def _seat(self, node: str) -> Seat:
        seat = self.seats.get(node)
        if seat is None or seat.standing != Standing.IN:
            raise BadEvidence(f"{node} has no seat in the attempt")
        return seat


def values_of(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Some of the values, by name."""
    return {name: values[name] for name in names}
