"""MPII from the official mpii_human_pose_v1_u12_1.mat: the struct RELEASE, nested, with empty,
scalar and missing fields.

RELEASE.annolist(i) is an image: .image.name and .annorect, its people, each with annopoints.point
(x, y, id, is_visible), the head box (x1, y1, x2, y2), scale and objpos (x, y). RELEASE.img_train(i)
is 1 where the image is not of the test set, of whose people this file has scale and objpos alone.
RELEASE.single_person{i} lists the people who are sufficiently separated from others. A person
without points is not annotated; is_visible is a number, a character, empty or missing.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat

from paperlib import PaperlibError
from paperlib.data.files import read
from paperlib.data.mpii_h5 import validation_people
from paperlib.data.mpii_points import Labels


def read_labels(path: Path, split_path: Path, split: str, separated: bool) -> Labels:
    """The people of `split`, in the order of the file; `split_path` is the annot/valid.h5 that
    names the validation people.

    head_size is 0 where the head box has no area, NaN where there is no box. Raises PaperlibError
    on a file that cannot be read, that is not MPII's, or that does not have the people that
    `split_path` names.
    """
    validation = validation_people(split_path)
    people = read(path, lambda path: _annotated(_release(path)))
    if absent := validation - {(i, p) for i, _, found, _ in people for p in found}:
        i, p = min(absent)
        raise PaperlibError(
            f"{split_path}: names {len(absent)} validation people whom {path} does not have, "
            f"the first is person {p:g} of image {i:g} (from 0); "
            "take the valid.h5 that was made for this file"
        )
    validation_images = {i for i, _ in validation}
    rows = [
        (image, *person, [other[0] for q, other in found.items() if q != p])
        for i, image, found, alone in people
        for p, person in found.items()
        if ((i, p) in validation if split == "valid" else i not in validation_images)
        and (p in alone or not separated)
    ]
    images, points, centre, scale, head_size, others = (
        zip(*rows, strict=True) if rows else ([],) * 6
    )
    return Labels(
        images=list(images),
        points=np.array(points, float).reshape(-1, 16, 3),
        centre=np.array(centre, float).reshape(-1, 2),
        scale=np.array(scale, float),
        head_size=np.array(head_size, float),
        others=[np.array(points, float).reshape(-1, 16, 3) for points in others],
    )


def read_test_people(path: Path, separated: bool) -> Labels:
    """The people of the test set who have a position, in the order of the file; no joints, no
    heads.

    With `separated` only those whom RELEASE.single_person lists, whom MPII's single-person task
    scores. Raises PaperlibError on a file that cannot be read or that is not MPII's.
    """
    rows = read(path, lambda path: _positioned(_release(path), separated))
    none = np.zeros((0, 16, 3))
    return Labels(
        images=[name for name, _ in rows],
        points=np.zeros((len(rows), 16, 3)),
        centre=np.array([_centre(rect) for _, rect in rows], float).reshape(-1, 2),
        scale=np.array([_number(rect, "scale") for _, rect in rows], float),
        head_size=np.full(len(rows), math.nan),
        others=[none] * len(rows),
    )


def _positioned(release: Any, separated: bool) -> list[tuple[str, Any]]:
    """(image name, struct) of every person of the test images with objpos."""
    return [
        (str(image["image"]["name"]), rect)
        for image, known, alone in _images(release)
        if not known
        for p, rect in enumerate(_structs(image["annorect"]))
        if len(_structs(_field(rect, "objpos"))) and (p in alone or not separated)
    ]


def _images(release: Any) -> list[tuple[Any, bool, list[int]]]:
    """(struct, whether its joints are known, people from 0 who are separated) of every image."""
    images, single = _structs(release["annolist"]), release["single_person"]
    if len(images) == 1:  # reading took the list of one image off its cell
        single = [single]
    known = np.atleast_1d(release["img_train"])
    alone = [(np.atleast_1d(people) - 1).tolist() for people in single]
    return list(zip(images, known.astype(bool).tolist(), alone, strict=True))


def _release(path: Path) -> Any:
    content = loadmat(path, squeeze_me=True)
    release = _structs(content.get("RELEASE"))
    if len(release) != 1 or not {"annolist", "img_train", "single_person"} <= set(
        release.dtype.names
    ):
        names = sorted(name for name in content if not name.startswith("__"))
        raise PaperlibError(
            f"{path}: is not MPII's: it has no struct RELEASE with annolist, img_train and "
            f"single_person, only {names}"
        )
    return release[0]


def _annotated(release: Any) -> list[tuple[int, str, dict[int, tuple], list[int]]]:
    """(i, image name, {p: person}, those who are separated) of every image with known joints; p is
    a place in annorect; i and p from 0."""
    found = []
    for i, (image, known, alone) in enumerate(_images(release)):
        if not known:
            continue
        people = {}
        for p, rect in enumerate(_structs(image["annorect"])):
            points = [
                point
                for note in _structs(_field(rect, "annopoints"))
                for point in _structs(_field(note, "point"))
            ]
            if points:
                people[p] = _person(rect, points)
        found.append((i, str(image["image"]["name"]), people, alone))
    return found


def _person(rect: Any, points: list[Any]) -> tuple[np.ndarray, tuple[float, float], float, float]:
    """Points (16, 3), centre, scale and head size of one annotated person."""
    joints = np.zeros((16, 3))
    for point in points:
        joint, visible = _number(point, "id"), _field(point, "is_visible")
        if joint not in range(16):
            raise ValueError(f"a point has id {joint:g}, MPII's joints are 0 to 15")
        joints[int(joint)] = (
            _number(point, "x"),
            _number(point, "y"),
            1 if visible is None else float(visible),
        )
    width, height = (
        _number(rect, "x2") - _number(rect, "x1"),
        _number(rect, "y2") - _number(rect, "y1"),
    )
    head_size = 0.6 * math.hypot(width, height) if width * height != 0 else 0.0
    return joints, _centre(rect), _number(rect, "scale"), head_size


def _centre(rect: Any) -> tuple[float, float]:
    places = _structs(_field(rect, "objpos"))
    return next(((_number(at, "x"), _number(at, "y")) for at in places), (math.nan, math.nan))


def _structs(value: Any) -> np.ndarray:
    """(K,) a struct array; K is 0 where MATLAB has its empty array, which is no struct."""
    return (
        np.atleast_1d(value) if isinstance(value, np.ndarray) and value.dtype.names else np.empty(0)
    )


def _field(struct: Any, name: str) -> Any:
    """A field of a struct, None where it is missing or empty."""
    value = struct[name] if name in struct.dtype.names else None
    return None if isinstance(value, np.ndarray) and value.size == 0 else value


def _number(struct: Any, name: str) -> float:
    value = _field(struct, name)
    return math.nan if value is None else float(value)
