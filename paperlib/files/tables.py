"""Points in tables: a row a person or a row a point, columns that name joints in any order.

What a table names is read by name; only a table without names is read by position. Files of other
kinds that name their joints, an array or a record each, come here as tables too.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paperlib import PaperlibError
from paperlib.files.joint_names import (
    Column,
    in_order,
    joint_called,
    of_skeleton,
    read_column,
    refuse_unknown,
    words_of,
)
from paperlib.files.text_tables import Table, is_number, is_picture, numbers_in
from paperlib.skeleton import Skeleton

_PERSON = {"person", "personid", "personidx", "personindex", "personnumber", "people", "pid", "ppl"}
_PERSON |= {"individual", "individuals", "subject", "instance", "sample", "sampleid", "annid"}
_INDEX = {"", "id", "idx", "index", "row", "rowid", "number", "n", "nr", "unnamed0"}
_IMAGE = {"image", "imageid", "imagename", "imagefile", "imagepath", "img", "imgid", "imgname"}
_IMAGE |= {"imgpath", "images", "file", "filename", "filepath", "path", "frame", "frameid", "photo"}
_JOINT = {"joint", "jointname", "jointid", "jointidx", "jointindex", "keypoint", "keypointname"}
_JOINT |= {"keypointid", "kp", "kpt", "bodypart", "bodyparts", "part", "landmark", "joints"}
_NO_JOINT = {"bbox", "box", "center", "centre", "objpos", "image", "img", "headbox", "size"}


@dataclass(frozen=True)
class Block:
    """Points as one file holds them, people first: of named joints, or of joints in some order."""

    values: np.ndarray  # (N, K, 2 or 3) float64: x, y and perhaps a score or a flag
    joints: tuple[str, ...] | None = None  # K names of any skeleton, or None: by position
    people: list | None = None  # N labels that tell the people's order
    images: list | None = None  # N names or numbers of images
    best: np.ndarray | None = None  # (N,) score of each person as a whole
    left_out: tuple[str, ...] = ()  # joints in the file that the data set has not
    whole: str = (
        ""  # "coco" (a third value is its flag), "predict" (of `paperlib predict`), "array"
    )


def block_of(table: Table, path: Path, skeleton: Skeleton, gaps: bool = False) -> Block:
    """The points of a table.

    `gaps`: an empty cell is a joint without annotation, as in a truth. Raises PaperlibError that
    names the row and the column of a cell that is no number, a joint that is unknown or there
    twice, and a joint of which one coordinate is missing.
    """
    if table.header is None:
        return _by_position(table, path, skeleton, gaps)
    columns = [read_column(name) for name in table.header]
    keys = ["".join(words_of(name)) for name in table.header]
    bare = {
        column.field: i for i, column in enumerate(columns) if not column.words and column.field
    }
    joint = next((i for i, key in enumerate(keys) if key in _JOINT), None)
    if joint is None and {"x", "y"} <= bare.keys():
        joint = next((i for i, key in enumerate(keys) if key in ("name", "label", "id")), None)
    if joint is not None and {"x", "y"} <= bare.keys():
        return _long(table, path, skeleton, (joint, bare, keys), gaps)
    if _only_axes(columns) or _numbered(table.header, keys):
        return _by_position(table, path, skeleton, gaps)
    return _wide(table, path, skeleton, columns, gaps)


# --- a row a person -----------------------------------------------------------------------------


def _wide(table: Table, path: Path, skeleton: Skeleton, columns: list[Column], gaps: bool) -> Block:
    joints, left_out = _joints_of(columns, path, skeleton)
    fields = (
        ("x", "y", "score") if any(len(found) == 3 for found in joints.values()) else ("x", "y")
    )
    values = np.full((len(table.cells), len(joints), len(fields)), np.nan)
    for k, found in enumerate(joints.values()):
        for c, field in enumerate(fields):
            if field in found:
                values[:, k, c] = numbers_in(table, [found[field]], path, gaps or field == "score")[
                    :, 0
                ]
    names = None if any(isinstance(joint, int) for joint in joints) else tuple(joints)
    people, images = _keys(table)
    return Block(values, names, people, images, left_out=left_out)


def _joints_of(columns: list[Column], path: Path, skeleton: Skeleton) -> tuple[dict, tuple]:
    """({joint: {field: column}}, joints left out). Numbered joints come in their numbers' order."""
    joints, unknown = {}, []
    for i, column in enumerate(columns):
        if column.field in ("x", "y") and column.joint is None and column.words:
            if "".join(words_of(column.words)) not in _NO_JOINT:
                unknown.append(column.words)
        elif column.field in ("x", "y") or (column.field and column.joint is not None):
            found = joints.setdefault(0 if column.joint is None else column.joint, {})
            if column.field != "score" and column.field in found:
                twice = f"{columns[found[column.field]].text!r} and {column.text!r}"
                raise PaperlibError(
                    f"{path}: the columns {twice} both give {column.field} of one joint; keep one"
                )
            found.setdefault(column.field, i)  # the first of a flag and a confidence
    joints = {joint: found for joint, found in joints.items() if {"x", "y"} & found.keys()}
    _refuse_halves(joints, columns, path)
    if unknown and not any(isinstance(joint, str) for joint in joints):
        refuse_unknown(path, unknown[0], skeleton)
    if not joints:
        shown = ", ".join(repr(column.text) for column in columns[:4])
        raise PaperlibError(
            f"{path}: its columns {shown}, ... name no joints with x and y; name them as "
            f"{skeleton.joints[0]}_x, {skeleton.joints[0]}_y, or leave the header out"
        )
    if all(isinstance(joint, int) for joint in joints):
        return in_order(joints, path), ()
    unknown += [str(joint) for joint in joints if isinstance(joint, int)]
    return of_skeleton(joints, unknown, path, skeleton)


