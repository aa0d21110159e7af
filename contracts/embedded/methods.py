"""The JSON-RPC methods of the embedded chain, answered as geth answers them.

Quantities are "0x..." without leading zeros, byte strings "0x..." with all of them.
https://ethereum.org/en/developers/docs/apis/json-rpc/
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from eth.abc import BlockHeaderAPI
from eth.exceptions import HeaderNotFound

from contracts.embedded.evm import (
    BLOCK_GAS,
    TRANSACTION_GAS,
    Call,
    EmbeddedChain,
    ExecutionFailed,
    Reverted,
    TransactionRefused,
)
from contracts.embedded.store import Log, LogFilter, Mined, Store

CLIENT = "ConsiliumEmbedded/1"
MOST_LOGS = 10_000
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, SERVER_ERROR = (
    -32700,
    -32600,
    -32601,
    -32602,
    -32000,
)
REVERTED = 3

logger = logging.getLogger(__name__)


class RpcError(Exception):
    """An error for the caller: a JSON-RPC code, a message, and data where geth gives some."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, object]:
        """Return the object that stands under "error"."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        return error if self.data is None else {**error, "data": self.data}


class Methods:
    """Answers one request at a time.

    `instance` is the secret-free name of this process, which it has until it is `leaving`.
    """

    def __init__(
        self,
        chain: EmbeddedChain,
        store: Store,
        instance: str,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._chain = chain
        self._store = store
        self._instance = instance
        self._leaving = leaving
        self._table: Mapping[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: CLIENT,
            "consilium_instance": lambda: None if self._leaving() else self._instance,
            "net_version": lambda: str(self._chain.chain_id),
            "eth_chainId": lambda: hex(self._chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_accounts": list,
            "eth_gasPrice": lambda: hex(0),
            "eth_maxPriorityFeePerGas": lambda: hex(0),
            "eth_feeHistory": self._fee_history,
            "eth_blockNumber": lambda: hex(self._chain.head().block_number),
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._count,
            "eth_getCode": self._code,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._send,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getLogs": self._logs,
        }

    def answer(self, method: str, params: list[Any]) -> Any:
        """Return the result of `method`.

        Raises:
            RpcError: what the caller is to be told.
        """
        function = self._table.get(method)
        if function is None:
            raise RpcError(NO_METHOD, f"the method {method} does not exist")
        try:
            return function(*params)
        except Reverted as error:
            raise RpcError(REVERTED, "execution reverted", _hex(error.data)) from error
        except (TransactionRefused, ExecutionFailed) as error:
            raise RpcError(SERVER_ERROR, str(error)) from error
        except (TypeError, ValueError, KeyError) as error:
            logger.debug("%s was refused", method, exc_info=True)
            raise RpcError(INVALID_PARAMS, f"invalid params of {method}: {error}") from error

    def _header(self, tag: Any) -> BlockHeaderAPI:
        if tag in ("latest", "pending", "safe", "finalized", None):
            return self._chain.head()
        try:
            return self._chain.header(0 if tag == "earliest" else int(tag, 16))
        except HeaderNotFound as error:
            raise RpcError(SERVER_ERROR, f"header not found: {tag}") from error

    def _balance(self, account: str, tag: Any = "latest") -> str:
        return hex(self._chain.state(self._header(tag)).get_balance(_address(account)))

    def _count(self, account: str, tag: Any = "latest") -> str:
        return hex(self._chain.state(self._header(tag)).get_nonce(_address(account)))

    def _code(self, account: str, tag: Any = "latest") -> str:
        return _hex(self._chain.state(self._header(tag)).get_code(_address(account)))

    def _call(self, fields: dict[str, Any], tag: Any = "latest", *_: Any) -> str:
        call = _call_of(fields)
        if tag == "pending":
            return _hex(self._chain.call_next(call))
        return _hex(self._chain.call(call, self._header(tag)))

    def _estimate(self, fields: dict[str, Any], *_: Any) -> str:
        return hex(self._chain.estimate(_call_of(fields)))

    def _send(self, raw: str) -> str:
        return _hex(self._chain.mine(_bytes(raw)))

    def _transaction(self, transaction: str) -> dict[str, Any] | None:
        mined = self._store.find_mined(_bytes(transaction))
        return None if mined is None else self._transaction_json(mined)

    def _receipt(self, transaction: str) -> dict[str, Any] | None:
        mined = self._store.find_mined(_bytes(transaction))
        if mined is None:
            return None
        wanted = LogFilter(mined.block, mined.block, (), ())
        header = self._chain.header(mined.block)
        return {
            **_place(mined, header),
            "from": _hex(mined.sender),
            "to": _optional(mined.recipient),
            "contractAddress": _optional(mined.contract),
            "status": hex(mined.status),
            "gasUsed": hex(mined.gas_used),
            "cumulativeGasUsed": hex(mined.gas_used),
            "effectiveGasPrice": hex(0),
            "logs": self._logs_json(wanted),
            "logsBloom": _hex(header.bloom.to_bytes(256, "big")),
            "type": hex(mined.raw[0] if mined.raw[0] < 0x80 else 0),
        }

    def _block_by_number(self, tag: str, full: bool = False) -> dict[str, Any] | None:
        try:
            return self._block_json(self._header(tag), full)
        except RpcError:
            return None

    def _block_by_hash(self, block_hash: str, full: bool = False) -> dict[str, Any] | None:
        try:
            return self._block_json(self._chain.header_of(_bytes(block_hash)), full)
        except HeaderNotFound:
            return None

    def _logs(self, fields: dict[str, Any]) -> list[dict[str, Any]]:
        if "blockHash" in fields:
            first = int(self._chain.header_of(_bytes(fields["blockHash"])).block_number)
            last = first
        else:
            first = self._header(fields.get("fromBlock", "latest")).block_number
            last = _number(fields.get("toBlock"), self._chain.head().block_number)
        topics = [_choices(choice) for choice in fields.get("topics") or ()]
        if len(topics) > 4:
            raise ValueError(f"expected at most 4 topics, got {len(topics)}")
        return self._logs_json(
            LogFilter(first, last, _choices(fields.get("address")), tuple(topics))
        )

    def _logs_json(self, wanted: LogFilter) -> list[dict[str, Any]]:
        logs = self._store.logs(wanted, MOST_LOGS + 1)
        if len(logs) > MOST_LOGS:
            raise RpcError(SERVER_ERROR, f"query returned more than {MOST_LOGS} results")
        return [self._log_json(log) for log in logs]

    def _log_json(self, log: Log) -> dict[str, Any]:
        mined = self._store.find_mined_in(log.block)
        if mined is None:
            raise RpcError(SERVER_ERROR, f"block {log.block} has logs and no transaction")
        return {
            **_place(mined, self._chain.header(log.block)),
            "address": _hex(log.address),
            "topics": [_hex(topic) for topic in log.topics],
            "data": _hex(log.data),
            "logIndex": hex(log.position),
            "removed": False,
        }

    def _transaction_json(self, mined: Mined) -> dict[str, Any]:
        transaction: Any = self._chain.decode(mined.raw)
        kind = mined.raw[0] if mined.raw[0] < 0x80 else 0
        return {
            **_place(mined, self._chain.header(mined.block)),
            "hash": _hex(mined.hash),
            "from": _hex(mined.sender),
            "to": _optional(mined.recipient),
            "nonce": hex(transaction.nonce),
            "gas": hex(transaction.gas),
            "gasPrice": hex(0),
            "value": hex(transaction.value),
            "input": _hex(transaction.data),
            "chainId": hex(self._chain.chain_id),
            "type": hex(kind),
            "v": hex(transaction.y_parity if kind else transaction.v),
            "r": hex(transaction.r),
            "s": hex(transaction.s),
        }

    def _block_json(self, header: Any, full: bool) -> dict[str, Any]:
        mined = self._store.find_mined_in(header.block_number)
        transactions: list[Any] = []
        if mined is not None:
            transactions = [self._transaction_json(mined) if full else _hex(mined.hash)]
        return {
            "number": hex(header.block_number),
            "hash": _hex(header.hash),
            "parentHash": _hex(header.parent_hash),
            "timestamp": hex(header.timestamp),
            "gasLimit": hex(header.gas_limit),
            "gasUsed": hex(header.gas_used),
            "baseFeePerGas": hex(header.base_fee_per_gas),
            "miner": _hex(header.coinbase),
            "stateRoot": _hex(header.state_root),
            "transactionsRoot": _hex(header.transaction_root),
            "receiptsRoot": _hex(header.receipt_root),
            "logsBloom": _hex(header.bloom.to_bytes(256, "big")),
            "sha3Uncles": _hex(header.uncles_hash),
            "mixHash": _hex(header.mix_hash),
            "nonce": _hex(header.nonce),
            "difficulty": hex(header.difficulty),
            "extraData": _hex(header.extra_data),
            "size": hex(len(mined.raw) if mined else 0),
            "uncles": [],
            "transactions": transactions,
        }

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = ()) -> dict[str, Any]:
        last = self._header(newest).block_number
        asked = count if isinstance(count, int) else int(count, 16)
        blocks = min(asked, last + 1, 1024)
        history: dict[str, Any] = {
            "oldestBlock": hex(last + 1 - blocks),
            "baseFeePerGas": [hex(0)] * (blocks + 1),
            "gasUsedRatio": [
                self._chain.header(number).gas_used / BLOCK_GAS
                for number in range(last + 1 - blocks, last + 1)
            ],
        }
        if percentiles:
            history["reward"] = [[hex(0)] * len(percentiles)] * blocks
        return history


def _place(mined: Mined, header: BlockHeaderAPI) -> dict[str, Any]:
    return {
        "transactionHash": _hex(mined.hash),
        "transactionIndex": hex(0),
        "blockNumber": hex(mined.block),
        "blockHash": _hex(header.hash),
    }


def _call_of(fields: dict[str, Any]) -> Call:
    return Call(
        sender=_address(fields["from"]) if fields.get("from") else bytes(20),
        to=_address(fields["to"]) if fields.get("to") else b"",
        data=_bytes(fields.get("data") or fields.get("input") or "0x"),
        value=_number(fields.get("value"), 0),
        gas=min(_number(fields.get("gas"), TRANSACTION_GAS), TRANSACTION_GAS),
    )


def _number(value: Any, default: int) -> int:
    if value in (None, "latest", "pending", "safe", "finalized"):
        return default
    return value if isinstance(value, int) else int(value, 16)


def _choices(value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    return tuple(_bytes(one) for one in (value if isinstance(value, list) else [value]))


def _address(text: str) -> bytes:
    value = _bytes(text)
    if len(value) != 20:
        raise ValueError(f"expected an address of 20 bytes, got {len(value)}")
    return value


def _bytes(text: Any) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise ValueError(f"expected 0x and hexadecimal digits, got {text!r:.30}")
    return bytes.fromhex(text[2:])


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _optional(value: bytes | None) -> str | None:
    return None if value is None else _hex(value)
