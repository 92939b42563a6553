"""What an annotator would write down of a drawn picture: joints and their states, MPII's rough box,
and who covers which pixel."""

from dataclasses import dataclass

import numpy as np

from companion.drawn import drawing
from companion.drawn.body import FACE, SEGMENTS, Body
from paperlib.people import ABSENT, OCCLUDED, VISIBLE

_LEGS = np.array([0, 1, 4, 5])  # ankles and knees: absent behind furniture
# nose, eyes and ears: where they look
_FACING = np.array([(0, 0, 1), (0.35, 0, 1), (-0.35, 0, 1), (1, 0, 0), (-1, 0, 0)]).T
# upper neck to head top, part of the standing height: 33.3 of 200 in the MPII files
_HEAD_PART = 1 / 6


@dataclass(frozen=True)
class Person:
    """One labelled person, in image pixels; absent points are NaN."""

    joints: np.ndarray  # (16, 2) MPII order
    state: np.ndarray  # (16,)
    face: np.ndarray  # (5, 2) nose, left and right eye, left and right ear
    face_state: np.ndarray  # (5,)
    height: float  # the standing height, px
    label: int  # its segments are label .. label + 10 in the scene's map


def annotate(body: Body, index: int, labels: np.ndarray, size: tuple[int, int]) -> Person:
    """A joint is visible where its own adjoining segments lie on top, absent out of the frame, a
    leg's joint also behind furniture."""
    points = np.concatenate([body.joints, body.points[FACE, :2]])
    top, cut = drawing.labels_at(labels, points), outside(points, size)
    cut[16:] |= body.head[2] @ _FACING < -0.1  # the far side of a head is not labelled
    cut[_LEGS] |= top[_LEGS] == drawing.FURNITURE
    face_seen = top[16:] == drawing.label_of(index, 2)
    seen = np.concatenate([drawing.own(top[:16], index), face_seen])
    state = np.where(cut, ABSENT, np.where(seen, VISIBLE, OCCLUDED)).astype(np.uint8)
    points[cut] = np.nan
    labelled = points[:16], state[:16], points[16:], state[16:]
    return Person(*labelled, body.height, drawing.label_of(index))


def outside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(...) bool: which points (..., 2) lie out of a picture of `size` (width, height)."""
    return ((points < 0) | (points > np.array(size) - 1)).any(-1)


def mpii_box(rng: np.random.Generator, person: Person) -> tuple[np.ndarray, float]:
    """(centre (2,), scale) as annotators give them: 0.03 x the head's length, never so small that
    250 x scale cuts the person; both a little off."""
    known = person.joints[person.state != ABSENT]
    low, high = known.min(0), known.max(0)
    by_head = 0.03 * _HEAD_PART * person.height * rng.lognormal(0, 0.05)
    scale = max(by_head, (high - low).max() / 225)
    return (low + high) / 2 + scale * (rng.normal(0, (4, 4)) - (0, 10)), float(scale)


def silhouette(labels: np.ndarray, first: int) -> np.ndarray:
    """(H, W) uint8: 1 where a person, of labels first .. first + 10, is on top."""
    top = labels[:: drawing.OVERSAMPLING, :: drawing.OVERSAMPLING]
    return ((top >= first) & (top < first + len(SEGMENTS))).astype(np.uint8)
