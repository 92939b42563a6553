"""Points and labels in files: .h5, .mat (v5 or v7.3), .npz, .npy, .json, .csv or .tsv.

Joints and people that a file names are taken by name; where it names none, by position, in any
order of axes that the shape settles. What a file holds is read by contents.py.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from paperlib import PaperlibError
from paperlib.files.contents import read_content
from paperlib.files.joint_names import joint_called, joint_in, places_of, read_column
from paperlib.files.points import File, Points
from paperlib.files.rows import all_in, best_of_each, in_order
from paperlib.files.tables import points_of
from paperlib.skeleton import SKELETONS, Skeleton, joint_map

# what files that hold other arrays too call their points
_NAMES = ("preds", "pred", "predictions", "prediction_all", "pos_pred_src")
_CPM_FLIC = [0, 1, 2, 3, 4, 5, 6, 7, 10]  # the nine joints of CPM's own FLIC file: no eyes


def read_points(path: Path, people: int, skeleton: Skeleton) -> np.ndarray:
    """(N, J, 2) px, float64, the points of `path`; NaN for joints that it lacks.

    Raises PaperlibError if they do not fit.
    """
    return read_predictions(path, people, skeleton).points


def read_predictions(
    path: Path, people: int | None, skeleton: Skeleton, expected: list | None = None
) -> Points:
    """The points of `path`, of `people` people (any number if None), in the skeleton's joints.

    `expected`: the image of each person in the official order; rows that name their images are put
    into it. Raises PaperlibError, naming the file and the value, for what cannot be read, does not
    fit, or is not two finite numbers a point (only a .mat may mark an undetected point by NaN).
    """
    file = File(path, skeleton)
    found = _points_in(file, read_content(file), people)
    _refuse_nonsense(file, found.points)
    found = _in_rows(file, found, people, expected)
    if people not in (None, len(found.values)):
        raise _misfit(file, {"points": found.values}, people)
    return _in_joints(file, found)


def read_labels(path: Path, skeleton: Skeleton, names: tuple[str, ...]) -> Points:
    """The points of a truth, of any number of people; an absent joint may be an empty cell or NaN.

    `names`: what files call the array of labels; the first that is there is taken.
    """
    file = File(path, skeleton, gaps=True)
    content = read_content(file)
    found = _in_joints(file, _in_rows(file, _points_in(file, content, None, names), None, None))
    for name, array in content.items():
        shape = getattr(array, "shape", None)
        if _last(name) == "visible" and found.third is None and shape == found.points.shape[:2]:
            return replace(found, values=np.dstack([found.points, array]), kind="visible")
    return found


def read_arrays(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The numeric arrays of a file, by name, those in groups and structs as "group/name".

    Points of a table, or of JSON that names people, are "points". Raises PaperlibError if the file
    cannot be read as what its name says.
    """
    content = read_content(File(path, skeleton))
    arrays = {n: i.values if isinstance(i, Points) else i for n, i in content.items()}
    return {name: item for name, item in arrays.items() if isinstance(item, np.ndarray)}


# --- which array --------------------------------------------------------------------------------


def _points_in(file: File, content: dict, people: int | None, names: tuple = ()) -> Points:
    """The points in the content: sorted by name already, arrays named after joints, or one array,
    which in a truth has one of `names`."""
    for item in content.values():
        if isinstance(item, Points):
            return item
    arrays = {name: item for name, item in content.items() if isinstance(item, np.ndarray)}
    texts = {name: item for name, item in content.items() if name not in arrays}
    if len(table := _table_of(arrays)):
        gaps = file.gaps or file.path.suffix.lower() == ".mat"
        return points_of(replace(file, gaps=gaps), table)
    arrays |= _joined(arrays)
    order = next((named for named in texts.values() if _names_joints(named)), None)
    for joints in [(len(order),)] if order else _sizes(file.skeleton, bool(names)):
        name, axes = _choose(file, arrays, people, joints, names or _NAMES)
        if name:
            values = arrays[name].transpose(axes).astype(float)
            images = [t for n, t in texts.items() if _last(n).lower().startswith(("im", "file"))]
            images = next((named for named in images if len(named) == len(values)), None)
            found = Points(values, None, None, images, kind="array", axes=axes)
            if not order:
                return found
            kept, notes = places_of(file, order)
            values = values[:, list(kept.values())]
            return replace(found, values=values, joints=tuple(kept), notes=notes)
    if names:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6])
        name, joints = file.skeleton.name, len(file.skeleton)
        raise file.error(
            f"holds no {name} labels: needs people x {joints} joints x (x, y), got "
            f"{shapes or 'no array'}"
        )
    raise _misfit(file, arrays, people)


def _names_joints(names: list[str]) -> bool:
    """Whether a list of text is the order of the joints of an array beside it."""
    return len(names) > 4 and sum(map(bool, map(joint_called, names))) > len(names) / 2


def _sizes(skeleton: Skeleton, labels: bool) -> list[tuple[int, ...]]:
    """How many joints an array without names may have: the data set's own first."""
    joints, flic = len(skeleton), skeleton.name == "flic"
    if labels:  # FLIC's truth has a twelfth point
        return [(joints, joints + 1) if flic else (joints,)]
    own = (joints, len(_CPM_FLIC)) if flic else (joints,)
    return [own, *((len(other),) for other in SKELETONS.values() if len(other) not in own)]


