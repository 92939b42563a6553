"""Points in JSON: COCO results and annotations, records that name their joints, and nested lists.

COCO results are a list of {"image_id", "category_id", "keypoints": [x, y, v, ...], "score"}; they
name no joints, so their number says whose order they are in. An annotation file names them in its
categories, and `paperlib predict --json` in every person.
"""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.files.joint_names import joint_called, of_skeleton, read_column
from paperlib.files.tables import Block, block_of
from paperlib.files.text_tables import Table
from paperlib.skeleton import SKELETONS, Skeleton
from paperlib.writing import write_whole


def json_content(path: Path, skeleton: Skeleton, gaps: bool) -> tuple[Block | None, dict, dict]:
    """(a block whose people and joints are settled, or None; arrays; lists of text by name)."""
    value = json.loads(path.read_bytes())  # with or without a byte order mark
    inner = (
        [item for item in value.values() if _is_records(item)] if isinstance(value, dict) else []
    )
    whole = value if isinstance(value, dict) and "annotations" in value else {}
    if whole:
        return _coco(whole["annotations"], whole, path, skeleton), {}, {}
    records = value if _is_records(value) else inner[0] if len(inner) == 1 else None
    if records and all("keypoints" in entry for entry in records):
        return _coco(records, {}, path, skeleton), {}, {}
    if records and (stacked := _stacked(records)):
        return stacked, {}, {}
    if records and any("people" in entry for entry in records):
        records, scores = _predicted(records)
        block = block_of(_records(records), path, skeleton, gaps)
        return replace(block, best=scores, whole="predict"), {}, {}
    if table := _records(records) if records else _keyed(value):
        return block_of(table, path, skeleton, gaps), {}, {}
    return _arrays(value if isinstance(value, dict) else {"points": value})


def _keyed(value) -> Table | None:
    """{"rankle_x": {"0": 1.5, ...}, ...}, as pandas writes it, or a record under each image."""
    if not isinstance(value, dict) or not value:
        return None
    if not all(isinstance(item, dict) for item in value.values()):
        return None
    if any(read_column(name).field for name in value):
        return _columns({name: list(item.values()) for name, item in value.items()})
    return _records([{"image": name} | item for name, item in value.items()])


def _arrays(value: dict) -> tuple[Block | None, dict, dict]:
    """Lists of numbers and lists of text; or the points of each image under its name."""
    arrays, texts = {}, {}
    for name, item in value.items():
        if isinstance(item, list) and item and all(isinstance(one, str) for one in item):
            texts[name] = item
        elif isinstance(item, list):
            arrays[name] = _array(item)
    shapes = {array.shape for array in arrays.values()}
    if len(arrays) > 3 and len(shapes) == 1 and not any(map(joint_called, arrays)):
        shape = shapes.pop()
        if len(shape) == 2 and shape[1] in (2, 3):  # {"im1001.jpg": [[x, y], ...], ...}
            return Block(np.stack(list(arrays.values())), images=list(arrays)), {}, {}
    return None, arrays, texts


def _is_records(value) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _array(value: list) -> np.ndarray:
    array = np.array(value)
    return array.astype(float) if array.dtype.kind in "iufb" and array.ndim > 1 else array


# --- COCO ---------------------------------------------------------------------------------------


def _coco(entries: list[dict], whole: dict, path: Path, skeleton: Skeleton) -> Block:
    """Points of COCO results, or of a whole annotation file, whose categories name the joints."""
    names = next((c["keypoints"] for c in whole.get("categories", ()) if c.get("keypoints")), None)
    if whole:
        entries = [entry for entry in entries if "keypoints" in entry]
    points = [_keypoints(entry, i, names, path, skeleton) for i, entry in enumerate(entries)]
    if len({one.shape for one in points}) != 1:
        i = next(i for i, one in enumerate(points) if one.shape != points[0].shape)
        raise PaperlibError(
            f"{path}: entry {i} (from 0) has {len(points[i])} keypoints and entry 0 "
            f"{len(points[0])}; give every person the same"
        )
    files = {
        image["id"]: image.get("file_name") for image in whole.get("images", ()) if "id" in image
    }
    ids = [entry.get("image_id", entry.get("image")) for entry in entries]
    scores = [entry.get("score") for entry in entries]
    values, joints, left_out = np.stack(points), None, ()
    if names is not None:
        kept, left_out = _joints(names, path, skeleton)
        values, joints = values[:, list(kept.values())], tuple(kept)
    return Block(
        values,
        joints,
        _whose(entries),
        None if None in ids else [files.get(image) or image for image in ids],
        None if None in scores else np.array(scores, float).reshape(len(scores), -1).mean(1),
        left_out,
        "coco",
    )


def _whose(entries: list[dict]) -> list | None:
    people = [entry.get("person", entry.get("person_id")) for entry in entries]
    return None if None in people else people


