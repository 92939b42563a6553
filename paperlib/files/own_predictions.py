"""Predictions for a COCO keypoints file of your own, matched to its people.

COCO results ([{"image_id", "keypoints", ...}]), what `paperlib predict` writes ([{"image",
"people"}]), or an array in any form that paperlib.files.predictions reads, in the order of the
file.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from paperlib import PaperlibError
from paperlib.data.own import Own, split_by_image
from paperlib.files.predictions import read_points
from paperlib.skeleton import Skeleton, plain_name

ALL, HELD_OUT = "all", "the held-out images"


@dataclass(frozen=True)
class Found:
    """Predictions of everybody in `own`, in its order; NaN where there is none."""

    own: Own
    points: np.ndarray  # (N, J, 2) px
    which: str  # ALL people of the file, or those in HELD_OUT
    notes: tuple[str, ...] = ()  # predictions that match nobody


def read_predictions(path: Path, own: Own) -> Found:
    """The predictions in `path` of the people of `own`, or of its held-out images (split_by_image)
    where they are of no others.

    Records are matched to the people of their image by `annotation_id` where they have it, else one
    to one so that the errors are least, as COCO's own evaluation matches by likeness. Raises
    PaperlibError where they do not fit the labels.
    """
    try:
        held_out = split_by_image(own)[1]
    except PaperlibError:  # a single image
        held_out = None
    records = _records(path)
    if records is None:
        return _of_array(path, own, held_out)
    found, images = _match(path, own, records)
    if held_out is None or not images <= set(held_out.names):
        return found
    rows = np.isin(own.names, list(set(held_out.names)))
    return replace(found, own=held_out, points=found.points[rows], which=HELD_OUT)


def _of_array(path: Path, own: Own, held_out: Own | None) -> Found:
    skeleton = own.people.skeleton
    try:
        return Found(own, read_points(path, len(own), skeleton), ALL)
    except PaperlibError as error:
        if held_out is None or not path.is_file():
            raise
        try:
            return Found(held_out, read_points(path, len(held_out), skeleton), HELD_OUT)
        except PaperlibError:
            raise error from None


def _records(path: Path) -> list[dict] | None:
    """The records of a JSON file, None where it is of another kind."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise PaperlibError(f"{path}: not JSON ({error})") from error
    is_list = isinstance(content, list) and all(isinstance(record, dict) for record in content)
    return content if is_list and content else None


def _match(path: Path, own: Own, records: list[dict]) -> tuple[Found, set[str]]:
    """The predictions of each person in `records`, and the names of their images."""
    known, by_image = _image_names(own), defaultdict(list)
    for image, note, pose in _poses(path, records, own.people.skeleton):
        parts = PureWindowsPath(str(image)).parts
        ends = ("/".join(parts[i:]) for i in range(len(parts)))
        by_image[next((known[e] for e in (str(image), *ends) if e in known), None)] += [
            (note, pose)
        ]
    strange = len(by_image.pop(None, ()))
    if not by_image:
        raise PaperlibError(
            f"{path}: none of its {strange} predictions is of an image of {own.path}; an image is "
            "told by its image_id, or by its file name"
        )
    rows = pd.Series(own.names).groupby(own.names).indices
    points, left = np.full(own.people.joints.shape, np.nan), 0
    for name, poses in by_image.items():
        left += _assign(points, own, rows[name].tolist(), poses)
    notes = (f"predictions of images without labels: {strange}",) * bool(strange)
    notes += (f"predictions of nobody who is labelled: {left}",) * bool(left)
    return Found(own, points, ALL, notes), set(by_image)


def _image_names(own: Own) -> dict[str, str]:
    """The name of an image by everything that a record may call it: its id, its name, and the last
    part and the stem of its name where no other image has the same."""
    paths = {name: PureWindowsPath(name) for name in set(own.names)}
    short = [(key, name) for name, path in paths.items() for key in {path.name, path.stem}]
    often = Counter(key for key, _ in short)
    known = {key: name for key, name in short if often[key] == 1}
    known |= {"/".join(path.parts): name for name, path in paths.items()}
    return known | {str(i): name for i, name in zip(own.image_ids, own.names, strict=True)}


def _assign(points: np.ndarray, own: Own, mine: list[int], poses: list) -> int:
    """Write the poses of one image, whose people are the rows `mine`, into `points`, and return how
    many match nobody."""
    named, free, rest = {str(own.ids[row]): row for row in mine}, list(mine), []
    for note, pose in poses:
        row = None if note is None else named.get(str(note))
        if row in free:
            points[row] = pose
            free.remove(row)
        else:
            rest.append(pose)
    if free and rest:
        truth = own.people.joints[free][:, None]  # (F, 1, J, 2)
        apart = np.linalg.norm(truth - np.stack(rest), axis=-1)  # (F, R, J)
        known = np.broadcast_to(~np.isnan(truth[..., 0]), apart.shape)
        lost = 10 * np.nanmax(apart, initial=1.0)  # what an undetected joint costs
        cost = np.where(known, np.nan_to_num(apart, nan=lost), 0).sum(-1) / known.sum(-1)
        for i, k in zip(*linear_sum_assignment(cost), strict=True):
            points[free[i]] = rest[k]
    return max(0, len(rest) - len(free))


def _poses(path: Path, records: list[dict], skeleton: Skeleton) -> Iterator[tuple]:
    """(image, annotation id or None, (J, 2) px) of every predicted person."""
    for record in records:
        if isinstance(record.get("people"), list) and "image" in record:
            for person in record["people"]:
                yield record["image"], None, _by_name(path, person, skeleton)
        elif "keypoints" in record and "image_id" in record:
            yield record["image_id"], record.get("annotation_id"), _flat(path, record, skeleton)
        else:
            raise PaperlibError(
                f"{path}: a record has {sorted(record)[:6]}; COCO results have image_id and "
                "keypoints, and what `paperlib predict` writes has image and people"
            )


def _flat(path: Path, record: dict, skeleton: Skeleton) -> np.ndarray:
    """(J, 2) of COCO's x, y, confidence of each joint in turn; three zeros are no joint."""
    try:
        pose = np.array(record["keypoints"], float).reshape(len(skeleton), 3)
    except (TypeError, ValueError, OverflowError) as error:
        raise PaperlibError(
            f"{path}: 'keypoints' of image_id {record['image_id']} should be {3 * len(skeleton)} "
            f"numbers, x, y and confidence of {', '.join(skeleton.joints[:3])}, ..."
        ) from error
    return np.where((pose == 0).all(-1, keepdims=True), np.nan, pose[:, :2])


def _by_name(path: Path, person: Any, skeleton: Skeleton) -> np.ndarray:
    """(J, 2) of {"joints": {name: [x, y, ...]}}; NaN for a joint that is not there."""
    try:
        told = {plain_name(name): point[:2] for name, point in person["joints"].items()}
        pose = np.array([told.get(name, (np.nan, np.nan)) for name in skeleton.plain], float)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise PaperlibError(f"{path}: a person's joints should be name: [x, y]") from error
    if np.isnan(pose).all():
        raise PaperlibError(
            f"{path}: predicts {', '.join(list(told)[:3])}, ..., none of the keypoints of the "
            f"labels: {', '.join(skeleton.joints[:5])}, ..."
        )
    return pose
