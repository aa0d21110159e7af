"""What a model's card is: the document that the page, the JSON and the PDF show.

Mitchell et al., "Model Cards for Model Reporting", 2019, names the parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from app.services.card_figures import Figure, GroupFigures, Range
from app.services.results import DIGITS
from fl.calibration import Error
from fl.datasets.source import Provenance
from fl.datasets.summary import Cell
from fl.datasets.use import Use

FORMAT = "consilium/model-card/v1"
NO_STATEMENT = (
    "Nobody has written what models of this task are for, and whom they know nothing of. Its rows "
    "were imported: the page of the data set tells their sources and licences."
)
NO_DEVICE = "For teaching and research. It is no medical device."


@dataclass(frozen=True)
class HospitalData:
    """A hospital's patients: trained, tested and donated; None where a part was not reported.

    `classes` counts them by class, None where a count is kept back (`fl.datasets.summary`).
    `rows_sha256` is the file of an imported hospital's rows.
    """

    hospital: str
    patients: int | None
    classes: Mapping[str, Cell]
    rows_sha256: str | None


@dataclass(frozen=True)
class Verdicts:
    """How many updates of a hospital were accepted, rejected and refused, over all rounds."""

    hospital: str
    accepted: int
    rejected: int
    refused: int


@dataclass(frozen=True)
class KeptOut:
    """An update, or donated rows, that did not count: where, whose, the verdict and why.

    `appeal` is how one against it stands, "" without one.
    """

    where: str
    hospital: str
    verdict: str
    reason: str
    appeal: str
    transaction: str


@dataclass(frozen=True)
class Errors:
    """How far probabilities are from what came true, on held-out rows; see `fl.calibration`."""

    expected_calibration_error: float
    brier_score: float

    @classmethod
    def of(cls, error: Error) -> Errors:
        """With as many digits as results have."""
        return cls(round(error.expected, DIGITS), round(error.brier, DIGITS))


@dataclass(frozen=True)
class Calibrated:
    """The errors of the model's own scores and of the risks that doctors read.

    By cross-validation on `rows` test rows that these hospitals reported under their signature.
    """

    rows: int
    hospitals: tuple[str, ...]
    scores: Errors
    risks: Errors


@dataclass(frozen=True)
class Sent:
    """A transaction, and by whom or for what it was sent."""

    what: str
    transaction: str


@dataclass(frozen=True)
class Recorded:
    """Where the model is on the chain: the nodes' votes for its hash, and how it came into use."""

    chain: str
    chain_id: int
    genesis_sha256: str
    contract: str
    plan_sha256: str
    votes: tuple[Sent, ...]
    uses: tuple[Sent, ...]


@dataclass(frozen=True)
class ModelCard:
    """The card of a version. Shares are of 1; counts are of patients' rows, never rows themselves.

    `attack` names the simulated attack, "" for none; `judged_round` is the round whose model the
    figures are of, None without any; `tested` tells whether updates were tested before they
    counted; `groups` are None where hospitals' masked counts by sex and age do not open to those of
    all test rows; `suppressed_under` is the smallest count that a hospital publishes.
    """

    format: str
    training: str
    task: str
    title: str
    classes: tuple[str, ...]
    version: int
    name: str
    in_use: bool
    attack: str
    notice: str
    network: str
    model_sha256: str
    seed: int
    rounds: int
    rounds_kept: int
    ended_early: str
    ended_at: str
    recorded: Recorded
    suppressed_under: int
    hospitals: tuple[HospitalData, ...]
    tested: bool
    verdicts: tuple[Verdicts, ...]
    kept_out: tuple[KeptOut, ...]
    judged_round: int | None
    judged_sha256: str | None
    figures: tuple[Figure, ...]
    groups: tuple[GroupFigures, ...] | None
    ranges: tuple[Range, ...]
    calibration: Calibrated | None
    source: Provenance | None
    use: Use | None

    def to_json(self) -> str:
        """The card as docs/formats.md says; the same card gives the same text."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before any figure, in sentences."""
        found = []
        if self.attack:
            found.append(
                f"Hospitals attacked on purpose ({self.attack}): this model is for teaching and "
                "can never be put into use."
            )
        if self.judged_sha256 not in (None, self.model_sha256):
            found.append(
                "No hospital reported on the last model: the figures are of the model of round "
                f"{self.judged_round}."
            )
        imported = [one.hospital for one in self.hospitals if one.rows_sha256]
        if imported and self.use:
            found.append(
                f"Rows of {', '.join(imported)} were imported: what is said of the source, and of "
                "who is represented, is not about them."
            )
        return tuple(found)
