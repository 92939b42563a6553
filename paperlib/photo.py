"""Poses in your own photographs: boxes in, for each person joints with confidence and visibility out, drawn over the picture if wanted."""

import json
import math
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.canvases import GREY, Canvases, canvas_boxes, cut_canvas
from paperlib.data.crops import Crops
from paperlib.data.images import image_size, read_image
from paperlib.geometry import crop_affine
from paperlib.people import ABSENT, People
from paperlib.predict import decode, predict_batch
from paperlib.reproduce.best import best_weights, describe
from paperlib.skeleton import Skeleton
from paperlib.weights import Weights
from paperlib.writing import check_writable, make_folder, write_whole

SCALES = (0.85, 1.0, 1.15)
CHUNK = 16  # people of one photograph who go through the network together
ABOVE = 10  # px x scale by which MPII's rough position lies above the middle of the person's box (median of 213 whole validation people: 9.6)

Boxes = dict[str, list[tuple[float, float, float, float]]]


def predict_photos(
    paths: list[Path], weights: str = "", out: Path | None = None, device: str = "auto", boxes: Boxes | None = None
) -> tuple[list[dict], str]:
    """What the network sees in each photograph, as `paperlib predict --json` prints it, and a line that says whose weights these are and how good.

    `boxes` gives the people of a photograph by its path, as (x0, y0, x1, y1) in px of the upright image; without, one person fills the picture.
    With `out`, each photograph with its skeletons as PNG and one predictions.json are written there, when all of it is known.
    Raises PaperlibError for a file that is no picture, a box without area in its picture, weights that are not there and a folder that cannot be.
    """
    paths, boxes = [Path(path) for path in paths], {str(path): some for path, some in (boxes or {}).items()}
    stray = sorted(set(boxes) - {str(path) for path in paths})
    if stray:
        raise PaperlibError(f"boxes of {stray[0]!r}: no such image is given; it is one of {', '.join(map(str, paths))}")
    for path in paths:  # all that a header tells, before anything is computed
        if path.is_dir():
            raise PaperlibError(f"{path}: a folder; name the image files in it")
        size = image_size(path, upright=True)
        for box in boxes.get(str(path), []):
            clip_box(box, size, path)
    if out:
        check_writable(out, "choose another folder for --out")
    used = best_weights(weights, device)
    if not hasattr(used.codec, "peak"):
        raise PaperlibError(
            f"--weights {used.name}: this network says points without a confidence; take another"
        )
    which = {"name": used.name, "kind": used.kind, "scores": used.record.get("scores", [])}
    found = [{"image": str(path), "people": _predict_photo(used, path, boxes.get(str(path))), "weights": which} for path in paths]
    if out:
        _write(out, paths, found)
    return found, describe(used)


