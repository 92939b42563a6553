"""The crops behind a figure at more pixels than the network sees: drawn people are drawn again,
larger, from the same random numbers; a photograph is read at its own resolution."""

import re
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from companion.drawn import drawing, scenes
from companion.runs.sizes import SCALES
from companion.runs.study import Study
from paperlib.data.canvases import GREY
from paperlib.data.crops import Crops
from paperlib.data.images import read_image
from paperlib.geometry import crop_affine
from paperlib.people import People

TIMES = 4  # a power of two: how many times larger drawn people are drawn again
POINTS = ("truth", "found", "poses", "points")


def with_fine_pictures(
    study: Study, numbers: dict[str, np.ndarray], crops: Crops, rows: np.ndarray, side: int = 384
) -> dict[str, np.ndarray]:
    """`numbers` of a figure of MPII people `rows` (n,) with `images` (n, side, side, 3) uint8 in
    the place of smaller ones, and its points, crop px, moved with them."""
    boxes = crops.codec.boxes(crops.people)[rows]
    images = [
        fine_crop(study, file, box, side)
        for file, box in zip(crops.people.image[rows], boxes, strict=True)
    ]
    zoom = side / numbers["images"].shape[1]
    points = {name: (numbers[name] + 0.5) * zoom - 0.5 for name in POINTS if name in numbers}
    return numbers | points | {"images": np.stack(images)}


def fine_crop(study: Study, file: str, box: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) uint8: the square `box`, centre and side in px of the image `file`; grey
    beyond the image."""
    times = TIMES if study.data == "synthetic" else 1
    image = draw_again(study, file, times) if times > 1 else read_image(file)
    box = box * times  # a person at x of the picture is drawn again at times x
    warp = crop_affine(box[None], side)[0, :2]
    smooth = cv2.INTER_AREA if box[2] > side else cv2.INTER_CUBIC
    return cv2.warpAffine(image, warp, (side, side), flags=smooth, borderValue=GREY)


def what_hides(study: Study, people: People, rows: np.ndarray, joints: np.ndarray) -> list[str]:
    """What lies on top of joint joints[i] of drawn person rows[i]; '' of a photograph, whose labels
    do not say it."""
    if study.data != "synthetic":
        return [""] * len(rows)
    tops = [
        drawing.labels_at(_scene(study, people.image[row]).labels, people.joints[row, joint])
        for row, joint in zip(rows, joints, strict=True)
    ]
    return [_hider(int(top)) for top in tops]


def _hider(top: int) -> str:
    if top in (drawing.NOTHING, drawing.FURNITURE, drawing.OBJECT):
        return "behind a thing"
    return "behind another person" if top >= drawing.label_of(1) else "behind own body"


def draw_again(study: Study, file: str, times: int) -> np.ndarray:
    """The picture of one of the study's drawn MPII people, `times` larger either way."""
    return _scene(study, file, times).image


def _scene(study: Study, file: str, times: int = 1) -> scenes.Scene:
    split, number = re.fullmatch(r"([01])(\d{8})", Path(file).stem).groups()
    name = ("mpii train", "mpii valid")[int(split)]
    scale = SCALES[study.size]
    kind = partial(scenes.mpii_scene, finer=times)
    side = max(scale.side, scale.fine_side)
    return scenes.draw(kind, 0, name, int(number) - 1, side)[0]
