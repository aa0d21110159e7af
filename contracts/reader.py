"""What anybody may read of the federation's contract; `ledger` adds what an account may write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.address import checksum_address
from contracts.anchors import Anchors
from contracts.appeals import Appeals
from contracts.artifact import ANCHORS, APPEALS, FEDERATION, MODELS, RECORDS, REGISTRY
from contracts.client import Client
from contracts.errors import NotFound, RpcFailed, WrongChain
from contracts.interface import Interface, interface
from contracts.members import Members
from contracts.openings import Openings
from contracts.promotions import Promotions
from contracts.records import (
    AttemptKey,
    AttemptRecord,
    AttemptState,
    BlockHead,
    JoinRecord,
    LedgerEvent,
    RoundRecord,
    Standing,
    SubmissionRecord,
    TrainingRecord,
    TrainingState,
    TransactionRecord,
    Verdict,
    Vote,
)
from contracts.registry import Registry
from contracts.rpc import Rpc
from contracts.sender import Sender
from contracts.transactions import find_transaction

# Blocks asked for at once; a node that finds that too many is asked for half.
PAGE = 2_000


class LedgerReader(Client):
    """The contract at `contract_address` on the chain at `rpc_url`, and the others it leads to.

    Raises:
        ChainUnreachable: nothing answers there.
        WrongChain: there is no contract of ours at the address.
    """

    def __init__(self, rpc_url: str, contract_address: str) -> None:
        super().__init__(Rpc(rpc_url), FEDERATION, contract_address)
        self.rpc_url = rpc_url
        self.chain_id = int(self._rpc.call("eth_chainId"), 16)
        try:
            found = map(checksum_address, self._view("contracts"))
            self.addresses: dict[str, str] = dict(
                zip((REGISTRY, ANCHORS, RECORDS), found, strict=True)
            )
        except (ValueError, RpcFailed) as error:
            raise WrongChain(
                f"the federation's contract at {self.contract}", f"another or none ({error})"
            ) from error
        self.addresses[FEDERATION] = self.contract
        for name, getter in ((MODELS, "models"), (APPEALS, "appeals")):
            if address := self._find_contract(getter):
                self.addresses[name] = address
        self._final_joins: dict[AttemptKey, tuple[JoinRecord, ...]] = {}
        self._connect(None)

    def _connect(self, sender: Sender | None) -> None:
        """Let `sender` send to all contracts."""
        self._sender = sender
        self.registry = Registry(self._rpc, self.addresses[REGISTRY], sender)
        self.anchors = Anchors(self._rpc, self.addresses[ANCHORS], sender)
        self.openings = Openings(self._rpc, self.addresses[RECORDS], sender)
        # None where the contracts are older than promotions.
        self.promotions = (
            Promotions(self._rpc, self.addresses[MODELS], sender)
            if MODELS in self.addresses
            else None
        )
        # None where they are older than appeals.
        self.appeals = (
            Appeals(self._rpc, self.addresses[APPEALS], sender)
            if APPEALS in self.addresses
            else None
        )

    def close(self) -> None:
        """Close the connection."""
        self._rpc.close()

    def fingerprint(self) -> bytes:
        """Return the federation's fingerprint as its registry has it now (contracts.members)."""
        members = Members.of(self.registry.history())
        return members.fingerprint(self.chain_id, self.addresses)

    def training(self, training: bytes) -> TrainingRecord:
        """Return a training's record.

        Raises:
            NotFound: it was never opened.
        """
        values = self._view("trainingOf", training)
        if values[0] == 0:
            raise NotFound(f"the training {training.hex()}")
        state, threshold, quorum, fewest, next_round, step_blocks, attempts_left = values[:7]
        task, config_hash, initial, model, statistics, slices = values[7:13]
        norm_bound, hospitals, nodes, reason = values[13:]
        return TrainingRecord(
            training=training,
            state=TrainingState(state),
            task=task.rstrip(b"\0").decode(),
            config_hash=config_hash,
            initial_model=initial,
            model=model,
            statistics=_set(statistics),
            slices=_set(slices),
            norm_bound=norm_bound,
            next_round=next_round,
            threshold=threshold,
            quorum=quorum,
            hospitals=tuple(map(checksum_address, hospitals)),
            nodes=tuple(map(checksum_address, nodes)),
            reason=reason,
            fewest_accepted=fewest,
            step_blocks=step_blocks,
            attempts_left=attempts_left,
        )

    def look_at(self, key: AttemptKey, *rounds: int) -> None:
        """Ask for all that stands of an attempt in one request, where one look is under way.

        What is asked for afterwards is known: of the training, of this attempt, and how often the
        `rounds` were tried.
        """
        self._look_together(
            ("trainingOf", key.training),
            *((view, _key(key)) for view in ("attemptOf", "submissionsOf", "seatsOf")),
            *(("roundOf", key.training, number) for number in rounds),
        )

    def round(self, training: bytes, round: int) -> RoundRecord:
        """Return how often a round was tried; a round that never was has zero attempts."""
        attempts, locked = self._view("roundOf", training, round)
        return RoundRecord(attempts, locked)

    def attempt(self, key: AttemptKey) -> AttemptRecord:
        """Return an attempt's record.

        Raises:
            NotFound: it was never opened.
        """
        values = self._view("attemptOf", _key(key))
        if values[0] == 0:
            raise NotFound(f"attempt {key.attempt} at round {key.round} of {key.training.hex()}")
        state, joined, revealed, submitted, opens, locked, norm_bound, deadline = values[:8]
        model_in, root, challenge, agreed, result, reason = values[8:]
        return AttemptRecord(
            key=key,
            state=AttemptState(state),
            model_in=model_in,
            joined=joined,
            submitted=submitted,
            revealed=revealed,
            submissions_root=root,
            challenge=_set(challenge),
            agreed_hash=_set(agreed),
            opens=opens,
            result_hash=_set(result),
            reason=reason,
            locked=locked,
            norm_bound=norm_bound,
            deadline=deadline,
        )

    def opened_at(self, key: AttemptKey) -> int:
        """Return the block in which an attempt was opened.

        Raises:
            NotFound: it was never opened.
        """
        found = self._find("AttemptAdvanced", _key(key), {"state": AttemptState.OPENED})
        if found is None:
            raise NotFound(f"attempt {key.attempt} at round {key.round} of {key.training.hex()}")
        return found.block

    def find_submission(self, key: AttemptKey, hospital: str) -> SubmissionRecord | None:
        """Return what `hospital` submitted, or None."""
        record = _submission(hospital, self._view("submissionOf", _key(key), hospital))
        return record if record.samples else None

    def submissions(self, key: AttemptKey) -> tuple[SubmissionRecord, ...]:
        """Return all submissions in the order in which they came."""
        hospitals, values = self._view("submissionsOf", _key(key))
        return tuple(map(_submission, hospitals, values))

    def find_join(self, key: AttemptKey, node: str) -> JoinRecord | None:
        """Return the seat of `node`, or None if it did not join."""
        record = _join(node, self._view("seatOf", _key(key), node))
        return record if any(record.nonce_commitment) else None

    def joins(self, key: AttemptKey) -> tuple[JoinRecord, ...]:
        """Return the seats of the nodes that joined, in the training's order of nodes."""
        nodes, seats = self._view("seatsOf", _key(key))
        records = map(_join, nodes, seats)
        return tuple(record for record in records if any(record.nonce_commitment))

    def final_joins(self, key: AttemptKey) -> tuple[JoinRecord, ...]:
        """As `joins`; of a finalised attempt, whose seats stay as they are, asked for once.

        Raises:
            NotFound: it was never opened.
        """
        if key not in self._final_joins:
            if self.attempt(key).state != AttemptState.FINALISED:
                return self.joins(key)
            self._final_joins[key] = self.joins(key)
        return self._final_joins[key]

    def votes(self, key: AttemptKey) -> tuple[Vote, ...]:
        """Return the votes, in the training's order of nodes."""
        return tuple(Vote(one.node, one.vote) for one in self.joins(key) if one.vote is not None)

    def head(self) -> BlockHead:
        """Return the last block."""
        return _head(self._rpc.call("eth_getBlockByNumber", "latest", False))

    def block(self, number: int) -> BlockHead:
        """Return a block.

        Raises:
            NotFound: the chain is not that long.
        """
        block = self._rpc.call("eth_getBlockByNumber", hex(number), False)
        if block is None:
            raise NotFound(f"block {number}")
        return _head(block)

    def find_block(self, block_hash: bytes) -> BlockHead | None:
        """Return the block of that hash, or None."""
        block = self._rpc.call("eth_getBlockByHash", "0x" + block_hash.hex(), False)
        return None if block is None else _head(block)

    def transaction(self, transaction: str) -> TransactionRecord:
        """Return a mined transaction, whoever sent it and whatever became of it.

        Raises:
            NotFound: the chain has mined none of that hash.
        """
        found = find_transaction(self._rpc, self._interfaces(), transaction)
        if found is None:
            raise NotFound(f"the transaction {transaction}")
        return found

    def events(
        self, training: bytes | None = None, from_block: int = 0, to_block: int | None = None
    ) -> Iterator[LedgerEvent]:
        """Yield all contracts' events in the chain's order, both blocks included.

        With `training`, only those of that training; without `to_block`, up to the head at the
        time of the call.
        """
        last = self.head().number if to_block is None else to_block
        topics = [] if training is None else [None, "0x" + training.hex()]
        first, page = from_block, PAGE
        while first <= last:
            until = min(first + page - 1, last)
            try:
                logs = self._logs(topics, first, until)
            except RpcFailed:
                if page == 1:
                    raise
                page //= 2
                continue
            yield from map(self._event, logs)
            first = until + 1

    def _logs(self, topics: list[Any], first: int, last: int) -> list[Any]:
        wanted = {
            "address": list(self.addresses.values()),
            "topics": topics,
            "fromBlock": hex(first),
            "toBlock": hex(last),
        }
        logs: list[Any] = self._rpc.call("eth_getLogs", wanted)
        return logs

    def _event(self, log: Any) -> LedgerEvent:
        """The event of a log, by the contract that left it."""
        return self._interfaces()[checksum_address(log["address"])].event(log)

    def _find_contract(self, getter: str) -> str | None:
        """The address that a view leads to; a federation from before that contract has none."""
        try:
            return str(checksum_address(self._view(getter)))
        except RpcFailed as error:
            if error.data is None:
                raise
            return None

    def _interfaces(self) -> dict[str, Interface]:
        """The interfaces of all contracts, by address."""
        return {address: interface(name) for name, address in self.addresses.items()}


def _key(key: AttemptKey) -> tuple[bytes, int, int]:
    return key.training, key.round, key.attempt


def _set(value: bytes) -> bytes | None:
    return value if any(value) else None


def _submission(hospital: str, values: Any) -> SubmissionRecord:
    share_root, update_hash, samples, verdict, weight = values
    return SubmissionRecord(
        checksum_address(hospital), share_root, update_hash, samples, Verdict(verdict), weight
    )


def _join(node: str, values: Any) -> JoinRecord:
    standing, opens, commitment, nonce, set_hash, vote, receiving_key = values
    return JoinRecord(
        node=checksum_address(node),
        standing=Standing(standing),
        nonce_commitment=commitment,
        receiving_key=receiving_key,
        nonce=_set(nonce),
        agreed=(set_hash, opens) if any(set_hash) else None,
        vote=_set(vote),
    )


def _head(block: Any) -> BlockHead:
    return BlockHead(
        number=int(block["number"], 16),
        hash=bytes.fromhex(block["hash"][2:]),
        parent=bytes.fromhex(block["parentHash"][2:]),
        timestamp=int(block["timestamp"], 16),
    )
