"""The contracts' ABIs put to use: calls, results, refusals and events as Python values.

Names arrive in snake case, addresses as checksum strings, enums of the contract as ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import (
    collapse_if_tuple,
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
)

from contracts.address import checksum_address
from contracts.artifact import CONTRACTS, load_artifact
from contracts.errors import Refused
from contracts.records import (
    AttemptKey,
    AttemptState,
    Decision,
    LedgerEvent,
    Role,
    Stage,
    Standing,
    Verdict,
)

ENUMS: Mapping[str, type[IntEnum]] = {
    "enum Attempts.State": AttemptState,
    "enum Attempts.Standing": Standing,
    "enum Attempts.Verdict": Verdict,
    "enum Appeals.Decision": Decision,
    "enum Parties.Role": Role,
    "enum Records.Stage": Stage,
}
# Solidity's own errors: require with a message, and a failed assertion or overflow.
BUILT_IN = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


class Interface:
    """Encodes for, and decodes from, the contract of `abi`; refusals of all contracts."""

    def __init__(self, abi: Sequence[Mapping[str, Any]]) -> None:
        self._functions = {one["name"]: one for one in abi if one["type"] == "function"}
        self._selectors = {name: _selector(one) for name, one in self._functions.items()}
        self._inputs = {name: _types(one["inputs"]) for name, one in self._functions.items()}
        self._outputs = {name: _types(one["outputs"]) for name, one in self._functions.items()}
        self._events = {one["name"]: one for one in abi if one["type"] == "event"}
        self._errors = _errors_of(abi)
        self._by_topic = {self.topic(name): one for name, one in self._events.items()}
        self._by_selector = {self._selectors[name]: one for name, one in self._functions.items()}

    def call_data(self, function: str, arguments: Sequence[object]) -> bytes:
        """Return what a transaction or call of `function` carries.

        Raises:
            ValueError: the arguments do not fit its types.
        """
        types = self._inputs[function]
        try:
            return self._selectors[function] + _encoded(types, arguments)
        except (EncodingError, TypeError) as error:
            raise ValueError(f"{function}: {error}") from error

    def call(self, data: bytes) -> tuple[str, dict[str, Any]]:
        """Return the function that `data` calls and its arguments by name; inverse of `call_data`.

        Raises:
            ValueError: it calls no function of this contract, or is no exact encoding.
        """
        abi = self._by_selector.get(data[:4])
        if abi is None:
            raise ValueError("expected a call of the contract, got another")
        types = self._inputs[abi["name"]]
        try:
            values = decode(types, data[4:])
            exact = encode(types, values) == data[4:]
        except (DecodingError, EncodingError) as error:
            raise ValueError(f"expected the arguments of {abi['name']}: {error}") from error
        if not exact:
            raise ValueError(f"expected the exact encoding of the arguments of {abi['name']}")
        return abi["name"], _named(abi["inputs"], values)

    def result(self, function: str, data: bytes) -> Any:
        """Return what `function` returned: its value, or a tuple if there are several.

        Raises:
            ValueError: the data are not its result (as from an address without this contract).
        """
        types = self._outputs[function]
        try:
            values = _decoded(types, data)
        except DecodingError as error:
            raise ValueError(f"expected the result of {function}: {error}") from error
        return values[0] if len(values) == 1 else values

    def refusal(self, data: bytes) -> Refused:
        """Return the custom error that `data` encodes; `Reverted` where it is none of ours."""
        abi = self._errors.get(data[:4]) or _all_errors().get(data[:4])
        if abi is None:
            return Refused("Reverted", {"data": data})
        values = decode(_types(abi["inputs"]), data[4:])
        return Refused(abi["name"], _named(abi["inputs"], values))

    def topic(self, event: str) -> bytes:
        """Return the first topic of `event`: 32 bytes."""
        abi: Any = self._events[event]
        return bytes(event_abi_to_log_topic(abi))

    def indexed(self, event: str, values: Sequence[object]) -> list[str]:
        """Return the topics of `event` with its first indexed arguments set to `values`."""
        inputs = [one for one in self._events[event]["inputs"] if one["indexed"]]
        words = [encode([one["type"]], [value]) for one, value in zip(inputs, values, strict=False)]
        return ["0x" + word.hex() for word in (self.topic(event), *words)]

    def event(self, log: Mapping[str, Any]) -> LedgerEvent:
        """Return the event that a node's log holds.

        Raises:
            ValueError: it is no event of this contract.
        """
        topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
        abi = self._by_topic.get(topics[0]) if topics else None
        if abi is None:
            raise ValueError("expected an event of the contract, got another")
        indexed = [one for one in abi["inputs"] if one["indexed"]]
        plain = [one for one in abi["inputs"] if not one["indexed"]]
        words = [
            _decoded((one["type"],), topic)[0]
            for one, topic in zip(indexed, topics[1:], strict=True)
        ]
        data = _decoded(_types(plain), bytes.fromhex(log["data"][2:]))
        values = {**_named(indexed, words), **_named(plain, data)}
        return LedgerEvent(
            name=abi["name"],
            contract=checksum_address(log["address"]),
            block=int(log["blockNumber"], 16),
            block_hash=bytes.fromhex(log["blockHash"][2:]),
            transaction=log["transactionHash"],
            index=int(log["logIndex"], 16),
            training=values.get("training"),
            key=_key(values),
            values=MappingProxyType(values),
        )


@cache
def interface(contract: str) -> Interface:
    """Return the interface of a committed contract, by its name in `contracts.artifact`."""
    return Interface(load_artifact(contract).abi)


@cache
def _all_errors() -> dict[bytes, Any]:
    """The errors of all contracts by selector: one contract may pass another's on."""
    return _errors_of([one for contract in CONTRACTS for one in load_artifact(contract).abi])


