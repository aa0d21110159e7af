"""The database's tables, a file a subject. Hashes are lower-case hex in columns of their own."""

from app.models.base import Base
from app.models.federation import DeploymentRow, PartyRow
from app.models.training import (
    AttemptRow,
    EvaluationRow,
    FaultRow,
    MessageRow,
    ResultRow,
    StepRow,
    SubmissionRow,
    TrainingRow,
    VoteRow,
)

__all__ = [
    "AttemptRow",
    "Base",
    "DeploymentRow",
    "EvaluationRow",
    "FaultRow",
    "MessageRow",
    "PartyRow",
    "ResultRow",
    "StepRow",
    "SubmissionRow",
    "TrainingRow",
    "VoteRow",
]
