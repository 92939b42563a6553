"""Crops at a finer resolution than the network's, for figures that blow them up: a drawn person is
drawn again, larger; of a photograph the crop is cut from the file."""

import re
from functools import cache, partial
from pathlib import Path

import cv2
import numpy as np

from companion.drawn import drawing
from companion.drawn.scenes import Scene, draw, lsp_scene, mpii_scene
from companion.runs.sizes import SCALES
from companion.runs.study import Study
from paperlib.data.canvases import GREY
from paperlib.data.crops import Crops
from paperlib.data.images import read_image
from paperlib.geometry import Augmentation, crop_affine, transform
from paperlib.people import People

TIMES = 4  # a power of two: how many times larger a drawn person is drawn again
POINTS = ("truth", "found", "poses", "points")


def sharp_crops(
    study: Study,
    crops: Crops,
    rows: np.ndarray,
    side: int,
    augmentation: Augmentation | None = None,
) -> np.ndarray:
    """(N, side, side, 3) uint8: the crops of `rows`, with `augmentation` if given, of `side` px
    whatever the network sees.

    A drawing is a function of its seed, so the same people, clothes and things come out, TIMES as
    large, before a magnified copy of what is behind them.
    """
    people, gain = crops.people, np.ones((len(rows), 3))
    to_crop = crop_affine(crops.codec.boxes(people)[rows], side)
    if augmentation is not None:
        held = augmentation.holding(transform(people.joints[rows], to_crop), side)
        to_crop, gain = held.affine(side) @ to_crop, held.gain
    found = []
    for row, affine, colour in zip(rows, to_crop, gain, strict=True):
        image, times = _picture(study, str(people.image[row]))
        crop = _cut(image, affine @ np.diag([1 / times, 1 / times, 1]), side)
        found.append((crop * colour).round().clip(0, 255).astype(np.uint8))
    return np.stack(found)


def enlarged(points: np.ndarray, side: int, large: int) -> np.ndarray:
    """Points in px of a crop of `side` px, in px of the same crop of `large` px."""
    return (points + 0.5) * large / side - 0.5


def with_sharp_images(
    study: Study, numbers: dict[str, np.ndarray], crops: Crops, rows: np.ndarray, side: int = 384
) -> dict[str, np.ndarray]:
    """`numbers` of a figure of people `rows` (n,) with `images` (n, side, side, 3) uint8 in the
    place of smaller ones, and its points, crop px, moved with them."""
    small = numbers["images"].shape[1]
    points = {name: enlarged(numbers[name], small, side) for name in POINTS if name in numbers}
    return numbers | points | {"images": sharp_crops(study, crops, rows, side)}


def what_hides(study: Study, people: People, rows: np.ndarray, joints: np.ndarray) -> list[str]:
    """What lies on top of joint joints[i] of drawn person rows[i]; '' of a photograph, whose labels
    do not say it."""
    if study.data != "synthetic":
        return [""] * len(rows)
    found = []
    for row, joint in zip(rows, joints, strict=True):
        scene = _drawn(*_scene_of(Path(people.image[row])), _side(study), 1)
        found.append(_hider(int(drawing.labels_at(scene.labels, people.joints[row, joint]))))
    return found


def _hider(top: int) -> str:
    if top in (drawing.NOTHING, drawing.FURNITURE, drawing.OBJECT):
        return "behind a thing"
    return "behind another person" if top >= drawing.label_of(1) else "behind own body"


def _picture(study: Study, file: str) -> tuple[np.ndarray, int]:
    """The whole picture, and how many times as large as the labels say it is."""
    if study.data == "synthetic" and (scene := _scene_of(Path(file))):
        return _drawn(*scene, _side(study), TIMES).image, TIMES
    return read_image(file), 1


def _side(study: Study) -> int:
    scale = SCALES[study.size]
    return max(scale.side, scale.fine_side)


def _scene_of(file: Path) -> tuple[str, int] | None:
    """The set and the number of a drawing, by the name of its file; None for those of FLIC and
    COCO."""
    if found := re.fullmatch(r"([01])(\d{8})", file.stem):
        return ("mpii valid" if found[1] == "1" else "mpii train"), int(found[2]) - 1
    if found := re.fullmatch(r"im(\d{4})", file.stem):
        return "lsp", int(found[1]) - 1
    return None


@cache
def _drawn(name: str, number: int, side: int, times: int) -> Scene:
    kind = partial(lsp_scene if name == "lsp" else mpii_scene, finer=times)
    return draw(kind, 0, name, number, side)[0]


def _cut(image: np.ndarray, affine: np.ndarray, side: int) -> np.ndarray:
    """What lies in the crop, grey outside the picture; averaged where the picture is larger."""
    zoom = np.sqrt(abs(np.linalg.det(affine[:2, :2])))
    if zoom < 1:
        sigma = 0.4 / zoom
        image = cv2.GaussianBlur(image, (0, 0), sigma)
    return cv2.warpAffine(
        image,
        affine[:2],
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=GREY,
    )
