"""A hospital's report on a model: counts that add up, areas under curves, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss as entropy_loss
from sklearn.metrics import roc_auc_score

from fl.errors import MessageError
from fl.evaluation import (
    BINS,
    Evaluation,
    area_under_curve,
    evaluation_of,
    log_loss,
    read_evaluation,
    score_counts,
)
from fl.messages import pack, unpack
from fl.networks import NetworkSpec, initial_parameters
from fl.training import evaluate

FOUND = Evaluation(((5, 1), (2, 8)), ((50, 0), (3, 40)), ((6, *(0,) * 49), (*(0,) * 49, 10)))


def spread(**counts: int) -> tuple[int, ...]:
    """Counts by bin, from "b7=3"."""
    given = {int(name[1:]): count for name, count in counts.items()}
    return tuple(given.get(place, 0) for place in range(BINS))


@pytest.mark.parametrize(
    ("negative", "positive", "area"),
    [
        (spread(b0=3), spread(b49=2), 1.0),
        (spread(b49=3), spread(b0=2), 0.0),
        (spread(b20=3), spread(b20=2), 0.5),
        # Pairs: (10, 10) ties, (10, 30) and (20, 30) right, (20, 10) wrong: 2.5 of 4.
        (spread(b10=1, b20=1), spread(b10=1, b30=1), 0.625),
        # 8 of 9 pairs: Hanley and McNeil's W with S = 1 or 0.
        (spread(b5=1, b15=1, b35=1), spread(b25=1, b40=1, b45=1), 8 / 9),
    ],
)
def test_area_is_the_share_of_pairs_in_order(
    negative: tuple[int, ...], positive: tuple[int, ...], area: float
) -> None:
    assert area_under_curve((negative, positive)) == pytest.approx(area)


def test_area_of_one_class_is_not_defined() -> None:
    assert area_under_curve((spread(b1=4), spread())) is None


def test_area_from_bins_is_that_of_the_binned_scores_and_near_that_of_the_scores() -> None:
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 2, 400)
    scores = np.clip(generator.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    counts = score_counts(scores, labels)
    binned = np.minimum((scores * BINS).astype(int), BINS - 1)
    area = area_under_curve(counts.tolist())
    assert area == pytest.approx(roc_auc_score(labels, binned))
    tied = (counts[0] * counts[1]).sum() / (counts[0].sum() * counts[1].sum())
    assert abs(area - roc_auc_score(labels, scores)) <= tied / 2


def test_loss_from_bins_is_that_of_their_middles_and_near_that_of_the_scores() -> None:
    generator = np.random.default_rng(5)
    labels = generator.integers(0, 2, 400)
    scores = np.clip(generator.normal(0.4 + 0.2 * labels, 0.15), 0.05, 0.95)
    middles = (np.minimum((scores * BINS).astype(int), BINS - 1) + 0.5) / BINS
    loss = log_loss(score_counts(scores, labels).tolist())
    assert loss == pytest.approx(entropy_loss(labels, middles))
    assert loss == pytest.approx(entropy_loss(labels, scores), abs=0.01)


def test_no_rows_have_no_loss_and_those_of_one_class_do() -> None:
    assert log_loss((spread(), spread())) is None
    assert log_loss((spread(b0=3), spread(b49=1))) == pytest.approx(-np.log(0.99))
    assert log_loss((spread(b49=2), spread())) == pytest.approx(-np.log(0.01))


def test_scores_fall_into_bins_with_their_lower_edge() -> None:
    counts = score_counts(np.array([0.0, 0.019, 0.02, 0.99, 1.0]), np.array([0, 0, 1, 1, 1]))
    assert counts[0].tolist() == list(spread(b0=2))
    assert counts[1].tolist() == list(spread(b1=1, b49=2))


def test_evaluation_judges_test_and_training_rows_apart() -> None:
    spec = NetworkSpec("mlp", 3, 2)
    parameters = initial_parameters(spec, 7)
    generator = np.random.default_rng(1)
    test, train = (
        (generator.normal(size=(n, 3)).astype(np.float32), generator.integers(0, 2, n))
        for n in (20, 50)
    )
    found = evaluation_of(spec, parameters, test, train)
    assert np.array(found.test).tolist() == evaluate(spec, parameters, *test).tolist()
    assert np.array(found.train).tolist() == evaluate(spec, parameters, *train).tolist()
    assert np.array(found.scores).sum(axis=1).tolist() == np.bincount(test[1]).tolist()
    # Bins below one half are those of rows that the model takes for the first class.
    assert np.array(found.scores)[:, : BINS // 2].sum() == np.array(found.test)[:, 0].sum()


def test_three_classes_have_no_scores() -> None:
    spec = NetworkSpec("mlp", 3, 3)
    rows = (np.zeros((3, 3), dtype=np.float32), np.array([0, 1, 2]))
    found = evaluation_of(spec, initial_parameters(spec, 7), rows, rows)
    assert found.scores == ()
    assert read_evaluation(found.body(), 3) == found


def test_a_report_is_read_as_it_was_written() -> None:
    assert read_evaluation(FOUND.body(), 2) == FOUND


def test_a_report_has_masked_counts_or_none_of_before() -> None:
    for groups in (b"", bytes(range(64))):
        said = replace(FOUND, groups=groups)
        assert read_evaluation(said.body(), 2) == said
    assert len(unpack(FOUND.body(), list, list, list)) == 3


def test_a_report_of_before_is_read() -> None:
    assert read_evaluation(pack([[5, 1], [2, 8]]), 2) == Evaluation(((5, 1), (2, 8)))


def test_a_report_on_statistics_judges_nothing() -> None:
    assert read_evaluation(pack([]), 2) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        pack(),
        pack(1),
        pack([1]),
        pack([[1, 2]]),
        pack([[1, 2], [3]]),
        pack([[1, -2], [3, 4]]),
        pack([[1, True], [3, 4]]),
        pack([[1, 2**31], [3, 4]]),
        pack([[1, 2], [3, 4]], []),
        pack([[1, 2], [3, 4]], [[1, 2], [3, 4]], []),
        pack([[1, 2], [3, 4]], [], [list(spread()), list(spread())]),
        pack([[1, 2], [3, 4]], [[1, 2], [3, 4]], [list(spread())]),
        pack([[1, 2], [3, 4]], [[1, 2], [3, 4]], [[1], [2]]),
        pack([[1, 2], [3, 4]], [[1, 2], [3, 4]], [list(spread()), list(spread())], [1]),
        pack([[1, 2], [3, 4]], [[1, 2], [3, 4]], [list(spread()), list(spread())], b"", b""),
    ],
)
def test_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError):
        read_evaluation(body, 2)