def _keypoints(entry: dict, i: int, names, path: Path, skeleton: Skeleton) -> np.ndarray:
    """(K, 2 or 3) of one entry: triplets or pairs, in one row or one by one."""
    try:
        points = np.array(entry["keypoints"], float)
    except (ValueError, TypeError) as why:
        raise PaperlibError(f"{path}: entry {i} (from 0): its keypoints are not numbers") from why
    if points.ndim == 1:
        known = [len(names)] if names else [len(skeleton), *map(len, SKELETONS.values())]
        sizes = [(k, c) for k in known for c in (3, 2) if k * c == points.size]
        sizes += [(points.size // 3, 3)] if points.size % 3 == 0 else []
        points = points.reshape(sizes[0]) if sizes else points
    if points.ndim != 2 or points.shape[1] not in (2, 3) or (names and len(points) != len(names)):
        raise PaperlibError(
            f"{path}: entry {i} (from 0) has keypoints of shape {points.shape}; give x, y and a "
            f"score of each of {len(names or skeleton)} joints"
        )
    scores = np.ravel(entry.get("keypoint_scores", ()))
    if points.shape[1] == 2 and len(scores) == len(points):
        points = np.column_stack([points, scores])
    return points


def _joints(names: list[str], path: Path, skeleton: Skeleton) -> tuple[dict, tuple]:
    """({joint of the skeleton: its place in `names`}, names of other joints)."""
    joints = [joint_called(name) for name in names]
    if twice := [joint for joint in joints if joint and joints.count(joint) > 1]:
        raise PaperlibError(f"{path}: two of its keypoints are called {twice[0]}; keep one")
    found = {joint: k for k, joint in enumerate(joints) if joint}
    unknown = [name for name, joint in zip(names, joints, strict=True) if joint is None]
    return of_skeleton(found, unknown, path, skeleton)


def write_coco(
    out: Path, points: np.ndarray, scores: np.ndarray | None, images: list | None
) -> int:
    """Write COCO results of points (N, J, 2) and scores (N, J) to `out`; the number of people.

    A point that is not there is 0, 0, 0. Without names or numbers of images, image_id is the row,
    counted from 0. Pixels are counted as in `points`.
    """
    gone = np.isnan(points).any(-1)
    scores = np.ones(gone.shape) if scores is None else np.nan_to_num(scores, nan=1.0)
    triplets = np.where(gone[..., None], 0, np.concatenate([points, scores[..., None]], -1))
    known = (~gone).sum(1)
    entries = [
        {
            "image_id": _identity(images[i]) if images else i,
            "category_id": 1,
            "keypoints": triplets[i].ravel().tolist(),
            "score": float(triplets[i, :, 2].sum() / max(known[i], 1)),
        }
        for i in range(len(points))
    ]
    write_whole(out, json.dumps(entries).encode())
    return len(entries)


def _identity(image):
    return int(image) if str(image).isdigit() else image


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


def _stacked(value: list[dict]) -> Block | None:
    """Records of which one field holds all the points: [{"image", "joints": [[x, y], ...]}]."""
    for name in value[0]:
        try:
            points = np.array([one.get(name) for one in value], float)
        except (ValueError, TypeError):
            continue
        if points.ndim == 3 and points.shape[2] in (2, 3):
            images = [one.get("image", one.get("image_id", one.get("img_paths"))) for one in value]
            return Block(points, None, _whose(value), None if None in images else images)
    return None


def _records(value: list[dict]) -> Table:
    """A row a record. {"rankle": [x, y, score]} and {"rankle": {"x": .., "y": ..}} become columns;
    {"joints": [{"name", "x", "y"}, ...]} a row a point."""
    rows = [row for i, one in enumerate(value) for row in _flat_rows(one, i)]
    header = list(dict.fromkeys(name for row in rows for name in row))
    cells = np.empty((len(rows), len(header)), object)
    for r, row in enumerate(rows):
        cells[r] = [row.get(name) for name in header]
    return Table(header, cells)


def _flat_rows(one: dict, person: int) -> list[dict]:
    points = next((item for item in one.values() if _is_records(item)), None)
    if points:
        others = {name: item for name, item in one.items() if not isinstance(item, (list, dict))}
        others = (
            others
            if any(name.lower().startswith(("person", "im", "file")) for name in others)
            else {}
        )
        return [({"person": person} if not others else others) | point for point in points]
    return [_flat(one)]


def _flat(one: dict, before: str = "") -> dict:
    flat = {}
    for name, item in one.items():
        name = f"{before}{name}"
        if isinstance(item, dict):
            flat |= _flat(item, f"{name} " if joint_called(name) else before)
        elif isinstance(item, list) and len(item) in (2, 3) and joint_called(name):
            flat |= {
                f"{name} {field}": x for field, x in zip(("x", "y", "score"), item, strict=False)
            }
        elif not isinstance(item, list):
            flat[name] = item
    return flat


def _columns(columns: dict[str, list]) -> Table:
    cells = np.empty((len(next(iter(columns.values()))), len(columns)), object)
    for c, items in enumerate(columns.values()):
        cells[:, c] = items
    return Table(list(columns), cells)
