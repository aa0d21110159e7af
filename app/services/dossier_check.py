"""Whether a dossier holds: everything in it computed again, with no database and no chain.

A file alone has no root of trust: anybody can make up accounts, sign with them and build a chain
around it. So without a fingerprint the answer is who signed, and never that the file is genuine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from eth_abi.exceptions import EncodingError

from app.services.difference import Difference
from app.services.dossier_format import (
    BadValues,
    Dossier,
    Judged,
    Message,
    Summary,
    Word,
    read_dossier,
)
from app.services.dossier_story import Story, addresses
from contracts.appeals import upheld_before
from contracts.artifact import FEDERATION
from contracts.digests import set_digest, submissions_root
from contracts.errors import BadEvidence
from contracts.groundwork import Opening
from contracts.members import grouped
from contracts.records import DONATION, AgreedSet
from contracts.registry import task_word
from contracts.replay import Replay
from crypto.context import Context
from crypto.envelope import PublicKey, load_public_key
from crypto.errors import CryptoError
from crypto.vss import Answer
from fl.aggregates import aggregate_for
from fl.agreement import (
    Verdicts,
    judge_attempt,
    judge_sharing,
    judged_nodes,
    starting_bound,
)
from fl.errors import FlError
from fl.messages import ANSWERS, Statement, unpack_answers
from fl.outcome import Outcome, find_outcome, review_purpose
from fl.plan import Plan

# What values that fit no contract, plan or message lead to, wherever they are met first.
UNSOUND = (
    *(BadEvidence, FlError, CryptoError, EncodingError),
    *(ArithmeticError, LookupError, RecursionError, TypeError, ValueError),
)
# What a difference from the expected fingerprint is called.
FEDERATION_DIFFERS = "federation"
REVIEW_PREFIX = review_purpose(0).removesuffix("0")


@dataclass
class Findings:
    """What a check found: the differences, and, where there are none, who signed the round."""

    checked: int = 0
    differences: list[Difference] = field(default_factory=list)
    dossier: Dossier | None = None
    fingerprint: bytes = b""
    signers: list[tuple[str, str]] = field(default_factory=list)
    genuine: bool = False
    on_chain: bool = False

    def compare(self, what: str, expected: object, found: object) -> None:
        """Count a check; note a difference."""
        self.checked += 1
        if expected != found:
            self.differences.append(Difference(what, _told(expected), _told(found)))


def check_dossier(data: bytes, fingerprint: bytes | None = None) -> Findings:
    """Check a dossier's bytes, against a federation's fingerprint if there is one.

    Raises NotADossier when the bytes are no dossier.
    """
    try:
        dossier = read_dossier(data)
    except BadValues as error:
        findings = Findings()
        for where, what in error.wrong:
            findings.compare(where, "a value of a dossier", what)
        return findings
    return check_parsed(dossier, fingerprint)


def check_parsed(dossier: Dossier, fingerprint: bytes | None = None) -> Findings:
    """Check a dossier that was read already."""
    findings = Findings(dossier=dossier)
    try:
        story = Story(dossier)
        story.tell()
        findings.compare("transactions", dossier.transactions, story.transactions)
        _Check(findings, story).run()
        _origin(findings, story, fingerprint)
    except UNSOUND as error:
        findings.compare("evidence", "what holds together", str(error))
    findings.genuine = fingerprint is not None and not findings.differences
    return findings


def summary_of(story: Story, plan: Plan) -> Summary:
    """What the story shows, for readers. Raises BadEvidence where it is not finished."""
    replay, _, published = _finished(story)
    verdicts: dict[str, Word] = dict.fromkeys(published.accepted, "accepted")
    verdicts |= dict.fromkeys(published.refused, "refused")
    verdicts |= dict.fromkeys(published.rejected, "rejected")
    weights = dict(zip(published.accepted, published.weights, strict=True))
    seats = replay.joins()
    digest, name = set_digest(story.key, published), plan.name_of
    return Summary(
        model_in=replay.model_in,
        norm_bound=_norm_bound(story, plan),
        challenge=replay.challenge or b"",
        set_sha256=digest,
        result_sha256=replay.result or b"",
        kept=published.keeps,
        hospitals=[
            Judged(
                hospital=name(one.hospital),
                samples=one.samples,
                verdict=verdicts.get(one.hospital, "none"),
                weight=weights.get(one.hospital, 0),
            )
            for one in replay.submissions
        ],
        left_out=[name(one) for one in published.left_out],
        disputes=[[name(one.hospital), name(one.node)] for one in published.disputes],
        signed=[name(one.node) for one in seats if one.agreed and one.agreed[0] == digest],
        voted=[name(one.node) for one in seats if one.vote == replay.result],
    )


class _Check:
    """The checks of a story that was told to its end."""

    def __init__(self, findings: Findings, story: Story) -> None:
        self._compare = findings.compare
        self._story = story
        self._given = story.dossier
        self._replay, self._opening, self._published = _finished(story)
        self._plan = Plan.from_json(self._given.plan)
        self._context = Context(
            self._given.chain_id,
            bytes.fromhex(addresses(self._given)[FEDERATION][2:]),
            *(story.key.training, story.key.round, story.key.attempt),
        )

    def run(self) -> None:
        """Compare everything."""
        self._check_plan()
        self._check_start()
        self._check_set()
        self._check_result()
        shown = self._given.summary.model_dump()
        for name, value in summary_of(self._story, self._plan).model_dump().items():
            if name == "hospitals" and len(value) == len(shown[name]):
                self._check_hospitals(value, shown[name])
            else:
                self._compare(f"summary, {name}", value, shown[name])

    def _check_hospitals(self, expected: list[dict[str, Any]], shown: list[dict[str, Any]]) -> None:
        """One value at a time, so that a difference names it."""
        for one, other in zip(expected, shown, strict=True):
            for name, value in one.items():
                self._compare(f"summary, {one['hospital']}, {name}", value, other[name])

    def _check_plan(self) -> None:
        plan, opening = self._plan, self._opening
        self._compare("plan, its form", plan.to_json(), self._given.plan)
        self._compare("plan, its hash", opening.config_hash.hex(), plan.digest().hex())
        self._compare("plan, task", opening.task, task_word(plan.task))
        self._compare("plan, threshold", opening.threshold, plan.threshold)
        hospitals = tuple(one.account for one in plan.hospitals)
        nodes = tuple(one.account for one in plan.nodes)
        self._compare("plan, hospitals", opening.hospitals, hospitals)
        self._compare("plan, nodes", opening.nodes, nodes)
        for member in (*plan.hospitals, *plan.nodes):
            registered = self._story.keys.get(member.account)
            found = registered.hex() if registered else "none in force"
            self._compare(f"{member.name}, registered key", found, member.public_key)

    def _check_start(self) -> None:
        """The round's model: the last one that a quorum voted for, at first the initial one."""
        models = [
            one.result
            for key, one in self._story.earlier.items()
            if one.result and key.round not in (0, DONATION)
        ]
        expected = models[-1] if models else self._opening.initial_model
        self._compare("model that the round began with", expected, self._replay.model_in)
        for key, one in self._story.earlier.items():
            self._compare(f"round {key.round}, its set", True, one.published is not None)

    def _check_set(self) -> None:
        """The public rule, applied again to what the nodes signed."""
        digest = set_digest(self._story.key, self._verdicts().agreed)
        published = set_digest(self._story.key, self._published)
        self._compare("agreed set, computed again", published.hex(), digest.hex())

    def _verdicts(self) -> Verdicts:
        plan, number, submissions = self._plan, self._story.key.round, self._replay.submissions
        judged = judged_nodes(plan, self._replay.joins())
        aggregate = aggregate_for(plan, number, b"")
        answers = dict(self._answers())
        sharing = judge_sharing(plan, number, self._opening.quorum, judged, submissions, answers)
        outcome: Outcome | None = None
        if plan.reviews(number):
            said = [one.body for one in self._given.messages if one.kind != ANSWERS]
            outcome = find_outcome(self._context, plan, judged, number, said)
            self._compare("review", "signed by its three nodes", _signed(outcome))
        bound = _norm_bound(self._story, plan)
        return judge_attempt(
            plan, aggregate, submissions_root(submissions), sharing, outcome, bound, self._excused()
        )

    def _excused(self) -> frozenset[str]:
        """The hospitals whose appeal was upheld before the attempt was opened; see `fl.appeals`."""
        upheld = upheld_before(self._story.hearing.upheld, self._story.opened)
        return frozenset(map(self._plan.name_of, upheld))

    def _answers(self) -> Iterator[tuple[str, dict[str, Answer]]]:
        seen: set[tuple[str, str]] = set()
        for one in self._given.messages:
            what = f"{one.kind} of {one.sender}"
            known = one.kind == ANSWERS or one.kind.startswith(REVIEW_PREFIX)
            self._compare(f"{what}, kind", True, known)
            self._compare(f"{what}, once", False, (one.kind, one.sender) in seen)
            seen.add((one.kind, one.sender))
            statement = self._statement(one)
            self._compare(f"{what}, signature", "valid", statement)
            if statement == "valid" and one.kind == ANSWERS:
                read = Statement.read(one.body, self._context, one.sender, self._key(one), ANSWERS)
                yield one.sender, unpack_answers(read.body)

    def _key(self, message: Message) -> PublicKey:
        member = self._plan.node(message.sender)
        return load_public_key(self._story.keys.get(member.account) or b"")

    def _statement(self, one: Message) -> str:
        try:
            Statement.read(one.body, self._context, one.sender, self._key(one), one.kind)
        except (FlError, CryptoError) as error:
            return str(error)
        return "valid"

    def _check_result(self) -> None:
        """The bytes that came out; of donated rows nothing is ever opened, so there are none."""
        if self._story.key.round == DONATION:
            self._compare("result", b"", self._given.result)
            return
        found = sha256(self._given.result).hexdigest()
        self._compare("result, its hash", (self._replay.result or b"").hex(), found)


