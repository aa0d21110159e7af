"""The set that the nodes agree on before anything is opened: a public function of public values.

Whoever has the ledger's submissions, the nodes' signed answers and what the review opened computes
the same set; so each node judges for itself, and anyone can repeat it later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.records import (
    NOTHING_OPENED,
    AgreedSet,
    AttemptRecord,
    Dispute,
    Figure,
    JoinRecord,
    Standing,
    SubmissionRecord,
    TrainingRecord,
)
from crypto.fixedpoint import SCALE
from crypto.vss import MISSING, Answer, Judgement, judge
from fl.aggregates import Aggregate, aggregate_for
from fl.clipping import next_bound
from fl.errors import MessageError
from fl.outcome import Finding, Outcome, SliceOutcome, UpdateOutcome, outcome_digest
from fl.plan import Plan
from fl.verdict import Rule

OUT_OF_RANGE = "holds values out of range, so nothing was computed on it"
OUT_OF_NORM = "its norm exceeds the public bound"
NOT_DRAWN = "it was not drawn for this round"
ON_APPEAL = "; accepted on appeal"
BAD_SLICE = "its donated rows hold values out of range, or labels that are none"


@dataclass(frozen=True)
class Sharing:
    """What the check of the sharing found, before any review.

    `samples` maps the hospitals whose submission stands to the counts that they declared; `refused`
    and `left_out` say of the other hospitals and nodes why. `reason` tells why not `opens`.
    """

    samples: Mapping[str, int]
    refused: Mapping[str, str]
    left_out: Mapping[str, str]
    disputes: tuple[tuple[str, str], ...]
    opens: bool
    reason: str


@dataclass(frozen=True)
class Verdicts:
    """The agreed set, and for each hospital or node that is out a sentence that says why.

    `excused` says so of hospitals that are in by an upheld appeal alone.
    """

    agreed: AgreedSet
    refused: Mapping[str, str]
    left_out: Mapping[str, str]
    rejected: Mapping[str, str] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)
    flagged: tuple[str, ...] = ()
    excused: Mapping[str, str] = field(default_factory=dict)


def judge_sharing(
    plan: Plan,
    round_number: int,
    quorum: int,
    active: Sequence[str],
    submissions: Sequence[SubmissionRecord],
    answers: Mapping[str, Mapping[str, Answer]],
) -> Sharing:
    """Judge the sharing. `active` names the nodes, `answers[node][hospital]` what they said.

    An active node without answers is left out. A hospital that was not drawn for the round is
    refused before anything is judged, so that it counts for nothing. It opens when the sharing
    check allows it, a quorum of nodes remains and enough submissions stand: see
    `Plan.least_accepted`.
    """
    silent = {n: "gave no readable answer" for n in active if n not in answers}
    points = {node: plan.points[node] for node in active if node in answers}
    known = {plan.name_of(record.hospital): record for record in submissions}
    members = {hospital.name for hospital in plan.drawn(round_number)}
    dealers = {name: record for name, record in known.items() if name in members}
    table = {d: {n: answers[n].get(d, MISSING) for n in points} for d in dealers}
    needed = plan.least_points(quorum)
    if len(points) < needed:
        reason = f"{len(points)} nodes answered, {needed} are needed"
        found = Judgement((), dict.fromkeys(dealers, reason), {}, (), False, reason)
    else:
        found = judge(points, table, plan.threshold, len(points) - needed)
    most = aggregate_for(plan, round_number, b"").most_samples
    samples = {d: dealers[d].samples for d in found.standing if dealers[d].samples <= most}
    refused = {name: NOT_DRAWN for name in known if name not in members} | dict(found.refused)
    refused |= {d: f"declared more than {most} samples" for d in found.standing if d not in samples}
    opens, reason = found.opens, found.reason
    if opens and len(samples) < plan.least_accepted:
        opens = False
        reason = f"{len(samples)} updates stand, {plan.least_accepted} are needed"
    return Sharing(samples, refused, silent | found.left_out, found.disputes, opens, reason)


def judge_attempt(
    plan: Plan,
    aggregate: Aggregate,
    root: bytes,
    sharing: Sharing,
    outcome: Outcome | None = None,
    norm_bound: int = 0,
    excused: Collection[str] = (),
) -> Verdicts:
    """The set of an attempt, from its sharing and what its review opened, if there was one.

    `root` is the submissions' root on the ledger, `norm_bound` the round's bound in units of 2^-16.
    Hospitals that are `excused` (see `fl.appeals`) are not rejected for their balanced accuracy;
    sharing, range and norm refuse them as all others.
    """
    warned: dict[str, str] = {}
    if isinstance(outcome, UpdateOutcome):
        refused, low = _reviewed(plan, sharing, outcome)
        rejected = {name: why for name, why in low.items() if name not in excused}
        warned = {name: f"{why}{ON_APPEAL}" for name, why in low.items() if name in excused}
    elif isinstance(outcome, SliceOutcome):
        refused, rejected = _without_slice(sharing, outcome), {}
    else:
        refused, rejected = dict(sharing.refused), {}
    passed = {d: n for d, n in sharing.samples.items() if d not in refused and d not in rejected}
    opens, keeps, reason = sharing.opens, False, sharing.reason
    if opens and len(passed) < plan.least_accepted:
        opens, keeps = False, isinstance(outcome, UpdateOutcome)
        reason = f"{len(passed)} were accepted, {plan.least_accepted} are needed"
    findings = outcome.findings if isinstance(outcome, UpdateOutcome) else {}
    flagged = outcome.flagged if isinstance(outcome, UpdateOutcome) else ()
    weights = aggregate.weights(passed) if opens else dict.fromkeys(passed if keeps else {}, 0)
    agreed = AgreedSet(
        submissions_root=root,
        opens=opens,
        keeps=keeps,
        accepted=tuple(plan.hospital(d).account for d in weights),
        weights=tuple(weights.values()),
        refused=tuple(plan.hospital(d).account for d in refused),
        rejected=tuple(plan.hospital(d).account for d in rejected),
        left_out=tuple(node.account for node in plan.nodes if node.name in sharing.left_out),
        disputes=tuple(
            Dispute(plan.hospital(d).account, plan.node(n).account) for d, n in sharing.disputes
        ),
        review=bytes(32) if outcome is None else outcome_digest(outcome.to_bytes()),
        figures=tuple(_figure(plan, name, one) for name, one in findings.items()),
        flagged=tuple(plan.hospital(d).account for d in flagged),
        norm_bound=_next_bound(outcome, norm_bound),
        reason=reason,
    )
    return Verdicts(agreed, refused, sharing.left_out, rejected, findings, flagged, warned)


def judged_nodes(plan: Plan, joins: Sequence[JoinRecord]) -> list[str]:
    """The nodes that the judgement is about: also those that the published set leaves out."""
    judged = (Standing.IN, Standing.LEFT_OUT)
    return [plan.name_of(join.node) for join in joins if join.standing in judged]


def norm_bound_of(plan: Plan, record: AttemptRecord | TrainingRecord) -> int:
    """The norm bound that the ledger's record holds, or the configured one, in units of 2^-16."""
    return record.norm_bound or starting_bound(plan)


