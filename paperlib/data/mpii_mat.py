"""MPII from the official mpii_human_pose_v1_u12_1.mat: the struct RELEASE, nested, with empty,
scalar and missing fields.

RELEASE.annolist(i) is an image: .image.name and .annorect, its people, each with annopoints.point
(x, y, id, is_visible), the head box (x1, y1, x2, y2), scale and objpos (x, y). RELEASE.img_train(i)
is 1 where the image is not of the test set, of whose people this file has scale and objpos alone.
RELEASE.single_person{i} lists the people who are sufficiently separated from others. A person
without points is not annotated; is_visible is a number, a character, empty or missing.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from paperlib import PaperlibError
from paperlib.data.files import read
from paperlib.data.mpii_labels import Labels, of_split


def read_labels(path: Path, who: Path | None, split: str, separated: bool) -> Labels:
    """The people of `split`, in the order of the file; `who` is the annot/valid.h5 that names the
    validation people, None for the test set.

    Of the test set they are those with a position, without joints and heads. `separated` asks only
    for those whom RELEASE.single_person lists. head_size is 0 where the head box has no area, NaN
    where there is no box. Raises PaperlibError on a file that cannot be read, that is not MPII's,
    or that lacks people whom `who` names.
    """
    rows = read(path, lambda path: list(_people(_release(path), split == "test")))
    columns = zip(*rows, strict=True) if rows else ([],) * 7
    images, places, alone, points, centre, scale, head_size = columns
    wanted = np.array(alone, bool) | (not separated)
    if who:
        wanted &= of_split(path, who, split, list(places))
    return Labels(
        images=list(images),
        points=np.array(points, float).reshape(-1, 16, 3),
        centre=np.array(centre, float).reshape(-1, 2),
        scale=np.array(scale, float),
        head_size=np.array(head_size, float),
        wanted=wanted,
        others=[np.empty((0, 16, 3))] * len(rows) if split == "test" else None,
    )


def _release(path: Path) -> Any:
    content = loadmat(path, squeeze_me=True)
    release = _structs(content.get("RELEASE"))
    parts = {"annolist", "img_train", "single_person"}
    if len(release) != 1 or not parts <= set(release.dtype.names):
        names = sorted(name for name in content if not name.startswith("__"))
        raise PaperlibError(
            f"{path}: is not MPII's: it has no struct RELEASE with annolist, img_train and "
            f"single_person, only {names}"
        )
    return release[0]


def _people(release: Any, test: bool) -> Iterator[tuple]:
    """(image name, (image, person) from 0, whether separated, points (16, 3), centre, scale, head
    size) of the annotated people, or with `test` of the test set's who have a position."""
    images, single = _structs(release["annolist"]), release["single_person"]
    if len(images) == 1:  # reading took the list of one image off its cell
        single = [single]
    known = np.atleast_1d(release["img_train"]).astype(bool).tolist()
    for i, (image, labelled, listed) in enumerate(zip(images, known, single, strict=True)):
        alone, name = np.atleast_1d(listed) - 1, str(image["image"]["name"])
        for p, rect in enumerate(_structs(image["annorect"])):
            position, notes = _structs(_field(rect, "objpos")), _structs(_field(rect, "annopoints"))
            points = [point for note in notes for point in _structs(_field(note, "point"))]
            if labelled != test and len(position if test else points):
                centre = [_number(at, axis) for at in position[:1] for axis in "xy"]
                joints = np.zeros((16, 3)) if test else _joints(points)
                head_size = math.nan if test else _head_size(rect)
                person = joints, centre or [math.nan] * 2, _number(rect, "scale"), head_size
                yield name, (i, p), p in alone, *person


def _joints(points: list[Any]) -> np.ndarray:
    """(16, 3) x, y, visible, zeros where there is no point."""
    joints = np.zeros((16, 3))
    for point in points:
        joint, visible = _number(point, "id"), _field(point, "is_visible")
        if joint not in range(16):
            raise ValueError(f"a point has id {joint:g}, MPII's joints are 0 to 15")
        visible = 1 if visible is None else float(visible)
        joints[int(joint)] = _number(point, "x"), _number(point, "y"), visible
    return joints


def _head_size(rect: Any) -> float:
    width, height = (_number(rect, f"{axis}2") - _number(rect, f"{axis}1") for axis in "xy")
    return 0.6 * math.hypot(width, height) if width * height != 0 else 0.0


def _structs(value: Any) -> np.ndarray:
    """(K,) a struct array; K is 0 where MATLAB has its empty array, which is no struct."""
    is_struct = isinstance(value, np.ndarray) and value.dtype.names
    return np.atleast_1d(value) if is_struct else np.empty(0)


def _field(struct: Any, name: str) -> Any:
    """A field of a struct, None where it is missing or empty."""
    value = struct[name] if name in struct.dtype.names else None
    return None if isinstance(value, np.ndarray) and value.size == 0 else value


def _number(struct: Any, name: str) -> float:
    value = _field(struct, name)
    return math.nan if value is None else float(value)
