"""Score any prediction file against the official labels; no image is needed.

    score_file("mpii", "preds/newell.h5", data="data")["total"]      # 88.43

A file may be .h5, .mat (v5 or v7.3), .npz, .npy, .json (COCO results too), .csv or .tsv. It holds
image-pixel points, x before y, of every test person in the official order, in any order of axes
that the shape settles; joints, people and images that it names are taken by name. It counts pixels
as the labels do: MPII's from 1 (add 1 to points of `People`), LSP's and FLIC's as they are stored.
The truths, the published files and what was found in them: FACTS D.
"""

import dataclasses
import math
from pathlib import Path

import numpy as np

from paperlib import PaperlibError, conventions, metrics
from paperlib.data.datasets import DATASETS
from paperlib.files.contents import check_file
from paperlib.files.predictions import read_arrays, read_points, read_predictions
from paperlib.files.suspicions import refuse_another_order, suspicions
from paperlib.skeleton import GROUPS, SKELETONS, Skeleton
from paperlib.truths import CELLS, Truth, heatmap_cells, truths

__all__ = ["Truth", "read_arrays", "read_points", "score_file", "truths"]


def score_file(
    dataset: str,
    predictions,
    data,
    truth=None,
    convention: str = "official",
    labels: str | None = None,
) -> dict:
    """Scores of one file of predictions for `dataset` (mpii, lsp or flic), in percent, unrounded,
    ready for JSON: a share of no joints is None.

    `data` is the data folder, `truth` another file of labels, `labels` pc or oc (MPII: pc alone).
    Each part has all seven groups, None where the labels have no such joint or no flags; `curve` is
    the total within 0, 0.01, 0.02, ... up to `threshold`. MPII's visible and occluded joints are
    told apart, and measured, by valid.h5 (FACTS D.6): the official truth has no flags. `undetected`
    counts points that the file does not hold or that a .mat marks NaN, NaN as the toolkits do;
    `unpredicted_joints` are those that it has for nobody, or at (0, 0): both wrong. `truth` names
    the labels that were used, and `notes` are lines to read beside the score. Raises PaperlibError,
    and gives no score, for a file that cannot be read or does not hold one finite point per person
    and joint.
    """
    rule = conventions.convention(dataset, convention)
    known = DATASETS[dataset].labels
    labels = labels or known[0]
    if labels not in known:
        raise PaperlibError(f"no labels {labels!r} for {dataset}; there is {' and '.join(known)}")
    skeleton = SKELETONS[dataset]
    check_file(Path(predictions))  # before the labels, which may be absent too
    main, flagged = truths(dataset, Path(data), truth and Path(truth), convention, labels)
    found = read_predictions(Path(predictions), len(main.points), skeleton, main.images)
    points = found.points
    compared = points
    if main.boxes is not None:
        compared = np.clip(heatmap_cells(points, main.boxes), 1, CELLS)
    limit = rule.threshold * main.reference
    refuse_another_order(Path(predictions), compared, main.points, limit)
    scores = metrics.score(compared, main.points, main.reference, skeleton, rule, main.state)
    if flagged is not main:
        split = metrics.score(
            points, flagged.points, flagged.reference, skeleton, rule, flagged.state
        )
        scores = dataclasses.replace(scores, visible=split.visible, occluded=split.occluded)
    gone = _unpredicted(points, skeleton)
    notes = [*main.notes, *found.notes]
    if counted := [joint for joint in gone if joint in rule.joints]:
        notes.append(f"no prediction of {', '.join(counted)}: counted as wrong")
    if main.boxes is None:
        notes += suspicions(points, main.points, limit, skeleton)
    result = {"dataset": dataset, "convention": convention, "labels": labels}
    result |= dataclasses.asdict(scores)
    for part in ("groups", "visible", "occluded"):
        result[part] = {group: (result[part] or {}).get(group) for group in GROUPS}
    result |= {"undetected": int(np.isnan(points).any(-1).sum()), "unpredicted_joints": gone}
    return without_nan(result | {"truth": str(main.path), "notes": notes})


def _unpredicted(points: np.ndarray, skeleton: Skeleton) -> list[str]:
    """The joints that the points have for nobody, or at (0, 0)."""
    nowhere = (np.isnan(points) | (points == 0)).all((0, 2))
    return [joint for joint, none in zip(skeleton.joints, nowhere, strict=True) if none]


def without_nan(value):
    """The same with None for NaN, ready for JSON."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def in_words(name: str, result: dict) -> str:
    """What was measured, by which truth, and two lines of shares."""
    kind = "PCKh" if result["dataset"] == "mpii" else "PCK"
    whose = "person" if result["labels"] == "pc" else "observer"
    what = f"{kind}@{result['threshold']:g}, {result['convention']} convention"
    whom = f"{result['people']} people of {result['dataset']}"
    lines = [f"{name}: {whom}, {what}, {whose}-centric labels", f"truth: {result['truth']}"]
    total = {"total": result["total"], "within 0.1": result["curve"][10], "AUC": result["auc"]}
    groups = {group: share for group, share in result["groups"].items() if share is not None}
    for shares in (groups, total):
        said = (f"{what} {'-' if s is None else format(s, '.2f')}" for what, s in shares.items())
        lines.append("  ".join(said))
    return "\n".join(lines)