def starting_bound(plan: Plan) -> int:
    """The configured norm bound in units of 2^-16."""
    return round(plan.local.norm_bound * SCALE)


def threshold(rule: Rule, reference: float, classes: int) -> float:
    """The balanced accuracy that a model must reach, from the reference: 1/C + p/q (ref - 1/C)."""
    chance = 1 / classes
    return chance + rule.numerator / rule.denominator * (reference - chance)


def _reviewed(
    plan: Plan, sharing: Sharing, outcome: UpdateOutcome
) -> tuple[dict[str, str], dict[str, str]]:
    """Who is refused and whose balanced accuracy is too low, each with a sentence."""
    refused, rejected = dict(sharing.refused), {}
    for name in sharing.samples:
        finding = outcome.findings.get(name)
        if finding is None or not finding.in_range:
            refused[name] = OUT_OF_RANGE
        elif not finding.in_norm:
            refused[name] = OUT_OF_NORM
        elif finding.accepted is False:
            rejected[name] = _why_rejected(plan, finding)
    return refused, rejected


def _why_rejected(plan: Plan, finding: Finding) -> str:
    if plan.review is None or finding.balanced_accuracy is None or finding.reference is None:
        return "its balanced accuracy is below the threshold"
    steps = plan.review.rule.steps
    needed = threshold(plan.review.rule, finding.reference / steps, len(plan.data.classes))
    reached = finding.balanced_accuracy / steps
    return (
        f"its balanced accuracy ({reached:.2f}, rounded down) is below the threshold "
        f"({needed:.3f}, from a reference of {finding.reference / steps:.2f}, rounded down)"
    )


def _without_slice(sharing: Sharing, outcome: SliceOutcome) -> dict[str, str]:
    bad = {d: BAD_SLICE for d in sharing.samples if d not in outcome.sizes}
    return dict(sharing.refused) | bad


def _figure(plan: Plan, name: str, finding: Finding) -> Figure:
    def shown(value: int | None) -> int:
        return NOTHING_OPENED if value is None else value

    account = plan.hospital(name).account
    balanced, reference = shown(finding.balanced_accuracy), shown(finding.reference)
    return Figure(account, balanced, reference, int(finding.bits))


def _next_bound(outcome: Outcome | None, norm_bound: int) -> int:
    if not isinstance(outcome, UpdateOutcome) or outcome.unclipped is None:
        return 0
    count = sum(one.in_range and one.in_norm for one in outcome.findings.values())
    return next_bound(norm_bound, outcome.unclipped, count) if count else 0


def pack_set(agreed: AgreedSet) -> list[Any]:
    """An agreed set as the items of a message."""
    return [
        agreed.submissions_root,
        agreed.opens,
        agreed.keeps,
        list(agreed.accepted),
        list(agreed.weights),
        list(agreed.refused),
        list(agreed.rejected),
        list(agreed.left_out),
        [[dispute.hospital, dispute.node] for dispute in agreed.disputes],
        agreed.review,
        [[f.hospital, f.balanced_accuracy, f.reference, f.bits] for f in agreed.figures],
        list(agreed.flagged),
        agreed.norm_bound,
        agreed.reason,
    ]


def read_set(items: list[Any]) -> AgreedSet:
    """The inverse of `pack_set`. Raises MessageError."""
    try:
        root, opens, keeps, accepted, weights, refused, rejected, left_out = items[:8]
        disputes, review, figures, flagged, norm_bound, reason = items[8:]
        return AgreedSet(
            submissions_root=bytes(root),
            opens=bool(opens),
            keeps=bool(keeps),
            accepted=tuple(accepted),
            weights=tuple(int(weight) for weight in weights),
            refused=tuple(refused),
            rejected=tuple(rejected),
            left_out=tuple(left_out),
            disputes=tuple(Dispute(hospital, node) for hospital, node in disputes),
            review=bytes(review),
            figures=tuple(Figure(*figure) for figure in figures),
            flagged=tuple(flagged),
            norm_bound=int(norm_bound),
            reason=str(reason),
        )
    except (ValueError, TypeError) as error:
        raise MessageError(f"expected an agreed set: {error}") from error
