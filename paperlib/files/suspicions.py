"""Warnings about points that do not look like image pixels in the official order of joints.

The points are scored all the same, and a warning stands beside the score. Each warning rests on how
many joints would be right after the correction that it suggests.
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.skeleton import Skeleton

CLEARLY = 20  # points of score by which another reading must be better
_SQUARES = (48, 62, 64, 72, 80, 96, 128, 192, 224, 248, 256, 288, 320, 368, 384, 512)  # sides, px


def suspicions(
    points: np.ndarray, truth: np.ndarray, limit: np.ndarray, skeleton: Skeleton
) -> list[str]:
    """Lines about points (N, J, 2) px, `truth` (N, J, 2) with NaN where absent, and the distance
    `limit` (N,) px within which a point is right."""
    known = ~np.isnan(truth).any(-1) & (limit > 0)[:, None] & np.isfinite(points).all(-1)  # (N, J)
    there = known & (points != 0).any(-1)
    if not there.any():
        return []
    now = _share(points, truth, limit, known)
    swapped = _share(points[..., ::-1], truth, limit, known)
    if swapped > now + CLEARLY:
        return [
            "x and y look exchanged (rows before columns): the other way round "
            f"{swapped:.1f} % of the joints would be right, not {now:.1f} %"
        ]
    found = _other_joints(points, truth, limit, there, skeleton)
    return found or _other_frame(points, truth, limit, there)


def refuse_another_order(
    path: Path, points: np.ndarray, truth: np.ndarray, limit: np.ndarray
) -> None:
    """Raise PaperlibError if the rows are in another order than the labels: if a quarter of 64
    people fit the labels of other rows, each of a different one, and not their own.

    A person fits with six of ten annotated joints within the limit, and does not fit with fewer
    than three; a poor prediction does neither.
    """
    known = ~np.isnan(truth[..., 0]) & (limit > 0)[:, None]  # (N, J)
    counted = np.maximum(known.sum(1), 5)  # a handful of joints fits by chance
    found = {}
    sample = np.unique(np.linspace(0, len(points) - 1, 64).astype(int))
    for row in sample:
        near = np.linalg.norm(points[row] - truth, axis=-1) <= limit[:, None]
        share = (near & known).sum(1) / counted
        if share[row] < 0.3 and share.max() >= 0.6:
            found[int(row)] = int(share.argmax())
    if len(found) >= len(sample) / 4 and len(set(found.values())) > 0.9 * len(found):
        row, other = next(iter(found.items()))
        raise PaperlibError(
            f"{path}: its people are in another order than the labels: row {row} fits the labels "
            f"of row {other} (from 0), and so do others; give one row a person in the official "
            "order"
        )


def _share(points, truth, limit, known) -> float:
    """Percent of the known joints that are right."""
    near = np.linalg.norm(points - truth, axis=-1) <= limit[:, None]
    return 100 * near[known].mean()


def _other_joints(points, truth, limit, there, skeleton: Skeleton) -> list[str]:
    """Whether the joints would fit better in another order, each one another's."""
    rows = np.unique(np.linspace(0, len(points) - 1, 500).astype(int))
    p, t = np.where(there[rows][..., None], points[rows], np.nan), truth[rows]
    near = np.linalg.norm(p[:, :, None] - t[:, None], axis=-1) <= limit[rows][:, None, None]
    count = (there[rows][:, :, None] & ~np.isnan(t[:, None, :, 0])).sum(0)  # (J, J)
    share = 100 * near.sum(0) / np.maximum(count, 1)  # of each point by each joint of the truth
    now, best = np.diag(share), share.argmax(0)
    used = count.diagonal() > 0
    gain = (share.max(0) - now)[used].mean() if used.any() else 0
    if gain <= CLEARLY or len(set(best[used].tolist())) < 0.8 * used.sum():
        return []
    if (best == skeleton.mirror)[used].mean() > 0.8:
        return [
            f"left and right look exchanged: {gain:.1f} points more of the joints fit the other "
            "side; see --labels for observer-centric ones"
        ]
    moved = [j for j in np.flatnonzero(used) if best[j] != j]
    shown = ", ".join(f"joint {best[j]} fits {skeleton.joints[j]} ({j})" for j in moved[:3])
    return [f"the joints look to be in another order than {skeleton.name}'s: {shown}"]


def _other_frame(points, truth, limit, there) -> list[str]:
    """Whether the points lie in a small square, as cells of a heatmap or pixels of a crop do, or
    fit when each person is moved and resized."""
    found, labelled = points[there], truth[there]
    low, high = np.percentile(found, [0.5, 99.9])
    side = next((s for s in _SQUARES if high <= s + 1), None)
    if side and low >= -2 and np.ptp(found, axis=0).min() > side / 2:
        beyond = 100 * (labelled > side + 1).any(-1).mean()
        if beyond > CLEARLY:
            what = "cells of a heatmap" if side <= 128 else "pixels of a crop or of a resized image"
            return [
                f"the points look like {what}: nearly all lie within "
                f"{low:.0f} and {high:.0f}, and {beyond:.0f} % of the labels do not"
            ]
    now = _share(points, truth, limit, there)
    moved, factor = _fitted(points, truth, there)
    share = _share(moved, truth, limit, there)
    if share > max(now + CLEARLY, 70):
        return [
            "the points look like pixels of a crop or of a resized image: with each person moved "
            f"and made {factor:.2f} times as large, {share:.1f} % of the joints would be right, "
            f"not {now:.1f} %"
        ]
    return []


def _fitted(points, truth, there) -> tuple[np.ndarray, float]:
    """Each person's points with their labels' centre and spread; the median scale."""
    weight = there[..., None] / np.maximum(there.sum(1), 1)[:, None, None]  # (N, J, 1)
    p, t = np.where(there[..., None], points, 0), np.where(there[..., None], truth, 0)
    centre_p, centre_t = (weight * p).sum(1, keepdims=True), (weight * t).sum(1, keepdims=True)
    spread_p, spread_t = (
        np.sqrt((weight * (x - c) ** 2).sum((1, 2), keepdims=True))
        for x, c in ((p, centre_p), (t, centre_t))
    )
    scale = spread_t / np.maximum(spread_p, 1e-9)
    return (points - centre_p) * scale + centre_t, float(np.median(scale[there.any(1)]))
