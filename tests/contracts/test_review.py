"""Donated slices, verdicts with their figures, rounds that keep their model, the moving bound."""

from __future__ import annotations

import pytest

from contracts.ledger import AttemptKey, AttemptState, Verdict, set_digest
from contracts.records import DONATION, NOTHING_OPENED, AgreedSet, Bits, Figure
from tests.contracts.parties import Federation, digest, refusal


@pytest.fixture
def ready(federation: Federation) -> Federation:
    """Return a training whose statistics are finalised."""
    federation.advance(federation.key(0), AttemptState.FINALISED)
    return federation


def publish(federation: Federation, key: AttemptKey, **changes: object) -> AgreedSet:
    """Let a quorum agree to a set and publish it."""
    federation.advance(key, AttemptState.CHECKING)
    agreed = federation.agreed_set(key, **changes)
    federation.agree(key, agreed)
    federation.stranger.publish_set(key, agreed)
    return agreed


def donate(federation: Federation) -> AttemptKey:
    key = federation.key(DONATION)
    publish(federation, key)
    return key


def test_donation_ends_when_its_set_is_published(ready: Federation) -> None:
    key = ready.key(DONATION)
    agreed = publish(ready, key)
    attempt = ready.coordinator.attempt(key)
    assert attempt.state is AttemptState.FINALISED
    assert attempt.result_hash == set_digest(key, agreed)
    training = ready.coordinator.training(ready.training)
    assert training.slices == set_digest(key, agreed)
    assert (training.next_round, training.model) == (1, ready.model)


def test_nobody_votes_on_a_donation(ready: Federation) -> None:
    key = donate(ready)
    before = ready.coordinator.training(ready.training)
    # A finalised attempt still records late votes; they move nothing.
    ready.nodes[0].vote(key, digest("a model"))
    assert ready.coordinator.training(ready.training) == before


def test_slices_are_donated_after_the_statistics_and_once(federation: Federation) -> None:
    model = federation.model
    early = refusal(federation.coordinator.open_attempt, federation.key(DONATION), model)
    assert (early.reason, early.details) == ("WrongRound", {"expected": 0, "actual": DONATION})
    federation.advance(federation.key(0), AttemptState.FINALISED)
    donate(federation)
    again = federation.key(DONATION, 2)
    assert refusal(federation.coordinator.open_attempt, again, model).reason == "WrongRound"


def test_no_donation_once_updates_were_summed(ready: Federation) -> None:
    ready.advance(ready.key(1), AttemptState.FINALISED)
    model = ready.coordinator.training(ready.training).model
    problem = refusal(ready.coordinator.open_attempt, ready.key(DONATION), model)
    assert (problem.reason, problem.details) == ("WrongRound", {"expected": 2, "actual": DONATION})


def test_a_failed_donation_is_tried_again(ready: Federation) -> None:
    ready.advance(ready.key(DONATION), AttemptState.SUBMITTING)
    ready.coordinator.fail(ready.key(DONATION), "a hospital was silent")
    publish(ready, ready.key(DONATION, 2))
    assert ready.coordinator.training(ready.training).slices is not None


def test_ending_a_training_fails_a_running_donation(ready: Federation) -> None:
    ready.advance(ready.key(DONATION), AttemptState.CHECKING)
    ready.coordinator.end_training(ready.training, "stopped on request")
    attempt = ready.coordinator.attempt(ready.key(DONATION))
    assert (attempt.state, attempt.reason) == (AttemptState.FAILED, "stopped on request")


def test_verdicts_and_figures_are_on_record(ready: Federation) -> None:
    key = ready.key(1)
    one, two, three, four = (ledger.account for ledger in ready.hospitals)
    held = int(Bits.IN_RANGE | Bits.IN_NORM)
    publish(
        ready,
        key,
        accepted=(one, two, three),
        weights=(5, 6, 7),
        rejected=(four,),
        review=digest("what was opened"),
        figures=(Figure(one, 16, 15, held), Figure(four, 8, NOTHING_OPENED, held)),
        flagged=(two,),
    )
    verdicts = [record.verdict for record in ready.coordinator.submissions(key)]
    assert verdicts == [Verdict.ACCEPTED] * 3 + [Verdict.REJECTED]
    events = [event for event in ready.coordinator.events() if event.key == key]
    shown = [event.values for event in events if event.name == "Reviewed"]
    assert [
        (v["hospital"], v["balanced_accuracy"], v["reference_accuracy"], v["bits"]) for v in shown
    ] == [(one, 16, 15, held), (four, 8, NOTHING_OPENED, held)]
    (flag,) = [event.values["hospital"] for event in events if event.name == "SliceFlagged"]
    assert flag == two


def test_a_figure_is_of_a_submission(ready: Federation) -> None:
    key = ready.key(1)
    ready.advance(key, AttemptState.CHECKING)
    agreed = ready.agreed_set(key, figures=(Figure(ready.nodes[0].account, 1, 1, 1),))
    ready.agree(key, agreed)
    problem = refusal(ready.stranger.publish_set, key, agreed)
    assert (problem.reason, problem.details) == (
        "NotSubmitted",
        {"hospital": ready.nodes[0].account},
    )


def test_a_round_with_too_few_accepted_keeps_the_model(ready: Federation) -> None:
    key = ready.key(1)
    accounts = [ledger.account for ledger in ready.hospitals]
    publish(
        ready,
        key,
        opens=False,
        keeps=True,
        accepted=tuple(accounts[:2]),
        weights=(0, 0),
        rejected=tuple(accounts[2:]),
        reason="2 were accepted, 3 are needed",
    )
    attempt = ready.coordinator.attempt(key)
    assert (attempt.state, attempt.result_hash) == (AttemptState.FINALISED, ready.model)
    training = ready.coordinator.training(ready.training)
    assert (training.model, training.next_round) == (ready.model, 2)
    ready.advance(ready.key(2), AttemptState.FINALISED, digest("model 2"))
    assert ready.coordinator.training(ready.training).model == digest("model 2")


@pytest.mark.parametrize("round_number", [0, DONATION])
def test_only_rounds_of_updates_keep_a_model(federation: Federation, round_number: int) -> None:
    if round_number:
        federation.advance(federation.key(0), AttemptState.FINALISED)
    key = federation.key(round_number)
    publish(federation, key, opens=False, keeps=True, weights=(0,) * 4, reason="too few")
    assert federation.coordinator.attempt(key).state is AttemptState.FAILED


def test_the_norm_bound_moves_when_a_round_is_finalised(ready: Federation) -> None:
    key = ready.key(1)
    publish(ready, key, norm_bound=70_000)
    assert ready.coordinator.training(ready.training).norm_bound == 0
    for node in ready.nodes[:3]:
        node.vote(key, digest("model 1"))
    assert ready.coordinator.training(ready.training).norm_bound == 70_000
    ready.advance(ready.key(2), AttemptState.OPENED)
    assert ready.coordinator.attempt(ready.key(2)).norm_bound == 70_000
    # What the attempt began with stays on its record.
    assert ready.coordinator.attempt(key).norm_bound == 0


def test_a_set_opens_or_keeps_and_not_both(federation: Federation) -> None:
    with pytest.raises(ValueError, match="opens a sum or keeps the model"):
        AgreedSet(bytes(32), True, (), (), keeps=True)
    with pytest.raises(ValueError, match="review: expected 32 bytes"):
        AgreedSet(bytes(32), True, (), (), review=b"short")
