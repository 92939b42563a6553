"""Score any prediction file against the official labels; no image is needed.

    score_file("mpii", "preds/newell.h5", data="data")["total"]      # 88.43

A file may be .h5, .mat (v5 or v7.3), .npz, .npy, .json or .csv. It holds image-pixel points, x before y, of every test person in the official order,
in any order of axes that the shape settles, and counts pixels as the labels do: MPII's from 1 (add 1 to points of `People`), LSP's and FLIC's as
they are stored. The truths, the published files and what was found in them: FACTS D.
"""

import dataclasses
import itertools
import json
import math
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import scipy.io

from paperlib import PaperlibError, metrics
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import SKELETONS, Skeleton

_LABELS = {"mpii": (), "lsp": ("pc", "oc"), "flic": ("oc", "pc")}  # person- or observer-centric left and right; the first is the default
_NAMES = ("preds", "pred", "predictions", "prediction_all", "pos_pred_src")  # what files that hold other arrays too call their points
_CPM_FLIC = [0, 1, 2, 3, 4, 5, 6, 7, 10]  # the nine joints of CPM's own FLIC file: no eyes


@dataclasses.dataclass(frozen=True)
class Truth:
    """What predictions are measured against: points (N, J, 2) px with NaN where absent, reference length (N,) px, state (N, J) or None."""

    points: np.ndarray
    reference: np.ndarray
    state: np.ndarray | None = None


def score_file(dataset: str, predictions, data, truth=None, convention: str = "official", labels: str | None = None) -> dict:
    """Scores of one file of predictions for `dataset` (mpii, lsp or flic), in percent, unrounded, ready for JSON: a share of nothing is None.

    `data` is the data folder, `truth` another file of labels in the official formats, `labels` pc or oc (LSP and FLIC). MPII's visible and occluded
    joints are told apart, and measured, by valid.h5 (FACTS D.6): the official truth has no flags. `undetected` counts points that the file does not
    hold or that a .mat marks NaN, NaN as the toolkits do; `unpredicted_joints` are those that it has for nobody, or at (0, 0): all count as wrong.
    Raises PaperlibError, and gives no score, for a file that cannot be read or does not hold one finite point per person and joint.
    """
    rule = metrics.convention(dataset, convention)
    known = _LABELS[dataset]
    if labels not in (None, *known):
        raise PaperlibError(f"no labels {labels!r} for {dataset}; " + (f"there is {' and '.join(known)}" if known else "it has one kind only"))
    labels = labels or (known[0] if known else None)
    skeleton = SKELETONS[dataset]
    main, flagged = truths(dataset, Path(data), truth and Path(truth), convention, labels)
    points = read_points(Path(predictions), len(main.points), skeleton)
    scores = metrics.score(points, main.points, main.reference, skeleton, rule, main.state)
    if flagged is not main:
        split = metrics.score(points, flagged.points, flagged.reference, skeleton, rule, flagged.state)
        scores = dataclasses.replace(scores, visible=split.visible, occluded=split.occluded)
    nowhere = (np.isnan(points) | (points == 0)).all((0, 2))
    notes = {
        "undetected": int(np.isnan(points).any(-1).sum()),
        "unpredicted_joints": [joint for joint, gone in zip(skeleton.joints, nowhere, strict=True) if gone],
    }
    return _without_nan({"dataset": dataset, "convention": convention, "labels": labels} | dataclasses.asdict(scores) | notes)


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


# --- truths --------------------------------------------------------------------------------------------------------------------------------


def truths(dataset: str, data: Path, truth: Path | None, convention: str, labels: str | None) -> tuple[Truth, Truth]:
    """What the shares are measured against, and what visible and occluded joints are."""
    if dataset == "mpii":
        floats, whole = data / "mpii/annot/detections_our_format.mat", data / "mpii/annot/valid.h5"
        integers = convention in ("pooled16", "hard10")
        main = mpii_truth(truth or (whole if integers else floats), above=1 if convention == "hard10" else 0)
        return main, mpii_truth(truth or whole, above=1)
    official = {"lsp": "lsp/joints.mat", "flic": "flic/annot/valid.h5" if labels == "oc" else "flic/annot/valid_personcentric.h5"}
    found = _pck_truth(truth or data / official[dataset], SKELETONS[dataset], labels, halve=truth is None and dataset == "lsp")
    return found, found


