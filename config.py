"""Every setting, typed, from the environment or `.env`, with its default and what it means.

`docs/settings.md` describes each for the person who runs the server.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent

# In the instance folder: held by whoever trains, and by the server.
TRAINING_LOCK = "training.lock"
SERVER_LOCK = "server.lock"


class Settings(BaseSettings):
    """The settings of one installation. Raises pydantic's ValidationError for a bad value."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", extra="ignore", frozen=True)

    instance_dir: Path = Field(
        default=ROOT / "instance",
        validation_alias="CONSILIUM_INSTANCE",
        description="Folder of the database, the chain, the parties' keys and private state.",
    )
    database_url: str = Field(
        default="",
        validation_alias="DATABASE_URL",
        description="SQLAlchemy URL of the database; empty: SQLite in the instance folder.",
    )
    chain_rpc_url: str | None = Field(
        default=None,
        validation_alias="CHAIN_RPC_URL",
        description="JSON-RPC address of a chain (Ganache); empty: the embedded chain.",
    )
    nodes: int = Field(
        default=4,
        ge=3,
        le=16,
        validation_alias="CONSILIUM_NODES",
        description="Number of aggregator nodes.",
    )
    threshold: int = Field(
        default=1,
        ge=1,
        validation_alias="CONSILIUM_THRESHOLD",
        description="How many nodes together learn nothing of an update.",
    )

    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        validation_alias="CONSILIUM_PORT",
        description="Port of the pages on 127.0.0.1; when it is taken, the next free one; 0: any.",
    )

    @property
    def database(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.instance_dir / 'consilium.db'}"