def _errors_of(abi: Sequence[Mapping[str, Any]]) -> dict[bytes, Any]:
    errors = [one for one in abi if one["type"] == "error"]
    return {_selector(one): one for one in (*errors, *BUILT_IN)}


def _key(values: Mapping[str, Any]) -> AttemptKey | None:
    if "attempt" not in values:
        return None
    return AttemptKey(values["training"], values["round"], values["attempt"])


def _selector(abi: Any) -> bytes:
    return bytes(function_abi_to_4byte_selector(abi))


def _encoded(types: tuple[str, ...], arguments: Sequence[object]) -> bytes:
    try:
        return _remembered(types, tuple(arguments))
    except TypeError:  # a list cannot be looked up
        return encode(types, arguments)


# Within a step of the protocol the same is asked of the ledger, and answered, again and again.
@lru_cache(1024, typed=True)
def _remembered(types: tuple[str, ...], arguments: tuple[object, ...]) -> bytes:
    return encode(types, arguments)


@lru_cache(1024)
def _decoded(types: tuple[str, ...], data: bytes) -> tuple[Any, ...]:
    """The values, which are tuples, numbers, texts and bytes: nobody alters what others get."""
    return decode(types, data)


def _types(inputs: Sequence[Any]) -> tuple[str, ...]:
    return tuple(collapse_if_tuple(one) for one in inputs)


def _named(inputs: Sequence[Any], values: Sequence[Any]) -> dict[str, Any]:
    return {
        _snake(one["name"]): _value(one, value) for one, value in zip(inputs, values, strict=True)
    }


def _value(abi: Mapping[str, Any], value: Any) -> Any:
    if abi["type"] == "address":
        return checksum_address(value)
    if abi["type"] == "address[]":
        return tuple(checksum_address(one) for one in value)
    if abi["type"] == "tuple":
        return _named(abi["components"], value)
    if abi["type"] == "tuple[]":
        return tuple(_named(abi["components"], one) for one in value)
    kind = ENUMS.get(abi.get("internalType", ""))
    return value if kind is None else kind(value)


@cache
def _snake(name: str) -> str:
    return re.sub("([A-Z])", lambda match: "_" + match[1].lower(), name)