def _labels_in(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise PaperlibError(f"{path}: no such file; fetch the labels (paperlib data fetch {skeleton.name}) or name another file with --truth")
    return read_arrays(path, skeleton)


def mpii_truth(path: Path, above: int) -> Truth:
    """detections_our_format.mat (evalMPII, fractions of a pixel) or valid.h5 (Newell, whole pixels; a joint is there if its x > `above`)."""
    held = _labels_in(path, SKELETONS["mpii"])
    if {"pos_gt_src", "headboxes_src", "jnt_missing"} <= held.keys():
        absent = held["jnt_missing"].T.astype(bool)  # (N, J)
        corner, opposite = held["headboxes_src"]  # (2, N) each
        return Truth(_blank(held["pos_gt_src"].transpose(2, 0, 1), absent), 0.6 * np.linalg.norm(opposite - corner, axis=0))
    if {"part", "normalize"} <= held.keys() and held["part"].shape[1:] == (len(SKELETONS["mpii"]), 2):
        absent = held["part"][..., 0] <= above
        return Truth(_blank(held["part"], absent), held["normalize"].astype(float), _states(absent, held.get("visible")))
    raise PaperlibError(
        f"{path}: holds no MPII labels with head sizes; give a file like valid.h5 (part (N, 16, 2), normalize (N,)) "
        "or detections_our_format.mat (pos_gt_src, headboxes_src, jnt_missing)"
    )


def _pck_truth(path: Path, skeleton: Skeleton, labels: str | None, halve: bool) -> Truth:
    """Points of LSP's joints.mat (third row: 1 = occluded; the second half, of the official 2000 the last 1000, is the test set), of FLIC's .h5 or
    .mat (a twelfth point is the torso box's centre), or of any file that read_points takes. Reference: left shoulder to right hip."""
    held = _labels_in(path, skeleton)
    name = "oc_joints" if labels == "oc" and "oc_joints" in held else next((known for known in ("part", "joints") if known in held), None)
    array = held[name] if name else next((array for array in held.values() if array.ndim == 3), np.empty(0))
    joints = len(skeleton)
    orders = _orders(array.shape, None, (joints, joints + 1) if skeleton.name == "flic" else (joints,))
    if len(orders) != 1:
        raise PaperlibError(f"{path}: holds no {skeleton.name} labels: needs people x {joints} joints x (x, y), got shape {array.shape}")
    people = array.transpose(orders[0])[:, :joints].astype(float)  # (N, J, 2 or 3)
    if halve or (skeleton.name == "lsp" and len(people) == 2000):
        people = people[len(people) // 2 :]
    points = people[..., :2]
    absent = np.isnan(points).any(-1)
    visible = held.get("visible") if people.shape[-1] == 2 else 1 - people[..., 2]
    torso = points[:, skeleton.index("left_shoulder")] - points[:, skeleton.index("right_hip")]
    return Truth(_blank(points, absent), np.linalg.norm(torso, axis=-1), _states(absent, visible))


def _blank(points: np.ndarray, absent: np.ndarray) -> np.ndarray:
    return np.where(absent[..., None], np.nan, points)


def _states(absent: np.ndarray, visible: np.ndarray | None) -> np.ndarray | None:
    return None if visible is None else np.where(absent, ABSENT, np.where(visible > 0, VISIBLE, OCCLUDED))


# --- predictions ---------------------------------------------------------------------------------------------------------------------------


def read_points(path: Path, people: int, skeleton: Skeleton) -> np.ndarray:
    """(N, J, 2) px, float64, the points of `path`; NaN for joints that CPM's FLIC file lacks. Raises PaperlibError if they do not fit."""
    joints = (len(skeleton), len(_CPM_FLIC)) if skeleton.name == "flic" else (len(skeleton),)
    arrays = {name: array for name, array in read_arrays(path, skeleton).items() if array.ndim == 3}
    orders = {name: found for name, array in arrays.items() if (found := _orders(array.shape, people, joints))}
    chosen = [name for name in _NAMES if name in orders][:1] or list(orders)
    if len(chosen) != 1 or len(orders[chosen[0]]) != 1:
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


def _orders(shape: tuple[int, ...], people: int | None, joints: tuple[int, ...]) -> list[tuple[int, ...]]:
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
    if 0 < np.nanmax(np.abs(points)) <= 1:
        raise PaperlibError(f"{path}: every coordinate lies within 1 of zero; points must be in pixels of the image, not fractions of it")


def read_arrays(path: Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """The numeric arrays of a .h5, .mat, .npz, .npy, .json or .csv file, by name. Raises PaperlibError if it cannot be read as what its name says."""
    readers = {".h5": _h5, ".hdf5": _h5, ".mat": _mat, ".npz": _npz, ".npy": _npy, ".json": _json, ".csv": lambda file: _csv(file, skeleton)}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise PaperlibError(f"{path}: unknown kind of file {path.suffix!r}; give one of {', '.join(readers)}")
    if not path.is_file():
        raise PaperlibError(f"{path}: there is no such file")
    try:
        found = reader(path)
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
