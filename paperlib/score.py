"""Score any prediction file against the official labels; no image is needed.

    score_file("mpii", "preds/newell.h5", data="data")["total"]      # 88.43

A file may be .h5, .mat (v5 or v7.3), .npz, .npy, .json or .csv. It holds image-pixel points, x before y, of every test person in the official order,
in any order of axes that the shape settles, and counts pixels as the labels do: MPII's from 1 (add 1 to points of `People`), LSP's and FLIC's as
they are stored. The truths, the published files and what was found in them: FACTS D.
"""

import dataclasses
import math
from pathlib import Path

import numpy as np

from paperlib import PaperlibError, metrics
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.prediction_files import axis_orders, check_file, read_arrays, read_points
from paperlib.skeleton import GROUPS, SKELETONS, Skeleton

CELLS = 64  # of H's heatmap, a side
_LABELS = {"mpii": ("pc",), "lsp": ("pc", "oc"), "flic": ("oc", "pc")}  # person- or observer-centric left and right; the first is the default


@dataclasses.dataclass(frozen=True)
class Truth:
    """What predictions are measured against: points (N, J, 2) with NaN where absent, reference length (N,), state (N, J) or None.

    All in image px, or, where `boxes` (N, 3) are given, in the heatmap cells that the Torch training code compares (FACTS C.7).
    """

    points: np.ndarray
    reference: np.ndarray
    state: np.ndarray | None = None
    boxes: np.ndarray | None = None


def score_file(dataset: str, predictions, data, truth=None, convention: str = "official", labels: str | None = None) -> dict:
    """Scores of one file of predictions for `dataset` (mpii, lsp or flic), in percent, unrounded, ready for JSON: a share of nothing is None.

    `data` is the data folder, `truth` another file of labels in the official formats, `labels` pc or oc (MPII: pc alone). Each part has all seven
    groups, None where the labels have no such joint or no flags; `curve` is the total within 0, 0.01, 0.02, ... up to `threshold`. MPII's visible and
    occluded joints are told apart, and measured, by valid.h5 (FACTS D.6): the official truth has no flags. `undetected` counts points that the file
    does not hold or that a .mat marks NaN, NaN as the toolkits do; `unpredicted_joints` are those that it has for nobody, or at (0, 0): both wrong.
    Raises PaperlibError, and gives no score, for a file that cannot be read or does not hold one finite point per person and joint.
    """
    rule = metrics.convention(dataset, convention)
    known = _LABELS[dataset]
    labels = labels or known[0]
    if labels not in known:
        raise PaperlibError(f"no labels {labels!r} for {dataset}; there is {' and '.join(known)}")
    skeleton = SKELETONS[dataset]
    check_file(Path(predictions))  # before the labels, which may be absent too
    main, flagged = truths(dataset, Path(data), truth and Path(truth), convention, labels)
    points = read_points(Path(predictions), len(main.points), skeleton)
    compared = points if main.boxes is None else np.clip(heatmap_cells(points, main.boxes), 1, CELLS)
    _refuse_another_order(Path(predictions), compared, main, rule.threshold)
    scores = metrics.score(compared, main.points, main.reference, skeleton, rule, main.state)
    if flagged is not main:
        split = metrics.score(points, flagged.points, flagged.reference, skeleton, rule, flagged.state)
        scores = dataclasses.replace(scores, visible=split.visible, occluded=split.occluded)
    nowhere = (np.isnan(points) | (points == 0)).all((0, 2))
    notes = {
        "undetected": int(np.isnan(points).any(-1).sum()),
        "unpredicted_joints": [joint for joint, gone in zip(skeleton.joints, nowhere, strict=True) if gone],
    }
    found = dataclasses.asdict(scores)
    seven = {part: {group: (found[part] or {}).get(group) for group in GROUPS} for part in ("groups", "visible", "occluded")}
    return _without_nan({"dataset": dataset, "convention": convention, "labels": labels} | found | seven | notes)


