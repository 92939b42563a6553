"""A COCO keypoints file, whoever wrote it: its categories, and of its annotations those that can be
used. What cannot be used is left out by name and counted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import read

NAMED = 3  # broken annotations whose ids are told; the others are only counted
ASIDE = 0.1  # x the longer side: what a box about labelled joints is widened by, on every side


@dataclass(frozen=True)
class Annotations:
    """N annotations of one kind, each with at least one labelled joint."""

    ids: list  # as in the file, None where it has none
    image_ids: list
    category_ids: list
    images: list[str]  # the image's file_name, "" where the file has no such image
    sizes: np.ndarray  # (N, 2) px, the image's width and height as the file says; NaN where not
    points: np.ndarray  # (N, J, 3) x, y, flag
    boxes: np.ndarray  # (N, 4) px, x, y, width, height
    left_out: dict[str, int]
    boxless: int  # those whose box is the one about their labelled joints


def read_content(path: Path) -> dict[str, Any]:
    """The object of a COCO file. Raises PaperlibError on a file that cannot be read or lacks the
    lists `images` and `annotations`."""
    content = read(path, lambda path: json.loads(path.read_text(encoding="utf-8-sig")))
    for key in ("annotations", "images"):
        there = isinstance(content, dict) and key in content
        if not there or not isinstance(content[key], list):
            what = "is no list" if there else "is not there"
            raise PaperlibError(f"{path}: has no '{key}' as COCO's files have ({key} {what})")
    return content


def categories(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The categories with an id, those with keypoints or not; [] where the file lists none."""
    listed = content.get("categories")
    known = [c for c in listed if isinstance(c, dict)] if isinstance(listed, list) else []
    return [c for c in known if isinstance(c.get("id"), int | str)]


def read_annotations(
    path: Path, content: Mapping[str, Any], wanted: set, joints: int, strict: bool, box: bool = True
) -> Annotations:
    """The annotations whose category is one of `wanted` (ids), with `joints` keypoints.

    Left out and counted: other categories, crowds (`iscrowd`; one without it is none), people
    without a labelled joint, and broken annotations: without `keypoints` or `bbox`, or with other
    than 3 x `joints` and 4 numbers. The first of these are named by their ids; `strict` raises at
    the first. Unless `box` is True, one without `bbox` gets the box about its labelled joints.
    Raises PaperlibError where all are broken.
    """
    # ids are compared in words: 7 and "7" are one, as tools take them to be
    names = {str(known["id"]): known.get("name", known["id"]) for known in categories(content)}
    wanted, usual = set(map(str, wanted)), min(wanted, key=str)
    strangers, left_out, broken, kept = [], {}, [], []
    for note in content["annotations"]:
        note = note if isinstance(note, dict) else {}
        category = str(note.get("category_id", usual))
        if category not in wanted:
            strangers.append(_short(names.get(category, category)))
        elif note.get("iscrowd"):
            left_out["crowd"] = left_out.get("crowd", 0) + 1
        elif fault := _fault(note, joints, box):
            broken.append(f"id {_short(note.get('id'))} has {fault}")
        else:
            kept.append(note)
    if broken and (strict or not kept):
        every = "" if kept else f", as have all {len(broken)}"
        raise PaperlibError(
            f"{path}: 'keypoints' should be {3 * joints} numbers and 'bbox' 4 in every annotation, "
            f"but {broken[0]}{every}; mend the file{', or load with strict=False' * bool(kept)}"
        )
    if strangers:
        left_out[f"other category ({_some(sorted(set(strangers)))})"] = len(strangers)
    if broken:
        left_out[f"annotation broken ({_some(broken)})"] = len(broken)
    points = _table([note["keypoints"] for note in kept], 3 * joints).reshape(-1, joints, 3)
    labelled = (points[..., 2] != 0).any(-1)
    if not labelled.all():
        left_out["no joint labelled"] = int((~labelled).sum())
    kept = [note for note, has in zip(kept, labelled, strict=True) if has]
    points = points[labelled]
    boxless = [note.get("bbox") is None for note in kept]
    boxes = [
        _about(row) if lacks else note["bbox"]
        for note, row, lacks in zip(kept, points, boxless, strict=True)
    ]
    images = _images(content)
    found = [images.get(str(note.get("image_id")), ("", np.nan, np.nan)) for note in kept]
    return Annotations(
        ids=[note.get("id") for note in kept],
        image_ids=[note.get("image_id") for note in kept],
        category_ids=[note.get("category_id", usual) for note in kept],
        images=[name for name, *_ in found],
        sizes=np.array([size for _, *size in found], float).reshape(-1, 2),
        points=points,
        boxes=_table(boxes, 4),
        left_out=left_out,
        boxless=sum(boxless),
    )


def _fault(note: dict, joints: int, box: bool) -> str:
    """What is wrong with an annotation, '' where nothing is."""
    for key, count in (("keypoints", 3 * joints), ("bbox", 4)):
        if note.get(key) is None and (box or key == "keypoints"):
            return f"no '{key}'"
        if note.get(key) is not None and not _is_row(note[key], count):
            return f"'{key}' {_short(note[key])}"
    return ""


def _is_row(values: Any, count: int) -> bool:
    try:
        return isinstance(values, list) and np.array(values, float).size == count
    except (TypeError, ValueError, OverflowError):
        return False


def _table(rows: list, columns: int) -> np.ndarray:
    return np.array([np.array(row, float).ravel() for row in rows]).reshape(len(rows), columns)


def _about(points: np.ndarray) -> list[float]:
    """The box about the labelled of (J, 3) points, a little wider."""
    labelled = points[points[:, 2] != 0, :2]
    low, high = labelled.min(0), labelled.max(0)
    aside = ASIDE * (high - low).max()
    return [*(low - aside), *(high - low + 2 * aside)]


def _images(content: Mapping[str, Any]) -> dict[str, tuple[str, float, float]]:
    """Name, width and height of every image, by the id in words."""
    known = [image for image in content["images"] if isinstance(image, dict)]
    lengths = [[_length(image.get(key)) for key in ("width", "height")] for image in known]
    return {
        str(image.get("id")): (str(image.get("file_name") or ""), *size)
        for image, size in zip(known, lengths, strict=True)
    }


def _length(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 < value < 1e6 else np.nan


def _short(value: Any) -> str:
    return " ".join(str(value).split())[:40]


def _some(words: list[str]) -> str:
    return ", ".join(words[:NAMED]) + f" and {len(words) - NAMED} more" * (len(words) > NAMED)
