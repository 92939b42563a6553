"""COCO person keypoints: 17 joints, flags 0 not labelled, 1 occluded, 2 visible.

R pre-trains on it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paperlib import PaperlibError
from paperlib.data.coco_file import Annotations, categories, read_annotations, read_content
from paperlib.data.files import (
    bad_rows,
    choose,
    find_labels,
    image_faults,
    image_paths,
    leave_out,
    others_in_image,
)
from paperlib.people import ABSENT, People
from paperlib.skeleton import COCO, Skeleton

FILES = ("annotations/person_keypoints_{split}2017.json", "{split}_coco.json")

PERSON = 1  # COCO's own number of the category, for a file that lists none


def load_coco(
    folder: str | Path, split: str, need_images: bool = True, strict: bool = False
) -> People:
    """The people of `split` with at least one labelled joint: "train", "val", or "test", the four
    sample images of test_coco.json.

    Reads <folder>/annotations/person_keypoints_<split>2017.json, images in <folder>/<split>2017/;
    or <split>_coco.json, images in <folder>/images/. Centre is the middle of the bounding box and
    scale its longer side / 200 px, so that the square 200 * scale holds all of a person who lies
    down too. COCO has no head boxes: head_size is NaN. `others` are the other such people in the
    same image. Keypoints are taken by the names in the file's `categories`, whatever their order.
    Crowds, other categories and broken annotations are left out and counted, the last by name. So
    is a person whose image is absent (unless `need_images` is False), or whose row or image is bad;
    `strict` raises at what is bad. Raises PaperlibError on a missing, truncated or malformed file.
    """
    choose("split of COCO", split, ("train", "val", "test"))
    path = find_labels(folder, FILES, split)
    images = Path(folder) / ("images" if path.parent == Path(folder) else f"{split}2017")
    content = read_content(path)
    person = _person(path, content)
    notes = read_annotations(path, content, set(person), len(COCO), strict)
    order = next(iter(person.values()))
    people = as_people(COCO, notes, image_paths(images, notes.images), order)
    bad = bad_labels(people, notes) | image_faults(people, need_images)
    return leave_out(people, path, bad, strict)


def as_people(
    skeleton: Skeleton, notes: Annotations, image: np.ndarray, order: list[int] | None = None
) -> People:
    """The people of `notes`; `image` (N,) paths; `order` is each joint's place in the file."""
    points = notes.points if order is None else notes.points[:, order]
    known = np.isin(points[..., 2], (0, 1, 2))
    state = np.where(known, points[..., 2], ABSENT).astype(np.uint8)
    joints = np.where(state[..., None] == ABSENT, np.nan, points[..., :2])
    return People(
        skeleton=skeleton,
        image=image,
        joints=joints,
        state=state,
        centre=notes.boxes[:, :2] + notes.boxes[:, 2:] / 2,
        scale=notes.boxes[:, 2:].max(1, initial=0) / 200,
        framed=np.zeros(len(image), bool),
        head_size=np.full(len(image), np.nan),
        others=others_in_image(image, joints),
        left_out=dict(notes.left_out),
    )


def bad_labels(people: People, notes: Annotations) -> dict[str, np.ndarray]:
    """reason -> (N,) bool: rows that cannot be right."""
    odd = ~np.isin(notes.points[..., 2], (0, 1, 2)).all(-1)
    return bad_rows(people) | {"flag not 0, 1 or 2": odd}


def _person(path: Path, content: Mapping[str, Any]) -> dict[Any, list[int]]:
    """The person's category ids, and the place of each of our joints among its keypoints."""
    known, own = categories(content), list(range(len(COCO)))
    if not known:
        return {PERSON: own}
    found = {}
    for category in known:
        names = category.get("keypoints")
        if not names and category.get("name") == "person":
            found[category["id"]] = own  # a file that names no keypoints has COCO's
        elif isinstance(names, list) and set(map(str, names)) == set(COCO.joints):
            if len(names) == len(COCO):
                found[category["id"]] = [names.index(joint) for joint in COCO.joints]
    orders = list(found.values())
    if not orders or any(order != orders[0] for order in orders):
        kinds = ", ".join(_in_words(category) for category in known[:5])
        raise PaperlibError(
            f"{path}: has no category 'person' with COCO's {len(COCO)} keypoints, but {kinds}; "
            f"a skeleton of its own is trained with `paperlib train hourglass --on {path}`"
        )
    return found


def _in_words(category: dict[str, Any]) -> str:
    names = category.get("keypoints")
    count = len(names) if isinstance(names, list) else 0
    return f"{str(category.get('name', category['id']))[:40]!r} with {count}"
