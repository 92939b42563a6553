"""Label files that are a JSON list of records, one a person; every field is checked when taken."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import read

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """The records of a .json or .json.gz file: a list, or jsonlab's {"root": list}.

    Raises PaperlibError on a file that cannot be read or is another kind of JSON.
    """

    def load(path):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            return json.load(file)

    records = read(path, load)
    if isinstance(records, dict):
        records = records.get("root")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise PaperlibError(
            f"{path}: should be a list of records, one a person, but is another kind of JSON"
        )
    return records


def image_of(record: Record) -> Any:
    return record.get("img_paths", record.get("image"))


def field(path: Path, record: Record, key: str) -> Any:
    """A field of a record. Raises PaperlibError naming the image of a record that lacks it."""
    try:
        return record[key]
    except KeyError as error:
        raise PaperlibError(
            f"{path}: the record of image '{image_of(record)}' has no '{key}'; "
            f"it has {sorted(record)}"
        ) from error


def numbers(path: Path, records: list[Record], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """(N, *shape): the field `key` of every record. Raises PaperlibError where one has another."""
    values = [field(path, record, key) for record in records]
    try:
        return np.array(values, dtype=float).reshape(len(records), *shape)
    except (TypeError, ValueError, OverflowError) as error:
        wrong = next((value for value in values if not _is_numbers(value, shape)), error)
        what = " x ".join(map(str, shape)) + " numbers" if shape else "one number"
        raise PaperlibError(
            f"{path}: '{key}' should be {what}, but is {str(wrong)[:80]}"
        ) from error


def _is_numbers(value: Any, shape: tuple[int, ...]) -> bool:
    try:
        return np.array(value, dtype=float).shape == shape
    except (TypeError, ValueError, OverflowError):
        return False
