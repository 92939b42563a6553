"""Scores on labels of your own: a COCO keypoints file against any prediction of its people.

    score_own("my.json", "predictions.json")["total"]

PCK, with a reference length that the result names: the torso, left shoulder to right hip, and 0.2
of it where the skeleton has both; else the longer side of the box, and 0.1 of it.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError, metrics
from paperlib.conventions import Convention
from paperlib.data.own import Own, load_own, reference
from paperlib.files.own_predictions import read_predictions
from paperlib.metrics import Scores, bootstrap_interval, normalised_errors
from paperlib.score import without_nan

SOURCES = {
    "torso": "torso, left shoulder to right hip, as LSP and FLIC are measured",
    "box": "longer side of the labelled box (Yang and Ramanan, 2013)",
}


def own_convention(own: Own, name: str = "official") -> tuple[Convention, np.ndarray]:
    """The convention "torso" or "box" ("official": torso where the skeleton has it), over all
    joints of `own`, and its people's reference length (N,) px, NaN where it is not labelled.

    Raises PaperlibError for another name, and for the torso of a skeleton that has none.
    """
    length, threshold, known = reference(own.people, "" if name == "official" else name)
    return Convention(known, SOURCES[known], own.people.skeleton.joints, threshold), length


def measure_own(
    own: Own, points: np.ndarray, convention: str = "official"
) -> tuple[Scores, tuple[float, float], Convention]:
    """Scores of points (N, J, 2) px of everybody in `own`, the total's 95 % interval over people,
    and their convention. Raises PaperlibError where nobody has the reference length."""
    rule, length = own_convention(own, convention)
    if not (length > 0).any():
        raise PaperlibError(
            f"{own.path}: none of {len(own)} has both ends of the {rule.name} labelled, by which "
            "errors are divided; take --convention box"
        )
    people = own.people
    scores = metrics.score(points, people.joints, length, people.skeleton, rule, people.state)
    errors = normalised_errors(points, people.joints, length)
    return scores, bootstrap_interval(errors <= rule.threshold, ~np.isnan(errors)), rule


def score_own(
    labels: str | Path, predictions: str | Path, convention: str = "official"
) -> dict[str, Any]:
    """Scores of one file of predictions for the COCO keypoints file `labels`, in percent, ready for
    JSON: as score_file gives them, and "which" (people), "reference", "interval" and "notes".

    No image is needed. What predictions may be, and whose they are taken to be: read_predictions. A
    person without a prediction is wrong; one without the reference length is not measured and is
    counted in a note. Raises PaperlibError, and gives no score, where they do not fit the labels.
    """
    found = read_predictions(Path(predictions), load_own(labels, need_images=False))
    scores, interval, rule = measure_own(found.own, found.points, convention)
    people, length = len(found.own), own_convention(found.own, convention)[1]
    missing = int(np.isnan(found.points).all((1, 2)).sum())
    unmeasured = int((~(length > 0)).sum())
    notes = list(found.notes)
    if missing:
        notes.append(f"{missing} of {people} have no prediction and count as wrong")
    if unmeasured:
        notes.append(f"{unmeasured} of {people} have no {rule.name} labelled: not measured")
    result = {"dataset": str(labels), "convention": rule.name, "labels": "pc", "which": found.which}
    result |= dataclasses.asdict(scores) | {"people": people - unmeasured}
    result |= {"reference": rule.source, "interval": interval, "notes": notes}
    return without_nan(result)


def in_words(result: dict[str, Any]) -> str:
    """A result of score_own in a few lines."""
    low, high = result["interval"]
    lines = [
        f"{result['people']} of {result['dataset']} ({result['which']}), "
        f"PCK@{result['threshold']:g} of the {result['reference']}",
        "  ".join(f"{name} {_percent(share)}" for name, share in result["groups"].items()),
        f"total {_percent(result['total'])} [{low:.2f}, {high:.2f}]  AUC {_percent(result['auc'])}",
    ]
    return "\n".join(lines + [f"note: {note}" for note in result["notes"]])


def coco_results(own: Own, points: np.ndarray, confidence: np.ndarray) -> list[dict[str, Any]]:
    """COCO results of everybody in `own`: points (N, J, 2) px with confidences (N, J).

    Each also has the `annotation_id` of the labels that it is to be measured by.
    """
    rows = np.dstack([points, confidence]).reshape(len(own), -1).round(4).tolist()
    keys = ("image_id", "annotation_id", "category_id", "keypoints", "score")
    columns = (own.image_ids, own.ids, own.categories, rows, confidence.mean(1).round(4).tolist())
    return [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"
