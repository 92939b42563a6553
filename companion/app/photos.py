"""Photographs from the command line: files and boxes in, poses out, as JSON and as pictures."""

import json
import math
from pathlib import Path

import numpy as np

from companion.app.pretrained import best_weights, describe
from paperlib import PaperlibError
from paperlib.data.images import image_size, read_image, remarks
from paperlib.person_search import find_person
from paperlib.photograph import SCALES, people_in, see, visibility
from paperlib.weights import Weights
from paperlib.writing import check_writable, write_whole

SMALLEST, LARGEST = 0.25, 4.0  # of the scales at test time

Box = tuple[float, float, float, float]
Boxes = dict[str, list[Box]]


class PartlyRead(PaperlibError):
    """Some photographs could not be used; `faults` has a line for each.

    `found` and `used` are what `predict_photos` returns, for the others.
    """

    def __init__(self, found: list[dict], used: str, faults: list[str]):
        super().__init__("; ".join(faults))
        self.found, self.used, self.faults = found, used, faults


def predict_photos(
    paths: list[Path],
    weights: str = "",
    out: Path | None = None,
    device: str = "auto",
    boxes: Boxes | None = None,
    scales: tuple[float, ...] = SCALES,
) -> tuple[list[dict], str]:
    """What the network sees in each photograph, as `paperlib predict --json` prints it, and a line
    that says whose weights these are and how good.

    `boxes` gives the people of a photograph by its path, as (x0, y0, x1, y1) in px of the upright
    image; without, one person is looked for. Heatmaps are averaged over `scales` of the crop. With
    `out`, each photograph with its skeletons as PNG and one predictions.json are written there.

    Raises PartlyRead, when the others are done, where some photographs are no pictures or have a
    box without area in them; PaperlibError where all do, for weights that are not there, for a
    scale that cannot be and a folder that cannot be.
    """
    paths = [Path(path) for path in paths]
    boxes = {str(path): some for path, some in (boxes or {}).items()}
    if stray := sorted(set(boxes) - set(map(str, paths))):
        given = ", ".join(map(str, paths))
        raise PaperlibError(f"boxes of {stray[0]!r}: no such image is given; it is one of {given}")
    _check_scales(scales)
    faults = _faults_of_headers(paths, boxes)
    if out:
        from companion.figures.photos import pose_picture

        check_writable(out, "choose another folder for --out")
    used, found = best_weights(weights, device), []
    if not hasattr(used.codec, "peak"):
        raise PaperlibError(
            f"--weights {used.name}: this network says points without a confidence; take another"
        )
    for path, picture in zip(paths, _pictures(out or Path(), paths), strict=True):
        if path in faults:
            continue
        try:
            photo = read_image(path, upright=True)
        except PaperlibError as fault:
            faults[path] = str(fault)
            continue
        found.append(_look(used, path, photo, boxes.get(str(path)), scales))
        if out:
            write_whole(picture, pose_picture(photo, found[-1]["people"]))
            found[-1]["picture"] = str(picture)
    if not found:
        raise PaperlibError("; ".join(faults.values()))
    if out:
        write_whole(out / "predictions.json", json.dumps(found, indent=1))
    if faults:
        raise PartlyRead(found, describe(used), list(faults.values()))
    return found, describe(used)


def clip_box(box, size: tuple[int, int], path: Path | str) -> Box:
    """The part of `box` (x0, y0, x1, y1) inside the image of `size` (width, height).

    Raises PaperlibError where that is less than a pixel wide or high.
    """
    x0, y0, x1, y1 = _four(box, f"{path}: box {box}")
    words = f"{path}: box {x0:g},{y0:g},{x1:g},{y1:g}"
    if x1 <= x0 or y1 <= y0:
        rule = "it is x0,y0,x1,y1 with x0 < x1 and y0 < y1, in px"
        raise PaperlibError(f"{words} has no area; {rule}")
    inside = max(x0, 0.0), max(y0, 0.0), min(x1, size[0] - 1.0), min(y1, size[1] - 1.0)
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        raise PaperlibError(f"{words} lies outside the image of {size[0]} x {size[1]} px (upright)")
    return inside


def parse_box(text: str) -> Box:
    """X0,Y0,X1,Y1 as four numbers."""
    return _four(text.split(","), f"box {text!r}")


def parse_scales(text: str) -> tuple[float, ...]:
    """A,B,.. as numbers, each the size of the person in the crop / that of training."""
    try:
        scales = tuple(map(float, text.split(",")))
    except ValueError as error:
        what = "it is numbers between commas, such as 0.85,1,1.15"
        raise PaperlibError(f"scales {text!r}: {what}") from error
    _check_scales(scales)
    return scales


