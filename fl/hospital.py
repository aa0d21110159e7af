"""A hospital's part of a round, in the order of the protocol: train, share, submit, adopt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts.ledger import Ledger
from contracts.records import DONATION, AttemptKey, AttemptState
from crypto.digest import load_model
from crypto.envelope import load_public_key, seal
from crypto.field import F61
from crypto.fixedpoint import SCALE, Integers, encode
from crypto.prg import new_seed
from fl.aggregates import aggregate_for, result_digest
from fl.attacks.behaviour import Scene
from fl.attacks.part import HONEST_PART, Part
from fl.clipping import clip
from fl.datasets import Split, Statistics, Table, local_sums, split
from fl.datasets import encode as encode_features
from fl.dealing import Dealing, deal
from fl.errors import StepRefused
from fl.evaluation import evaluation_of
from fl.messages import REPORT, SHARE, Submission, pack, unpack
from fl.networks import Parameters
from fl.party import Identity, Party, Step, attempt_place
from fl.plan import LARGEST_NORM_BOUND, Plan
from fl.store import PartyStore
from fl.subgroups import count_groups, masked
from fl.training import LocalSettings, local_seed, local_update, probabilities

# Raises StepRefused where the hospital's own people did not agree to the training.
Consent = Callable[[], None]


def _not_asked() -> None:
    """Nobody has to agree."""


class Hospital(Party):
    """One hospital of a training, with its own rows.

    What leaves it: sealed shares, their digests, salted hashes, its numbers of training rows and of
    donated rows, and counts of how the aggregated model does on its test and training rows (see
    `fl.evaluation`; public by design, so without its cases). A simulation may hand it the `part` of
    an attacker. Before it trains it asks for `consent`; whatever else it sends comes of what it
    trained.
    """

    def __init__(
        self,
        identity: Identity,
        plan: Plan,
        training: bytes,
        ledger: Ledger,
        store: PartyStore,
        table: Table,
        part: Part = HONEST_PART,
        consent: Consent = _not_asked,
    ) -> None:
        super().__init__(identity, plan, training, ledger, store)
        self._rows: Split = split(table, plan.split)
        self._part = part
        self._consent = consent

    def steps(self) -> Mapping[str, Step]:
        """The steps that a hospital does, by name."""
        return {
            "train": self.train,
            "share": self.share,
            "submit": self.submit,
            "adopt": self.adopt,
        }

    def train(self, key: AttemptKey, message: bytes) -> bytes:
        """Check the model that came ([model, statistics]), train, keep the encoded update.

        Answers [samples]. In round 0 the update is the vector of column sums, in the donation the
        donated rows. Raises StepRefused when it was not drawn for the round, the model or the
        statistics are not the ledger's, there is no row to donate or no consent, RangeError or
        NonFiniteError when the update holds NaN, infinity or a value beyond the bound: it then
        never leaves.
        """
        self._consent()
        if self.name not in self._drawn(key):
            raise StepRefused(f"{self.name} was not drawn for this round")
        model, statistics = unpack(message, bytes, bytes)
        self._check_handed(key, model, statistics)
        self.store.remember(
            f"{attempt_place(key)}/update",
            lambda: self._vector(key, model, statistics).astype("<i8").tobytes(),
        )
        return pack(self._samples(key))

    def share(self, key: AttemptKey, _message: bytes) -> bytes:
        """Share the kept update among the nodes that joined; answers the `Submission`.

        Seed and submission are stored together before anything leaves, so that what is sent again
        is the same, and a seed whose shares were never sent is never used.
        """
        update = self._kept_update(key)
        stored = self.store.remember(
            f"{attempt_place(key)}/dealing", lambda: self._deal_and_seal(key, update)
        )
        _, submission = unpack(stored, bytes, bytes)
        return bytes(submission)

    def submit(self, key: AttemptKey, _message: bytes) -> bytes:
        """Put share root, update hash and sample count on the ledger; answers [transaction]."""
        dealing = self.dealing(key)
        receipt = self.ledger.submit(
            key, dealing.share_root, dealing.update_hash, self._samples(key)
        )
        return pack(receipt.transaction)

    def adopt(self, key: AttemptKey, message: bytes) -> bytes:
        """Check a result ([result, statistics]) against the ledger and judge it on the own rows.

        Answers a signed report, an `Evaluation` (empty in round 0). Raises StepRefused when the
        result is not the finalised one.
        """
        result, statistics = unpack(message, bytes, bytes)
        attempt = self.ledger.attempt(key)
        if attempt.state != AttemptState.FINALISED or attempt.result_hash != result_digest(result):
            raise StepRefused(f"{self.name} was handed another result than the ledger's")
        if key.round == 0:
            return self.state_once(REPORT, key, pack([]))
        self._check_statistics(statistics)
        _, parameters = load_model(result)
        test, train = (
            self._inputs(part, statistics) for part in (self._rows.test, self._rows.train)
        )
        found = evaluation_of(self.plan.spec, parameters, test, train)
        predicted = probabilities(self.plan.spec, parameters, test[0]).argmax(axis=1)
        return self.state_once(
            REPORT, key, replace(found, groups=self._masked(key, predicted)).body()
        )

    def dealing(self, key: AttemptKey) -> Dealing:
        """What was dealt in an attempt, computed again from the kept update and seed.

        Raises StepRefused when this hospital dealt nothing in it.
        """
        stored = self.store.get(f"{attempt_place(key)}/dealing")
        if stored is None:
            raise StepRefused(f"{self.name} dealt nothing in this attempt")
        seed, _ = unpack(stored, bytes, bytes)
        return self._deal(key, self._kept_update(key), seed)

    def _masked(self, key: AttemptKey, predicted: NDArray[np.int64]) -> bytes:
        """Counts of the test rows by sex and age, which open in the sum over all hospitals only."""
        counts = count_groups(self.plan.data, self._rows.test, predicted)
        return masked(counts, self.context(key), self.name, self._key, self.plan.hospitals)

    def _drawn(self, key: AttemptKey) -> tuple[str, ...]:
        return tuple(hospital.name for hospital in self.plan.drawn(key.round))

    def _check_handed(self, key: AttemptKey, model: bytes, statistics: bytes) -> None:
        if result_digest(model) != self.ledger.attempt(key).model_in:
            raise StepRefused(f"{self.name} was handed another model than the ledger's")
        if key.round > 0:
            self._check_statistics(statistics)

    def _check_statistics(self, statistics: bytes) -> None:
        if result_digest(statistics) != self.ledger.training(self.training).statistics:
            raise StepRefused(f"{self.name} was handed other statistics than the ledger's")

    def _samples(self, key: AttemptKey) -> int:
        """What is declared: rows donated, rows that column sums are of, or rows trained on."""
        if key.round == DONATION:
            return len(self._rows.donated)
        rows = self._rows.train if key.round == 0 else self._rows.learned
        return self._part.behaviour.samples(len(rows))

    def _vector(self, key: AttemptKey, model: bytes, statistics: bytes) -> Integers:
        bound = aggregate_for(self.plan, key.round, model).bound
        if key.round == 0:
            return encode(local_sums(self.plan.data, self._rows.train.features), bound)
        if key.round == DONATION:
            return self._slice(key, model, statistics, bound)
        return self._update(key, model, statistics, bound)

    def _slice(self, key: AttemptKey, model: bytes, statistics: bytes, bound: float) -> Integers:
        """Inputs (inputs, rows), then one-hot labels (classes, rows), flattened."""
        if not len(self._rows.donated):
            raise StepRefused(f"{self.name} has too few rows of each class to donate any")
        scene = self._scene(key, load_model(model)[1], statistics, self.plan.local)
        rows = self._inputs(self._rows.donated, statistics)
        features, labels = self._part.behaviour.donated(*rows, scene)
        one_hot = labels[None, :] == np.arange(len(self.plan.data.classes))[:, None]
        inputs = encode(features.T.astype(np.float64), bound)
        return np.concatenate([inputs.ravel(), one_hot.astype(np.int64).ravel()])

    def _update(self, key: AttemptKey, model: bytes, statistics: bytes, largest: float) -> Integers:
        """The clipped update, and behind it the clip bit where the plan shares one."""
        settings = self._settings(key)
        parameters = load_model(model)[1]
        scene = self._scene(key, parameters, statistics, settings)
        behaviour = self._part.behaviour
        rows = behaviour.rows(*self._inputs(self._rows.learned, statistics), scene)
        # Trained without the round's bound, which what is sent is then cut to.
        wide = replace(settings, norm_bound=LARGEST_NORM_BOUND)
        seed = local_seed(self.plan.seed, key.round, self.name)
        update = local_update(self.plan.spec, parameters, *rows, wide, seed)
        delta = behaviour.update(update.delta, scene)
        within = bool(np.linalg.norm(delta) <= settings.norm_bound)
        sent = clip(delta, settings.norm_bound) if behaviour.clips else delta
        encoded = behaviour.vector(encode(sent, largest))
        return np.append(encoded, np.int64(within)) if self.plan.shares_clip_bit else encoded

    def _settings(self, key: AttemptKey) -> LocalSettings:
        """The settings of the round, with the norm bound that the attempt began with."""
        settings = self.plan.local.in_round(key.round)
        bound = self.ledger.attempt(key).norm_bound / SCALE
        return replace(settings, norm_bound=bound) if bound else settings

    def _scene(
        self, key: AttemptKey, parameters: Parameters, statistics: bytes, settings: LocalSettings
    ) -> Scene:
        """What the part is played in; the donation stands before the first round."""
        return Scene(
            spec=self.plan.spec,
            hospital=self.name,
            attackers=tuple(n for n in self._part.attackers if n in self._drawn(key)),
            hospitals=len(self._drawn(key)),
            round=key.round % DONATION,
            seed=self.plan.seed,
            norm_bound=settings.norm_bound,
            parameters=parameters,
            honest=lambda: self._honest_updates(key, parameters, statistics, settings),
        )

    def _honest_updates(
        self, key: AttemptKey, parameters: Parameters, statistics: bytes, settings: LocalSettings
    ) -> dict[str, NDArray[np.float64]]:
        """What the honest hospitals send in this round, worked out from their rows."""
        updates = {}
        for name in self._drawn(key):
            if name in self._part.tables and name not in self._part.attackers:
                learned = split(self._part.tables[name], self.plan.split).learned
                rows = self._inputs(learned, statistics)
                seed = local_seed(self.plan.seed, key.round, name)
                update = local_update(self.plan.spec, parameters, *rows, settings, seed)
                updates[name] = update.delta
        return updates

    def _inputs(
        self, table: Table, statistics: bytes
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        task = self.plan.data
        known = Statistics.from_json(task, statistics.decode())
        return encode_features(task, table.features, known), table.labels

    def _kept_update(self, key: AttemptKey) -> Integers:
        stored = self.store.get(f"{attempt_place(key)}/update")
        if stored is None:
            raise StepRefused(f"{self.name} has no update for this attempt")
        return np.frombuffer(stored, dtype="<i8").astype(np.int64)

    def _joined(self, key: AttemptKey) -> dict[str, bytes]:
        """The seated nodes' receiving keys by name, once the ledger admits no further node."""
        if self.ledger.attempt(key).state == AttemptState.OPENED:
            raise StepRefused(f"{self.name} waits until the ledger calls for submissions")
        names = {node.account: node.name for node in self.plan.nodes}
        return {names[join.node]: join.receiving_key for join in self.ledger.joins(key)}

    def _deal(self, key: AttemptKey, update: Integers, seed: bytes) -> Dealing:
        points = {node: self.plan.points[node] for node in self._joined(key)}
        return deal(self.context(key), self.name, points, self.plan.threshold, update, seed)

    def _deal_and_seal(self, key: AttemptKey, update: Integers) -> bytes:
        seed = new_seed()
        dealing = self._deal(key, update, seed)
        envelopes = [
            seal(
                self.context(key),
                SHARE,
                self.name,
                self._key,
                node,
                load_public_key(receiving_key),
                dealing.salts[node] + F61.to_bytes(dealing.shares[node]),
            ).to_bytes()
            for node, receiving_key in self._joined(key).items()
        ]
        return pack(seed, Submission(self.name, dealing.digests, tuple(envelopes)).to_bytes())
