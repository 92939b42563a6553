"""Truths: the official labels of a data set as a score needs them, each convention's own."""

import dataclasses
from pathlib import Path

import numpy as np

from paperlib import PaperlibError, conventions
from paperlib.files.contents import read_content
from paperlib.files.points import File, Points
from paperlib.files.predictions import read_labels
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import SKELETONS, Skeleton

CELLS = 64  # of H's heatmap, a side


@dataclasses.dataclass(frozen=True)
class Truth:
    """What predictions are measured against: points (N, J, 2) with NaN where absent, reference
    length (N,), state (N, J) or None.

    All in image px, or, where `boxes` (N, 3) are given, in the heatmap cells that the Torch
    training code compares (FACTS C.7).
    """

    points: np.ndarray
    reference: np.ndarray
    state: np.ndarray | None = None
    boxes: np.ndarray | None = None
    images: list | None = None  # the N images' names, where they are known
    path: Path | None = None
    notes: tuple[str, ...] = ()


def truths(
    dataset: str, data: Path, truth: Path | None, convention: str, labels: str | None
) -> tuple[Truth, Truth]:
    """What the shares are measured against, and what visible and occluded joints are."""
    if dataset == "mpii":
        return _mpii_truths(data / "mpii/annot", truth, conventions.convention(dataset, convention))
    flic = "flic/annot/valid.h5" if labels == "oc" else "flic/annot/valid_personcentric.h5"
    path = truth or data / {"lsp": "lsp/joints.mat", "flic": flic}[dataset]
    halve = truth is None and dataset == "lsp"
    found = _pck_truth(path, SKELETONS[dataset], labels, halve)
    return found, found


def _mpii_truths(
    folder: Path, truth: Path | None, rule: conventions.Convention
) -> tuple[Truth, Truth]:
    """The official fractions of a pixel where they are there, else the whole pixels of valid.h5,
    which `paperlib data fetch mpii` brings."""
    floats, whole = folder / "detections_our_format.mat", folder / "valid.h5"
    if rule.cells:
        found = dataclasses.replace(torch_training_truth(truth or whole), path=truth or whole)
        return found, found
    integers = rule.name in ("pooled16", "hard10")
    instead = not (integers or truth or floats.is_file())
    above = 1 if rule.name == "hard10" else 0
    main = mpii_truth(truth or (whole if integers or instead else floats), above)
    if instead:
        note = f"the truth is {whole}, whole pixels, for {floats.name} is not there"
        main = dataclasses.replace(main, notes=(note,))
    if truth is None and not whole.is_file():
        return main, main
    flagged = mpii_truth(truth or whole, above=1)
    if main.images is None and len(flagged.points) == len(main.points):
        main = dataclasses.replace(main, images=flagged.images)
    return main, flagged


def _find(path: Path, skeleton: Skeleton) -> None:
    if not path.is_file():
        raise PaperlibError(
            f"{path}: no such file; fetch the labels (paperlib data fetch {skeleton.name}) or name "
            "another file with --truth"
        )


def _labels_in(path: Path, skeleton: Skeleton) -> dict:
    _find(path, skeleton)
    return read_content(File(path, skeleton, gaps=True))


def mpii_truth(path: Path, above: int) -> Truth:
    """detections_our_format.mat (evalMPII, fractions of a pixel) or valid.h5 (whole pixels).

    A joint is there if it is a number and its x > `above`: (0, 0) and (-1, -1) are not.
    """
    held = _labels_in(path, SKELETONS["mpii"])
    if {"pos_gt_src", "headboxes_src", "jnt_missing"} <= held.keys():
        points = held["pos_gt_src"].transpose(2, 0, 1)
        absent = held["jnt_missing"].T.astype(bool) | ~np.isfinite(points).all(-1)  # (N, J)
        corner, opposite = held["headboxes_src"]  # (2, N) each
        length = 0.6 * np.linalg.norm(opposite - corner, axis=0)
        return Truth(_blank(points, absent), length, path=path)
    joints = len(SKELETONS["mpii"])
    if {"part", "normalize"} <= held.keys() and held["part"].shape[1:] == (joints, 2):
        absent = ~np.isfinite(held["part"]).all(-1) | ~(held["part"][..., 0] > above)
        length = held["normalize"].astype(float)
        points, state = _blank(held["part"], absent), _states(absent, held.get("visible"))
        return Truth(points, length, state, images=held.get("imgname"), path=path)
    raise PaperlibError(
        f"{path}: holds no MPII labels with head sizes; give a file like valid.h5 "
        "(part (N, 16, 2), normalize (N,)) or detections_our_format.mat (pos_gt_src, "
        "headboxes_src, jnt_missing)"
    )


