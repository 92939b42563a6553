"""Canvases: each person's surroundings cut out of the image once, as memory-mapped uint8, big enough for any augmentation."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from filelock import FileLock
from tqdm.auto import tqdm

from paperlib import PaperlibError
from paperlib.data.images import read_image
from paperlib.geometry import crop_affine
from paperlib.people import People

ROOM = 1.25  # a canvas is this much wider than the wider of the two papers' crops
GREY = (128, 128, 128)  # what lies outside the image, as in R's released code (FACTS A.6)
CHUNK = 64


@dataclass(frozen=True)
class Canvases:
    """Pixels of N people and where they come from. `readable` is False for a person whose image could not be read: the canvas is grey."""

    pixels: np.ndarray  # (N, C, C, 3) uint8, memory-mapped
    affine: np.ndarray  # (N, 3, 3) image px -> canvas px
    readable: np.ndarray  # (N,) bool
    problems: tuple[str, ...]  # one line for each image that could not be read
    sha256: str  # of the pixels


def canvas_boxes(people: People) -> np.ndarray:
    """(N, 3) the square of image that a canvas holds: centre and side, image px."""
    rough = ~people.framed
    centre = people.centre + np.where(rough, 7.5 * people.scale, 0)[:, None] * [0, 1]  # half-way between R's and H's crops
    return np.column_stack([centre, 200 * people.scale * ROOM * np.where(rough, 1.5, 1)])


def load_canvases(people: People, side: int, folder: Path, jobs: int = 1, progress: bool = True) -> Canvases:
    """The canvases of `people`, `side` px wide, built in `folder` if they are not there yet.

    The cache is keyed by labels, boxes and side; two processes that want the same canvases build them once. Raises PaperlibError when
    not a single image can be read, or when the disk is full.
    """
    boxes = canvas_boxes(people)
    key = hashlib.sha256(f"{people.sha256()} {side} {ROOM}".encode() + boxes.tobytes()).hexdigest()[:16]
    home = folder / key
    home.mkdir(parents=True, exist_ok=True)
    with FileLock(home / "lock"):
        if not (home / "canvases.json").exists():
            _build(people, crop_affine(boxes, side), side, home, jobs, progress)
    record = json.loads((home / "canvases.json").read_text())
    if not any(record["readable"]):
        raise PaperlibError(f"none of {len(people)} images can be read; the first problem: {record['problems'][0]}")
    pixels = np.load(home / "pixels.npy", mmap_mode="r")
    return Canvases(pixels, crop_affine(boxes, side), np.array(record["readable"]), tuple(record["problems"]), record["sha256"])


def _build(people: People, affine: np.ndarray, side: int, home: Path, jobs: int, progress: bool) -> None:
    part, n = home / "pixels.npy.part", len(people)
    try:
        pixels = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=(n, side, side, 3))
    except OSError as error:
        raise PaperlibError(
            f"{part}: cannot write {n * side * side * 3 / 1e6:.0f} MB of canvases ({error.strerror}); free some disk space"
        ) from error
    chunks = [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    work = [([str(path) for path in people.image[rows]], affine[rows], side) for rows in chunks]
    problems, readable = [], np.ones(n, bool)
    cv2.setNumThreads(1)
    # threads: decoding and warping leave Python's lock alone
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=n, desc=f"canvases, {side} px", unit="person", disable=not progress, mininterval=2) as bar:
        for rows, (cut, errors) in zip(chunks, pool.map(_cut_chunk, work), strict=True):
            pixels[rows] = cut
            readable[rows] = [error is None for error in errors]
            problems += sorted({error for error in errors if error})
            bar.update(rows.stop - rows.start)
    pixels.flush()
    digest = hashlib.sha256(pixels).hexdigest()
    os.replace(part, home / "pixels.npy")
    stamp = home / "canvases.json.part"
    stamp.write_text(json.dumps({"sha256": digest, "readable": readable.tolist(), "problems": problems}))
    os.replace(stamp, home / "canvases.json")


def _cut_chunk(work) -> tuple[np.ndarray, list[str | None]]:
    paths, affines, side = work
    cut, errors, last = np.full((len(paths), side, side, 3), GREY[0], np.uint8), [], (None, None)
    for i, (path, affine) in enumerate(zip(paths, affines, strict=True)):
        try:
            image = last[1] if last[0] == path else read_image(path)  # people of one image follow one another
            last, cut[i], error = (path, image), cut_canvas(image, affine, side), None
        except PaperlibError as problem:
            error = str(problem)
        errors.append(error)
    return cut, errors


def cut_canvas(image: np.ndarray, affine: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) of `image` through `affine` (3, 3): image px -> canvas px. An image more than twice too large is averaged down first."""
    shrink = int(1 / affine[0, 0])
    if shrink >= 2:
        height, width = image.shape[:2]
        small = cv2.resize(image, (max(1, width // shrink), max(1, height // shrink)), interpolation=cv2.INTER_AREA)
        x, y = width / small.shape[1], height / small.shape[0]  # image px per px of the small image
        affine = affine @ np.array([[x, 0, x / 2 - 0.5], [0, y, y / 2 - 0.5], [0, 0, 1]])
        image = small
    return cv2.warpAffine(image, affine[:2], (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=GREY)
