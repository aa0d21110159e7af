"""The federation's contract in typed calls.

Every transaction is sent once in effect: where the chain holds the same record by this account
already, that one's receipt is returned; where it holds another, `Refused` is raised. So a party
that crashed may simply call again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from contracts.artifact import load_artifact
from contracts.digests import (
    challenge_digest,
    nonce_commitment,
    set_digest,
    set_fields,
    submissions_root,
)
from contracts.errors import (
    ChainUnreachable,
    LedgerError,
    NotFound,
    ReadOnly,
    Refused,
    RpcFailed,
    WrongChain,
)
from contracts.interface import federation
from contracts.reader import LedgerReader
from contracts.records import (
    AgreedSet,
    AttemptKey,
    AttemptRecord,
    AttemptState,
    BlockHead,
    Dispute,
    JoinRecord,
    LedgerEvent,
    PartyRecord,
    Receipt,
    Role,
    RoundRecord,
    Standing,
    SubmissionRecord,
    TrainingRecord,
    TrainingState,
    Verdict,
    Vote,
)
from contracts.rpc import Rpc
from contracts.sender import Sender, receipt_of

__all__ = [
    "AgreedSet",
    "AttemptKey",
    "AttemptRecord",
    "AttemptState",
    "BlockHead",
    "ChainUnreachable",
    "Dispute",
    "JoinRecord",
    "Ledger",
    "LedgerError",
    "LedgerEvent",
    "NotFound",
    "PartyRecord",
    "ReadOnly",
    "Receipt",
    "Refused",
    "Role",
    "RoundRecord",
    "RpcFailed",
    "Standing",
    "SubmissionRecord",
    "TrainingRecord",
    "TrainingState",
    "Verdict",
    "Vote",
    "WrongChain",
    "challenge_digest",
    "nonce_commitment",
    "set_digest",
    "submissions_root",
]


class Ledger(LedgerReader):
    """The contract as the account of `private_key` sees it; without a key it only reads.

    Raises:
        ChainUnreachable: nothing answers at `rpc_url`.
        WrongChain: there is no contract of ours at the address.
    """

    def __init__(
        self, rpc_url: str, contract_address: str, private_key: bytes | str | None = None
    ) -> None:
        super().__init__(rpc_url, contract_address)
        self._sender: Sender | None = None
        if private_key is not None:
            self._sender = Sender(self._rpc, self._interface, self.chain_id, private_key)
        self.account: str | None = self._sender.account if self._sender else None

    @classmethod
    def deploy(cls, rpc_url: str, private_key: bytes | str) -> Ledger:
        """Create a contract whose coordinator is the account of `private_key`.

        Raises:
            ChainUnreachable, RpcFailed, Refused: it was not created.
        """
        with Rpc(rpc_url) as rpc:
            chain_id = int(rpc.call("eth_chainId"), 16)
            sender = Sender(rpc, federation(), chain_id, private_key)
            address = sender.deploy(load_artifact().bytecode)
        return cls(rpc_url, address, private_key)

    @property
    def traffic(self) -> tuple[int, float]:
        """Transactions sent through this object, and the seconds from sending to receipt."""
        return (self._sender.sent, self._sender.seconds) if self._sender else (0, 0.0)

    def register(self, account: str, role: Role, public_key: bytes) -> Receipt:
        """Register `account` (coordinator); `public_key` is a P-256 point of 65 bytes."""
        return self._send(
            "register",
            (account, role, public_key),
            lambda: self._find("Registered", (account, role), {"public_key": public_key}),
        )

    def open_training(
        self,
        training: bytes,
        config_hash: bytes,
        initial_model: bytes,
        hospitals: Sequence[str],
        nodes: Sequence[str],
        threshold: int,
    ) -> Receipt:
        """Open a training among registered parties (coordinator); needs 2 threshold + 1 nodes."""
        same = {
            "config_hash": config_hash,
            "initial_model": initial_model,
            "hospitals": tuple(hospitals),
            "nodes": tuple(nodes),
            "threshold": threshold,
        }
        return self._send(
            "openTraining",
            (training, config_hash, initial_model, tuple(hospitals), tuple(nodes), threshold),
            lambda: self._find("TrainingOpened", (training,), same),
        )

    def end_training(self, training: bytes, reason: str) -> Receipt:
        """End a training (coordinator); its running attempt, if any, fails for that reason."""
        return self._send(
            "endTraining",
            (training, reason),
            lambda: self._find("TrainingEnded", (training,), {"reason": reason}),
        )

    def open_attempt(self, key: AttemptKey, model_in: bytes) -> Receipt:
        """Open the next attempt of the next round on the training's model (coordinator)."""

        def find_done() -> Receipt | None:
            done = self._find_step(key, AttemptState.OPENED)
            return done if done and self.attempt(key).model_in == model_in else None

        return self._send("openAttempt", (_tuple(key), model_in), find_done)

    def join(self, key: AttemptKey, commitment: bytes, receiving_key: bytes) -> Receipt:
        """Take this node's seat; see `nonce_commitment`, and a P-256 point of 65 bytes."""
        same = {"nonce_commitment": commitment, "receiving_key": receiving_key}
        return self._send_own("join", key, (commitment, receiving_key), "NodeJoined", same)

    def call_for_submissions(self, key: AttemptKey) -> Receipt:
        """Let hospitals submit once a quorum joined (coordinator)."""
        return self._step("callForSubmissions", key, AttemptState.SUBMITTING)

    def submit(
        self,
        key: AttemptKey,
        share_root: bytes,
        update_hash: bytes,
        samples: int,
        hospital: str | None = None,
    ) -> Receipt:
        """Submit as this hospital; any other `hospital` than this account is refused."""
        same = {"share_root": share_root, "update_hash": update_hash, "samples": samples}
        arguments = (hospital or self.account, share_root, update_hash, samples)
        return self._send_own("submit", key, arguments, "Submitted", same)

    def close_submissions(self, key: AttemptKey) -> Receipt:
        """Take no more submissions (coordinator)."""
        return self._step("closeSubmissions", key, AttemptState.REVEALING)

    def reveal(self, key: AttemptKey, nonce: bytes) -> Receipt:
        """Reveal the nonce that this node committed to."""
        return self._send_own("reveal", key, (nonce,), "NonceRevealed", {"nonce": nonce})

    def close_reveals(self, key: AttemptKey) -> Receipt:
        """Draw the challenge once a quorum revealed (coordinator)."""
        return self._step("closeReveals", key, AttemptState.CHECKING)

    def agree(self, key: AttemptKey, set_hash: bytes, opens: bool) -> Receipt:
        """Sign the set of `set_digest` as this node; a quorum that opens locks the round."""
        same = {"set_hash": set_hash, "opens": opens}
        return self._send_own("agree", key, (set_hash, opens), "SetSigned", same)

    def publish_set(self, key: AttemptKey, agreed: AgreedSet) -> Receipt:
        """Lay the agreed set open; anybody may."""
        same = {"set_hash": set_digest(key, agreed), "opens": agreed.opens}
        return self._send(
            "publishSet",
            (_tuple(key), set_fields(agreed)),
            lambda: self._find("SetPublished", _tuple(key), same),
        )

    def vote(self, key: AttemptKey, result_hash: bytes) -> Receipt:
        """Vote for the hash of the result as this node; a quorum of equal votes finalises."""
        return self._send_own("vote", key, (result_hash,), "Voted", {"result_hash": result_hash})

    def fail(self, key: AttemptKey, reason: str) -> Receipt:
        """Give an attempt up (coordinator); a locked round stays locked."""
        return self._send(
            "fail",
            (_tuple(key), reason),
            lambda: self._find("AttemptFailed", _tuple(key), {"reason": reason}),
        )

    def _step(self, function: str, key: AttemptKey, state: AttemptState) -> Receipt:
        return self._send(function, (_tuple(key),), lambda: self._find_step(key, state))

    def _send_own(
        self,
        function: str,
        key: AttemptKey,
        arguments: tuple[object, ...],
        event: str,
        same: Mapping[str, object],
    ) -> Receipt:
        """Send what an event with this account as its third indexed argument records."""
        return self._send(
            function,
            (_tuple(key), *arguments),
            lambda: self._find(
                event,
                (key.training, key.round, self.account),
                {"attempt": key.attempt, **same},
            ),
        )

    def _send(
        self, function: str, arguments: Sequence[object], find_done: Callable[[], Receipt | None]
    ) -> Receipt:
        if self._sender is None:
            raise ReadOnly(function)
        data = self._interface.call_data(function, arguments)
        return self._sender.send_once(self.contract, data, find_done)

    def _find_step(self, key: AttemptKey, state: AttemptState) -> Receipt | None:
        return self._find("AttemptAdvanced", _tuple(key), {"state": state})

    def _find(
        self, event: str, indexed: Sequence[Any], same: Mapping[str, object]
    ) -> Receipt | None:
        """Return the receipt of the transaction that left this very event, or None."""
        for log in self._logs(self._interface.indexed(event, indexed), 0, None):
            found = self._interface.event(log)
            if all(found.values[name] == value for name, value in same.items()):
                receipt = self._rpc.call("eth_getTransactionReceipt", found.transaction)
                return receipt_of(receipt)
        return None


def _tuple(key: AttemptKey) -> tuple[bytes, int, int]:
    return key.training, key.round, key.attempt