def _origin(findings: Findings, story: Story, fingerprint: bytes | None) -> None:
    """Whose signatures these are, and whether they are the expected federation's."""
    counted = story.members.counted()
    plan = Plan.from_json(story.dossier.plan)
    names = {one.account: one.name for one in (*plan.hospitals, *plan.nodes)}
    findings.signers = [
        (account, names.get(account, role))
        for account, role in sorted(story.signers, key=lambda one: one[0].lower())
    ]
    given = story.dossier
    computed = story.members.fingerprint(given.chain_id, addresses(given))
    findings.fingerprint = computed
    findings.compare("fingerprint in the file", grouped(computed), grouped(given.fingerprint))
    if fingerprint is not None:
        findings.compare(FEDERATION_DIFFERS, grouped(fingerprint), grouped(computed))
        # What an account was once may be made up; the fingerprint vouches for what it is.
        for account, role in sorted(story.signers):
            found = counted.get(account, ())
            findings.compare(f"signer {account}", role, role if role in found else found)


def _finished(story: Story) -> tuple[Replay, Opening, AgreedSet]:
    if story.replay is None or story.opening is None or story.replay.published is None:
        raise BadEvidence("the transactions do not finish the attempt")
    return story.replay, story.opening, story.replay.published


def _norm_bound(story: Story, plan: Plan) -> int:
    """The round's bound: the last one that a set put into force, at first the configured one."""
    bounds = [one.published.norm_bound for one in story.earlier.values() if one.published]
    return next((bound for bound in reversed(bounds) if bound), starting_bound(plan))


def _signed(outcome: Outcome | None) -> str:
    return "nothing" if outcome is None else "signed by its three nodes"


def _told(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex() or "nothing"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value)) or "nothing"
    return str(value)
