"""Points in tables: a row a person or a row a point, columns that name joints in any order.

What a table names is read by name; only a table without names is read by position. Files of other
kinds that name their joints, an array or a record each, come here as tables too.
"""

import numpy as np
import pandas as pd

from paperlib.files.joint_names import (
    Column,
    joint_called,
    kept_joints,
    read_column,
    unknown_joint,
    words_of,
)
from paperlib.files.points import File, Points
from paperlib.files.text_tables import count_up, has_header, is_number, is_picture, numbers_in

_PERSON = {"person", "personid", "personidx", "personindex", "personnumber", "people", "pid", "ppl"}
_PERSON |= {"individual", "individuals", "subject", "instance", "sample", "sampleid", "annid"}
_INDEX = {"", "id", "idx", "index", "row", "rowid", "number", "n", "nr", "unnamed0"}
_IMAGE = {"image", "imageid", "imagename", "imagefile", "imagepath", "img", "imgid", "imgname"}
_IMAGE |= {"imgpath", "images", "file", "filename", "filepath", "path", "frame", "frameid", "photo"}
_KEYS = _PERSON | _INDEX | _IMAGE
_JOINT = {"joint", "jointname", "jointid", "jointidx", "jointindex", "keypoint", "keypointname"}
_JOINT |= {"keypointid", "kp", "kpt", "bodypart", "bodyparts", "part", "landmark", "joints"}
_NO_JOINT = {"bbox", "box", "center", "centre", "objpos", "image", "img", "headbox", "size"}


def points_of(file: File, table: pd.DataFrame) -> Points:
    """The points of a table. Raises PaperlibError that names the row and the column of a cell that
    is no number, a joint that is unknown or there twice, and a joint of which one coordinate is
    missing."""
    if not has_header(table):
        return _by_position(file, table, [])
    columns = [read_column(name) for name in table.columns]
    bare = {c.field: i for i, c in enumerate(columns) if c.field and not c.words}
    if {"x", "y"} <= bare.keys():
        for names in (_JOINT, {"name", "label", "id"}):
            if (joint := next(iter(_called(table, names)), None)) is not None:
                return _a_row_a_point(file, table, joint, bare)
    if _only_axes(columns) or _counted(table):
        return _by_position(file, table, columns)
    return _a_row_a_person(file, table, columns)


def _called(table: pd.DataFrame, names: set[str]) -> list[int]:
    """The columns whose name, without spaces and marks, is one of `names`."""
    return [i for i, name in enumerate(table.columns) if "".join(words_of(name)) in names]


def _cells(table: pd.DataFrame, column: int) -> list[str]:
    return [str(cell).strip() for cell in table.iloc[:, column]]


# --- a row a person -----------------------------------------------------------------------------


def _a_row_a_person(file: File, table: pd.DataFrame, columns: list[Column]) -> Points:
    joints, notes = _joints_of(file, columns)
    scored = any("score" in found for found in joints.values())
    fields = ("x", "y", "score") if scored else ("x", "y")
    values = np.full((len(table), len(joints), len(fields)), np.nan)
    for k, found in enumerate(joints.values()):
        for c, field in enumerate(fields):
            if field in found:
                gaps = file.gaps or field == "score"
                values[:, k, c] = numbers_in(file, table, [found[field]], gaps)[:, 0]
    names = None if any(isinstance(joint, int) for joint in joints) else tuple(joints)
    return Points(values, names, *_whose(table), notes=notes)


