"""Each convention at its edges, the curves, precision-recall against scikit-learn, and intervals
that cover what was planted."""

import numpy as np
import pytest
import torch

from paperlib import PaperlibError, metrics
from paperlib.conventions import CONVENTIONS, convention
from paperlib.metrics import score
from paperlib.people import OCCLUDED, VISIBLE
from paperlib.skeleton import FLIC, LSP, MPII

SKELETON = {"mpii": MPII, "lsp": LSP, "flic": FLIC}
EVERY = [(dataset, rule) for dataset, rules in CONVENTIONS.items() for rule in rules]


def people(skeleton, n=4, seed=0):
    """Truth in whole pixels and a reference length of 64 px, so that distances and their quotients
    are exact."""
    truth = np.random.default_rng(seed).integers(100, 300, (n, len(skeleton), 2)).astype(float)
    return truth, np.full(n, 64.0)


@pytest.mark.parametrize(
    ("dataset", "rule"), EVERY, ids=lambda value: getattr(value, "name", value)
)
def test_the_edge_belongs_to_the_convention(dataset, rule):
    truth, _ = people(SKELETON[dataset])
    reference = np.full(len(truth), 8.0 / rule.threshold)  # the threshold is 8 px
    at_edge = score(truth + [8.0, 0.0], truth, reference, SKELETON[dataset], rule)
    inside = score(truth + [7.999, 0.0], truth, reference, SKELETON[dataset], rule)
    outside = score(truth + [8.001, 0.0], truth, reference, SKELETON[dataset], rule)
    assert (inside.total, outside.total) == (100, 0)
    assert at_edge.total == (0 if rule.strict else 100)


def test_strictness_is_as_documented():
    assert {rule.name: rule.strict for rule in CONVENTIONS["mpii"]} == {
        "official": False,
        "headtop": False,
        "unweighted14": True,
        "pooled16": True,
        "hard10": False,
        "torch-training": False,
    }


def test_official_mpii_pools_14_joints_and_unweighted_means_them():
    truth, reference = people(MPII, n=10)
    predicted = truth.copy()
    truth[1:, MPII.index("right_ankle")] = np.nan  # one annotated ankle, and it is wrong
    predicted[:, [MPII.index("pelvis"), MPII.index("right_ankle")]] += 1000
    rules = {
        rule.name: score(predicted, truth, reference, MPII, rule) for rule in CONVENTIONS["mpii"]
    }
    assert rules["official"].total == pytest.approx(100 * 130 / 131)
    assert rules["unweighted14"].total == pytest.approx(100 * 13 / 14)
    assert rules["pooled16"].total == pytest.approx(100 * 140 / 151)
    assert rules["hard10"].total == pytest.approx(90)
    assert rules["official"].groups["ankle"] == 50  # mean of left and right, not pooled
    assert rules["official"].joints["pelvis"] == 0


def test_head_column():
    truth, reference = people(MPII)
    predicted = truth.copy()
    predicted[:, MPII.index("upper_neck")] += 1000
    columns = {
        rule.name: score(predicted, truth, reference, MPII, rule).groups["head"]
        for rule in CONVENTIONS["mpii"]
    }
    assert columns["official"] == 50 and columns["headtop"] == columns["unweighted14"] == 100


def test_swapped_sides_are_wrong():
    truth, _ = people(LSP)
    swapped = score(truth[:, LSP.mirror], truth, np.ones(len(truth)), LSP, convention("lsp"))
    assert swapped.groups["head"] == 100
    assert all(swapped.groups[part] == 0 for part in ("wrist", "hip", "ankle"))
    assert swapped.total == pytest.approx(100 * 2 / 14)


def test_missing_truth_is_left_out_and_missing_prediction_is_wrong():
    truth, reference = people(MPII, n=2)
    predicted = truth.copy()
    predicted[0, 0] = np.nan
    predicted[0, 1, 0] = np.inf
    truth[0, 2] = np.nan
    predicted[0, 2] = np.nan
    errors = metrics.normalised_errors(predicted, truth, reference)
    assert np.isinf(errors[0, :2]).all() and np.isnan(errors[0, 2])
    assert metrics.pck(errors, 0.5) == pytest.approx(100 * 29 / 31)
    assert np.isnan(metrics.normalised_errors(truth, truth, np.array([np.nan, 0.0]))).all()


def test_nothing_annotated_is_nan_not_zero():
    truth, reference = people(MPII, n=3)
    result = score(truth, np.full_like(truth, np.nan), reference, MPII, convention("mpii"))
    assert np.isnan(result.total) and np.isnan(result.groups["head"]) and np.isnan(result.auc)


def test_normalised_error_is_distance_over_reference():
    errors = metrics.normalised_errors(
        np.array([[[3.0, 4.0]]]), np.zeros((1, 1, 2)), np.array([10.0])
    )
    assert errors[0, 0] == 0.5