def _refuse_halves(joints: dict, columns: list[Column], path: Path) -> None:
    for found in joints.values():
        if missing := {"x", "y"} - found.keys():
            held = columns[min(found.values())].text
            raise PaperlibError(f"{path}: it has {held!r}, but no {missing.pop()} of that joint")


# --- no names -----------------------------------------------------------------------------------


def _only_axes(columns: list[Column]) -> bool:
    """x, y, x, y, ... or x, x, ..., y, y, ...: names that say the axis, and no joint."""
    axes = [column.field for column in columns if column.field in ("x", "y")]
    named = any(column.words for column in columns if column.field in ("x", "y"))
    return len(axes) > 2 and not named and axes.count("x") == axes.count("y")


def _numbered(header: list[str], keys: list[str]) -> bool:
    """0, 1, 2, ... or V1, V2, ... or col_0, col_1, ...: counted, and not named."""
    names = [
        name for name, key in zip(header, keys, strict=True) if key not in _PERSON | _INDEX | _IMAGE
    ]
    found = [words_of(name) for name in names]
    if not found or any(not words or not words[-1].isdigit() for words in found):
        return False
    counts = [int(words[-1]) for words in found]
    return (
        len({tuple(words[:-1]) for words in found}) == 1
        and len(counts) > 2
        and (counts == list(range(counts[0], counts[0] + len(counts))))
    )


def _by_position(table: Table, path: Path, skeleton: Skeleton, gaps: bool) -> Block:
    """x, y (and a score) of each joint in turn; x of all, then y of all if the header says so."""
    keys = ["".join(words_of(name)) for name in table.header or []]
    known = _PERSON | _INDEX | _IMAGE
    used = [i for i in range(table.cells.shape[1]) if i >= len(keys) or keys[i] not in known]
    people, images = _keys(table) if table.header else (None, None)
    if not table.header and used and not is_number(table.cells[0, 0]):
        images, used = list(table.cells[:, 0]), used[1:]
    elif not table.header and len(used) in (2 * len(skeleton) + 1, 3 * len(skeleton) + 1):
        if _count_up(list(table.cells[:, 0])):
            people, used = list(table.cells[:, 0]), used[1:]
    size = 3 if len(used) == 3 * len(skeleton) else 2
    order = np.arange(len(used))
    if table.header:
        fields = [read_column(table.header[i]).field for i in used]
        axes = {axis: [i for i, field in enumerate(fields) if field == axis] for axis in ("x", "y")}
        if axes["x"] and len(axes["x"]) == len(axes["y"]):
            size, order = 2, np.array([axes["x"], axes["y"]]).T.ravel()
    if len(order) % size:
        raise PaperlibError(
            f"{path}: cannot be read as points: {len(used)} columns are not x, y of "
            f"{len(skeleton)} joints, nor x, y and a score of each"
        )
    numbers = numbers_in(table, [used[i] for i in order], path, gaps)
    return Block(numbers.reshape(len(numbers), -1, size), None, people, images)


# --- a row a point ------------------------------------------------------------------------------


