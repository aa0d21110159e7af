"""The compiled contracts as they are committed: ABI, bytecode, and what they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FEDERATION, REGISTRY, ANCHORS, RECORDS = "Federation", "Registry", "Anchors", "Records"
MODELS, APPEALS = "Models", "Appeals"
CONTRACTS = (FEDERATION, REGISTRY, ANCHORS, RECORDS, MODELS, APPEALS)


def artifact_file(contract: str) -> Path:
    """Where a contract's artefact is committed."""
    return Path(__file__).parent / "artifacts" / f"{contract}.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """`bytecode` creates the contract; `sources` maps a file to the SHA-256 (hex) of its text."""

    abi: tuple[Mapping[str, Any], ...]
    bytecode: bytes
    compiler: str
    settings: Mapping[str, Any]
    sources: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the artefact as JSON values."""
        return {
            "abi": list(self.abi),
            "bytecode": self.bytecode.hex(),
            "compiler": self.compiler,
            "settings": dict(self.settings),
            "sources": dict(self.sources),
        }


@cache
def load_artifact(contract: str) -> Artifact:
    """Return the committed artefact of one of `CONTRACTS`.

    Raises:
        FileNotFoundError: the package was installed without it.
    """
    stored = json.loads(artifact_file(contract).read_text("utf-8"))
    return Artifact(
        abi=tuple(stored["abi"]),
        bytecode=bytes.fromhex(stored["bytecode"]),
        compiler=stored["compiler"],
        settings=stored["settings"],
        sources=stored["sources"],
    )
