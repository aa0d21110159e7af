"""Who takes part, and the contract that they meet on."""

from __future__ import annotations

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NAME, Base


class DeploymentRow(Base):
    """The contract of this installation on one chain.

    `models` is the contract of the models in use, `appeals` that of the appeals; None where the
    contracts are older than that.
    """

    __tablename__ = "deployments"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    chain_id: Mapped[int] = mapped_column(Integer)
    chain_kind: Mapped[str] = mapped_column(String(20))
    genesis_hash: Mapped[str] = mapped_column(String(64), unique=True)
    contract: Mapped[str] = mapped_column(String(42))
    models: Mapped[str | None] = mapped_column(String(42))
    appeals: Mapped[str | None] = mapped_column(String(42))


class PartyRow(Base):
    """A hospital or node: public facts only, its keys lie in its own folder."""

    __tablename__ = "parties"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    account: Mapped[str] = mapped_column(String(42), unique=True)
    public_key: Mapped[str] = mapped_column(String(130))
