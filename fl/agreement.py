"""The set that the nodes agree on before anything is opened: a public function of public values.

Whoever has the ledger's submissions and the nodes' signed answers computes the same set; so each
node judges for itself, and anyone can repeat it later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.records import AgreedSet, Dispute, SubmissionRecord
from crypto.vss import MISSING, Answer, Judgement, judge
from fl.aggregates import Aggregate
from fl.errors import MessageError
from fl.plan import MAX_SAMPLES, Plan


@dataclass(frozen=True)
class Verdicts:
    """The agreed set, and for each hospital or node that is out a sentence that says why."""

    agreed: AgreedSet
    refused: Mapping[str, str]
    left_out: Mapping[str, str]


def judge_attempt(
    plan: Plan,
    aggregate: Aggregate,
    root: bytes,
    quorum: int,
    active: Sequence[str],
    submissions: Sequence[SubmissionRecord],
    answers: Mapping[str, Mapping[str, Answer]],
) -> Verdicts:
    """Judge an attempt. `active` names the nodes in it, `answers[node][hospital]` what they said.

    An active node without answers is left out. The set opens when the sharing check allows it, a
    quorum of nodes remains and enough updates stand: see `Plan.least_accepted`.
    """
    silent = {n: "gave no readable answer" for n in active if n not in answers}
    points = {node: plan.points[node] for node in active if node in answers}
    dealers = {plan.name_of(record.hospital): record for record in submissions}
    table = {d: {n: answers[n].get(d, MISSING) for n in points} for d in dealers}
    needed = plan.least_points(quorum)
    if len(points) < needed:
        reason = f"{len(points)} nodes answered, {needed} are needed"
        found = Judgement((), dict.fromkeys(dealers, reason), {}, (), False, reason)
    else:
        found = judge(points, table, plan.threshold, len(points) - needed)
    samples = {d: dealers[d].samples for d in found.standing if dealers[d].samples <= MAX_SAMPLES}
    refused = dict(found.refused) | {
        d: f"declared more than {MAX_SAMPLES} samples" for d in found.standing if d not in samples
    }
    opens, reason = found.opens, found.reason
    if opens and len(samples) < plan.least_accepted:
        opens = False
        reason = f"{len(samples)} updates stand, {plan.least_accepted} are needed"
    left_out = silent | found.left_out
    agreed = AgreedSet(
        submissions_root=root,
        opens=opens,
        accepted=tuple(plan.hospital(d).account for d in samples) if opens else (),
        weights=tuple(aggregate.weights(samples).values()) if opens else (),
        refused=tuple(plan.hospital(d).account for d in dealers if d in refused),
        left_out=tuple(node.account for node in plan.nodes if node.name in left_out),
        disputes=tuple(
            Dispute(plan.hospital(d).account, plan.node(n).account) for d, n in found.disputes
        ),
        reason=reason,
    )
    return Verdicts(agreed, refused, left_out)


def pack_set(agreed: AgreedSet) -> list[Any]:
    """An agreed set as the items of a message."""
    return [
        agreed.submissions_root,
        agreed.opens,
        list(agreed.accepted),
        list(agreed.weights),
        list(agreed.refused),
        list(agreed.left_out),
        [[dispute.hospital, dispute.node] for dispute in agreed.disputes],
        agreed.reason,
    ]


def read_set(items: list[Any]) -> AgreedSet:
    """The inverse of `pack_set`. Raises MessageError."""
    try:
        root, opens, accepted, weights, refused, left_out, disputes, reason = items
        return AgreedSet(
            bytes(root),
            bool(opens),
            tuple(accepted),
            tuple(int(weight) for weight in weights),
            tuple(refused),
            tuple(left_out),
            tuple(Dispute(hospital, node) for hospital, node in disputes),
            str(reason),
        )
    except (ValueError, TypeError) as error:
        raise MessageError(f"expected an agreed set: {error}") from error