def read_boxes(path: Path) -> Boxes:
    """The boxes of several photographs from a JSON file, the paths as on the command line.

    {"photo.jpg": [[x0, y0, x1, y1], ...], ...}
    """
    shape = '{"photo.jpg": [[x0, y0, x1, y1], ...], ...}'
    try:
        stored = json.loads(path.read_text(encoding="utf-8-sig"))
        boxes = {}
        for name, some in stored.items():
            words = [f"{path}: box {json.dumps(box)} of {name}" for box in some]
            boxes[str(Path(name))] = [_four(*one) for one in zip(some, words, strict=True)]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        why = getattr(error, "strerror", None) or error
        what = f"cannot be read as boxes ({why}); it is JSON, {shape}"
        raise PaperlibError(f"{path}: {what}") from error
    empty = [name for name, some in boxes.items() if not some]
    if empty:
        way_out = "leave the image out to have one person looked for"
        raise PaperlibError(f"{path}: no boxes for {empty[0]}; {way_out}")
    return boxes


def _four(values, what: str) -> Box:
    try:
        numbers = tuple(map(float, values))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise PaperlibError(f"{what}: it is X0,Y0,X1,Y1, four finite numbers in px")
    return numbers


def _check_scales(scales: tuple[float, ...]) -> None:
    if not scales or not all(SMALLEST <= scale <= LARGEST for scale in scales):
        given = ",".join(f"{scale:g}" for scale in scales)
        raise PaperlibError(f"scales {given!r}: each is from {SMALLEST:g} to {LARGEST:g}")


def _faults_of_headers(paths: list[Path], boxes: Boxes) -> dict[Path, str]:
    """All that a header tells, before anything is computed; raises PaperlibError where all are
    faulty."""
    faults = {}
    for path in paths:
        try:
            if path.is_dir():
                raise PaperlibError(f"{path}: a folder; name the image files in it")
            size = image_size(path, upright=True)
            for box in boxes.get(str(path), []):
                clip_box(box, size, path)
        except PaperlibError as fault:
            faults[path] = str(fault)
    if len(faults) == len(set(paths)):
        raise PaperlibError("; ".join(faults.values()))
    return faults


def _look(
    weights: Weights, path: Path, photo: np.ndarray, boxes: list | None, scales: tuple[float, ...]
) -> dict:
    """What is printed of one photograph (H, W, 3) uint8, without its picture."""
    size = photo.shape[1], photo.shape[0]
    assumed = ""
    if boxes:
        boxes = [clip_box(box, size, path) for box in boxes]
    else:
        found = find_person(weights, photo)
        boxes, assumed = [found.box], found.words
    people = people_in(weights.codec.skeleton, size, boxes)
    points, confidence = see(weights, photo, people, scales)
    told = zip(points, confidence, boxes, strict=True)
    by = {"name": weights.name, "kind": weights.kind, "scores": weights.record.get("scores", [])}
    return {
        "image": str(path),
        "people": [_person(weights, *one, size) for one in told],
        "assumed": assumed,
        "notes": remarks(path),
        "scales": list(scales),
        "weights": by,
    }


def _person(
    weights: Weights, points: np.ndarray, confidence: np.ndarray, box: Box, size: tuple[int, int]
) -> dict:
    names, mean = weights.codec.skeleton.joints, float(confidence.mean())
    inside = ((points > -0.5) & (points < np.array(size) - 0.5)).all(axis=-1)
    visible = np.where(inside, visibility(weights, confidence), 0.0)  # outside, nothing is seen
    least = weights.record.get("no_person", {}).get("below", 0.0)
    low = (
        f"perhaps no person here: mean confidence {mean:.2f}, 99 of 100 held-out people have over "
        f"{least:.2f}; try a close box around the person"
    )
    told = zip(names, points, confidence, strict=True)
    return {
        "joints": {name: [float(x), float(y), float(c)] for name, (x, y), c in told},
        "visible": {name: float(p) for name, p in zip(names, visible, strict=True)},
        "box": list(box),
        "limbs": [[names[a], names[b]] for a, b in weights.codec.skeleton.limbs],
        "confidence": mean,
        "note": low if mean < least else "",
    }


def _pictures(out: Path, paths: list[Path]) -> list[Path]:
    """STEM-pose.png for each photograph, STEM-2-pose.png for the second of the same stem; never one
    of the photographs themselves."""
    taken, pictures = {str(path.resolve()).casefold() for path in paths}, []
    for path in paths:
        numbers = range(1, len(paths) + len(taken) + 2)
        names = (out / f"{path.stem}{'' if i == 1 else f'-{i}'}-pose.png" for i in numbers)
        picture = next(name for name in names if str(name.resolve()).casefold() not in taken)
        taken.add(str(picture.resolve()).casefold())
        pictures.append(picture)
    return pictures
