"""How a pose is scored: PCK and PCKh, their area, precision and recall, and intervals. Shares are
in percent; conventions.py names what is counted.

Points are (N, J, 2) in pixels: N people, J joints. A share is taken over annotated joints; an
annotated joint without a prediction is wrong.
"""

from dataclasses import dataclass

import numpy as np

from paperlib import PaperlibError
from paperlib.conventions import Convention
from paperlib.conventions import convention as convention  # a score is always of one
from paperlib.people import OCCLUDED, VISIBLE
from paperlib.skeleton import Skeleton


@dataclass(frozen=True)
class Scores:
    """Shares in percent, unrounded; NaN where nothing is annotated. A group is the mean of its
    joints (left and right); in `visible` and `occluded` a group's joints are pooled, because few
    are occluded (FACTS D.6). `curve` is the total within 0, 0.01, 0.02, ... reference lengths, up
    to `threshold`: its last is `total`, its area `auc`."""

    people: int
    threshold: float
    groups: dict[str, float]
    joints: dict[str, float]
    total: float
    auc: float
    curve: list[float]
    visible: dict[str, float] | None
    occluded: dict[str, float] | None


def normalised_errors(
    predicted: np.ndarray, truth: np.ndarray, reference: np.ndarray
) -> np.ndarray:
    """(N, J) distance / reference length. NaN where the truth is NaN or a person has no positive
    reference: left out. inf where the truth is there and the prediction is not finite: wrong.
    `reference` is (N,) px."""
    predicted, truth, reference = (np.asarray(a, float) for a in (predicted, truth, reference))
    same = predicted.shape == truth.shape and reference.shape == truth.shape[:1]
    if not same or truth.shape[-1:] != (2,):
        raise PaperlibError(
            f"points {predicted.shape}, truth {truth.shape} and reference lengths "
            f"{reference.shape} do not belong together"
        )
    errors = np.square(predicted[..., 0] - truth[..., 0])
    errors += np.square(predicted[..., 1] - truth[..., 1])
    np.sqrt(errors, out=errors)
    errors /= np.where(reference > 0, reference, np.nan)[:, None]
    counts = ~np.isnan(truth[..., 0] + truth[..., 1]) & (reference > 0)[:, None]
    errors[np.isnan(errors) & counts] = np.inf
    return errors


