"""A training as the coordinator knows it: public values and sealed envelopes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import HASH, NAME, Base, Bytes, Moment, now


class TrainingRow(Base):
    """A training: its plan, where it is recorded, how far it came and what came out.

    `state` is awaiting (an approval by hand), running, finished, failed, or unopened: it ended
    before anything stood on the chain.

    `simulation` tells who attacks and how ({"attack", "attackers"}, with attacks of several kinds
    also "kinds"; see `Simulation`), None where nobody does: only a simulation knows.
    `fedavg_accuracy` and `oracle_accuracy` compare: plain FedAvg with everybody, and with the
    attackers left out.
    """

    __tablename__ = "trainings"

    id: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    task: Mapped[str] = mapped_column(String(NAME))
    network: Mapped[str] = mapped_column(String(NAME))
    seed: Mapped[int] = mapped_column(BigInteger)
    rounds: Mapped[int] = mapped_column(Integer)
    plan: Mapped[str] = mapped_column(Text)
    plan_sha256: Mapped[str] = mapped_column(String(HASH))
    initial_sha256: Mapped[str] = mapped_column(String(HASH))
    deployment_id: Mapped[int] = mapped_column(ForeignKey("deployments.id"))
    state: Mapped[str] = mapped_column(String(20), default="running", index=True)
    reason: Mapped[str] = mapped_column(Text, default="")
    statistics_sha256: Mapped[str | None] = mapped_column(String(HASH))
    model_sha256: Mapped[str | None] = mapped_column(String(HASH))
    accuracy: Mapped[float | None] = mapped_column(Float)
    balanced_accuracy: Mapped[float | None] = mapped_column(Float)
    plain_accuracy: Mapped[float | None] = mapped_column(Float)
    simulation: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    fedavg_accuracy: Mapped[float | None] = mapped_column(Float)
    oracle_accuracy: Mapped[float | None] = mapped_column(Float)
    started_at: Mapped[datetime] = mapped_column(Moment, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)

    attempts: Mapped[list[AttemptRow]] = relationship(
        back_populates="training", order_by="(AttemptRow.round, AttemptRow.number)"
    )


class AttemptRow(Base):
    """A try at a round. `state` is open, finalised or failed.

    `kept`: too few updates were accepted, so the round ended with the model that it began with.
    `norm_bound` is what updates were held to, in units of 2^-16. `review` is None where nothing was
    reviewed, else {"committee": [nodes], "flagged": [donors whose slices were set aside], "slices":
    {donor: [rows of each class]}, "signers": {node: transaction of its signature of the set}}.
    """

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("training_id", "round", "number"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    training_id: Mapped[str] = mapped_column(ForeignKey("trainings.id"), index=True)
    round: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(20), default="open")
    reason: Mapped[str] = mapped_column(Text, default="")
    set_sha256: Mapped[str | None] = mapped_column(String(HASH))
    result_sha256: Mapped[str | None] = mapped_column(String(HASH))
    kept: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    norm_bound: Mapped[int | None] = mapped_column(BigInteger)
    review: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    started_at: Mapped[datetime] = mapped_column(Moment, default=now)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)

    training: Mapped[TrainingRow] = relationship(back_populates="attempts")
    submissions: Mapped[list[SubmissionRow]] = relationship(order_by="SubmissionRow.id")
    votes: Mapped[list[VoteRow]] = relationship(order_by="VoteRow.node")
    faults: Mapped[list[FaultRow]] = relationship(order_by="FaultRow.id")
    steps: Mapped[list[StepRow]] = relationship(order_by="StepRow.id")
    evaluations: Mapped[list[EvaluationRow]] = relationship(order_by="EvaluationRow.id")


class StepRow(Base):
    """A finished step of an attempt and what it cost.

    `transactions` and `transaction_seconds` (from sending to receipt, summed) are None where
    nobody measured them.
    """

    __tablename__ = "steps"
    __table_args__ = (UniqueConstraint("attempt_id", "name"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), index=True)
    name: Mapped[str] = mapped_column(String(NAME))
    seconds: Mapped[float] = mapped_column(Float)
    messages: Mapped[int] = mapped_column(Integer)
    bytes: Mapped[int] = mapped_column(BigInteger)
    transactions: Mapped[int | None] = mapped_column(Integer)
    transaction_seconds: Mapped[float | None] = mapped_column(Float)


class SubmissionRow(Base):
    """A hospital's commitment on the ledger. `weight` is set once it is accepted.

    What the review opened: `balanced_accuracy` and `reference` in twentieths, rounded down, and
    `bits` (`contracts.records.Bits`); None where they stayed closed.
    """

    __tablename__ = "submissions"
    __table_args__ = (UniqueConstraint("attempt_id", "hospital"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), index=True)
    hospital: Mapped[str] = mapped_column(String(NAME))
    samples: Mapped[int] = mapped_column(Integer)
    share_root: Mapped[str] = mapped_column(String(HASH))
    update_sha256: Mapped[str] = mapped_column(String(HASH))
    transaction: Mapped[str] = mapped_column(String(66))
    weight: Mapped[int | None] = mapped_column(Integer)
    verdict: Mapped[str] = mapped_column(String(20), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    balanced_accuracy: Mapped[int | None] = mapped_column(Integer)
    reference: Mapped[int | None] = mapped_column(Integer)
    bits: Mapped[int | None] = mapped_column(Integer)


class VoteRow(Base):
    """A node's vote for the hash of a result."""

    __tablename__ = "votes"
    __table_args__ = (UniqueConstraint("attempt_id", "node"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), index=True)
    node: Mapped[str] = mapped_column(String(NAME))
    result_sha256: Mapped[str] = mapped_column(String(HASH))
    transaction: Mapped[str] = mapped_column(String(66))


class FaultRow(Base):
    """A party that did not do its part, and why.

    `kind` is the name of the error inside it, "" where none is known; `at` is None in rows of
    before it was noted.
    """

    __tablename__ = "faults"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), index=True)
    party: Mapped[str] = mapped_column(String(NAME))
    step: Mapped[str] = mapped_column(String(NAME))
    reason: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(NAME), default="", server_default="")
    at: Mapped[datetime | None] = mapped_column(Moment, default=now)


class MessageRow(Base):
    """A message of a party, as it was first received. Envelopes in it are sealed."""

    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("attempt_id", "kind", "sender"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    sender: Mapped[str] = mapped_column(String(NAME))
    body: Mapped[bytes] = mapped_column(Bytes)
    body_sha256: Mapped[str] = mapped_column(String(HASH))


class ResultRow(Base):
    """The federation's statistics or a global model, under the SHA-256 of its canonical bytes."""

    __tablename__ = "results"

    sha256: Mapped[str] = mapped_column(String(HASH), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    body: Mapped[bytes] = mapped_column(Bytes)


class EvaluationRow(Base):
    """How a round's model does on a hospital's rows: see `fl.evaluation.Evaluation`.

    `confusion` is of the test rows; `train_confusion` and `score_counts` are None where the report
    did not have them yet.
    """

    __tablename__ = "evaluations"
    __table_args__ = (UniqueConstraint("attempt_id", "hospital"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    attempt_id: Mapped[int] = mapped_column(ForeignKey("attempts.id"), index=True)
    hospital: Mapped[str] = mapped_column(String(NAME))
    confusion: Mapped[Any] = mapped_column(JSON)
    train_confusion: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    score_counts: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
