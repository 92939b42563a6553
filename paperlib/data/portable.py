"""A portable data folder: the same data sets in the same formats, every image cut down to its people and to the resolution of a network's input.

It is for a machine to which little can be sent. The loaders read it like any other data folder: PAPERLIB_DATA names it, nothing else changes.
Runs trained on it have identities of their own, for image bytes are part of them: where they come back to, PAPERLIB_DATA must name this folder too.
"""

import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat
from tqdm.auto import tqdm

from paperlib import PaperlibError
from paperlib.data.canvases import canvas_boxes
from paperlib.data.files import labels_in, read_mat
from paperlib.data.images import image_size, read_image
from paperlib.data.mpii import load_mpii
from paperlib.geometry import transform
from paperlib.people import OCCLUDED, VISIBLE, People, concatenate
from paperlib.writing import write_whole

QUALITY = 90  # of JPEG, for images that are cut or shrunk
SPARE = 1.1  # px that an image keeps for a px of the unaugmented crop; one with fewer is not resampled
BOX = 250  # px x scale: the smaller of the two papers' crops (H's)
WHOLE_IMAGE = {"lsp": (("joints", (3, 14, None)), ("oc_joints", (3, 14, None))), "lspet": (("joints", (14, 3, None)),)}


def write_portable(data: Path, folder: Path, side: int, progress: bool = True) -> Path:
    """Write the data sets of `data` into the new `folder`, for networks with an input of `side` px. Returns `folder`.

    LSP and its extension keep whole images, MPII the squares of its people's canvases; labels move along. A data set without images, and any
    other, is copied as it is. Raises PaperlibError where `folder` has something in it, and where `data` holds no data set.
    """
    if folder.exists() and any(folder.iterdir()):
        raise PaperlibError(f"{folder}: not empty; a portable data folder is written anew, choose another or delete it")
    homes = [home for home in sorted(data.iterdir()) if home.is_dir()] if data.is_dir() else []
    if not homes:
        raise PaperlibError(f"{data}: no data sets in it; set PAPERLIB_DATA to their folder (paperlib data list names them)")
    for home in homes:
        to = folder / home.name
        if home.name in WHOLE_IMAGE and labels_in(home, home.name, "train"):
            _write_lsp(home, to, side, progress)
        elif home.name.startswith("mpii") and (home / "images").is_dir() and labels_in(home, "mpii", "train"):
            _write_mpii(home, to, side, progress)
        else:
            shutil.copytree(home, to, copy_function=shutil.copyfile)
    return folder


def cut_down(path: Path, box: tuple[float, float, float, float] | None, zoom: float) -> tuple[bytes, np.ndarray]:
    """An image file with only what lies in `box` (x0, y0, x1, y1, px; None: all of it), shrunk by `zoom` if that is below 1, and the affine
    (3, 3) from its old px to its new ones. The file stays as it is, to the byte, where that would save nothing."""
    image = read_image(path)
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (0, 0, width, height) if box is None else box
    x0, y0, x1, y1 = max(0, int(np.floor(x0))), max(0, int(np.floor(y0))), min(width, int(np.ceil(x1))), min(height, int(np.ceil(y1)))
    kept = image[y0:y1, x0:x1]
    if zoom < 1:
        kept = cv2.resize(kept, (max(1, round(kept.shape[1] * zoom)), max(1, round(kept.shape[0] * zoom))), interpolation=cv2.INTER_AREA)
    original = path.read_bytes()
    if kept.size == image.size:
        return original, np.eye(3)
    options = (cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1)
    content = cv2.imencode(".jpg", cv2.cvtColor(kept, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    if len(content) >= len(original):
        return original, np.eye(3)
    x, y = kept.shape[1] / (x1 - x0), kept.shape[0] / (y1 - y0)  # new px per old one; edges land on edges
    return content, np.array([[x, 0, x * (0.5 - x0) - 0.5], [0, y, y * (0.5 - y0) - 0.5], [0, 0, 1]])


def _write_lsp(home: Path, to: Path, side: int, progress: bool) -> None:
    """Images im0001.jpg.. of joints.mat, each whole, for the whole image is the crop."""
    labels = {key: read_mat(home / "joints.mat", key, shape) for key, shape in WHOLE_IMAGE[home.name]}
    people_last = {key: np.moveaxis(table, 0, 1) if home.name == "lspet" else table for key, table in labels.items()}  # (3, 14, N) views
    for file in _bar(sorted((home / "images").glob("im*.jpg")), home.name, progress):
        content, affine = cut_down(file, None, SPARE * side / max(image_size(file)))
        write_whole(to / "images" / file.name, content)
        person = int(file.stem.removeprefix("im")) - 1
        for table in people_last.values():
            table[:2, :, person] = transform(table[:2, :, person].T, affine).T
    stored = io.BytesIO()
    savemat(stored, labels, do_compression=True)
    write_whole(to / "joints.mat", stored.getvalue())


def _write_mpii(home: Path, to: Path, side: int, progress: bool) -> None:
    """Images with the squares of all their people's canvases, and the record list of Convolutional Pose Machines."""
    splits = [load_mpii(home, "train"), load_mpii(home, "valid")]
    everybody, boxes = concatenate(splits), np.concatenate([canvas_boxes(people, round(1.5 * side)) for people in splits])
    affine = np.empty((len(everybody), 3, 3))
    for image in _bar(dict.fromkeys(everybody.image), home.name, progress):
        rows = everybody.image == image
        centre, half = boxes[rows, :2], boxes[rows, 2:] / 2 + 2  # 2 px for the interpolation at the edge
        box = (*(centre - half).min(0), *(centre + half).max(0) + 1)
        content, affine[rows] = cut_down(Path(image), box, SPARE * side / (BOX * everybody.scale[rows].min()))
        write_whole(to / "images" / Path(image).relative_to(home / "images"), content)
    validation = np.repeat([0.0, 1.0], [len(people) for people in splits])
    records = [_record(home, everybody, i, affine[i], validation[i]) for i in range(len(everybody))]
    write_whole(to / "mpii_annotations.json", json.dumps(records))


def _record(home: Path, people: People, i: int, affine: np.ndarray, validation: float) -> dict:
    """Person i as paperlib.data.mpii_json reads it: 1-based px, a missing joint at (0, 0)."""
    visible = np.select([people.state[i] == VISIBLE, people.state[i] == OCCLUDED], [1.0, 0.0], 0.0)
    others = transform(people.others[i], affine)
    return {
        "dataset": "MPI",
        "isValidation": validation,
        "img_paths": Path(people.image[i]).relative_to(home / "images").as_posix(),
        "joint_self": _points(transform(people.joints[i], affine), visible),
        "objpos": (transform(people.centre[i][None], affine)[0] + 1).tolist(),
        "scale_provided": float(people.scale[i] * np.sqrt(affine[0, 0] * affine[1, 1])),
        "joint_others": [_points(joints, np.ones(len(joints))) for joints in others],
    }


def _points(joints: np.ndarray, visible: np.ndarray) -> list:
    return np.where(np.isnan(joints[:, :1]), 0, np.column_stack([joints + 1, visible])).tolist()


def _bar(images: Iterable, name: str, progress: bool):
    return tqdm(list(images), desc=f"{name}, cut down", unit="image", disable=not progress, mininterval=2)
