"""A course through a training's operations, for measuring what each costs.

Parties have fixed keys and say fixed things, so that on a new chain every course is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from eth_account import Account

from contracts.appeals import Appeals
from contracts.digests import nonce_commitment, set_digest
from contracts.errors import NotFound
from contracts.ledger import Ledger
from contracts.promotions import Promotions
from contracts.records import AgreedSet, AttemptKey, Policy, Receipt, Role

THRESHOLD = 1
SAMPLES = 100
TASK, POLICY = "heart", Policy()
DEPUTY = "deputy"
MOST_NODES = 16


@dataclass(frozen=True)
class Phase:
    """Calls of one operation; those of a `parallel` phase are of different accounts."""

    operation: str
    calls: Sequence[Callable[[], Receipt]]
    parallel: bool


def course_key(name: str) -> bytes:
    """The chain key of the party `name`, the same in every course; it guards nothing."""
    return course_digest(f"key of {name}")


def course_account(name: str) -> str:
    """The address of that key."""
    return str(Account.from_key(course_key(name)).address)


class Course:
    """A training called `name` with parties of its own, under the contract of `coordinator`."""

    def __init__(self, coordinator: Ledger, name: str, hospitals: int, nodes: int) -> None:
        self._coordinator = coordinator
        self._deputy = self._ledger(DEPUTY)
        self._name = name
        self._training = course_digest(f"training {name}")
        self._model = course_digest(f"model {name}")
        self._hospitals = [self._ledger(one) for one in self.names(name, hospitals, 0)]
        self._nodes = [self._ledger(one) for one in self.names(name, 0, nodes)]

    @staticmethod
    def names(name: str, hospitals: int, nodes: int) -> list[str]:
        """The parties of the course `name`: so many hospitals, then so many nodes."""
        return [f"{name} hospital {number}" for number in range(hospitals)] + [
            f"{name} node {number}" for number in range(nodes)
        ]

    def close(self) -> None:
        """Close the parties' connections."""
        for ledger in (self._deputy, *self._hospitals, *self._nodes):
            ledger.close()

    def start(self) -> Iterator[Phase]:
        """Register everybody and open the training."""
        lead = self._coordinator
        hospitals = [one.account or "" for one in self._hospitals]
        nodes = [one.account or "" for one in self._nodes]
        parties = [(one, Role.HOSPITAL) for one in hospitals]
        parties += [(one, Role.NODE) for one in nodes]
        registry = lead.registry
        calls = [partial(registry.register, one, role, point_of(one)) for one, role in parties]
        yield Phase("register", calls, parallel=False)
        # Other courses' nodes stay while there is room.
        seated = [*registry.nodes(), *nodes][-MOST_NODES:]
        both = [registry, self._deputy.registry]
        seat = [partial(one.set_nodes, seated) for one in both]
        yield Phase("setNodes", seat, parallel=False)
        if registry.policy(TASK) != POLICY:
            rule = [partial(one.set_policy, TASK, POLICY) for one in both]
            yield Phase("setPolicy", rule, parallel=False)
        config = course_digest("config")
        yield self._lead(
            "openTraining",
            lambda: lead.open_training(
                self._training, TASK, config, self._model, hospitals, nodes, THRESHOLD
            ),
        )

    def round(self, number: int, rejected: int = 0) -> Iterator[Phase]:
        """A round in which everybody takes part, from its opening to the last vote.

        So many of the hospitals, the last ones, are `rejected`.
        """
        key = AttemptKey(self._training, number, 1)
        lead = self._coordinator
        model = lead.training(self._training).model
        yield self._lead("openAttempt", lambda: lead.open_attempt(key, model))
        yield self._each(self._nodes, "join", lambda one: self._join(key, one))
        yield self._lead("callForSubmissions", lambda: lead.call_for_submissions(key))
        yield self._each(self._hospitals, "submit", lambda one: self._submit(key, one))
        yield self._lead("closeSubmissions", lambda: lead.close_submissions(key))
        yield self._each(self._nodes, "reveal", lambda one: one.reveal(key, _nonce(key, one)))
        yield self._lead("closeReveals", lambda: lead.close_reveals(key))
        agreed = self._agreed(key, rejected)
        signed = set_digest(key, agreed)
        yield self._each(self._nodes, "agree", lambda one: one.agree(key, signed, opens=True))
        first = self._nodes[:1]
        yield self._each(first, "publishSet", lambda one: one.publish_set(key, agreed))
        result = course_digest(f"result {self._name} {number}")
        yield self._each(self._nodes, "vote", lambda one: one.vote(key, result))

    def end(self, number: int) -> Iterator[Phase]:
        """Give round `number` up, end the training, and put its model, if any, into use."""
        key = AttemptKey(self._training, number, 1)
        lead = self._coordinator
        model = lead.training(self._training).model
        yield self._lead("openAttempt", lambda: lead.open_attempt(key, model))
        yield self._lead("fail", lambda: lead.fail(key, "given up"))
        yield self._lead("endTraining", lambda: lead.end_training(self._training, ""))
        used = TASK, self._training, model, course_digest("reason")
        if number > 1:
            yield self._lead("promote", lambda: self._promotions().promote(*used))

    def come_back(self) -> Iterator[Phase]:
        """Put the training's model into use again, after another course's."""
        model = self._coordinator.training(self._training).model
        used = TASK, self._training, model, course_digest("another reason")
        yield self._lead("rollBack", lambda: self._promotions().roll_back(*used))

    def appeal(self, number: int) -> Iterator[Phase]:
        """The last hospital appeals against its rejection in round `number`, which is upheld."""
        last, reason = self._hospitals[-1], course_digest("appeal")
        whose = self._training, number
        yield self._lead("appeal", lambda: _appeals(last).appeal(*whose, reason))
        decided = (*whose, last.account or "", True, reason)
        both = [_appeals(one) for one in (self._coordinator, self._deputy)]
        yield Phase("decide", [partial(one.decide, *decided) for one in both], parallel=False)

    def _promotions(self) -> Promotions:
        found = self._coordinator.promotions
        if found is None:
            raise NotFound("the contract of the models")
        return found

    def _ledger(self, name: str) -> Ledger:
        return Ledger(self._coordinator.rpc_url, self._coordinator.contract, course_key(name))

    def _join(self, key: AttemptKey, node: Ledger) -> Receipt:
        commitment = nonce_commitment(key, node.account or "", _nonce(key, node))
        return node.join(key, commitment, point_of(f"receiving {key.round} {node.account}"))

    def _submit(self, key: AttemptKey, hospital: Ledger) -> Receipt:
        words = f"{key.round} {hospital.account}"
        root, update = course_digest("root " + words), course_digest("update " + words)
        return hospital.submit(key, root, update, SAMPLES)

    def _agreed(self, key: AttemptKey, rejected: int) -> AgreedSet:
        hospitals = tuple(one.hospital for one in self._coordinator.submissions(key))
        accepted = hospitals[: len(hospitals) - rejected]
        return AgreedSet(
            submissions_root=self._coordinator.attempt(key).submissions_root,
            opens=True,
            accepted=accepted,
            weights=(SAMPLES,) * len(accepted),
            rejected=hospitals[len(accepted) :],
        )

    def _lead(self, operation: str, call: Callable[[], Receipt]) -> Phase:
        return Phase(operation, [call], parallel=False)

    def _each(
        self, ledgers: Sequence[Ledger], operation: str, call: Callable[[Ledger], Receipt]
    ) -> Phase:
        return Phase(operation, [partial(call, one) for one in ledgers], parallel=True)


def course_digest(words: str) -> bytes:
    """32 bytes that stand for `words` in a course."""
    return sha256(f"consilium/course/{words}".encode()).digest()


def point_of(words: str) -> bytes:
    """Bytes of the shape of an uncompressed point; the contract looks at no more."""
    return b"\x04" + course_digest(words) + course_digest(words + "'")


def _appeals(ledger: Ledger) -> Appeals:
    if ledger.appeals is None:
        raise NotFound("the contract of the appeals")
    return ledger.appeals


def _nonce(key: AttemptKey, node: Ledger) -> bytes:
    return course_digest(f"nonce {key.round} {node.account}")
