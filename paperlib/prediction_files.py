"""Points and labels as they lie in files: .h5, .mat (v5 or v7.3), .npz, .npy, .json or .csv, in any order of axes that the shape settles."""

import itertools
import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.io

from paperlib import PaperlibError
from paperlib.skeleton import Skeleton

KINDS = (".h5", ".hdf5", ".mat", ".npz", ".npy", ".json", ".csv")
_NAMES = ("preds", "pred", "predictions", "prediction_all", "pos_pred_src")  # what files that hold other arrays too call their points
_CPM_FLIC = [0, 1, 2, 3, 4, 5, 6, 7, 10]  # the nine joints of CPM's own FLIC file: no eyes


def read_points(path: Path, people: int, skeleton: Skeleton) -> np.ndarray:
    """(N, J, 2) px, float64, the points of `path`; NaN for joints that CPM's FLIC file lacks. Raises PaperlibError if they do not fit."""
    joints = (len(skeleton), len(_CPM_FLIC)) if skeleton.name == "flic" else (len(skeleton),)
    arrays = {name: array for name, array in read_arrays(path, skeleton).items() if array.ndim == 3}
    orders = {name: found for name, array in arrays.items() if (found := axis_orders(array.shape, people, joints))}
    chosen = [name for name in _NAMES if name in orders][:1] or list(orders)
    if len(chosen) == 1 and len(orders[chosen[0]]) > 1:
        raise PaperlibError(
            f"{path}: {chosen[0]} {arrays[chosen[0]].shape} does not settle which axis is the {people} people; "
            "give a .csv with the columns person, joint, x, y"
        )
    if len(chosen) != 1:
        held = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no array of three axes"
        need = f"{people} people x {len(skeleton)} joints x 2 (x, y) or 3 (x, y, confidence)"
        raise PaperlibError(f"{path}: holds {held}; {skeleton.name} needs {need}: one array, its axes in any order that the shape settles")
    points = arrays[chosen[0]].transpose(orders[chosen[0]][0])[..., :2].astype(float)
    _refuse_nonsense(path, points)
    if points.shape[1] == len(skeleton):
        return points
    every = np.full((people, len(skeleton), 2), np.nan)
    every[:, _CPM_FLIC] = points
    return every


def axis_orders(shape: tuple[int, ...], people: int | None, joints: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Each order of three axes that makes the shape (people, joints, 2 or 3); any number of people if None."""
    orders = itertools.permutations(range(3)) if len(shape) == 3 else ()
    return [(n, j, c) for n, j, c in orders if people in (None, shape[n]) and shape[j] in joints and shape[c] in (2, 3)]


def _refuse_nonsense(path: Path, points: np.ndarray) -> None:
    """A point is two finite numbers of pixels. Only a .mat may mark an undetected one by NaN, NaN, as the official toolkits do."""
    wrong = ~np.isfinite(points).all(-1)  # (N, J)
    if path.suffix.lower() == ".mat" and not wrong.all():
        wrong &= ~np.isnan(points).all(-1)
    if wrong.any():
        person, joint = np.argwhere(wrong)[0]
        raise PaperlibError(
            f"{path}: {wrong.sum()} points are NaN or infinite, the first {points[person, joint].tolist()} of person {person}, joint {joint} "
            "(counted from 0); give every point two finite coordinates"
        )
    if 0 < np.nanpercentile(np.abs(points), 95) <= 1:  # a few of a network's points lie outside the image
        raise PaperlibError(f"{path}: nearly every coordinate lies within 1 of zero; points must be in pixels of the image, not fractions of it")


def check_file(path: Path) -> None:
    """Raises PaperlibError if `path` is not there, or is of a kind that `read_arrays` does not read."""
    if path.suffix.lower() not in KINDS:
        raise PaperlibError(f"{path}: unknown kind of file {path.suffix!r}; give one of {', '.join(KINDS)}")
    if not path.is_file():
        raise PaperlibError(f"{path}: a folder; name the file in it" if path.is_dir() else f"{path}: there is no such file")


def read_arrays(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The numeric arrays of a .h5, .mat, .npz, .npy, .json or .csv file, by name. Raises PaperlibError if it cannot be read as what its name says."""
    check_file(path)
    readers = {".h5": _h5, ".hdf5": _h5, ".mat": _mat, ".npz": _npz, ".npy": _npy, ".json": _json, ".csv": lambda file: _csv(file, skeleton)}
    try:
        found = readers[path.suffix.lower()](path)
    except PaperlibError:
        raise
    except Exception as why:  # a damaged file makes each library fail in its own way
        reason = f"{type(why).__name__}: {' '.join(str(why).split())[:120]}"
        raise PaperlibError(f"{path}: cannot be read as {path.suffix}; it may be damaged or mislabelled ({reason})") from why
    return {name: array for name, array in found.items() if array.dtype.kind in "iuf" and array.ndim}


def _h5(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset) and item.shape}