def see(weights: Weights, photo: np.ndarray, people: People, scales: tuple[float, ...] = SCALES) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, J, 2), px, and confidences (N, J), 0..1, of `people` in `photo` (H, W, 3) uint8; of `people` only centre, scale and framed count.

    The way is that of training and measuring: a canvas, from it a crop at each of `scales`, and the heatmaps averaged over them and over the
    mirrored image. Confidence is the heatmap's maximum / the target's mode. In fp32: the same answer on every machine.
    """
    points, peaks = [], []
    for start in range(0, len(people), CHUNK):
        crops = crops_in(weights, photo, people.select(slice(start, start + CHUNK)))
        sites, batch = predict_batch(weights.model, crops, np.arange(len(crops)), scales=scales, precision="fp32")
        found, peak, _ = decode(weights.codec, sites[-1], batch.to_image)
        points.append(found)
        peaks.append(np.clip(peak / weights.codec.peak, 0, 1))
    return np.concatenate(points), np.concatenate(peaks)


def crops_in(weights: Weights, photo: np.ndarray, people: People) -> Crops:
    """`people` of `photo` (H, W, 3) uint8 as the network of `weights` wants to see them; of `people` only centre, scale and framed count.

    What lies outside the photo has the grey value that it had in training, the record's "outside".
    """
    side, outside = round(1.5 * weights.codec.side), weights.record.get("outside", GREY[0])
    boxes = canvas_boxes(people, side)
    pixels = np.stack([cut_canvas(photo, box, side, outside=outside) for box in boxes])
    canvases = Canvases(pixels, crop_affine(boxes, side), np.ones(len(people), bool), (), "")
    return Crops(people, canvases, weights.codec, next(weights.model.parameters()).device)


def people_in(skeleton: Skeleton, size: tuple[int, int], boxes: list | None = None) -> People:
    """The people to look for in an image of `size` (width, height): those of `boxes` (x0, y0, x1, y1), or one who fills the picture.

    The picture itself is a crop as LSP's are: `framed`, its longer side is the crop's. A box is read as MPII's labels are: the person's height is
    the box's longer side, 200 px x scale, and the rough position lies 10 px x scale above the box's middle; how much wider and further down
    the crop is, is the codec's to say (margin and shift: 250 px x scale and 15 px x scale for H, 291 and 0 for R).
    """
    framed = boxes is None
    corners = np.array([(0, 0, size[0] - 1, size[1] - 1)] if framed else boxes, float)  # (N, 4)
    scale = np.array([max(size) / 200.0]) if framed else (corners[:, 2:] - corners[:, :2]).max(axis=1) / 200
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    if not framed:
        centre[:, 1] -= ABOVE * scale
    n, j = len(corners), len(skeleton)
    return People(
        skeleton=skeleton,
        image=np.full(n, ""),
        joints=np.full((n, j, 2), np.nan),
        state=np.full((n, j), ABSENT, np.uint8),
        centre=centre,
        scale=scale,
        framed=np.full(n, framed),
        head_size=np.full(n, np.nan),
        others=(np.empty((0, j, 2)),) * n,
    )


def clip_box(box, size: tuple[int, int], path: Path | str) -> tuple[float, float, float, float]:
    """The part of `box` (x0, y0, x1, y1) inside the image of `size` (width, height).

    Raises PaperlibError where that is less than a pixel wide or high.
    """
    x0, y0, x1, y1 = _four(box, f"{path}: box {box}")
    words = f"{path}: box {x0:g},{y0:g},{x1:g},{y1:g}"
    if x1 <= x0 or y1 <= y0:
        raise PaperlibError(f"{words} has no area; it is x0,y0,x1,y1 with x0 < x1 and y0 < y1, in px")
    inside = max(x0, 0.0), max(y0, 0.0), min(x1, size[0] - 1.0), min(y1, size[1] - 1.0)
    if inside[2] - inside[0] < 1 or inside[3] - inside[1] < 1:
        raise PaperlibError(f"{words} lies outside the image of {size[0]} x {size[1]} px (upright)")
    return inside


def parse_box(text: str) -> tuple[float, float, float, float]:
    """X0,Y0,X1,Y1 as four numbers."""
    return _four(text.split(","), f"box {text!r}")


def read_boxes(path: Path) -> Boxes:
    """The boxes of several photographs from a JSON file: {"photo.jpg": [[x0, y0, x1, y1], ...], ...}, the paths as on the command line."""
    try:
        stored = json.loads(path.read_text())
        boxes = {str(Path(name)): [_four(box, f"{path}: box {json.dumps(box)} of {name}") for box in some] for name, some in stored.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        why = getattr(error, "strerror", None) or error
        raise PaperlibError(f'{path}: cannot be read as boxes ({why}); it is JSON, {{"photo.jpg": [[x0, y0, x1, y1], ...], ...}}') from error
    empty = [name for name, some in boxes.items() if not some]
    if empty:
        raise PaperlibError(f"{path}: no boxes for {empty[0]}; leave the image out to take it as a whole")
    return boxes


def _four(values, what: str) -> tuple[float, float, float, float]:
    try:
        numbers = tuple(map(float, values))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise PaperlibError(f"{what}: it is X0,Y0,X1,Y1, four finite numbers in px")
    return numbers


def _predict_photo(weights: Weights, path: Path, boxes: list | None) -> list[dict]:
    photo = read_image(path, upright=True)
    size = photo.shape[1], photo.shape[0]
    inside = [clip_box(box, size, path) for box in boxes] if boxes else None
    points, confidence = see(weights, photo, people_in(weights.codec.skeleton, size, inside))
    places = inside or [(0.0, 0.0, size[0] - 1.0, size[1] - 1.0)]
    return [_person(weights, *one, size) for one in zip(points, confidence, places, strict=True)]


def _person(weights: Weights, points: np.ndarray, confidence: np.ndarray, box: tuple, size: tuple[int, int]) -> dict:
    names, mean = weights.codec.skeleton.joints, float(confidence.mean())
    inside = ((points > -0.5) & (points < np.array(size) - 0.5)).all(axis=-1)
    visible = np.where(inside, visibility(weights, confidence), 0.0)  # what lies outside the picture cannot be seen
    least = weights.record.get("no_person", {}).get("below", 0.0)
    low = f"perhaps no person here: mean confidence {mean:.2f}, 99 of 100 held-out people have over {least:.2f}; try a close box around the person"
    return {
        "joints": {name: [float(x), float(y), float(c)] for name, (x, y), c in zip(names, points, confidence, strict=True)},
        "visible": {name: float(p) for name, p in zip(names, visible, strict=True)},
        "box": list(box),
        "limbs": [[names[a], names[b]] for a, b in weights.codec.skeleton.limbs],
        "confidence": mean,
        "note": low if mean < least else "",
    }


def visibility(weights: Weights, confidence: np.ndarray) -> np.ndarray:
    """How visible joints of `confidence` are, 0..1.

    R sec. IV-B ranks visibility by the heatmap's maximum. Where the record holds a logistic fit on held-out people, that is the probability that an
    annotator would mark the joint as visible; else the confidence itself, which is only an order.
    """
    fit = weights.record.get("visibility")
    return confidence if fit is None else 1 / (1 + np.exp(-(fit["intercept"] + fit["slope"] * confidence)))


def _write(out: Path, paths: list[Path], found: list[dict]) -> None:
    from paperlib.show.photos import pose_picture

    make_folder(out)
    pictures = _pictures(out, paths)
    for path, picture, entry in zip(paths, pictures, found, strict=True):
        write_whole(picture, pose_picture(read_image(path, upright=True), entry["people"]))
        entry["picture"] = str(picture)
    write_whole(out / "predictions.json", json.dumps(found, indent=1))


def _pictures(out: Path, paths: list[Path]) -> list[Path]:
    """STEM-pose.png for each photograph, STEM-2-pose.png for the second of the same stem; never one of the photographs themselves."""
    taken, pictures = {str(path.resolve()).casefold() for path in paths}, []
    for path in paths:
        names = (out / f"{path.stem}{'' if i == 1 else f'-{i}'}-pose.png" for i in range(1, len(paths) + len(taken) + 2))
        picture = next(name for name in names if str(name.resolve()).casefold() not in taken)
        taken.add(str(picture.resolve()).casefold())
        pictures.append(picture)
    return pictures
