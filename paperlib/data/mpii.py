"""MPII: the list of records that Convolutional Pose Machines introduced, one for each of the 25,204 people of training and validation.

A record has `img_paths`, `isValidation` (1: one of Tompson's 2958), `joint_self` (16 x [x, y, visible]), `objpos`, `scale_provided` and
`joint_others`. Points are 1-based; a joint at exactly (0, 0) is missing; visible 0 elsewhere means occluded.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import bad_rows, choose, find, image_absent, image_paths, leave_out, read
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.skeleton import MPII

HEAD_PER_SCALE = 25  # px: 0.6 x the diagonal of the head box is 25 x the scale, to 0.013 px on all 2958 validation people


def load_mpii(folder: str | Path, split: str, need_images: bool = True, strict: bool = False) -> People:
    """The people of `split`, "train" or "valid", in the order of <folder>/mpii_annotations.json[.gz]; images in <folder>/images/.

    Centre and scale are the record's own, neither shifted nor enlarged (FACTS C.5), the centre 0-based. The record holds no head box:
    head_size is 25 x its scale (FACTS D.1). The validation rows are those of valid.h5, in its order.
    A person whose image is absent (unless `need_images` is False), or whose row is bad, is left out and counted; `strict` raises at a bad row.
    Raises PaperlibError on a missing, truncated or malformed file.
    """
    choose("split of MPII", split, ("train", "valid"))
    path = find(folder, "mpii_annotations.json", "mpii_annotations.json.gz")
    records = [r for r in _records(path) if (_field(path, r, "isValidation") == 1) == (split == "valid")]

    points = _numbers(path, records, "joint_self", (16, 3))  # (N, 16, 3)
    joints, state = split_points(points)
    scale = _numbers(path, records, "scale_provided", ())
    names = [str(_field(path, record, "img_paths")) for record in records]
    people = People(
        skeleton=MPII,
        image=image_paths(Path(folder) / "images", names),
        joints=joints,
        state=state,
        centre=_numbers(path, records, "objpos", (2,)) - 1,
        scale=scale,
        framed=np.zeros(len(records), bool),
        head_size=HEAD_PER_SCALE * scale,
        others=tuple(split_points(_others(path, record))[0] for record in records),
    )
    bad = bad_rows(people) | {"visible neither 0 nor 1": ~np.isin(points[..., 2], (0, 1)).all(-1)}
    return leave_out(people, path, bad, strict, absent=image_absent(people, need_images))


def split_points(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(..., 3) 1-based x, y, visible -> joints (..., 2), 0-based and NaN where missing, and state (...)."""
    missing = (points[..., :2] == 0).all(-1)
    state = np.where(missing, ABSENT, np.where(points[..., 2] == 0, OCCLUDED, VISIBLE)).astype(np.uint8)
    return np.where(missing[..., None], np.nan, points[..., :2] - 1), state


def _records(path: Path) -> list[dict[str, Any]]:
    def load(path):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            return json.load(file)

    records = read(path, load)
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise PaperlibError(f"{path}: should be a list of records, one a person, but is another kind of JSON")
    return records


def _field(path: Path, record: dict[str, Any], key: str) -> Any:
    try:
        return record[key]
    except KeyError as error:
        raise PaperlibError(f"{path}: the record of image '{record.get('img_paths')}' has no '{key}'; it has {sorted(record)}") from error


def _numbers(path: Path, records: list[dict[str, Any]], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """(N, *shape): the field `key` of every record."""
    values = [_field(path, record, key) for record in records]
    try:
        return np.array(values, dtype=float).reshape(len(records), *shape)
    except (TypeError, ValueError) as error:
        wrong = next((value for value in values if np.shape(value) != shape), error) if shape else error
        raise PaperlibError(f"{path}: '{key}' should be {' x '.join(map(str, shape)) or 'one'} numbers, but is {str(wrong)[:80]}") from error


def _others(path: Path, record: dict[str, Any]) -> np.ndarray:
    """(K, 16, 3). MATLAB's writer leaves out the first axis of one person and writes a dictionary for none."""
    points = _field(path, record, "joint_others")
    try:
        return np.array(points if isinstance(points, list) else [], dtype=float).reshape(-1, 16, 3)
    except (TypeError, ValueError) as error:
        raise PaperlibError(f"{path}: 'joint_others' of image '{record.get('img_paths')}' should be K x 16 x 3 numbers") from error
