"""What the sets of MPII files have in common: 1-based points, a joint at exactly (0, 0) is missing,
visible 0 elsewhere means occluded."""

from dataclasses import dataclass, field

import numpy as np

from paperlib.people import ABSENT, OCCLUDED, VISIBLE

HEAD_PER_SCALE = 25  # px: what 0.6 x the head box's diagonal is, to 0.013 px on validation


@dataclass(frozen=True)
class Labels:
    """N people as their file has them: in 1-based image px, centre and scale neither shifted nor
    enlarged."""

    images: list[str]  # N file names
    points: np.ndarray  # (N, 16, 3) x, y, visible; (0, 0) where missing
    centre: np.ndarray  # (N, 2)
    scale: np.ndarray  # (N,)
    head_size: np.ndarray  # (N,) px: 0.6 x the diagonal of the head box
    others: list[np.ndarray]  # N arrays (K_i, 16, 3)
    left_out: dict[str, int] = field(default_factory=dict)  # why records are missing -> how many
    unstated: tuple[str, ...] = ()  # as of People


def split_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., 3) 1-based x, y, visible -> joints (..., 2), 0-based and NaN where missing, and state
    (...)."""
    missing = (points[..., :2] == 0).all(-1)
    state = np.where(missing, ABSENT, np.where(points[..., 2] == 0, OCCLUDED, VISIBLE)).astype(
        np.uint8
    )
    return np.where(missing[..., None], np.nan, points[..., :2] - 1), state