def _refuse_another_order(path: Path, points: np.ndarray, truth: Truth, threshold: float) -> None:
    """Of 64 people, a quarter or more fit the labels of another row, each of a different one, and not their own: the rows are in another order.

    To fit is to have six annotated joints of ten within the threshold, not to fit fewer than three: a poor prediction does neither.
    """
    known = ~np.isnan(truth.points[..., 0]) & (truth.reference > 0)[:, None]  # (N, J)
    found = {}
    sample = np.unique(np.linspace(0, len(points) - 1, 64).astype(int))
    for row in sample:
        near = np.linalg.norm(points[row] - truth.points, axis=-1) <= threshold * truth.reference[:, None]
        share = (near & known).sum(1) / np.maximum(known.sum(1), 5)  # a handful of joints fits by chance
        if share[row] < 0.3 and share.max() >= 0.6:
            found[int(row)] = int(share.argmax())
    if len(found) >= len(sample) / 4 and len(set(found.values())) > 0.9 * len(found):
        row, other = next(iter(found.items()))
        raise PaperlibError(
            f"{path}: its people are in another order than the labels: row {row} fits the labels of row {other} (from 0), and so do others; "
            "give one row a person in the official order"
        )


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


# --- truths --------------------------------------------------------------------------------------------------------------------------------


def truths(dataset: str, data: Path, truth: Path | None, convention: str, labels: str | None) -> tuple[Truth, Truth]:
    """What the shares are measured against, and what visible and occluded joints are."""
    if dataset == "mpii":
        floats, whole = data / "mpii/annot/detections_our_format.mat", data / "mpii/annot/valid.h5"
        if metrics.convention(dataset, convention).cells:
            found = torch_training_truth(truth or whole)
            return found, found
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


def torch_training_truth(path: Path) -> Truth:
    """The heatmap cells, from 1, of the labels of valid.h5, and a tenth of the heatmap's side: what the Torch code compares as it trains (FACTS C.7).

    A joint is drawn if its x > 1; one whose cell is the first, or lies outside the heatmap, counts as missing.
    """
    held, labels = _labels_in(path, SKELETONS["mpii"]), mpii_truth(path, above=1)
    if not {"center", "scale"} <= held.keys():
        raise PaperlibError(f"{path}: has no center and scale of each person, which the torch-training convention needs; give Newell's valid.h5")
    boxes = np.column_stack([held["center"], 200 * held["scale"]])
    cells = heatmap_cells(labels.points, boxes)
    outside = ~((cells > 1) & (cells <= CELLS)).all(-1)
    state = None if labels.state is None else np.where(outside, ABSENT, labels.state)
    return Truth(_blank(cells, outside), np.full(len(cells), CELLS / 10), state, boxes)


def heatmap_cells(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cells x, y from 1 of image points (N, J, 2) from 1, in squares of centre and side `boxes` (N, 3): truncated as the released code does (C.5)."""
    centre, side = boxes[:, None, :2], boxes[:, None, 2:]
    return np.trunc(CELLS * (points - 1 - centre) / side + CELLS / 2) + 1


def _pck_truth(path: Path, skeleton: Skeleton, labels: str | None, halve: bool) -> Truth:
    """Points of LSP's joints.mat (third row: 1 = occluded; the second half, of the official 2000 the last 1000, is the test set), of FLIC's .h5 or
    .mat (a twelfth point is the torso box's centre), or of any file that read_points takes. Reference: left shoulder to right hip."""
    held = _labels_in(path, skeleton)
    name = "oc_joints" if labels == "oc" and "oc_joints" in held else next((known for known in ("part", "joints") if known in held), None)
    array = held[name] if name else next((array for array in held.values() if array.ndim == 3), np.empty(0))
    joints = len(skeleton)
    orders = axis_orders(array.shape, None, (joints, joints + 1) if skeleton.name == "flic" else (joints,))
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