def _joints_of(file: File, columns: list[Column]) -> tuple[dict, tuple[str, ...]]:
    """({joint: {field: column}}, notes). Numbered joints come in their numbers' order."""
    joints, unknown = {}, []
    for i, column in enumerate(columns):
        on_axis = column.field in ("x", "y")
        if on_axis and column.joint is None and column.words:
            if "".join(words_of(column.words)) not in _NO_JOINT:
                unknown.append(column.words)
        elif on_axis or (column.field and column.joint is not None):
            found = joints.setdefault(0 if column.joint is None else column.joint, {})
            if on_axis and column.field in found:
                twice = f"{columns[found[column.field]].text!r} and {column.text!r}"
                raise file.error(
                    f"the columns {twice} both give {column.field} of one joint; keep one"
                )
            found.setdefault(column.field, i)  # the first of a flag and a confidence
    joints = {joint: found for joint, found in joints.items() if {"x", "y"} & found.keys()}
    for found in joints.values():
        if missing := {"x", "y"} - found.keys():
            held = columns[min(found.values())].text
            raise file.error(f"it has {held!r}, but no {missing.pop()} of that joint")
    numbers = sorted(joint for joint in joints if isinstance(joint, int))
    if unknown and len(numbers) == len(joints):
        raise unknown_joint(file, unknown[0])
    if not joints:
        shown = ", ".join(repr(column.text) for column in columns[:4])
        first = file.skeleton.joints[0]
        raise file.error(
            f"its columns {shown}, ... name no joints with x and y; name them as {first}_x, "
            f"{first}_y, or leave the header out"
        )
    if len(numbers) < len(joints):
        return kept_joints(file, joints, [*unknown, *map(str, numbers)])
    if numbers not in (list(range(len(numbers))), list(range(1, len(numbers) + 1))):
        raise file.error(
            f"its joints are numbered {', '.join(map(str, numbers[:6]))}, ...; number all of them "
            "from 0 or from 1, or name them"
        )
    return {number: joints[number] for number in numbers}, ()


def _whose(table: pd.DataFrame) -> tuple[list | None, ...]:
    """The columns that say who a row is and in which image; an index only if it counts the rows."""
    indices = _called(table, _INDEX)
    persons = _called(table, _PERSON) + [i for i in indices if count_up(_cells(table, i))]
    perhaps = [*indices, *_called(table, {"name"})]
    images = [i for i in perhaps if all(map(is_picture, _cells(table, i)))]
    images = sorted(images + _called(table, _IMAGE))
    return tuple(_cells(table, found[0]) if found else None for found in (persons, images))


# --- no names -----------------------------------------------------------------------------------


def _only_axes(columns: list[Column]) -> bool:
    """x, y, x, y, ... or x, x, ..., y, y, ...: names that say the axis, and no joint."""
    on_axis = [column for column in columns if column.field in ("x", "y")]
    axes = [column.field for column in on_axis if not column.words]
    return 2 < len(axes) == len(on_axis) == 2 * axes.count("x")


def _counted(table: pd.DataFrame) -> bool:
    """0, 1, 2, ... or V1, V2, ... or col_0, col_1, ...: counted, and not named."""
    keys = _called(table, _KEYS)
    found = [words_of(name) for i, name in enumerate(table.columns) if i not in keys]
    if any(not words or not words[-1].isdigit() for words in found):
        return False
    counts = [int(words[-1]) for words in found]
    same = len({tuple(words[:-1]) for words in found}) == 1
    return same and len(counts) > 2 and set(np.diff(counts)) == {1}


def _by_position(file: File, table: pd.DataFrame, columns: list[Column]) -> Points:
    """x, y (and a score) of each joint in turn; x of all, then y of all if the header says so."""
    people = images = None
    used, joints = list(range(table.shape[1])), len(file.skeleton)
    if columns:
        people, images = _whose(table)
        used = [i for i in used if i not in _called(table, _KEYS)]
    elif not is_number(table.iloc[0, 0]):
        images, used = _cells(table, 0), used[1:]
    elif len(used) in (2 * joints + 1, 3 * joints + 1) and count_up(_cells(table, 0)):
        people, used = _cells(table, 0), used[1:]
    size = 3 if len(used) == 3 * joints else 2
    axes = [[i for i in used if columns and columns[i].field == axis] for axis in ("x", "y")]
    if axes[0] and len(axes[0]) == len(axes[1]):
        size, used = 2, np.array(axes).T.ravel().tolist()
    if len(used) % size:
        raise file.error(
            f"cannot be read as points: {len(used)} columns are not x, y of {joints} joints, nor "
            "x, y and a score of each"
        )
    numbers = numbers_in(file, table, used, file.gaps)
    return Points(numbers.reshape(len(numbers), -1, size), None, people, images)


