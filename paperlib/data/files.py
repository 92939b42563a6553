"""What every loader does: find the annotation file, read it, name the images, and leave out, with a
reason, the people it cannot use."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any

import h5py
import numpy as np
import pandas as pd
from scipy.io import loadmat

from paperlib import PaperlibError
from paperlib.data.images import fault_of
from paperlib.people import ABSENT, People

# sides of a person's box; the furthest joint of the official files, MPII's training people, is 2.1
# from its centre
FAR = 5
IMAGE_ABSENT = "image absent"


_WAY_OUT = (
    "PAPERLIB_DATA names the folder of the data sets, `paperlib data list` says where to get them"
)


def label_names(files: tuple[str, ...], split: str) -> list[str]:
    """The names that the label file of a split may have, the one to be read first. In `files`,
    which each loader has, {split} stands for the split and {short} for it as mmpose has it."""
    short = "val" if split == "valid" else split
    return [name.format(split=split, short=short) for name in files]


def labels_in(folder: str | Path, files: tuple[str, ...], split: str) -> Path | None:
    """The label file of a data set's folder, None where there is none: the first of `files` that is
    there; the others are left alone."""
    paths = [Path(folder) / name for name in label_names(files, split)]
    return next((path for path in paths if path.is_file()), None)


def files_sha256(people: People) -> str:
    """Identity of labels and images without reading a pixel: labels, image names and their sizes in
    bytes."""
    images = sorted({str(path) for path in people.image})
    return hashlib.sha256(
        f"{people.sha256()} {[os.path.getsize(path) for path in images]}".encode()
    ).hexdigest()


def find_labels(folder: str | Path, files: tuple[str, ...], split: str) -> Path:
    """labels_in, or PaperlibError naming where they were looked for, PAPERLIB_DATA and
    `paperlib data list`."""
    if path := labels_in(folder, files, split):
        return path
    first, *others = label_names(files, split)
    nor = f"nor is there {', '.join(others)}; " if others and Path(folder).is_dir() else ""
    return find(folder, first, nor + _WAY_OUT)


def find(folder: str | Path, name: str, way_out: str = _WAY_OUT) -> Path:
    """The file `name` of a folder. Raises PaperlibError naming the path and the way out."""
    if (path := Path(folder) / name).is_file():
        return path
    missing = f"{path}: no such file" if Path(folder).is_dir() else f"{folder}: no such folder"
    raise PaperlibError(f"{missing}; {way_out}")


def read(path: Path, reader: Callable[[Path], Any]) -> Any:
    """reader(path), any library error turned into one PaperlibError that names the file."""
    try:
        return reader(path)
    except PaperlibError:
        raise
    except Exception as error:  # a truncated .mat, .h5, .json or .gz raises nearly anything
        why = " ".join(str(error).split()) or type(error).__name__
        raise PaperlibError(
            f"{path}: cannot be read, truncated or of another format ({why}); fetch it again "
            "with `paperlib data fetch`"
        ) from error


def read_mat(path: Path, key: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """The array `key` of a .mat file, of `shape`, where None is any length."""
    return _checked(path, read(path, loadmat), key, shape)


def read_h5(path: Path, shapes: Mapping[str, tuple[int | None, ...]]) -> dict[str, np.ndarray]:
    """The arrays named in `shapes` of an .h5 file; None is any length, the same for all."""

    def load(path):
        with h5py.File(path, "r") as file:
            return {key: file[key][()] for key in shapes if key in file}

    arrays = read(path, load)
    found = {key: _checked(path, arrays, key, shape) for key, shape in shapes.items()}
    if len({len(array) for array in found.values()}) > 1:
        raise PaperlibError(
            f"{path}: its arrays disagree on the number of people, "
            f"{ {key: len(array) for key, array in found.items()} }"
        )
    return found


def read_h5_names(path: Path, key: str, count: int) -> list[str]:
    """The `count` strings of array `key` of an .h5 file: strings, or rows of character codes that
    zeros fill up, as Torch writes them."""

    def load(path):
        with h5py.File(path, "r") as file:
            if key not in file:
                return None
            if file[key].dtype.kind in "fiu" and file[key].ndim == 2:
                codes = file[key][()].astype(int).tolist()
                return ["".join(map(chr, row)).rstrip("\0 ") for row in codes]
            return [str(name) for name in file[key].asstr()[()]]

    names = read(path, load)
    if names is None or len(names) != count:
        found = "is absent" if names is None else f"there are {len(names)}"
        raise PaperlibError(f"{path}: '{key}' should be {count} names, but {found}")
    return names


def _checked(
    path: Path, arrays: Mapping[str, Any], key: str, shape: tuple[int | None, ...]
) -> np.ndarray:
    wanted = " x ".join("N" if n is None else str(n) for n in shape)
    if key not in arrays:
        raise PaperlibError(
            f"{path}: has no array '{key}' ({wanted}), only "
            f"{sorted(k for k in arrays if not k.startswith('__'))}"
        )
    array = np.asarray(arrays[key])
    if (
        array.ndim != len(shape)
        or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True))
        or array.dtype.kind not in "fiub"
    ):
        raise PaperlibError(
            f"{path}: '{key}' should be numbers {wanted}, but is {array.dtype} "
            f"{' x '.join(map(str, array.shape))}"
        )
    return array.astype(float)


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """`value` if it is one of `choices`, else PaperlibError."""
    if value not in (choices := tuple(choices)):
        raise PaperlibError(f"no {what} '{value}'; choose one of {', '.join(choices)}")
    return value


def image_paths(folder: str | Path, names: Iterable[str]) -> np.ndarray:
    """(N,) str: the image files `names` in `folder`, and "" for a name that would lead out of
    it."""
    return np.array(
        [str(Path(folder) / name) if stays_inside(name) else "" for name in names], dtype=str
    )


def stays_inside(name: str) -> bool:
    path = PureWindowsPath(name)  # knows both slashes and drives
    return bool(path.parts) and not (path.anchor or ".." in path.parts or "\0" in name)


def others_in_image(image: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, ...]:
    """N arrays (K_i, J, 2): the joints of the other rows with the same image."""
    rows = pd.Series(image).groupby(image).indices
    groups = (rows[name] for name in image.tolist())
    return tuple(joints[group[group != i]] for i, group in enumerate(groups))


def bad_rows(people: People) -> dict[str, np.ndarray]:
    """reason -> (N,) bool: rows that cannot be right."""
    numbers = np.isfinite(people.centre).all(-1) & np.isfinite(people.scale) & ~bad_joints(people)
    return {
        "image name empty or outside the folder": people.image == "",
        "label not a number": ~numbers,
        "scale not positive": people.scale <= 0,
        "joint far from the person": far_joints(people),
        "head box of no area": people.head_size <= 0,
    }


def bad_joints(people: People) -> np.ndarray:
    """(N,) bool: people with an annotated joint that is NaN or infinite."""
    return (~np.isfinite(people.joints).all(-1) & (people.state != ABSENT)).any(-1)


def far_joints(people: People) -> np.ndarray:
    """(N,) bool: people with a joint more than FAR box sides from their centre."""
    with np.errstate(invalid="ignore"):  # infinite ones are bad_joints
        return (
            np.abs(people.joints - people.centre[:, None])
            > (FAR * 200 * people.scale)[:, None, None]
        ).any((1, 2))


def leave_out(people: People, source: Path, bad: Mapping[str, np.ndarray], strict: bool) -> People:
    """`people` without the rows that `bad` (reason -> (N,) bool) names, counted by reason: the
    first that holds.

    With `strict` such a row raises PaperlibError naming `source`, the row and its values; only an
    absent image does not: the data may be whole without it.
    """
    keep, left_out = np.ones(len(people), bool), dict(people.left_out)
    for reason, rows in bad.items():
        rows = rows & keep
        if strict and reason != IMAGE_ABSENT and rows.any():
            i = int(np.flatnonzero(rows)[0])
            values = (
                f"image '{people.image[i]}', centre {people.centre[i].tolist()}, "
                f"scale {people.scale[i]:g}, head {people.head_size[i]:g} px"
            )
            raise PaperlibError(
                f"{source}: person {i} of the split: {reason} ({values}); mend it, or load with "
                "strict=False to leave it out"
            )
        if rows.any():
            left_out[reason] = left_out.get(reason, 0) + int(rows.sum())
        keep &= ~rows
    kept = people.select(keep)
    others = tuple(
        np.where(np.isfinite(joints).all(-1, keepdims=True), joints, np.nan)
        for joints in kept.others
    )  # a bad neighbour is no reason to leave a person out
    return replace(kept, others=others, left_out=left_out)


def image_faults(people: People, needed: bool = True) -> dict[str, np.ndarray]:
    """reason -> (N,) bool: images that are not there, and those that are no whole picture; {} where
    images are not needed."""
    if not needed:
        return {}
    names = people.image.tolist()
    there = {name: name != "" and Path(name).is_file() for name in set(names)}
    broken = {name: there[name] and fault_of(name) is not None for name in there}
    return {
        IMAGE_ABSENT: np.array([not there[name] for name in names], bool),
        "image unreadable": np.array([broken[name] for name in names], bool),
    }