def _counts(
    errors: np.ndarray, thresholds: np.ndarray, strict: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Right joints (J, K) within each of K increasing thresholds, and annotated ones (J,)."""
    joints, k = errors.shape[1], len(thresholds)
    first = _first_within(errors, thresholds, strict)
    first += (k + 1) * np.arange(joints)
    histogram = np.bincount(first.ravel(), minlength=joints * (k + 1)).reshape(joints, k + 1)
    return histogram[:, :k].cumsum(axis=1), len(errors) - np.count_nonzero(np.isnan(errors), axis=0)


def _first_within(errors: np.ndarray, thresholds: np.ndarray, strict: bool) -> np.ndarray:
    """(N, J) index of the first threshold that each error is within; K, their number, where there
    is none or the error is NaN."""
    steps = np.diff(thresholds)
    if len(steps) < 2 or np.ptp(steps) > steps[0] / 4:
        first = np.searchsorted(thresholds, errors, side="right" if strict else "left")
        return np.where(np.isnan(errors), len(thresholds), first)
    # evenly spaced: the nearest threshold is the one, unless the error is beyond it; in place,
    # twice as fast as a search
    nearest = errors - thresholds[0]
    nearest /= steps[0]
    np.fmax(np.fmin(nearest, len(steps), out=nearest), 0, out=nearest)
    first = np.rint(nearest, out=nearest).astype(np.intp)
    limit = thresholds.take(first, out=nearest)
    first += ~(errors < limit if strict else errors <= limit)
    return first


def _percent(right: np.ndarray, annotated: np.ndarray) -> np.ndarray:
    nothing = np.full(np.broadcast(right, annotated).shape, np.nan)
    return np.divide(100.0 * right, annotated, out=nothing, where=annotated > 0)


def pck_curve(errors: np.ndarray, thresholds: np.ndarray, strict: bool = False) -> np.ndarray:
    """(J, K) percent of each joint's annotated people within each of K thresholds; `errors` (N, J)
    as of normalised_errors. A pooled curve is that of errors.reshape(-1, 1)."""
    right, annotated = _counts(errors, np.asarray(thresholds, float), strict)
    return _percent(right, annotated[:, None])


def pck(errors: np.ndarray, threshold: float, strict: bool = False) -> float:
    """Percent of all annotated joints in `errors` (any shape) within the threshold; NaN where none
    is annotated."""
    right = errors < threshold if strict else errors <= threshold
    return float(_percent(right.sum(), (~np.isnan(errors)).sum()))


def auc(curve: np.ndarray, thresholds: np.ndarray) -> np.ndarray | float:
    """Mean height of a piecewise linear curve (..., K) over its thresholds: percent in, percent
    out."""
    return np.trapezoid(curve, thresholds) / (thresholds[-1] - thresholds[0])


def score(
    predicted,
    truth,
    reference,
    skeleton: Skeleton,
    rule: Convention,
    state: np.ndarray | None = None,
) -> Scores:
    """Everything a table prints. `predicted` and `truth` (N, J, 2) px in the same frame,
    `reference` (N,) px, `state` (N, J) of people.py."""
    errors = normalised_errors(predicted, truth, reference)
    if errors.shape[1] != len(skeleton):
        raise PaperlibError(f"{errors.shape[1]} joints, but {skeleton.name} has {len(skeleton)}")
    thresholds = np.arange(round(100 * rule.threshold) + 1) / 100  # 0, 0.01, ... as the toolkits'
    right, annotated = _counts(errors, thresholds, rule.strict)
    curves = _percent(right, annotated[:, None])  # (J, K)
    used = [skeleton.index(joint) for joint in rule.joints]
    pooled = _percent(right[used].sum(0), annotated[used].sum())
    total = pooled if rule.total == "pooled" else curves[used].mean(0)  # (K,)
    columns = {name: list(members) for name, members in skeleton.groups}
    if rule.head:
        columns["head"] = [skeleton.index(joint) for joint in rule.head]

    def only(flag: int) -> dict[str, float] | None:
        if state is None:
            return None
        these = np.where(state == flag, errors, np.nan)
        shares = [pck(these[:, m], rule.threshold, rule.strict) for m in columns.values()]
        return dict(zip(columns, shares, strict=True))

    return Scores(
        people=len(errors),
        threshold=rule.threshold,
        groups={name: float(curves[members, -1].mean()) for name, members in columns.items()},
        joints=dict(zip(skeleton.joints, curves[:, -1].tolist(), strict=True)),
        total=float(total[-1]),
        auc=float(auc(total, thresholds)),
        curve=total.tolist(),
        visible=only(VISIBLE),
        occluded=only(OCCLUDED),
    )


def wrong_person(predicted, truth, others, reference, threshold: float = 0.5) -> float:
    """Percent of annotated joints that are missed but lie within `threshold` reference lengths of
    the same joint of another person.

    `others` are N arrays (K_i, J, 2) px: the other labelled people of each image (`People.others`).
    """
    errors = normalised_errors(predicted, truth, reference)
    rows = np.repeat(np.arange(len(errors)), [len(other) for other in others])
    theirs = normalised_errors(
        np.asarray(predicted)[rows],
        np.concatenate([np.empty((0, *truth.shape[1:])), *others]),
        reference[rows],
    )
    near = np.zeros(errors.shape, bool)
    np.logical_or.at(near, rows, theirs <= threshold)
    return float(_percent((near & (errors > threshold)).sum(), (~np.isnan(errors)).sum()))


def heatmap_accuracy(predicted, target, joints=None) -> float:
    """The accuracy that the Torch code prints while it trains, in percent (FACTS C.7): maps (B, J,
    H, W), tensors or arrays.

    A joint is right if the two arg-maxima lie within half a tenth of the map's side. One whose
    target peaks in the first row or column (or is empty) is left out. Mean over `joints` (indices;
    all if None) of each joint's share; NaN where no joint can be judged.
    """
    return _mean_share(*_peak_distance(predicted, target), joints)


def point_accuracy(predicted, target, known, joints=None) -> float:
    """heatmap_accuracy of points (B, J, 2) in sides of the crop, where `known` (B, J) is true."""
    distance = np.linalg.norm(np.asarray(predicted) - np.asarray(target), axis=-1)
    return _mean_share(distance <= 0.5 / 10, np.asarray(known), joints)


def _mean_share(hits: np.ndarray, known: np.ndarray, joints) -> float:
    """Percent of `hits` among `known` (B, J), mean over `joints` that are known at all."""
    shares = _percent((hits & known).sum(0), known.sum(0))
    shares = shares if joints is None else shares[list(joints)]
    return float(shares[~np.isnan(shares)].mean()) if not np.isnan(shares).all() else float("nan")


def _peak_distance(predicted, target) -> tuple[np.ndarray, np.ndarray]:
    """(B, J) whether the arg-maxima are close, and whether the target has one that counts."""
    side = target.shape[-1]
    p, t = (_peaks(maps) for maps in (predicted, target))  # (B, J, 2)
    return np.linalg.norm(p - t, axis=-1) / (side / 10) <= 0.5, (t > 0).all(-1)


def _peaks(maps) -> np.ndarray:
    """(B, J, 2) cell x, y of each map's maximum; (0, 0) where nothing is above 0. The search runs
    where the maps live."""
    flat = maps.reshape(*maps.shape[:2], -1)
    cell = flat.argmax(-1) * (flat > 0).any(-1)
    cell = cell.cpu().numpy() if hasattr(cell, "cpu") else cell
    return np.stack([cell % maps.shape[-1], cell // maps.shape[-1]], -1)


def precision_recall(scores: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall in 0..1 at every distinct score, lowest first, closed by (1, 0):
    scikit-learn's order. `scores` (N,) finite, `positive` (N,) bool. Without a positive, recall is
    NaN."""
    scores, positive = np.ravel(scores), np.ravel(positive).astype(bool)
    if scores.shape != positive.shape or not len(scores) or not np.isfinite(scores).all():
        raise PaperlibError(
            f"precision and recall need one finite score for each label; got {scores.shape} "
            f"scores, {positive.shape} labels"
        )
    order = np.argsort(-scores, kind="stable")
    # the last of each run of equal scores
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = positive[order].cumsum()[last]
    precision = hits / (last + 1)
    recall = hits / hits[-1] if hits[-1] else np.full(len(hits), np.nan)
    return np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0)


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Precision averaged over recall, without interpolation: sum of (R_n - R_n-1) P_n. In 0..1; NaN
    without a positive."""
    precision, recall = precision_recall(scores, positive)
    return float(-(np.diff(recall) * precision[:-1]).sum())


def bootstrap_interval(
    correct, annotated, seed: int = 0, n: int = 2000, against=None
) -> tuple[float, float]:
    """95 % interval of the pooled share, in percent, over people drawn with replacement: `correct`
    and `annotated` (N, J) bool. With `against`, another system's `correct` on the same people: the
    interval of the difference (this minus that), paired."""
    correct, annotated = np.asarray(correct, bool), np.asarray(annotated, bool)
    rival = np.zeros_like(correct) if against is None else np.asarray(against, bool)
    if not correct.shape == annotated.shape == rival.shape or not annotated.any():
        raise PaperlibError(
            f"bootstrap needs equal, non-empty (people, joints) tables; got {correct.shape}, "
            f"{annotated.shape}, {rival.shape}"
        )
    right = ((correct & annotated).sum(1) - (rival & annotated).sum(1)).astype(float)  # (N,)
    drawn = np.random.default_rng(seed).integers(len(right), size=(n, len(right)), dtype=np.int32)
    shares = _percent(right[drawn].sum(1), annotated.sum(1)[drawn].sum(1))
    low, high = np.nanpercentile(shares, [2.5, 97.5])
    return float(low), float(high)