def _long(table: Table, path: Path, skeleton: Skeleton, where: tuple, gaps: bool) -> Block:
    """Columns joint (a name, or an index from 0 or 1), x, y, and what tells the people apart."""
    joint, bare, keys = where
    labels = [str(cell).strip() for cell in table.cells[:, joint]]
    names, left_out = _long_joints(labels, path, skeleton)
    numbers = numbers_in(table, [bare["x"], bare["y"]], path, gaps)
    if "score" in bare:
        scores = numbers_in(table, [bare["score"]], path, True)
        numbers = np.column_stack([numbers, scores])
    images, people = _long_people(table, keys, joint, labels)
    nobody = [""] * len(labels)
    rows, persons = pd.factorize(pd.MultiIndex.from_arrays([images or nobody, people or nobody]))
    joints = list(dict.fromkeys(name for name in names.values() if name is not None))
    if isinstance(joints[0], int):
        joints = list(range(max(joints) + 1))
    column = np.array([joints.index(names[o]) if names[o] is not None else -1 for o in labels])
    used = column >= 0
    at = (rows[used], column[used])
    values = np.full((len(persons), len(joints), numbers.shape[1]), np.nan)
    values[at] = numbers[used]
    count = np.zeros(values.shape[:2], int)
    np.add.at(count, at, 1)
    _refuse_counts(path, count, [" ".join(filter(None, who)) for who in persons], joints, gaps)
    return Block(
        values,
        None if isinstance(joints[0], int) else tuple(joints),
        [who for _, who in persons] if people else None,
        [image for image, _ in persons] if images else None,
        left_out=left_out,
    )


def _long_people(table: Table, keys: list[str], joint: int, labels: list[str]) -> tuple:
    """(image, person) of each row; without either, the k-th row of a joint is of person k."""
    images, people = _key_column(table, keys, _IMAGE), _key_column(table, keys, _PERSON)
    if people is None:
        people = _key_column(table, keys, _INDEX - {keys[joint]})
        people = None if people and len(set(people)) == len(people) else people  # counts the rows
    if images is None and people is None:
        people = [str(n) for n in pd.Series(labels).groupby(labels).cumcount()]
    return images, people


def _refuse_counts(path: Path, count: np.ndarray, persons: list[str], joints: list, gaps: bool):
    """Every person has each joint once; a joint that nobody has is absent from the file."""
    if (count > 1).any():
        person, k = np.argwhere(count > 1)[0]
        raise PaperlibError(
            f"{path}: person {persons[person]}, joint {joints[k]} is there twice; give each point "
            "once"
        )
    missing = (count == 0) & (count > 0).any(0)
    if missing.any() and not gaps:
        person, k = np.argwhere(missing)[0]
        raise PaperlibError(
            f"{path}: person {persons[person]} has no row of joint {joints[k]}, which would be "
            "NaN; give every person each joint"
        )


def _key_column(table: Table, keys: list[str], group: set[str]) -> list[str] | None:
    """The cells of the first column whose name is in `group`."""
    column = next((i for i, key in enumerate(keys) if key in group), None)
    return None if column is None else [str(cell).strip() for cell in table.cells[:, column]]


def _long_joints(labels: list[str], path: Path, skeleton: Skeleton) -> tuple[dict, tuple]:
    """({label: joint, a number or None where the skeleton has no such joint}, those left out)."""
    found = {label: joint_called(label) for label in dict.fromkeys(labels)}
    numbers = {
        label: column.joint
        for label in found
        if isinstance((column := read_column(label)).joint, int)
    }
    if len(numbers) == len(found):
        first = 1 if min(numbers.values()) == 1 and max(numbers.values()) == len(skeleton) else 0
        if wrong := [label for label, n in numbers.items() if n - first >= len(skeleton)]:
            refuse_unknown(path, wrong[0], skeleton)
        return {label: n - first for label, n in numbers.items()}, ()
    unknown = [label for label, joint in found.items() if joint is None]
    joints = dict.fromkeys(joint for joint in found.values() if joint)
    kept, left_out = of_skeleton({joint: {} for joint in joints}, unknown, path, skeleton)
    return {label: joint if joint in kept else None for label, joint in found.items()}, left_out


# --- cells --------------------------------------------------------------------------------------


def _keys(table: Table) -> tuple[list | None, list | None]:
    """The columns that say who a row is and in which image; an index only if it counts the rows."""
    found = {}
    for i, name in enumerate(table.header or []):
        key, cells = "".join(words_of(name)), [str(cell).strip() for cell in table.cells[:, i]]
        if key in _PERSON:
            found.setdefault("person", cells)
        elif key in _INDEX and _count_up(cells):
            found.setdefault("index", cells)
        elif key in _IMAGE or (key in _INDEX | {"name"} and all(map(is_picture, cells))):
            found.setdefault("image", cells)
    return found.get("person", found.get("index")), found.get("image")


def _count_up(cells: list) -> bool:
    """Whether the cells are consecutive whole numbers, each once, in any order."""
    try:
        numbers = np.sort([int(str(cell).strip()) for cell in cells])
    except ValueError:
        return False
    return len(numbers) > 0 and (np.diff(numbers) == 1).all()