def _mat(path: Path) -> dict[str, np.ndarray]:
    if h5py.is_hdf5(path):  # v7.3, which stores MATLAB's axes in reverse
        return {name: array.T for name, array in _h5(path).items()}
    return {name: array for name, array in scipy.io.loadmat(path).items() if isinstance(array, np.ndarray)}


def _npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _npy(path: Path) -> dict[str, np.ndarray]:
    return {"points": np.load(path)}


def _json(path: Path) -> dict[str, np.ndarray]:
    """Nested lists of points, or an object that names such lists."""
    held = json.loads(path.read_text())
    lists = {name: item for name, item in held.items() if isinstance(item, list)} if isinstance(held, dict) else {"points": held}
    return {name: np.array(item, float) if item and isinstance(item[0], list) else np.array(item) for name, item in lists.items()}


def _csv(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """A row a person: x, y (and a confidence) of each joint in turn. Or a row a point: columns person, joint (a name or an index from 0), x, y."""
    table = pd.read_csv(path, header=None, skipinitialspace=True, dtype=str, keep_default_na=False)
    first = [cell.strip().lower() for cell in table.iloc[0]]
    if not all(map(_is_number, first)) or first == [str(i) for i in range(len(first))]:  # a row of names, pandas' column numbers too
        table = table.iloc[1:].set_axis(first, axis=1)
    if {"person", "joint", "x", "y"} <= set(table.columns):
        known = {*skeleton.joints, *map(str, range(len(skeleton)))}
        if unknown := sorted({*table.joint} - known):
            raise PaperlibError(f"{path}: no joint {unknown[0]!r} in {skeleton.name}; there is {', '.join(skeleton.joints)}, or an index from 0")
        if (twice := table.duplicated(["person", "joint"])).any():
            row = table[twice].iloc[0]
            raise PaperlibError(f"{path}: person {row.person}, joint {row.joint} is there twice; give each point once")
        joint = table.joint.replace({name: str(i) for i, name in enumerate(skeleton.joints)}).astype(int)
        grid = table.assign(joint=joint, person=table.person.astype(int)).pivot(index="person", columns="joint", values=["x", "y"])
        return {"points": grid.to_numpy(dtype=float).reshape(len(grid), 2, -1)}
    numbers = table.drop(columns=[name for name in ("", "person", "image", "index") if name in table.columns])
    sides = [name[-1:] for name in map(str, numbers.columns)]
    if set(sides) == {"x", "y"} and sides != ["x", "y"] * (len(sides) // 2):
        raise PaperlibError(f"{path}: the columns must be x, y of each joint in turn, but are {', '.join(numbers.columns[:4])}, ...")
    size = 3 if numbers.shape[1] == 3 * len(skeleton) else 2
    return {"points": numbers.to_numpy(dtype=float).reshape(len(numbers), -1, size)}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
