"""What a model's scores mean, by what hospitals report of test rows under their signature."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import AttemptRow, MessageRow
from app.stores.rounds import FINALISED
from crypto.context import Context
from crypto.errors import CryptoError
from fl.calibration import Calibration, HeldOut, fit, held_out, pool
from fl.errors import FlError
from fl.evaluation import Counts, read_evaluation
from fl.messages import REPORT, Statement
from fl.plan import Plan


@dataclass(frozen=True)
class Reports:
    """The counts of test rows by class and score bin, by hospital; see `fl.evaluation`.

    `groups` are those by sex and age under masks, `test` all test rows by class and prediction.
    """

    scores: dict[str, Counts]
    groups: dict[str, bytes] = field(default_factory=dict)
    test: dict[str, Counts] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many test rows they tell of."""
        return sum(sum(map(sum, counts)) for counts in self.scores.values())

    def fit(self) -> Calibration | None:
        """The curve, or None where there are too few rows for one."""
        return fit(pool(list(self.scores.values())))

    def held_out(self) -> HeldOut | None:
        """The errors on rows that no curve was fitted to, or None where there are too few.

        Every row counts as one, here as for these folds' curves; the curve in use (`fit`) weighs a
        hospital with most of the rows less.
        """
        tables = [np.array(counts, dtype=np.int64) for counts in self.scores.values()]
        return held_out(np.sum(tables, axis=0)) if tables else None


def read_reports(
    session: Session, plan: Plan, training: bytes, number: int, chain: int, contract: str
) -> Reports:
    """What hospitals said of the model of a round, on the chain with this id.

    A report without its hospital's signature is left out, as is one that was never made: it can
    be taken away here, but not altered.
    """
    query = select(AttemptRow).filter_by(training_id=training.hex(), round=number, state=FINALISED)
    attempt = session.scalars(query).first()
    if attempt is None:
        return Reports({})
    address = bytes.fromhex(contract.removeprefix("0x"))
    context = Context(chain, address, training, number, attempt.number)
    messages = select(MessageRow).filter_by(attempt_id=attempt.id, kind=REPORT)
    found = Reports({})
    for message in session.scalars(messages.order_by(MessageRow.sender)):
        try:
            key = plan.hospital(message.sender).verifying_key
            said = Statement.read(message.body, context, message.sender, key, REPORT)
            evaluation = read_evaluation(said.body, len(plan.data.classes))
        except (FlError, CryptoError):
            continue
        if evaluation is None:
            continue
        found.test[message.sender] = evaluation.test
        if evaluation.scores:
            found.scores[message.sender] = evaluation.scores
        if evaluation.groups:
            found.groups[message.sender] = evaluation.groups
    return found
