"""The public configuration of a training: who takes part and what everybody computes.

Its digest stands on the ledger before the first attempt, so all parties work by the same plan.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property
from hashlib import sha256

from crypto.context import canonical
from crypto.digest import model_bytes
from crypto.envelope import PublicKey, load_public_key
from crypto.fixedpoint import check_capacity
from fl.datasets import Partition, SplitRule, Task, task_of
from fl.errors import PlanError, SettingsError
from fl.networks import NetworkSpec, initial_parameters
from fl.sampling import drawn
from fl.stopping import Stopping
from fl.training import LocalSettings
from fl.verdict import Rule

PLAN_LABEL = "consilium/plan/v1"
# Sample counts are self-declared; beyond this a submission is refused, and sums are sized by it.
MAX_SAMPLES = 1 << 20
LARGEST_NORM_BOUND = 64.0
# The networks in the layer table of `fl.reviewable`.
REVIEWABLE = ("mlp", "cnn")


@dataclass(frozen=True)
class Member:
    """A party by name, with its account on the chain and its P-256 key (uncompressed, hex)."""

    name: str
    account: str
    public_key: str

    @property
    def verifying_key(self) -> PublicKey:
        """The key that the party's signatures verify under."""
        return load_public_key(bytes.fromhex(self.public_key))


@dataclass(frozen=True)
class Review:
    """How updates are tested before they are summed: the rule, and what goes with it.

    `slice_rounds` is how many rounds may use the donated slices, as every round opens a few bits
    about them; with `adaptive_clipping` the norm bound follows the federation.
    """

    rule: Rule = field(default_factory=Rule)
    slice_rounds: int = 50
    adaptive_clipping: bool = True


