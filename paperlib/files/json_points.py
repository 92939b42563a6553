"""Points in JSON: COCO results and annotations, records that name their joints, and nested lists.

COCO results are a list of {"image_id", "category_id", "keypoints": [x, y, v, ...], "score"}. They
name no joints; the number of joints tells whose order it is. An annotation file names the joints in
its categories, `paperlib predict --json` names them for every person.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from paperlib.files.joint_names import joint_called, places_of, read_column
from paperlib.files.points import File, Points
from paperlib.files.tables import points_of
from paperlib.skeleton import SKELETONS
from paperlib.writing import write_whole


def json_items(file: File) -> Iterator[tuple[str, Points | np.ndarray | list[str]]]:
    """The content of a file by name; points that are sorted by name already are "points"."""
    value = json.loads(file.path.read_bytes())  # with or without a byte order mark
    of_names = value if isinstance(value, dict) else {"points": value}
    records = [item for item in of_names.values() if _is_records(item)]
    records = records[0] if len(records) == 1 else []
    if "annotations" in of_names:
        labelled = [entry for entry in value["annotations"] if "keypoints" in entry]
        yield "points", _coco(file, labelled, value)
    elif records and all("keypoints" in entry for entry in records):
        yield "points", _coco(file, records, {})
    elif found := _stacked(records):
        yield "points", found
    elif any("people" in entry for entry in records):
        people, scores = _predicted(records)
        yield "points", replace(points_of(file, _table(people)), best=scores, kind="predict")
    elif records:
        yield "points", points_of(file, _table(records))
    elif value is of_names and value and all(isinstance(item, dict) for item in value.values()):
        yield "points", points_of(file, _keyed(value))
    else:
        yield from _lists(of_names)


def _is_records(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _lists(value: dict) -> Iterator[tuple[str, Points | np.ndarray | list[str]]]:
    """Lists of numbers and lists of text; or the points of each image under its name."""
    lists = {name: item for name, item in value.items() if isinstance(item, list) and item}
    texts = {n: item for n, item in lists.items() if all(isinstance(one, str) for one in item)}
    arrays = {name: np.array(item) for name, item in lists.items() if name not in texts}
    arrays = {name: array for name, array in arrays.items() if array.dtype.kind in "iuf"}
    shapes = {array.shape for array in arrays.values()}
    if len(arrays) > 3 and len(shapes) == 1 and not any(map(joint_called, arrays)):
        shape = shapes.pop()
        if len(shape) == 2 and shape[1] in (2, 3):  # {"im1001.jpg": [[x, y], ...], ...}
            stacked = np.stack(list(arrays.values())).astype(float)
            arrays, texts = {"points": Points(stacked, images=list(arrays))}, {}
    yield from (arrays | texts).items()


# --- COCO ---------------------------------------------------------------------------------------


def _coco(file: File, entries: list[dict], whole: dict) -> Points:
    """Points of COCO results, or of a whole annotation file, whose categories name the joints."""
    kinds = whole.get("categories") or ()
    names = next((kind["keypoints"] for kind in kinds if kind.get("keypoints")), None)
    points = [_keypoints(file, i, entry, names) for i, entry in enumerate(entries)]
    for i, one in enumerate(points):
        if one.shape != points[0].shape:
            raise file.error(
                f"entry {i} (from 0) has {len(one)} keypoints and entry 0 {len(points[0])}; give "
                "every person the same"
            )
    files = {image.get("id"): image.get("file_name") for image in whole.get("images", ())}
    images = _of_each(entries, "image_id", "image")
    scores = _of_each(entries, "score")
    best = scores and np.array(scores, float).reshape(len(scores), -1).mean(1)
    found = Points(np.stack(points), None, _of_each(entries, "person", "person_id"), kind="coco")
    if names is not None:
        places, notes = places_of(file, names)
        values = found.values[:, list(places.values())]
        found = replace(found, values=values, joints=tuple(places), notes=notes)
    return replace(found, images=images and [files.get(i) or i for i in images], best=best)


def _of_each(entries: list[dict], *names: str) -> list | None:
    """The first of the fields that an entry has, None unless every entry has one."""
    held = [next((e[name] for name in names if e.get(name) is not None), None) for e in entries]
    return None if None in held else held


def _keypoints(file: File, i: int, entry: dict, names: list[str] | None) -> np.ndarray:
    """(K, 2 or 3) of entry `i`: triplets or pairs, in one row or one by one."""
    try:
        points = np.array(entry["keypoints"], float)
    except (ValueError, TypeError) as why:
        raise file.error(f"entry {i} (from 0): its keypoints are not numbers") from why
    if points.ndim == 1:
        known = [len(names)] if names else [len(file.skeleton), *map(len, SKELETONS.values())]
        sizes = [(k, c) for k in known for c in (3, 2) if k * c == points.size]
        sizes += [(points.size // 3, 3)] if points.size % 3 == 0 else []
        points = points.reshape(sizes[0]) if sizes else points
    if points.ndim != 2 or points.shape[1] not in (2, 3) or (names and len(points) != len(names)):
        raise file.error(
            f"entry {i} (from 0) has keypoints of shape {points.shape}; give x, y and a score of "
            f"each of {len(names or file.skeleton)} joints"
        )
    scores = np.ravel(entry.get("keypoint_scores", ()))
    if points.shape[1] == 2 and len(scores) == len(points):
        points = np.column_stack([points, scores])
    return points


def write_coco(out: Path, found: Points) -> int:
    """Write COCO results of people with a skeleton's joints to `out`; the number of people.

    A point that is not there is 0, 0, 0. Without names or numbers of images, image_id is the row,
    counted from 0. Pixels are counted as in `found`.
    """
    gone = np.isnan(found.points).any(-1)  # (N, J)
    scores = np.ones(gone.shape) if found.third is None else np.nan_to_num(found.third, nan=1.0)
    triplets = np.where(gone[..., None], 0, np.dstack([found.points, scores]))
    best = triplets[..., 2].sum(1) / (~gone).sum(1).clip(min=1)
    images = found.images or range(len(gone))
    entries = [
        {
            "image_id": int(image) if str(image).isdigit() else image,
            "category_id": 1,
            "keypoints": one.ravel().tolist(),
            "score": float(score),
        }
        for image, one, score in zip(images, triplets, best, strict=True)
    ]
    write_whole(out, json.dumps(entries).encode())
    return len(entries)


# --- other records ------------------------------------------------------------------------------


def _predicted(value: list[dict]) -> tuple[list[dict], np.ndarray]:
    """(a record, a score) of each person that `paperlib predict --json` prints."""
    count, records = Counter(), []
    for i, entry in enumerate(value):
        image = str(entry.get("image", i))
        for person in entry["people"]:
            records.append({"image": image, "person": count[image]} | person["joints"])
            count[image] += 1
    points = [[item for item in one.values() if isinstance(item, list)] for one in records]
    return records, np.array([np.mean([point[2] for point in one]) for one in points])


def _stacked(records: list[dict]) -> Points | None:
    """Records of which one field holds all the points: [{"image", "joints": [[x, y], ...]}]."""
    for name in records[0] if records else ():
        try:
            points = np.array([one.get(name) for one in records], float)
        except (ValueError, TypeError):
            continue
        if points.ndim == 3 and points.shape[2] in (2, 3):
            images = _of_each(records, "image", "image_id", "img_paths")
            return Points(points, None, _of_each(records, "person", "person_id"), images)
    return None


def _keyed(value: dict[str, dict]) -> pd.DataFrame:
    """{"rankle_x": {"0": 1.5, ...}, ...}, as pandas writes it, or a record under each image."""
    if any(read_column(name).field for name in value):
        columns = {name: list(item.values()) for name, item in value.items()}
        return pd.DataFrame(columns, dtype=object)
    return _table([{"image": name} | item for name, item in value.items()])


def _table(records: list[dict]) -> pd.DataFrame:
    """A row a record. {"rankle": [x, y, score]} and {"rankle": {"x": .., "y": ..}} become columns;
    {"joints": [{"name", "x", "y"}, ...]} a row a point."""
    rows = [row for person, one in enumerate(records) for row in _rows(person, one)]
    return pd.DataFrame(rows, dtype=object)


def _rows(person: int, one: dict) -> list[dict]:
    points = next((item for item in one.values() if _is_records(item)), None)
    if not points:
        return [_flat(one)]
    others = {name: item for name, item in one.items() if not isinstance(item, (list, dict))}
    if not any(name.lower().startswith(("person", "im", "file")) for name in others):
        others = {"person": person}
    return [others | point for point in points]


def _flat(one: dict, before: str = "") -> dict:
    flat = {}
    for name, item in one.items():
        name = f"{before}{name}"
        if isinstance(item, dict):
            flat |= _flat(item, f"{name} " if joint_called(name) else before)
        elif not isinstance(item, list):
            flat[name] = item
        elif len(item) in (2, 3) and joint_called(name):
            fields = ("x", "y", "score")[: len(item)]
            flat |= {f"{name} {field}": x for field, x in zip(fields, item, strict=True)}
    return flat
