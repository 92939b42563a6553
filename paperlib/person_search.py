"""The person in a photograph, found by the pose network itself.

It was trained on crops with a person in the middle, of a known height; its heatmaps are high where
that holds and low elsewhere. So it looks through boxes of several sizes all over the picture, and
the box with the highest mean of the joints' confidences is the person's. How well this works, and
how long it takes, is measured by benchmarks/person_search.py.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from paperlib.photograph import people_in, see
from paperlib.predict import folded
from paperlib.weights import Weights

# Chosen on training people by benchmarks/person_search.py, which reports on others.
HEIGHTS = tuple(0.75**i for i in range(6))  # of the first boxes / the picture's longer side
STEP = 0.3  # from one of the first boxes to the next, in parts of their height
KEPT = 3  # of the first boxes, to be refined
MOVES = ((0, 0, 1), (1, 0, 1), (-1, 0, 1), (0, 1, 1), (0, -1, 1), (0, 0, 1.15), (0, 0, 1 / 1.15))
MOVE = 0.075  # in parts of the height
LOOK = 4  # the picture that is looked through has a longer side of so many crops
LEAST = 8  # px: the shorter side of a picture in which there is nothing to look for


@dataclass(frozen=True)
class Found:
    """Where the person is: a box (x0, y0, x1, y1), whole px, and of how many it was the best."""

    box: tuple[float, float, float, float]
    boxes: int

    @property
    def words(self) -> str:
        """What was assumed, and how the box was chosen."""
        if self.boxes == 1:
            return "one person, who fills the picture: it is too small to look for one in it"
        return f"one person, looked for in {self.boxes} boxes: the one with the highest confidence"


def find_person(weights: Weights, photo: np.ndarray) -> Found:
    """The box in `photo` (H, W, 3) uint8 in which the network of `weights` is surest of a person.

    Two passes: all over the picture; then around the best few, over the mirrored image as well.
    """
    height, width = photo.shape[:2]
    if min(height, width) < LEAST:
        return Found((0.0, 0.0, width - 1.0, height - 1.0), 1)
    zoom = min(1.0, LOOK * weights.codec.side / max(height, width))
    size = max(1, round(width * zoom)), max(1, round(height * zoom))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if zoom < 1 else photo
    weights = replace(weights, model=folded(weights.model))  # a tenth faster
    first = boxes_all_over(size)
    best = first[distinct(first, _sureness(weights, small, first, flip=False))]
    second = boxes_around(best, size)
    box = second[np.argmax(_sureness(weights, small, second, flip=True))]
    return Found(_whole_pixels(box, size, (width, height)), len(first) + len(second))


def boxes_all_over(size: tuple[int, int]) -> np.ndarray:
    """(N, 4) boxes of HEIGHTS, STEP apart, in a picture of `size` (width, height) px."""
    squares = []
    for height in max(size) * np.array(HEIGHTS):
        across, down = (_places(length, height) for length in size)
        squares += [(x, y, height) for y in down for x in across]
    return _clipped(np.array(squares), size)


def boxes_around(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(N x M, 4): each of `boxes` (N, 4) moved a little to all sides, made larger and smaller."""
    height = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)[:, None]  # (N, 1)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    moves = np.array(MOVES, float)  # (M, 3) right, down, larger
    moved = centre[:, None] + MOVE * height[..., None] * moves[:, :2]  # (N, M, 2)
    squares = np.concatenate([moved, (height * moves[:, 2])[..., None]], axis=-1)
    return _clipped(squares.reshape(-1, 3), size)


def distinct(boxes: np.ndarray, sureness: np.ndarray) -> list[int]:
    """The rows of the KEPT surest of `boxes` (N, 4) that are no near double of a surer one."""
    centre, height = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    kept: list[int] = []
    for i in np.argsort(-sureness, kind="stable"):
        apart = np.linalg.norm(centre[kept] - centre[i], axis=1)
        near = apart < MOVE * 2 * np.minimum(height[kept], height[i])
        alike = np.abs(np.log(height[kept] / height[i])) < np.log(1.3)
        if not (near & alike).any():
            kept.append(int(i))
        if len(kept) == KEPT:
            break
    return kept


def _sureness(weights: Weights, photo: np.ndarray, boxes: np.ndarray, flip: bool) -> np.ndarray:
    """(N,) the mean confidence of the joints in each of `boxes` (N, 4)."""
    people = people_in(weights.codec.skeleton, photo.shape[1::-1], boxes)
    return see(weights, photo, people, (1.0,), flip)[1].mean(axis=1)


def _places(length: float, height: float) -> np.ndarray:
    """Middles of intervals of `height` that cover 0..length - 1; the middle where one is enough."""
    if length <= height:
        return np.array([(length - 1) / 2])
    count = int(np.ceil((length - height) / (STEP * height))) + 1
    return np.linspace(height / 2, length - height / 2, count) - 0.5


def _clipped(squares: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Squares (N, 3), middle and side, as boxes (N, 4) inside a picture of `size`."""
    half = squares[:, 2:] / 2
    last = np.array(size) - 1.0
    low, high = squares[:, :2] - half, squares[:, :2] + half
    return np.concatenate([np.clip(low, 0, last), np.clip(high, 0, last)], axis=1)


def _whole_pixels(box: np.ndarray, small: tuple[int, int], size: tuple[int, int]) -> tuple:
    """A box of the `small` picture in that of `size`, rounded, so that it can be typed again."""
    zoom = np.array(size * 2) / np.array(small * 2)
    whole = np.rint((box + 0.5) * zoom - 0.5)
    return tuple(np.clip(whole, 0, np.array(size * 2) - 1.0).tolist())