@dataclass(frozen=True)
class Plan:
    """Everything that a training's result depends on, and its parties.

    `threshold` is t: so many nodes learn nothing. `colluding` is c, the number of hospitals assumed
    to pool what they know. Without a `review` updates are summed untested. `rounds` is how many
    there are at most: a `stopping` rule may end the training earlier. With `sampled` so many
    hospitals are drawn for each round of updates (see `fl.sampling`). `batched` would say that
    hospitals train together as one computation, as in experiments; a recorded training never does.
    Raises PlanError when the parts do not fit each other.
    """

    task: str
    partition: Partition
    split: SplitRule
    network: str
    rounds: int
    local: LocalSettings
    seed: int
    hospitals: tuple[Member, ...]
    nodes: tuple[Member, ...]
    threshold: int = 1
    colluding: int = 1
    review: Review | None = None
    batched: bool = False
    stopping: Stopping | None = None
    sampled: int | None = None

    def __post_init__(self) -> None:
        names = [member.name for member in (*self.hospitals, *self.nodes)]
        if len(set(names)) != len(names):
            raise PlanError("expected every party to have a name of its own")
        if len(self.hospitals) < self.least_accepted:
            raise PlanError(
                f"expected at least {self.least_accepted} hospitals, got {len(self.hospitals)}: "
                "a sum of fewer would show a hospital the update of another"
            )
        if self.sampled is not None:
            self._check_sampled(self.sampled)
        if len(self.nodes) < 2 * self.threshold + 1:
            raise PlanError(f"expected at least {2 * self.threshold + 1} nodes, got {len(names)}")
        if self.batched:
            raise PlanError("expected hospitals that train one by one; batches are for experiments")
        if self.rounds < 1:
            raise PlanError(f"expected at least 1 round, got {self.rounds}")
        if not 0 < self.local.norm_bound <= LARGEST_NORM_BOUND:
            raise PlanError(
                f"expected a norm bound up to {LARGEST_NORM_BOUND}, got {self.local.norm_bound}"
            )
        self._check_decay()
        check_capacity([MAX_SAMPLES] * len(self.hospitals), LARGEST_NORM_BOUND)
        if self.review is not None:
            self._check_review(self.review)

    def _check_sampled(self, sampled: int) -> None:
        if not self.least_accepted <= sampled <= len(self.hospitals):
            raise PlanError(
                f"expected {self.least_accepted} to {len(self.hospitals)} hospitals to be drawn "
                f"for a round, got {sampled}"
            )

    def _check_decay(self) -> None:
        try:
            self.local.in_round(self.rounds)
        except SettingsError as error:
            raise PlanError(
                f"expected a decay that leaves a learning rate in round {self.rounds}; "
                f"got {self.local.decay}"
            ) from error

    def _check_review(self, review: Review) -> None:
        if self.threshold != 1:
            raise PlanError(
                f"expected a threshold of 1, got {self.threshold}: the encrypted review needs "
                "products of shares from three nodes. Choose 4 nodes and threshold 1, or a "
                "training without review"
            )
        if not 1 <= self.rounds <= review.slice_rounds:
            raise PlanError(
                f"expected at most {review.slice_rounds} rounds, got {self.rounds}: each round "
                "opens a few bits about the donated rows, and they serve no longer"
            )
        if self.network not in REVIEWABLE:
            raise PlanError(
                "expected a network that the encrypted review can evaluate "
                f"({', '.join(REVIEWABLE)}), got {self.network}: choose one of these, or a "
                "training without review"
            )

    @property
    def least_accepted(self) -> int:
        """The fewest updates that may be summed: with fewer, c colluders learn somebody's."""
        return max(3, self.colluding + 2)

    def least_points(self, quorum: int) -> int:
        """The fewest nodes whose values may be believed: any t + 1 points lie on a polynomial.

        Only three nodes have a quorum that small; there, one that is out ends the round.
        """
        return max(quorum, self.threshold + 2)

    @property
    def rule(self) -> Rule:
        """The rule of the verdict. Raises PlanError for a plan without review."""
        if self.review is None:
            raise PlanError("expected a training with review, got one without")
        return self.review.rule

    def reviews(self, round_number: int) -> bool:
        """Whether what is shared in this round is tested before it is used."""
        return self.review is not None and round_number > 0

    @property
    def shares_clip_bit(self) -> bool:
        """Whether an entry behind each update tells if it was within the norm bound."""
        return self.review is not None and self.review.adaptive_clipping

    @cached_property
    def data(self) -> Task:
        """The task's description; an imported one is read from its text, so once."""
        return task_of(self.task, self.partition)

    @property
    def spec(self) -> NetworkSpec:
        """The network and its shape."""
        return NetworkSpec(self.network, self.data.inputs, len(self.data.classes))

    @property
    def points(self) -> dict[str, int]:
        """Each node's point on the sharing polynomials, by name."""
        return {node.name: index + 1 for index, node in enumerate(self.nodes)}

    def drawn(self, round_number: int) -> tuple[Member, ...]:
        """The hospitals that take part in a round: all of them, unless the plan samples."""
        names = [hospital.name for hospital in self.hospitals]
        chosen = drawn(self.seed, round_number, names, self.sampled)
        return tuple(hospital for hospital in self.hospitals if hospital.name in chosen)

    def hospital(self, name: str) -> Member:
        """The hospital of that name. Raises PlanError."""
        return _find(self.hospitals, "name", name)

    def node(self, name: str) -> Member:
        """The node of that name. Raises PlanError."""
        return _find(self.nodes, "name", name)

    def name_of(self, account: str) -> str:
        """The name of the party with that account. Raises PlanError."""
        return _find((*self.hospitals, *self.nodes), "account", account).name

    def initial_model(self) -> bytes:
        """The model that the first round starts from, as canonical bytes, from the seed alone."""
        return model_bytes(self.network, initial_parameters(self.spec, self.seed))

    def to_json(self) -> str:
        """The canonical JSON: sorted keys, no spaces.

        What plans once did not have is left out at its default, so that theirs keep their digests.
        """
        fields = asdict(self) | {"partition": self.partition.to_fields()}
        if self.local.decay == 1:
            del fields["local"]["decay"]
        for name in ("stopping", "sampled"):
            if fields[name] is None:
                del fields[name]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The inverse of `to_json`. Raises PlanError."""
        try:
            fields = json.loads(text)
            fields["partition"] = Partition.from_fields(fields["partition"])
            fields["split"] = SplitRule(**fields["split"])
            fields["local"] = LocalSettings(**fields["local"])
            if fields["review"] is not None:
                review = dict(fields["review"])
                fields["review"] = Review(**review | {"rule": Rule(**review["rule"])})
            if fields.get("stopping") is not None:
                fields["stopping"] = Stopping(**fields["stopping"])
            for group in ("hospitals", "nodes"):
                fields[group] = tuple(Member(**member) for member in fields[group])
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise PlanError(f"expected the JSON of a plan: {error}") from error

    def digest(self) -> bytes:
        """The configuration hash that the ledger holds, 32 bytes."""
        return sha256(canonical(PLAN_LABEL, self.to_json())).digest()


def _find(members: tuple[Member, ...], attribute: str, value: str) -> Member:
    for member in members:
        if getattr(member, attribute) == value:
            return member
    raise PlanError(f"expected a party of the training, got {value}")