# --- a row a point ------------------------------------------------------------------------------


def _a_row_a_point(file: File, table: pd.DataFrame, joint: int, bare: dict[str, int]) -> Points:
    """Columns joint (a name, or an index from 0 or 1), x, y, and what tells the people apart."""
    labels = _cells(table, joint)
    names, notes = _joints_called(file, list(dict.fromkeys(labels)))
    numbers = numbers_in(file, table, [bare["x"], bare["y"]], file.gaps)
    if "score" in bare:
        numbers = np.hstack([numbers, numbers_in(file, table, [bare["score"]], True)])
    images, people = _whose_points(table, joint, labels)
    nobody = [""] * len(labels)
    rows, persons = pd.factorize(pd.MultiIndex.from_arrays([images or nobody, people or nobody]))
    joints = list(dict.fromkeys(name for name in names.values() if name is not None))
    if counted := isinstance(joints[0], int):
        joints = list(range(max(joints) + 1))
    places = {label: -1 if name is None else joints.index(name) for label, name in names.items()}
    column = np.array([places[label] for label in labels])
    at = (rows[column >= 0], column[column >= 0])
    values = np.full((len(persons), len(joints), numbers.shape[1]), np.nan)
    values[at] = numbers[column >= 0]
    count = np.zeros(values.shape[:2], int)
    np.add.at(count, at, 1)
    _refuse_counts(file, count, [" ".join(filter(None, who)) for who in persons], joints)
    images, people = (
        [who[i] for who in persons] if labelled else None
        for i, labelled in enumerate((images, people))
    )
    return Points(values, None if counted else tuple(joints), people, images, notes=notes)


def _whose_points(table: pd.DataFrame, joint: int, labels: list[str]) -> tuple:
    """(image, person) of each row; without either, the k-th row of a joint is of person k."""
    images = next((_cells(table, i) for i in _called(table, _IMAGE)), None)
    people = next((_cells(table, i) for i in _called(table, _PERSON)), None)
    if people is None:
        people = next((_cells(table, i) for i in _called(table, _INDEX) if i != joint), None)
        people = None if people and len(set(people)) == len(people) else people  # counts the rows
    if images is None and people is None:
        people = [str(n) for n in pd.Series(labels).groupby(labels).cumcount()]
    return images, people


def _refuse_counts(file: File, count: np.ndarray, persons: list[str], joints: list) -> None:
    """Every person has each joint once; a joint that nobody has is absent from the file."""
    for person, k in np.argwhere(count > 1)[:1]:
        raise file.error(
            f"person {persons[person]}, joint {joints[k]} is there twice; give each point once"
        )
    for person, k in np.argwhere((count == 0) & (count > 0).any(0) & (not file.gaps))[:1]:
        raise file.error(
            f"person {persons[person]} has no row of joint {joints[k]}, which would be NaN; give "
            "every person each joint"
        )


def _joints_called(file: File, labels: list[str]) -> tuple[dict, tuple[str, ...]]:
    """({label: joint, a number or None where the skeleton has no such joint}, notes)."""
    numbers = [read_column(label).joint for label in labels]
    if all(isinstance(number, int) for number in numbers):
        joints = len(file.skeleton)
        first = 1 if min(numbers) == 1 and max(numbers) == joints else 0
        if max(numbers) - first >= joints:
            raise unknown_joint(file, labels[numbers.index(max(numbers))])
        return {label: n - first for label, n in zip(labels, numbers, strict=True)}, ()
    found = {label: joint_called(label) for label in labels}
    unknown = [label for label, joint in found.items() if joint is None]
    kept, notes = kept_joints(file, dict.fromkeys(filter(None, found.values())), unknown)
    return {label: joint if joint in kept else None for label, joint in found.items()}, notes
