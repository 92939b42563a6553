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


def field(path: Path, record: Record, key: str) -> Any:
    """A field of a record. Raises PaperlibError naming the image of a record that lacks it."""
    if key not in record:
        image = record.get("img_paths", record.get("image"))
        raise PaperlibError(
            f"{path}: the record of image '{image}' has no '{key}'; it has {sorted(record)}"
        )
    return record[key]


def numbers(path: Path, records: list[Record], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """(N, *shape): the field `key` of every record. Raises PaperlibError where one has another."""
    found = np.empty((len(records), *shape))
    for i, record in enumerate(records):
        value = field(path, record, key)
        try:
            found[i] = np.array(value, dtype=float).reshape(shape)
        except (TypeError, ValueError, OverflowError) as error:
            what = " x ".join(map(str, shape)) + " numbers" if shape else "one number"
            raise PaperlibError(
                f"{path}: '{key}' should be {what}, but is {str(value)[:80]}"
            ) from error
    return found
