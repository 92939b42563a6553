"""COCO person keypoints: 17 joints, flags 0 not labelled, 1 occluded, 2 visible; R pre-trains on it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import bad_rows, choose, find_labels, image_faults, image_paths, leave_out, others_in_image, read
from paperlib.people import ABSENT, People
from paperlib.skeleton import COCO


def load_coco(folder: str | Path, split: str, need_images: bool = True, strict: bool = False) -> People:
    """The people of `split` with at least one labelled joint, crowds left out: "train", "val", or "test", the four sample images of test_coco.json.

    Reads <folder>/annotations/person_keypoints_<split>2017.json, images in <folder>/<split>2017/; or <split>_coco.json, images in <folder>/images/.
    Centre is the middle of the bounding box and scale its longer side / 200 px, so that the square 200 * scale holds all of a person who lies down
    too. COCO has no head boxes: head_size is NaN. `others` are the other such people in the same image.
    A person whose image is absent (unless `need_images` is False), or whose row or image is bad, is left out and counted; `strict` raises at what is
    bad. Raises PaperlibError on a missing, truncated or malformed file.
    """
    choose("split of COCO", split, ("train", "val", "test"))
    path = find_labels(folder, "coco", split)
    images = Path(folder) / ("images" if path.parent == Path(folder) else f"{split}2017")
    names, crowd, points, box = read(path, _load)

    labelled = (points[..., 2] != 0).any(-1)
    rows = labelled & ~crowd
    points, box = points[rows], box[rows]  # (N, 17, 3), (N, 4) x, y, w, h
    state = np.where(np.isin(points[..., 2], (0, 1, 2)), points[..., 2], ABSENT).astype(np.uint8)
    joints = np.where(state[..., None] == ABSENT, np.nan, points[..., :2])
    image = image_paths(images, [name for name, kept in zip(names, rows, strict=True) if kept])
    people = People(
        skeleton=COCO,
        image=image,
        joints=joints,
        state=state,
        centre=box[:, :2] + box[:, 2:] / 2,
        scale=box[:, 2:].max(1, initial=0) / 200,
        framed=np.zeros(len(image), bool),
        head_size=np.full(len(image), np.nan),
        others=others_in_image(image, joints),
    )
    left_out = {"crowd": int(crowd.sum()), "no joint labelled": int((~labelled & ~crowd).sum())}
    people = replace(people, left_out={why: count for why, count in left_out.items() if count})
    bad = bad_rows(people) | {"flag not 0, 1 or 2": ~np.isin(points[..., 2], (0, 1, 2)).all(-1)}
    return leave_out(people, path, bad, strict, image_faults(people, need_images))


def _load(path: Path) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Of every annotation: the name of its image, "" where the file has no such image, its crowd flag, (17, 3) points and box."""
    content = json.loads(path.read_text(encoding="utf-8"))
    try:
        notes, names = content["annotations"], {image["id"]: str(image["file_name"]) for image in content["images"]}
        return (
            [names.get(note["image_id"], "") for note in notes],
            np.array([note["iscrowd"] for note in notes], dtype=bool),
            np.array([note["keypoints"] for note in notes], dtype=float).reshape(len(notes), len(COCO), 3),
            np.array([note["bbox"] for note in notes], dtype=float).reshape(len(notes), 4),
        )
    except KeyError as error:
        raise PaperlibError(f"{path}: has no {error}; is it a person-keypoints file of COCO?") from error
    except (TypeError, ValueError, OverflowError) as error:
        raise PaperlibError(f"{path}: 'keypoints' should be 51 numbers and 'bbox' 4 in every annotation, ids plain values ({error})") from error