def test_shapes_that_do_not_belong_together():
    truth, reference = people(MPII)
    with pytest.raises(PaperlibError, match="belong together"):
        metrics.normalised_errors(truth[:1], truth, reference)
    with pytest.raises(PaperlibError, match="14"):
        score(truth[:, :14], truth[:, :14], reference, MPII, convention("mpii"))


@pytest.mark.parametrize("strict", [False, True])
def test_curve_equals_one_pass_per_threshold(strict):
    rng = np.random.default_rng(1)
    errors = rng.integers(0, 80, (200, 16)) / 100  # many exactly at a threshold
    errors[rng.random(errors.shape) < 0.1] = np.nan
    errors[rng.random(errors.shape) < 0.1] = np.inf
    errors[:, 3] = np.nan
    thresholds = np.arange(51) / 100
    naive = np.array(
        [[metrics.pck(errors[:, j], t, strict) for t in thresholds] for j in range(16)]
    )
    np.testing.assert_array_equal(metrics.pck_curve(errors, thresholds, strict), naive)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "thresholds",
    [
        np.arange(51) / 100,
        np.arange(21) / 100,
        [0.5],
        [0.1, 0.5],
        [0.1, 0.2, 0.5],
        0.05 + np.arange(7) / 20,
    ],
)
def test_curve_of_any_thresholds_also_on_their_edges(thresholds, strict):
    rng = np.random.default_rng(2)
    errors = np.concatenate(
        [
            rng.uniform(0, 0.7, (300, 3)),
            rng.integers(0, 60, (300, 3)) / 100,
            np.arange(153).reshape(51, 3) / 100,
        ]
    )
    errors[rng.random(errors.shape) < 0.1] = np.nan
    errors[rng.random(errors.shape) < 0.1] = np.inf
    known = (~np.isnan(errors)).sum(0)
    expected = [
        100 * ((errors < t) if strict else (errors <= t)).sum(0) / known for t in thresholds
    ]
    np.testing.assert_allclose(
        metrics.pck_curve(errors, np.asarray(thresholds), strict), np.array(expected).T, rtol=1e-12
    )


def test_a_joint_put_on_another_person_is_told_from_one_that_is_lost():
    truth, reference = people(MPII)  # right within 32 px
    beside = truth[:, None] + [200.0, 0.0]
    others = (
        beside[0],
        np.empty((0, 16, 2)),
        beside[2],
        np.concatenate([beside[3] + 500, beside[3]]),
    )
    predicted = truth.copy()
    predicted[:, :4] += [200.0, 0.0]  # four joints of each, on another person where there is one
    predicted[:, 4] += [0.0, 200.0]  # one lost
    truth[2, 0] = np.nan  # not annotated: not counted
    assert metrics.wrong_person(predicted, truth, others, reference) == pytest.approx(
        100 * (4 + 3 + 4) / (4 * 16 - 1)
    )
    # two people at one place: what is right is not wrong
    near = tuple(t[None] + [1.0, 0.0] for t in truth)
    assert metrics.wrong_person(truth, truth, near, reference) == 0


def test_auc_is_the_mean_height():
    thresholds = np.arange(51) / 100
    assert metrics.auc(np.full(51, 40.0), thresholds) == pytest.approx(40)
    assert metrics.auc(np.linspace(0, 100, 51), thresholds) == pytest.approx(50)
    truth, reference = people(MPII, n=3)
    assert score(truth, truth, reference, MPII, convention("mpii")).auc == pytest.approx(100)


def test_visible_and_occluded_pool_their_group():
    truth, reference = people(MPII, n=4)
    predicted, state = truth.copy(), np.full(truth.shape[:2], VISIBLE)
    left, right = MPII.index("left_wrist"), MPII.index("right_wrist")
    state[:3, left] = state[0, right] = OCCLUDED
    predicted[0, right] += 1000
    result = score(predicted, truth, reference, MPII, convention("mpii"), state)
    # three right of four; the mean of left and right would be 50
    assert result.occluded["wrist"] == 75
    assert result.visible["wrist"] == 100
    assert np.isnan(result.occluded["knee"])
    assert score(predicted, truth, reference, MPII, convention("mpii")).visible is None


def test_unknown_names():
    with pytest.raises(PaperlibError, match="official"):
        convention("mpii", "pckh")
    with pytest.raises(PaperlibError, match="lsp"):
        convention("coco")


def maps(*cells, side=64, height=1.0):
    """(len(cells), 1, side, side): one peak each at (x, y)."""
    out = np.zeros((len(cells), 1, side, side))
    for i, (x, y) in enumerate(cells):
        out[i, 0, y, x] = height
    return out


