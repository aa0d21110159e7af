"""The federation's contracts in typed calls: trainings and rounds here, the others beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eth_abi.abi import encode

from contracts.address import checksum_address
from contracts.appeals import Appeals
from contracts.artifact import (
    ANCHORS,
    APPEALS,
    FEDERATION,
    MODELS,
    RECORDS,
    REGISTRY,
    load_artifact,
)
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
from contracts.interface import interface
from contracts.outbox import Outbox
from contracts.promotions import Promotions
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
    Permission,
    Policy,
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
from contracts.registry import task_word
from contracts.rpc import Rpc
from contracts.sender import Sender

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
    "Permission",
    "Policy",
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
    """The contracts as the account of `private_key` sees them; without a key they are only read.

    An `outbox` that lasts lets transactions survive this process.

    Raises:
        ChainUnreachable: nothing answers at `rpc_url`.
        WrongChain: there is no contract of ours at the address.
    """

    def __init__(
        self,
        rpc_url: str,
        contract_address: str,
        private_key: bytes | str | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        super().__init__(rpc_url, contract_address)
        if private_key is not None:
            self._connect(Sender(self._rpc, self._interface, self.chain_id, private_key, outbox))

    @classmethod
    def deploy(
        cls, rpc_url: str, private_key: bytes | str, second: str, outbox: Outbox | None = None
    ) -> Ledger:
        """Create a federation's contracts; those that the outbox knows are not made again.

        The account of `private_key` is coordinator and administrator, `second` an administrator.

        Raises:
            ChainUnreachable, RpcFailed, Refused: they were not created.
        """
        with Rpc(rpc_url) as rpc:
            chain_id = int(rpc.call("eth_chainId"), 16)
            sender = Sender(rpc, interface(FEDERATION), chain_id, private_key, outbox)
            registry = sender.deploy(creation_code(REGISTRY, sender.account, second))
            anchors = sender.deploy(creation_code(ANCHORS, registry))
            records = sender.deploy(creation_code(RECORDS, registry))
            models = sender.deploy(creation_code(MODELS, registry))
            looks = sender.deploy(creation_code(APPEALS, registry))
            others = registry, anchors, records, models, looks
            address = checksum_address(sender.deploy(creation_code(FEDERATION, *others)))
            promotions, appeals = Promotions(rpc, models, sender), Appeals(rpc, looks, sender)
            # Creating delivered whatever an earlier life had sent, so this is done once.
            if promotions.trainings() != address:
                promotions.bind(address)
            if appeals.federation() != address:
                appeals.attach(address)
        return cls(rpc_url, address, private_key, outbox)

    @property
    def traffic(self) -> tuple[int, float]:
        """Transactions sent through this object, and the seconds from sending to receipt."""
        return (self._sender.sent, self._sender.seconds) if self._sender else (0, 0.0)

    def open_training(
        self,
        training: bytes,
        task: str,
        config_hash: bytes,
        initial_model: bytes,
        hospitals: Sequence[str],
        nodes: Sequence[str],
        threshold: int,
    ) -> Receipt:
        """Open a training of an allowed task among registered parties (coordinator)."""
        word = task_word(task)
        same = {
            "config_hash": config_hash,
            "initial_model": initial_model,
            "hospitals": tuple(hospitals),
            "nodes": tuple(nodes),
            "threshold": threshold,
        }
        opening = (word, config_hash, initial_model, tuple(hospitals), tuple(nodes), threshold)
        return self._send(
            "openTraining",
            (training, opening),
            lambda: self._find("TrainingOpened", (training, word), same),
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

    def expire(self, key: AttemptKey) -> Receipt:
        """Give an attempt up whose step took too long; anybody may."""
        return self._send(
            "expire", (_tuple(key),), lambda: self._find("AttemptFailed", _tuple(key), {})
        )

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

    def _find_step(self, key: AttemptKey, state: AttemptState) -> Receipt | None:
        return self._find("AttemptAdvanced", _tuple(key), {"state": state})


def _tuple(key: AttemptKey) -> tuple[bytes, int, int]:
    return key.training, key.round, key.attempt


def creation_code(contract: str, *addresses: str) -> bytes:
    """What creates a contract whose constructor takes addresses."""
    words = encode(["address"] * len(addresses), addresses)
    return load_artifact(contract).bytecode + words
