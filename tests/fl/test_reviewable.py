"""Networks as the review evaluates them, against torch on the same parameters and inputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from crypto.digest import model_bytes
from crypto.fixedpoint import SCALE, encode
from crypto.mpc.channel import run_local
from crypto.mpc.layers import predictions
from crypto.mpc.multiply import open_shares
from crypto.mpc.session import Program, Session
from fl.errors import PlanError, RoundFailed
from fl.networks import NetworkSpec, build, flatten, initial_parameters, unflatten
from fl.plan import REVIEWABLE
from fl.reviewable import bits_of, check_in_range, layers_of, parameters_of
from tests.fl.committee import sessions, shared
from tests.fl.test_review import make_plan

SPECS = {"mlp": NetworkSpec("mlp", 15, 2), "cnn": NetworkSpec("cnn", 784, 10)}


def test_the_table_holds_what_a_plan_lets_through() -> None:
    assert set(SPECS) == set(REVIEWABLE)
    for spec in SPECS.values():
        assert layers_of(spec)


@pytest.mark.parametrize("name", SPECS)
def test_predicted_classes_are_torchs(name: str) -> None:
    spec = SPECS[name]
    generator = np.random.Generator(np.random.PCG64(5))
    models = [initial_parameters(spec, seed) for seed in range(3)]
    vectors = [np.rint(flatten(spec, one) * SCALE) for one in models]
    rows = encode(generator.uniform(-1, 1, size=(spec.inputs, 40)), 8.0)
    weights = shared(np.stack(vectors).astype(np.int64))
    inputs = shared(rows)
    bits = bits_of(spec, models[0], 4.0)

    def program(session: Session, party: int) -> Program[np.ndarray]:
        found = yield from predictions(
            session, layers_of(spec), parameters_of(spec, weights[party]), inputs[party], bits
        )
        return (yield from open_shares(session, found))

    results, _ = run_local([program(one, i) for i, one in enumerate(sessions())])
    features = torch.from_numpy((rows.T / SCALE).astype(np.float32))
    for vector, found in zip(vectors, results[0], strict=True):
        with torch.no_grad():
            logits = build(spec, unflatten(spec, vector / SCALE))(features).numpy()
        ranked = np.sort(logits, axis=1)
        clear = ranked[:, -1] - ranked[:, -2] >= 2**-9
        assert clear.sum() > 20
        assert np.array_equal(found.argmax(axis=0)[clear], logits.argmax(axis=1)[clear])
        assert (found.sum(axis=0) == 1).all()


def test_a_network_that_is_not_in_the_table_is_refused_by_name() -> None:
    plan = make_plan()
    with pytest.raises(PlanError, match=r"mlp, cnn\), got resnet50"):
        make_plan(network="resnet50")
    assert plan.network == "mlp"


def test_what_cannot_be_evaluated_in_range_is_refused_before_the_attempt() -> None:
    plan = make_plan()
    check_in_range(plan, plan.initial_model(), round(1.5 * SCALE))
    huge = {name: array * 1e6 for name, array in initial_parameters(plan.spec, 7).items()}
    with pytest.raises(RoundFailed, match="the review cannot evaluate updates of this model"):
        check_in_range(plan, model_bytes("mlp", huge), round(1.5 * SCALE))


def test_a_recorded_training_says_that_hospitals_train_one_by_one() -> None:
    assert '"batched":false' in make_plan().to_json()
    with pytest.raises(PlanError, match="one by one"):
        make_plan(batched=True)
