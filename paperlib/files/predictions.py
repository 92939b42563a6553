"""Points and labels as they lie in files: .h5, .mat (v5 or v7.3), .npz, .npy, .json, .csv or .tsv.

Joints and people that a file names are taken by name; where it names none, by position, in any
order of axes that the shape settles. What a file holds is read by file_contents.
"""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.files.contents import read_content
from paperlib.files.joint_names import joint_called, joint_in, of_skeleton, read_column
from paperlib.files.rows import all_in, best_of_each, row_order
from paperlib.files.tables import Block, block_of
from paperlib.files.text_tables import Table
from paperlib.skeleton import SKELETONS, Skeleton, joint_map

# what files that hold other arrays too call their points
_NAMES = ("preds", "pred", "predictions", "prediction_all", "pos_pred_src")
_CPM_FLIC = [0, 1, 2, 3, 4, 5, 6, 7, 10]  # the nine joints of CPM's own FLIC file: no eyes


@dataclass(frozen=True)
class Points:
    """Points of a file in a data set's own joints, and what had to be said about them."""

    points: np.ndarray  # (N, J, 2) px, float64; NaN for joints that the file lacks
    third: np.ndarray | None  # (N, J) a score or a flag, where the file has one
    images: list | None  # N names or numbers of images
    notes: tuple[str, ...] = ()
    axes: tuple[int, int, int] = (0, 1, 2)  # which axis of the file's array is people, joints, x y
    flags: str = ""  # what the third value is, where the file says it: "coco" or "visible"


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
    block, axes = _chosen_block(path, people, skeleton, False)
    _refuse_nonsense(path, block.values[..., :2])
    block, notes = _in_rows(path, block, people, expected)
    if people not in (None, len(block.values)):
        raise _misfit(path, {"points": block.values}, people, skeleton)
    found = _in_joints(path, block, skeleton, notes)
    return replace(found, axes=axes)


def read_labels(path: Path, skeleton: Skeleton, names: tuple[str, ...]) -> Points:
    """The points of a truth, of any number of people; an absent joint may be an empty cell or NaN.

    `names`: what files call the array of labels; the first that is there is taken.
    """
    block, axes = _chosen_block(path, None, skeleton, True, names)
    block, notes = _in_rows(path, block, None, None)
    found = replace(_in_joints(path, block, skeleton, notes), axes=axes)
    for name, array in read_content(path, skeleton, True)[1].items():
        if (
            found.third is None
            and _last(name) == "visible"
            and array.shape == found.points.shape[:2]
        ):
            return replace(found, third=array.astype(float), flags="visible")
    return found


