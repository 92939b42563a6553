"""Leeds Sports Pose and its extension: one person an image, 14 joints, and two layouts of
joints.mat that mean the opposite of each other.

LSP:          `joints` 3 x 14 x N, third row    1 = occluded,  0 = visible; nothing is missing.
LSP-extended: `joints` 14 x 3 x N, third column 1 = annotated, 0 = not: its coordinates are junk.

Where there is no joints.mat, both are read from LEEDS_annotations.json (paperlib.data.leeds_json).
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data import leeds_json
from paperlib.data.files import (
    bad_joints,
    choose,
    far_joints,
    find_labels,
    image_faults,
    image_paths,
    leave_out,
    read_mat,
)
from paperlib.data.images import image_size
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.skeleton import LSP

FILES = ("joints.mat", "LEEDS_annotations.json")

_KEYS = {"pc": "joints", "oc": "oc_joints"}
# Six test images repeat a training image: 1211, 1366, 1436, 1622, 1805 and 1924 are 483, 550, 492,
# 371, 670 and 175.


def load_lsp(
    folder: str | Path,
    split: str,
    labels: str = "pc",
    need_images: bool = True,
    strict: bool = False,
) -> People:
    """The people of `split`: the first half of the images is "train", the second "test" (official:
    1-1000 and 1001-2000). A fifth of "train", always the same, is "held-out", to choose recipes by;
    the others are "rest". (One held-out image, 880, has a near copy among the others or in
    LSP-extended.)

    Reads <folder>/joints.mat, images in <folder>/images/im0001.jpg.. `labels` are person-centric,
    "pc", or observer-centric, "oc", where left means left in the image (FACTS D.2). The crop is the
    whole image: `framed`, centre and scale are the image's (of its header; NaN where the image is
    absent and `need_images` is False). LSP has no head boxes: head_size is NaN. A person whose
    image is absent, or whose row or image is bad, is left out and counted; `strict` raises at what
    is bad. Raises PaperlibError on a missing, truncated or malformed file.
    """
    choose("split of LSP", split, ("train", "test", "rest", "held-out"))
    path = find_labels(folder, FILES, split)
    key = _KEYS[choose("labels of LSP", labels, _KEYS)]
    if path.suffix == ".mat":
        points = read_mat(path, key, (3, 14, None)).transpose(2, 1, 0)  # (N, 14, 3)
        rows = _rows(split, len(points))
    elif labels == "pc":
        points = leeds_json.read_points(path, "lsp")
        rows = _listed(path, points, _rows(split, len(points)))
    else:
        raise PaperlibError(f"{path}: has person-centric labels alone; oc_joints are in joints.mat")
    state = np.where(points[..., 2] == 1, OCCLUDED, VISIBLE)
    return _people(path, points, state, "im{:04d}.jpg", rows, need_images, strict)


def load_lspet(folder: str | Path, need_images: bool = True, strict: bool = False) -> People:
    """LSP-extended, all of it for training: 10,000 people in <folder>/images/im00001.jpg..,
    otherwise as load_lsp.

    Whether a joint is occluded was not asked: an annotated joint is VISIBLE. Labels are
    crowd-sourced; left and right swapped do occur.
    """
    path = find_labels(folder, FILES, "train")
    if path.suffix == ".mat":
        points = read_mat(path, "joints", (14, 3, None)).transpose(2, 0, 1)  # (N, 14, 3)
        rows = np.arange(len(points))
    else:
        points = leeds_json.read_points(path, "lspet")
        rows = _listed(path, points, np.arange(len(points)))
    state = np.where(points[..., 2] == 1, VISIBLE, ABSENT)
    return _people(path, points, state, "im{:05d}.jpg", rows, need_images, strict)


def _listed(path: Path, points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Those of `rows` that the JSON has. Raises PaperlibError where it has none."""
    listed = rows[~np.isnan(points[rows]).all((1, 2))]
    if not len(listed):
        raise PaperlibError(f"{path}: holds nobody of this split; put joints.mat in its place")
    return listed


def _rows(split: str, images: int) -> np.ndarray:
    """The images of a split, in order, the first being 0."""
    half = images // 2
    if split in ("train", "test"):
        return np.arange(half) if split == "train" else np.arange(half, images)
    held_out, rest = np.split(np.random.default_rng(0).permutation(half), [half // 5])
    return np.sort(held_out if split == "held-out" else rest)


def _people(
    path: Path,
    points: np.ndarray,
    state: np.ndarray,
    name: str,
    rows: np.ndarray,
    need_images: bool,
    strict: bool,
) -> People:
    numbers = (rows + 1).tolist()
    points, state = points[rows], state[rows].astype(np.uint8)
    image = image_paths(_images(path.parent), map(name.format, numbers))
    size = np.array([_size(file) for file in image]).reshape(-1, 2)  # (N, 2) w, h
    people = People(
        skeleton=LSP,
        image=image,
        joints=np.where(state[..., None] == ABSENT, np.nan, points[..., :2]),
        state=state,
        centre=(size - 1) / 2,
        scale=size.max(1) / 200,
        framed=np.ones(len(image), bool),
        head_size=np.full(len(image), np.nan),
        others=(np.empty((0, len(LSP), 2)),) * len(image),
    )
    bad = {
        "label not a number": bad_joints(people),
        "joint far from the person": far_joints(people),
    }
    bad |= {"third value neither 0 nor 1": ~np.isin(points[..., 2], (0, 1)).all(-1)}
    return leave_out(people, path, bad, strict, image_faults(people, need_images))


def _images(folder: Path) -> Path:
    """images/, or where the lists of Convolutional Pose Machines look for them."""
    names = ("images", "lsp_dataset/images", "lspet_dataset/images")
    return next((folder / name for name in names if (folder / name).is_dir()), folder / "images")


def _size(file: str) -> tuple[float, float]:
    try:
        return image_size(file)
    except PaperlibError:
        return np.nan, np.nan