def _choose(file: File, arrays: dict, people: int | None, joints: tuple, names: tuple) -> tuple:
    """(name of the array of points, its order of axes), or None twice if none has the shape."""
    orders = {name: axis_orders(array.shape, people, joints) for name, array in arrays.items()}
    fitting = [name for name, found in orders.items() if found]
    known = [name for wanted in names for name in fitting if _last(name) == wanted]
    chosen = known[:1] or fitting
    if len(chosen) > 1:
        held = ", ".join(f"{name} {arrays[name].shape}" for name in chosen)
        raise file.error(
            f"holds {held}; give one array of points, or call the one that counts {names[0]}"
        )
    if not chosen:
        return None, None
    name = chosen[0]
    if len(orders[name]) > 1:
        which = f"the {people} people" if people else "the people"
        raise file.error(
            f"{name} {arrays[name].shape} does not settle which axis is {which}; give a .csv with "
            "the columns person, joint, x, y"
        )
    return name, orders[name][0]


def _last(name: str) -> str:
    return name.replace("/", ".").rsplit(".", 1)[-1]


def axis_orders(shape: tuple, people: int | None, joints: tuple[int, ...]) -> list[tuple]:
    """Each order of three axes that makes the shape (people, joints, 2 or 3); any number of people
    if None."""
    orders = itertools.permutations(range(3)) if len(shape) == 3 else ()
    return [
        (n, j, c)
        for n, j, c in orders
        if people in (None, shape[n]) and shape[j] in joints and shape[c] in (2, 3)
    ]


def _misfit(file: File, arrays: dict, people: int | None) -> PaperlibError:
    shapes = {name: f"{name} {array.shape}" for name, array in arrays.items()}
    three = ", ".join(shapes[name] for name, array in arrays.items() if array.ndim == 3)
    others = "".join(f", but {', '.join(list(shapes.values())[:6])}" if shapes else "")
    joints = len(file.skeleton)
    return file.error(
        f"holds {three or f'no array of three axes{others}'}; {file.skeleton.name} needs "
        f"{people or 'some'} people x {joints} joints x 2 (x, y) or 3 (x, y, confidence): one "
        "array, its axes in any order that the shape settles"
    )


def _table_of(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """Arrays that are called as joints, (N,) of one coordinate or (N, 2 or 3), as a table; an empty
    one where there are none."""
    columns = {}
    for name, array in arrays.items():
        parts, flat = name.replace("/", ".").split("."), np.squeeze(array)
        said = [read_column(" ".join(parts[-n:])) for n in (1, 2)]
        column = next((one for one in said if isinstance(one.joint, str)), None)
        if column and column.field and flat.ndim == 1:
            columns[column.text] = flat
        elif column and flat.ndim == 2 and {2, 3} & set(flat.shape):
            flat = flat if flat.shape[1] in (2, 3) else flat.T
            fields = ("x", "y", "score")[: flat.shape[1]]
            columns |= {f"{column.joint} {f}": flat[:, c] for c, f in enumerate(fields)}
    even = len({len(array) for array in columns.values()}) == 1
    return pd.DataFrame(columns) if len(columns) > 5 and even else pd.DataFrame()


def _joined(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays x and y of one shape, as one array of points."""
    found = {}
    for name, xs in arrays.items():
        ys = arrays.get(f"{name[:-1]}y") if _last(name) == "x" else None
        if ys is not None and ys.shape == xs.shape and np.squeeze(xs).ndim == 2:
            found[f"{name}, y"] = np.stack([np.squeeze(xs), np.squeeze(ys)], -1)
    return found


# --- rows and joints ----------------------------------------------------------------------------


def _in_rows(file: File, found: Points, people: int | None, expected: list | None) -> Points:
    """The people in the official order, as far as the file tells it."""
    if found.kind == "array" and not all_in(found.images, expected):
        return found  # in the order of the file, like the labels' own array
    return in_order(file, best_of_each(found, people), expected)


def _in_joints(file: File, found: Points) -> Points:
    """The joints in the skeleton's order: by their names, else by their number."""
    values, notes, skeleton = found.values, found.notes, file.skeleton
    (people, count, size), flic = values.shape, skeleton.name == "flic"
    if found.kind == "predict" and skeleton.name == "mpii":
        values = values + np.array([1, 1, 0])[:size]
        notes += ("points of paperlib predict count pixels from 0, MPII's from 1: 1 was added",)
    if found.joints:
        places = [joint_in(skeleton, joint) for joint in found.joints]
    elif count == len(skeleton) or (flic and count == len(skeleton) + 1):
        places = list(range(len(skeleton)))
    elif flic and count == len(_CPM_FLIC):
        places = _CPM_FLIC
    else:
        source = next((other for other in SKELETONS.values() if len(other) == count), None)
        if source is None:
            raise _misfit(file, {"points": values}, people)
        places = joint_map(skeleton, source).tolist()
        notes += (f"{count} joints without names were read as {source.name}'s, in its order",)
    kept = [k for k, place in enumerate(places) if place is not None and place >= 0]
    every = np.full((people, len(skeleton), size), np.nan)
    every[:, [places[k] for k in kept]] = values[:, kept]
    return replace(found, values=every, joints=skeleton.joints, notes=notes)


def _refuse_nonsense(file: File, points: np.ndarray) -> None:
    """A point is two finite numbers of pixels. Only a .mat may mark an undetected one by NaN, NaN,
    as the official toolkits do."""
    wrong = ~np.isfinite(points).all(-1)  # (N, K)
    if file.path.suffix.lower() == ".mat" and not wrong.all():
        wrong &= ~np.isnan(points).all(-1)
    for person, joint in np.argwhere(wrong)[:1]:
        raise file.error(
            f"{wrong.sum()} points are NaN or infinite, the first {points[person, joint].tolist()} "
            f"of person {person}, joint {joint} (counted from 0); give every point two finite "
            "coordinates"
        )
    # a network's points may lie outside the image
    if 0 < np.nanpercentile(np.abs(points), 95) <= 1:
        raise file.error(
            "nearly every coordinate lies within 1 of zero; points must be in pixels of the image, "
            "not fractions of it"
        )
