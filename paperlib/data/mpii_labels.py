"""What the sets of MPII files have in common: 1-based points, a joint at exactly (0, 0) is missing,
visible 0 elsewhere means occluded."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import read_h5
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
    # (N,) bool: who is asked for; the rest are there as their neighbours. None: all are
    wanted: np.ndarray | None = None
    # N arrays (K_i, 16, 3); None: the other N - 1, as far as they are in the same image
    others: list[np.ndarray] | None = None
    left_out: dict[str, int] = field(default_factory=dict)  # why records are missing -> how many
    unstated: tuple[str, ...] = ()  # as of People


def with_missing(xy: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """(N, 16, 3) of points (N, 16, 2) and flags (N, 16): zeros where a point is (0, 0) or
    (-1, -1)."""
    missing = (xy == 0).all(-1) | (xy == -1).all(-1)
    return np.where(missing[..., None], 0, np.dstack([xy, visible]))


def split_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., 3) 1-based x, y, visible -> joints (..., 2), 0-based and NaN where missing, and state
    (...)."""
    missing = (points[..., :2] == 0).all(-1)
    state = np.where(missing, ABSENT, np.where(points[..., 2] == 0, OCCLUDED, VISIBLE))
    return np.where(missing[..., None], np.nan, points[..., :2] - 1), state.astype(np.uint8)


def of_split(path: Path, who: Path, split: str, places: list[tuple[int, int]]) -> np.ndarray:
    """(N,) bool: the people of `split` among `places`, the (image, person) of each in the official
    .mat, from 0.

    `who` is Newell's annot/valid.h5, whose `index` and `person` name the validation people;
    training is whoever shares no image with them. Raises PaperlibError where `path`, whose people
    they are, lacks some of them.
    """
    stored = read_h5(who, {"index": (None,), "person": (None,)})
    validation = set(zip(stored["index"].tolist(), stored["person"].tolist(), strict=True))
    if absent := validation - set(places):
        i, p = min(absent)
        raise PaperlibError(
            f"{who}: names {len(absent)} validation people whom {path} does not have, the first is "
            f"person {p:g} of image {i:g} (from 0); take the valid.h5 that was made for this file"
        )
    images = {i for i, _ in validation}
    return np.array(
        [place in validation if split == "valid" else place[0] not in images for place in places],
        bool,
    )
