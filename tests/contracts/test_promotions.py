"""Which model is in use: a finished training's own one, once promoted, again by rolling back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts.artifact import APPEALS, FEDERATION, MODELS
from contracts.chain import ChainEndpoint, fund
from contracts.interface import interface
from contracts.promotions import Promotions
from contracts.reader import LedgerReader
from contracts.records import PromotionRecord
from contracts.rpc import Rpc
from contracts.sender import Sender
from tests.contracts.direct import CHAIN_ID, World, account
from tests.contracts.parties import digest, private_key, refusal
from tests.contracts.stage import Stage

REASON = digest("a better one")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """Nothing is done in it: what changes something comes last."""
    made = Stage()
    yield made
    made.world.close()


def promotions(world: World, index: int | None = 1) -> Promotions:
    """The contract as the account of this index sees it; 1 is an administrator's."""
    sender = None
    if index is not None:
        sender = Sender(world.rpc, interface(MODELS), CHAIN_ID, private_key(index))
    return Promotions(world.rpc, world.addresses[MODELS], sender)


def test_it_follows_the_trainings_of_its_federation(stage: Stage) -> None:
    assert promotions(stage.world, None).trainings() == stage.world.addresses[FEDERATION]
    problem = refusal(promotions(stage.world, 0).bind, account(40))
    assert problem.reason == "AlreadyBound"


@pytest.mark.parametrize(
    ("name", "model", "reason", "problem"),
    [
        ("finished", "statistics", REASON, "NotItsModel"),
        ("finished", "model used 1", REASON, "NotItsModel"),
        ("finished", "model finished 1", bytes(32), "EmptyHash"),
        ("voting", "model voting 1", REASON, "NotFinished"),
        ("idle", "model", REASON, "NotFinished"),
        ("never opened", "model", REASON, "NotFinished"),
        ("stopped", "model stopped 1", REASON, "NotFinished"),
        ("untrained", "model", REASON, "Untrained"),
        ("in use", "model in use 1", REASON, "AlreadyUsed"),
    ],
)
def test_what_is_no_new_result_of_a_finished_training_is_refused(
    stage: Stage, name: str, model: str, reason: bytes, problem: str
) -> None:
    promoted = stage.key(name)[0], digest(model), reason
    refused = stage.world.refusal(MODELS, 1, "promote", *promoted)
    assert refused is not None
    assert refused[0] == problem


@pytest.mark.parametrize(("name", "problem"), [("finished", "NeverUsed"), ("in use", "Unchanged")])
def test_one_rolls_back_to_what_was_in_use_before_only(
    stage: Stage, name: str, problem: str
) -> None:
    refused = stage.world.refusal(MODELS, 1, "rollBack", *stage.model(name))
    assert refused is not None
    assert refused[0] == problem


def test_the_last_promotion_counts_and_none_is_forgotten(stage: Stage) -> None:
    """One that is promoted takes the place of the one before; going back says that it does."""
    models, before = promotions(stage.world), promotions(stage.world).history("heart")
    training, model, _ = stage.model("finished")
    first = models.promote("heart", training, model, REASON)
    expected = PromotionRecord(training, model, REASON, account(1), 1, False)
    assert models.find_in_use("heart") == expected
    # Again is the same promotion, by its transaction.
    assert models.promote("heart", training, model, REASON) == first
    assert models.find_promoted("heart", training, REASON, back=False) == first
    earlier, its_model, _ = stage.model("used")
    back = models.roll_back("heart", earlier, its_model, REASON)
    returned = PromotionRecord(earlier, its_model, REASON, account(1), 1, True)
    assert models.history("heart") == (*before, expected, returned)
    assert models.find_in_use("heart") == returned
    assert models.find_promoted("heart", earlier, REASON, back=True) == back
    assert models.find_promoted("heart", earlier, REASON, back=False) is None
    assert models.find_in_use("diabetes") is None
    assert models.history("diabetes") == ()


@pytest.mark.parametrize(("getter", "name"), [("models", MODELS), ("appeals", APPEALS)])
def test_a_federation_from_before_has_no_such_contract(
    chain: ChainEndpoint, getter: str, name: str
) -> None:
    """A contract that answers everything but models(), which it refuses as one without it does."""
    selector = interface(FEDERATION).call_data(getter, ())
    body = b"".join(
        (
            bytes.fromhex("60003560e01c63"),  # the call's selector, compared with
            selector,
            bytes.fromhex("14"),
            bytes.fromhex("601457"),  # then leads to the revert below
            bytes.fromhex("60606000f3"),  # else three addresses: zeros
            bytes.fromhex("5b60006000fd"),
        )
    )
    create = bytes.fromhex(f"60{len(body):02x}600c60003960{len(body):02x}6000f3") + body
    fund(chain, [account(0)])
    with Rpc(chain.url) as rpc:
        sender = Sender(rpc, interface(FEDERATION), chain.chain_id, private_key(0))
        address = sender.deploy(create)
    reader = LedgerReader(chain.url, address)
    assert name not in reader.addresses
    assert (reader.promotions is None) is (name == MODELS)
    assert (reader.appeals is None) is (name == APPEALS)
    reader.close()
