"""MPII from mpii_annotations.json[.gz]: the list of records that Convolutional Pose Machines introduced, one for each person.

A record has `img_paths`, `isValidation` (1: one of Tompson's 2958), `joint_self` (16 x [x, y, visible]), `objpos`, `scale_provided` and
`joint_others`, all the other annotated people of the image. Numbers are rounded to 0.001.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import read
from paperlib.data.mpii_points import Labels

HEAD_PER_SCALE = 25  # px: 0.6 x the diagonal of the head box is 25 x the scale, to 0.013 px on all 2958 validation people


def read_labels(path: Path, split: str) -> Labels:
    """The people of `split`, in the order of the records. Raises PaperlibError on a file that cannot be read or a record that is not one."""
    records = [r for r in _records(path) if (_field(path, r, "isValidation") == 1) == (split == "valid")]
    scale = _numbers(path, records, "scale_provided", ())
    return Labels(
        images=[str(_field(path, record, "img_paths")) for record in records],
        points=_numbers(path, records, "joint_self", (16, 3)),
        centre=_numbers(path, records, "objpos", (2,)),
        scale=scale,
        head_size=HEAD_PER_SCALE * scale,
        others=[_others(path, record) for record in records],
    )


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
    except (TypeError, ValueError, OverflowError) as error:
        wrong = next((value for value in values if not _is_numbers(value, shape)), error)
        what = " x ".join(map(str, shape)) + " numbers" if shape else "one number"
        raise PaperlibError(f"{path}: '{key}' should be {what}, but is {str(wrong)[:80]}") from error


def _is_numbers(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        return np.array(value, dtype=float).shape == shape
    except (TypeError, ValueError, OverflowError):
        return False


def _others(path: Path, record: dict[str, Any]) -> np.ndarray:
    """(K, 16, 3). MATLAB's writer leaves out the first axis of one person and writes a dictionary for none."""
    points = _field(path, record, "joint_others")
    try:
        return np.array(points if isinstance(points, list) else [], dtype=float).reshape(-1, 16, 3)
    except (TypeError, ValueError, OverflowError) as error:
        raise PaperlibError(f"{path}: 'joint_others' of image '{record.get('img_paths')}' should be K x 16 x 3 numbers") from error
