"""Leeds Sports Pose and its extension: one person an image, 14 joints, and two layouts of
joints.mat that mean the opposite of each other.

LSP:          `joints` 3 x 14 x N, third row    1 = occluded,  0 = visible; nothing is missing.
LSP-extended: `joints` 14 x 3 x N, third column 1 = annotated, 0 = not: its coordinates are junk.

Where there is no joints.mat, both are read from LEEDS_annotations.json, a list of Convolutional
Pose Machines. A record is a person: `img_paths` (lsp_dataset/images/im0001.jpg .. or lspet_dataset/
images/im00001.jpg ..), `isValidation`, and `joint_self`, 16 x [x, y, flag] in MPII's order, of
which pelvis and thorax are zeros (CPM) or the means of hips and shoulders (bearpaw). Coordinates
are those of joints.mat, rounded to 0.001. The flag is joints.mat's turned round for LSP (1 visible,
0 occluded), and joints.mat's for its extension (1 annotated). `objpos` and `scale_provided` are
CPM's estimates.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
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
from paperlib.data.records import field, numbers, read_records
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.skeleton import LSP, MPII, joint_map

FILES = ("joints.mat", "LEEDS_annotations.json")

_KEYS = {"pc": "joints", "oc": "oc_joints"}
# Six test images repeat a training image: 1211, 1366, 1436, 1622, 1805 and 1924 are 483, 550, 492,
# 371, 670 and 175.


@dataclass(frozen=True)
class _Set:
    """LSP, or its extension."""

    name: str
    shape: tuple[int | None, ...]  # of the array in joints.mat
    axes: tuple[int, int, int]  # which of its axes are people, joints, x y flag
    states: tuple[int, int]  # what the flags 0 and 1 mean
    digits: int  # of the number in an image's name
    images: int


_LSP = _Set("lsp", (3, 14, None), (2, 1, 0), (VISIBLE, OCCLUDED), 4, 2000)
_LSPET = _Set("lspet", (14, 3, None), (2, 0, 1), (ABSENT, VISIBLE), 5, 10000)


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
    if path.suffix == ".json" and labels != "pc":
        raise PaperlibError(f"{path}: has person-centric labels alone; oc_joints are in joints.mat")
    return _load(_LSP, path, key, split, need_images, strict)


def load_lspet(folder: str | Path, need_images: bool = True, strict: bool = False) -> People:
    """LSP-extended, all of it for training: 10,000 people in <folder>/images/im00001.jpg..,
    otherwise as load_lsp.

    Whether a joint is occluded was not asked: an annotated joint is VISIBLE. Labels are
    crowd-sourced; left and right swapped do occur.
    """
    path = find_labels(folder, FILES, "train")
    return _load(_LSPET, path, "joints", "all", need_images, strict)


def _load(known: _Set, path: Path, key: str, split: str, need_images: bool, strict: bool) -> People:
    if path.suffix == ".mat":
        points = read_mat(path, key, known.shape).transpose(known.axes)  # (N, 14, 3)
        rows = _rows(split, len(points))
    else:
        points = _listed(known, path)
        rows = _rows(split, len(points))
        rows = rows[~np.isnan(points[rows]).all((1, 2))]
        if not len(rows):
            raise PaperlibError(f"{path}: holds nobody of this split; put joints.mat in its place")
    points = points[rows]
    state = np.where(points[..., 2] == 1, known.states[1], known.states[0]).astype(np.uint8)
    names = [f"im{number:0{known.digits}d}.jpg" for number in (rows + 1).tolist()]
    image = image_paths(_images(path.parent), names)
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
        "third value neither 0 nor 1": ~np.isin(points[..., 2], (0, 1)).all(-1),
    }
    return leave_out(people, path, bad | image_faults(people, need_images), strict)


def _rows(split: str, images: int) -> np.ndarray:
    """The images of a split, in order, the first being 0."""
    half = images // 2
    held_out, rest = np.split(np.random.default_rng(0).permutation(half), [half // 5])
    every = np.arange(images)
    rows = {"all": every, "train": every[:half], "test": every[half:]}
    return (rows | {"held-out": np.sort(held_out), "rest": np.sort(rest)})[split]


def _listed(known: _Set, path: Path) -> np.ndarray:
    """(N, 14, 3) points of all N images of the set, with flags as joints.mat has them; NaN where
    the JSON has no such image.

    Raises PaperlibError on a file that cannot be read, a record that is not one, an image that is
    there twice or is none of the set's, and an LSP image whose split is not the official one.
    """
    pattern = re.compile(rf"\bim(\d{{{known.digits}}})\.jpg$")
    half, found = known.images // 2, {}
    for record in read_records(path):
        name = pattern.search(str(field(path, record, "img_paths")))
        if name is None:
            continue
        number, test = int(name[1]), field(path, record, "isValidation") == 1
        wrong = f"is none of the {known.images} of {known.name}"
        if known is _LSP and test != (number > half):
            wrong = f"has isValidation {int(test)}, but LSP's test images are those after {half}"
        elif 1 <= number <= known.images:
            wrong = "is there twice" if number in found else ""
        if wrong:
            raise PaperlibError(f"{path}: {name[0]} {wrong}; take the list as it was published")
        found[number] = record
    points = np.full((known.images, len(LSP), 3), np.nan)
    read = numbers(path, list(found.values()), "joint_self", (len(MPII), 3))
    points[np.array(list(found), int) - 1] = read[:, joint_map(MPII, LSP)]
    if known is _LSP:
        points[..., 2] = 1 - points[..., 2]
    return points


def _images(folder: Path) -> Path:
    """images/, or where the lists of Convolutional Pose Machines look for them."""
    names = ("images", "lsp_dataset/images", "lspet_dataset/images")
    return next((folder / name for name in names if (folder / name).is_dir()), folder / "images")


def _size(file: str) -> tuple[float, float]:
    try:
        return image_size(file)
    except PaperlibError:
        return np.nan, np.nan
