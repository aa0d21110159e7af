"""The database's tables, a file a subject. Hashes are lower-case hex in columns of their own."""

from app.models.appeals import AppealRow, OpinionRow
from app.models.approvals import ApprovalRow, ApprovalRuleRow, StaffRow
from app.models.audit import AuditHeadRow, AuditRow
from app.models.base import Base
from app.models.batches import BatchPieceRow, BatchRow
from app.models.checks import CheckDifferenceRow, CheckRow
from app.models.federation import DeploymentRow, PartyRow
from app.models.jobs import JobRow, PartyProgressRow
from app.models.ledger import (
    LedgerCopyRow,
    LedgerEventRow,
    LedgerMentionRow,
    LedgerTransactionRow,
)
from app.models.outbox import OutgoingRow
from app.models.patients import (
    CarerRow,
    CaseRow,
    DoctorKeyRow,
    OpeningAnswerRow,
    OpeningRow,
    PatientEntryRow,
    PatientRow,
    PatientVersionRow,
)
from app.models.promotions import PromotionRow
from app.models.record_ledger import (
    DoctorAccountRow,
    RecordChainRow,
    RecordStepRow,
    RecordTransactionRow,
)
from app.models.resharing import ResharingPartRow, ResharingRecordRow, ResharingRow
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
from app.models.users import SessionRow, UserRow
from app.models.wallets import LedgerRoleRow, WalletNonceRow, WalletRow

__all__ = [
    "AppealRow",
    "ApprovalRow",
    "ApprovalRuleRow",
    "AttemptRow",
    "AuditHeadRow",
    "AuditRow",
    "Base",
    "BatchPieceRow",
    "BatchRow",
    "CarerRow",
    "CaseRow",
    "CheckDifferenceRow",
    "CheckRow",
    "DeploymentRow",
    "DoctorAccountRow",
    "DoctorKeyRow",
    "EvaluationRow",
    "FaultRow",
    "JobRow",
    "LedgerCopyRow",
    "LedgerEventRow",
    "LedgerMentionRow",
    "LedgerRoleRow",
    "LedgerTransactionRow",
    "MessageRow",
    "OpeningAnswerRow",
    "OpeningRow",
    "OpinionRow",
    "OutgoingRow",
    "PartyProgressRow",
    "PartyRow",
    "PatientEntryRow",
    "PatientRow",
    "PatientVersionRow",
    "PromotionRow",
    "RecordChainRow",
    "RecordStepRow",
    "RecordTransactionRow",
    "ResharingPartRow",
    "ResharingRecordRow",
    "ResharingRow",
    "ResultRow",
    "SessionRow",
    "StaffRow",
    "StepRow",
    "SubmissionRow",
    "TrainingRow",
    "UserRow",
    "VoteRow",
    "WalletNonceRow",
    "WalletRow",
]