def read_arrays(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The numeric arrays of a file, by name, those in groups and structs as "group/name".

    Points of a table, or of JSON that names people, are "points". Raises PaperlibError if the file
    cannot be read as what its name says.
    """
    block, arrays, _ = read_content(path, skeleton, False)
    return arrays if block is None else {"points": block.values}


# --- which array --------------------------------------------------------------------------------


def _chosen_block(path: Path, people, skeleton: Skeleton, gaps: bool, names: tuple = ()):
    """(the block of the file's points, people first; the axes of the file's array)."""
    block, arrays, texts = read_content(path, skeleton, gaps)
    if block is not None:
        return block, (0, 1, 2)
    if table := _table_of_arrays(arrays):
        return block_of(table, path, skeleton, gaps or path.suffix.lower() == ".mat"), (0, 1, 2)
    arrays = arrays | _joined(arrays)
    order = _joint_names(texts)
    sizes = [(len(order),)] if order else _sizes(skeleton, bool(names))
    for joints in sizes:
        name, axes = _choose(path, arrays, people, joints, names or _NAMES)
        if name:
            values = arrays[name].transpose(axes).astype(float)
            images = _image_names(texts, len(values))
            if not order:
                return Block(values, None, None, images, whole="array"), axes
            kept, left_out = of_skeleton(*_places(order), path, skeleton)
            values = values[:, list(kept.values())]
            block = Block(values, tuple(kept), None, images, left_out=left_out)
            return replace(block, whole="array"), axes
    if names:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6])
        raise PaperlibError(
            f"{path}: holds no {skeleton.name} labels: needs people x {len(skeleton)} joints x "
            f"(x, y), got {shapes or 'no array'}"
        )
    raise _misfit(path, arrays, people, skeleton)


def _sizes(skeleton: Skeleton, labels: bool) -> list[tuple[int, ...]]:
    """How many joints an array without names may have: the data set's own first."""
    own = (len(skeleton), len(_CPM_FLIC)) if skeleton.name == "flic" else (len(skeleton),)
    if labels:  # FLIC's truth has a twelfth point
        return [(len(skeleton), len(skeleton) + 1) if skeleton.name == "flic" else own]
    return [own, *((len(other),) for other in SKELETONS.values() if len(other) not in own)]


def _choose(path: Path, arrays: dict, people, joints: tuple, names: tuple) -> tuple:
    """(name of the array of points, its order of axes), or None twice if none has the shape."""
    orders = {
        name: found
        for name, array in arrays.items()
        if (found := axis_orders(array.shape, people, joints))
    }
    known = [name for wanted in names for name in orders if _last(name) == wanted]
    chosen = known[:1] or list(orders)
    if len(chosen) > 1:
        held = ", ".join(f"{name} {arrays[name].shape}" for name in chosen)
        raise PaperlibError(
            f"{path}: holds {held}; give one array of points, or call the one that counts "
            f"{names[0]}"
        )
    if chosen and len(orders[chosen[0]]) > 1:
        shape = arrays[chosen[0]].shape
        which = f"the {people} people" if people else "the people"
        raise PaperlibError(
            f"{path}: {chosen[0]} {shape} does not settle which axis is {which}; "
            "give a .csv with the columns person, joint, x, y"
        )
    return (chosen[0], orders[chosen[0]][0]) if chosen else (None, None)


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


def _misfit(path: Path, arrays: dict, people: int | None, skeleton: Skeleton) -> PaperlibError:
    three = {name: array for name, array in arrays.items() if array.ndim == 3}
    held = ", ".join(f"{name} {array.shape}" for name, array in three.items())
    others = ", ".join(f"{name} {array.shape}" for name, array in list(arrays.items())[:6])
    held = held or f"no array of three axes{f', but {others}' if others else ''}"
    need = f"{people or 'some'} people x {len(skeleton)} joints x 2 (x, y) or 3 (x, y, confidence)"
    return PaperlibError(
        f"{path}: holds {held}; {skeleton.name} needs {need}: one array, its axes in any order "
        "that the shape settles"
    )


def _joint_names(texts: dict[str, list[str]]) -> list[str] | None:
    """A list of joint names that lies beside the arrays and says the order of their joints."""
    for names in texts.values():
        if (
            len(names) > 4
            and sum(joint_called(name) is not None for name in names) > len(names) / 2
        ):
            return names
    return None


def _places(order: list[str]) -> tuple[dict, list[str]]:
    found = {joint_called(name): k for k, name in enumerate(order)}
    return {j: k for j, k in found.items() if j}, [n for n in order if joint_called(n) is None]


def _image_names(texts: dict[str, list[str]], people: int) -> list[str] | None:
    named = [t for name, t in texts.items() if _last(name).lower().startswith(("im", "file"))]
    return next((names for names in named if len(names) == people), None)


def _table_of_arrays(arrays: dict[str, np.ndarray]) -> Table | None:
    """Arrays that are called as joints, (N,) of one coordinate or (N, 2 or 3), as a table."""
    columns = {}
    for name, array in arrays.items():
        parts, flat = name.replace("/", ".").split("."), np.squeeze(array)
        column = next((c for n in (1, 2) if (c := read_column(" ".join(parts[-n:]))).joint), None)
        if column is None:
            continue
        if isinstance(column.joint, str) and column.field and flat.ndim == 1:
            columns[column.text] = flat
        elif isinstance(column.joint, str) and flat.ndim == 2 and {2, 3} & set(flat.shape):
            flat = flat if flat.shape[1] in (2, 3) else flat.T
            fields = ("x", "y", "score")[: flat.shape[1]]
            columns |= {f"{column.joint} {f}": flat[:, c] for c, f in enumerate(fields)}
    if len(columns) < 6 or len({len(array) for array in columns.values()}) != 1:
        return None
    return Table(list(columns), np.array(list(columns.values()), object).T)


def _joined(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays x and y of one shape, as one array of points."""
    found = {}
    for name, xs in arrays.items():
        ys = arrays.get(f"{name[:-1]}y") if _last(name) == "x" else None
        if ys is not None and ys.shape == xs.shape and np.squeeze(xs).ndim == 2:
            found[f"{name}, y"] = np.stack([np.squeeze(xs), np.squeeze(ys)], -1)
    return found


# --- rows and joints ----------------------------------------------------------------------------


def _in_rows(path: Path, block: Block, people: int | None, expected: list | None):
    """The block's people in the official order, as far as the file tells it, and what to say."""
    if block.whole == "array" and not all_in(block.images, expected):
        return block, ()  # in the order of the file, like the labels' own array
    block, notes = best_of_each(block, people)
    order, said = row_order(path, block.people, block.images, expected, len(block.values))
    images = block.images and [block.images[i] for i in order]
    return replace(block, values=block.values[order], images=images), notes + said


def _in_joints(path: Path, block: Block, skeleton: Skeleton, notes: tuple[str, ...]) -> Points:
    """The block's joints in the skeleton's order: by their names, else by their number."""
    values = block.values
    people, count = values.shape[:2]
    if block.whole == "predict" and skeleton.name == "mpii":
        values = values + np.array([1, 1, 0])[: values.shape[2]]
        notes += ("points of paperlib predict count pixels from 0, MPII's from 1: 1 was added",)
    if block.left_out:
        notes += (f"left out, for {skeleton.name} has no such joints: {', '.join(block.left_out)}",)
    if block.joints:
        places = [joint_in(skeleton, joint) for joint in block.joints]
    elif count in (len(skeleton), len(skeleton) + 1 if skeleton.name == "flic" else 0):
        places = list(range(len(skeleton)))
    elif skeleton.name == "flic" and count == len(_CPM_FLIC):
        places = _CPM_FLIC
    else:
        source = next((other for other in SKELETONS.values() if len(other) == count), None)
        if source is None:
            raise _misfit(path, {"points": values}, people, skeleton)
        places = joint_map(skeleton, source).tolist()
        notes += (f"{count} joints without names were read as {source.name}'s, in its order",)
    kept = [k for k, place in enumerate(places) if place is not None and place >= 0]
    every = np.full((people, len(skeleton), values.shape[2]), np.nan)
    every[:, [places[k] for k in kept]] = values[:, kept]
    third = every[..., 2] if values.shape[2] == 3 else None
    flags = "coco" if block.whole == "coco" else ""
    return Points(every[..., :2].copy(), third, block.images, notes, flags=flags)


def _refuse_nonsense(path: Path, points: np.ndarray) -> None:
    """A point is two finite numbers of pixels. Only a .mat may mark an undetected one by NaN, NaN,
    as the official toolkits do."""
    wrong = ~np.isfinite(points).all(-1)  # (N, K)
    if path.suffix.lower() == ".mat" and not wrong.all():
        wrong &= ~np.isnan(points).all(-1)
    if wrong.any():
        person, joint = np.argwhere(wrong)[0]
        raise PaperlibError(
            f"{path}: {wrong.sum()} points are NaN or infinite, the first "
            f"{points[person, joint].tolist()} of person {person}, joint {joint} "
            "(counted from 0); give every point two finite coordinates"
        )
    # a network's points may lie outside the image
    if 0 < np.nanpercentile(np.abs(points), 95) <= 1:
        raise PaperlibError(
            f"{path}: nearly every coordinate lies within 1 of zero; points must be in pixels of "
            "the image, not fractions of it"
        )