def torch_training_truth(path: Path) -> Truth:
    """The heatmap cells, from 1, of the labels of valid.h5, and a tenth of the heatmap's side:
    what the Torch code compares as it trains (FACTS C.7).

    As there, a joint counts if its x > 0, and 1 is added to x and y although the labels count from
    1 already. A joint in the first row or column of cells, or outside the heatmap, counts as
    missing.
    """
    held, labels = _labels_in(path, SKELETONS["mpii"]), mpii_truth(path, above=0)
    if not {"center", "scale"} <= held.keys():
        raise PaperlibError(
            f"{path}: has no center and scale of each person, which the torch-training "
            "convention needs; give Newell's valid.h5"
        )
    boxes = np.column_stack([held["center"], 200 * held["scale"]])
    cells = heatmap_cells(labels.points + 1, boxes)
    outside = ~((cells > 1) & (cells <= CELLS)).all(-1)
    state = None if labels.state is None else np.where(outside, ABSENT, labels.state)
    return Truth(_blank(cells, outside), np.full(len(cells), CELLS / 10), state, boxes)


def heatmap_cells(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Cells x, y from 1 of image points (N, J, 2) from 1, in squares of centre and side `boxes` (N,
    3): truncated as the released code does (C.5)."""
    centre, side = boxes[:, None, :2], boxes[:, None, 2:]
    return np.trunc(CELLS * (points - 1 - centre) / side + CELLS / 2) + 1


def _pck_truth(path: Path, skeleton: Skeleton, labels: str | None, halve: bool) -> Truth:
    """Points of LSP's or LSP-extended's joints.mat (of LSP's 2000 the second half is the test set),
    of FLIC's .h5 or .mat (a twelfth "point" is the torso box's width and height), or of any file of
    points.

    Absent is a joint at NaN, (0, 0) or (-1, -1), and one whose flag says so. Reference: left
    shoulder to right hip.
    """
    _find(path, skeleton)
    names = ("oc_joints", "part", "joints") if labels == "oc" else ("part", "joints")
    found = read_labels(path, skeleton, names)
    points, images = found.points, found.images
    if skeleton.name == "lsp" and images is None and (halve or len(points) == 2000):
        images = [f"im{row + 1:04d}.jpg" for row in range(len(points))]
    absent = ~np.isfinite(points).all(-1) | (points == 0).all(-1) | (points == -1).all(-1)
    unlabelled, visible, notes = _flags(found)
    absent |= unlabelled
    points = _blank(points, absent)
    torso = points[:, skeleton.index("left_shoulder")] - points[:, skeleton.index("right_hip")]
    truth = Truth(points, np.linalg.norm(torso, axis=-1), _states(absent, visible))
    if halve or (skeleton.name == "lsp" and len(points) == 2000):
        half = slice(len(points) // 2, None)
        state = None if truth.state is None else truth.state[half]
        truth = Truth(points[half], truth.reference[half], state)
        images = images and images[half]
    without = int((~(truth.reference > 0) & ~np.isnan(truth.points).all((1, 2))).sum())
    if without:
        notes += (f"{without} people without left shoulder or right hip in the truth are left out",)
    return dataclasses.replace(truth, images=images, path=path, notes=found.notes + notes)


def _flags(found: Points) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """(N, J) not annotated, (N, J) visible or None, and remarks: what the third value of the labels
    means.

    LSP's 1 is an occluded joint, few of all; LSP-extended's 1 an annotated one, most of all; COCO's
    0 is not annotated, 1 occluded, 2 visible.
    """
    flags, nowhere = found.third, np.zeros(found.points.shape[:2], bool)
    if flags is None or found.kind == "visible":
        return nowhere, None if flags is None else flags > 0, ()
    values = set(np.unique(flags[np.isfinite(flags)]).tolist())
    if not values <= {0, 1, 2}:
        return nowhere, None, ("the truth's third value is no flag (0, 1, 2) and was not used",)
    if found.kind == "coco" or 2 in values:
        return flags == 0, flags == 2, ()
    if found.axes == (2, 0, 1) or np.nanmean(flags) > 0.5:
        said = "the truth's third value is read as LSP-extended's: 1 = annotated, 0 = not"
        return flags != 1, None, (said,)
    return nowhere, flags == 0, ()


def _blank(points: np.ndarray, absent: np.ndarray) -> np.ndarray:
    return np.where(absent[..., None], np.nan, points)


def _states(absent: np.ndarray, visible: np.ndarray | None) -> np.ndarray | None:
    if visible is None:
        return None
    return np.where(absent, ABSENT, np.where(visible > 0, VISIBLE, OCCLUDED))
