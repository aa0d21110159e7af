"""Every setting, typed, from the environment or `.env`, with its default and what it means.

`docs/settings.md` describes each for the person who runs the server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

ROOT = Path(__file__).resolve().parent

# In the instance folder: held by whoever trains, and by the server.
TRAINING_LOCK = "training.lock"
SERVER_LOCK = "server.lock"
# In the instance folder: tasks and hospitals that were imported.
DATASETS = "datasets"

_KEYSTORE = "CONSILIUM_KEYSTORE_PASSPHRASE"


class _EnvFile(DotEnvSettingsSource):
    """`.env`, which others may be able to read, without the passphrase."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        if values.get(_KEYSTORE):
            raise SettingsError(
                f"{_KEYSTORE} stands in {self.env_file}: set it in the environment, or leave it "
                "out, and the passphrase is kept in a file of its own"
            )
        return values


class Settings(BaseSettings):
    """The settings of one installation.

    Raises pydantic's ValidationError for a bad value, SettingsError for a passphrase in `.env`.
    """

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
        description="JSON-RPC address of a chain (Ganache, Anvil); empty: the embedded chain.",
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

    retention_years: int = Field(
        default=10,
        ge=1,
        le=100,
        validation_alias="CONSILIUM_RETENTION_YEARS",
        description="How long after the last entry a patient's record is kept.",
    )

    keystore_passphrase: SecretStr = Field(
        default=SecretStr(""),
        validation_alias=_KEYSTORE,
        description="What opens the parties' keystores, from the environment only; empty: a file.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment, then `.env`."""
        env_file = getattr(dotenv_settings, "env_file", None)
        return init_settings, env_settings, _EnvFile(settings_cls, env_file), file_secret_settings

    @property
    def database(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.instance_dir / 'consilium.db'}"
