"""Crops at a finer resolution than the network's, for figures that blow them up: a drawn person is
drawn again, larger; of a photograph the crop is cut from the file."""

import re
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from companion.drawn.scenes import draw, lsp_scene, mpii_scene
from companion.runs.sizes import SCALES
from companion.runs.study import Study
from paperlib.data.canvases import GREY
from paperlib.data.crops import Crops
from paperlib.data.images import read_image
from paperlib.geometry import Augmentation, crop_affine, transform

FINE = 384  # px of the side that is drawn again


def sharp_crops(
    study: Study,
    crops: Crops,
    rows: np.ndarray,
    side: int,
    augmentation: Augmentation | None = None,
) -> np.ndarray:
    """(N, side, side, 3) uint8: the crops of `rows`, with `augmentation` if given, of `side` px
    whatever the network sees.

    A drawing is a function of its seed, so the same people, clothes and things come out at any
    size; what is behind them may differ, since the backdrop is drawn to the picture's size.
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


def _picture(study: Study, file: str) -> tuple[np.ndarray, int]:
    """The whole picture, and how many times as large as the labels say it is."""
    if study.data == "synthetic" and (scene := _scene_of(Path(file))):
        scale = SCALES[study.size]
        drawn = max(scale.side, scale.fine_side)
        times = max(1, round(FINE / drawn))
        return _redrawn(*scene, times * drawn), times
    return read_image(file), 1


def _scene_of(file: Path) -> tuple[str, int] | None:
    """The set and the number of a drawing, by the name of its file; None for those of FLIC and
    COCO."""
    if found := re.fullmatch(r"([01])(\d{8})", file.stem):
        return ("mpii valid" if found[1] == "1" else "mpii train"), int(found[2]) - 1
    if found := re.fullmatch(r"im(\d{4})", file.stem):
        return "lsp", int(found[1]) - 1
    return None


@cache
def _redrawn(name: str, number: int, side: int) -> np.ndarray:
    scene = lsp_scene if name == "lsp" else mpii_scene
    return draw(scene, 0, name, number, side)[0].image


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
