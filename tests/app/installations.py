"""An installation in a test's own process."""

from __future__ import annotations

from pathlib import Path

from config import Settings
from contracts.chain import ChainEndpoint


def settings_of(folder: Path, chain: ChainEndpoint | None = None, **more: object) -> Settings:
    """The settings of an installation at `folder`, whatever the environment says.

    Without `chain` it has an embedded one of its own.
    """
    given: dict[str, object] = {
        "CONSILIUM_INSTANCE": folder,
        "DATABASE_URL": "",
        "CHAIN_RPC_URL": chain.url if chain else None,
        "CONSILIUM_NODES": 4,
        "CONSILIUM_THRESHOLD": 1,
        "CONSILIUM_KEYSTORE_PASSPHRASE": "",
    }
    return Settings.model_validate(given | more)