def test_heatmap_accuracy_edges():
    target = maps((30, 30), (30, 30), (30, 30), (30, 30), (0, 20), (20, 0))
    predicted = maps((33, 30), (34, 30), (31, 33), (31, 34), (20, 20), (20, 20))
    # 3 px and sqrt(10) px are within 3.2 px, 4 px and sqrt(17) px are not; targets in the first row
    # or column do not count
    assert metrics.heatmap_accuracy(predicted, target) == 50
    assert metrics.heatmap_accuracy(torch.tensor(predicted), torch.tensor(target)) == 50


def test_heatmap_accuracy_means_the_joints_it_can_judge():
    target = np.concatenate(
        [maps((30, 30), (30, 30)), maps((10, 10), (0, 0)), np.zeros((2, 1, 64, 64))], axis=1
    )
    predicted = np.concatenate(
        [maps((30, 30), (40, 40)), maps((10, 10), (9, 9)), maps((9, 9), (9, 9))], axis=1
    )
    # joints of 50 % and 100 %, and one without a target
    assert metrics.heatmap_accuracy(predicted, target) == 75
    assert metrics.heatmap_accuracy(predicted, target, [0]) == 50
    assert np.isnan(metrics.heatmap_accuracy(predicted, target, [2]))


def test_a_map_without_a_positive_value_points_at_the_corner():
    # (0, 0) is within 3.2 px of (2, 2)
    assert metrics.heatmap_accuracy(maps((2, 2), height=0) - maps((1, 1)), maps((2, 2))) == 100
    assert metrics.heatmap_accuracy(maps((30, 30)) - 2, maps((30, 30))) == 0


@pytest.mark.parametrize("levels", [3, 40, 10**9])
def test_precision_recall_equals_scikit_learn(levels):
    oracle = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(levels)
    positive = rng.random(500) < 0.77
    scores = np.floor((positive * 0.3 + rng.random(500)) * levels)  # few levels: many ties
    precision, recall, _ = oracle.precision_recall_curve(positive, scores)
    ours = metrics.precision_recall(scores, positive)
    np.testing.assert_allclose(ours[0], precision, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours[1], recall, rtol=0, atol=1e-12)
    assert metrics.average_precision(scores, positive) == pytest.approx(
        oracle.average_precision_score(positive, scores), abs=1e-12
    )


def test_average_precision_at_the_ends():
    assert metrics.average_precision(np.arange(10), np.arange(10) >= 5) == 1
    # chance: the base rate
    assert metrics.average_precision(np.zeros(10), np.arange(10) < 3) == pytest.approx(0.3)
    assert np.isnan(metrics.average_precision(np.arange(3), np.zeros(3)))
    with pytest.raises(PaperlibError, match="finite"):
        metrics.average_precision(np.array([0.1, np.nan]), np.array([1, 0]))


def drawn(rng, n=300, joints=10, rate=0.8):
    """People who differ: each has an own rate around `rate`."""
    own = np.clip(rate + rng.uniform(-0.2, 0.2, (n, 1)), 0, 1)
    return rng.random((n, joints)) < own, rng.random((n, joints)) < 0.9


def test_bootstrap_covers_the_planted_share():
    rng = np.random.default_rng(3)
    inside = 0
    for seed in range(60):
        low, high = metrics.bootstrap_interval(*drawn(rng), seed=seed, n=400)
        inside += low <= 80 <= high
        assert 1 < high - low < 8
    assert 51 <= inside <= 60  # 95 % of 60 is 57


def test_paired_bootstrap_finds_a_small_planted_gain():
    rng = np.random.default_rng(4)
    weak, annotated = drawn(rng, n=800)
    strong = weak | (rng.random(weak.shape) < 0.1)  # about two points better on the same people
    low, high = metrics.bootstrap_interval(strong, annotated, against=weak)
    gain = 100 * ((strong & ~weak) & annotated).sum() / annotated.sum()
    assert 0 < low < gain < high and high - low < 1
    unpaired = [metrics.bootstrap_interval(system, annotated) for system in (weak, strong)]
    assert high - low < (unpaired[0][1] - unpaired[0][0]) / 2
    assert metrics.bootstrap_interval(strong, annotated, against=strong) == (0, 0)
    low, high = metrics.bootstrap_interval(
        rng.random(weak.shape) < 0.5, annotated, against=rng.random(weak.shape) < 0.5
    )
    assert low < 0 < high


def test_bootstrap_repeats_with_its_seed_and_is_percent():
    correct, annotated = drawn(np.random.default_rng(5))
    assert metrics.bootstrap_interval(correct, annotated, 1) == metrics.bootstrap_interval(
        correct, annotated, 1
    )
    assert metrics.bootstrap_interval(correct, annotated, 1) != metrics.bootstrap_interval(
        correct, annotated, 2
    )
    assert metrics.bootstrap_interval(annotated, annotated) == (100, 100)
    with pytest.raises(PaperlibError):
        metrics.bootstrap_interval(correct, np.zeros_like(annotated))
