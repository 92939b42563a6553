"""Canvases: each person's surroundings cut out of the image once, as memory-mapped uint8, big enough for nearly every augmented crop.

Under H's law of augmentation 0.3 % of the crops' pixels lie outside their canvas and are grey; under R's 2.5 %, of 11 % that are grey in its code.
"""

import errno
import hashlib
import json
import mmap
import os
import shutil
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
from paperlib.writing import make_folder, write_whole

ROOM = 1.25  # a canvas is this much wider than the wider of the two papers' crops
GREY = (128, 128, 128)  # what lies outside the image, as in R's released code (FACTS A.6)
CHUNK = 64  # people whose canvases are cut and noted down together
VERSION = 1  # of the pixels that are cut: another one for other pixels, so that no old cache is used


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
    """The canvases of `people`, `side` px wide, built in `folder` with `jobs` threads if they are not there yet.

    The cache is keyed by labels, boxes, side, and every image's name and size in bytes; two processes that want the same canvases build them
    once, and a build that was killed goes on where it was. Raises PaperlibError when not a single image can be read, or when the disk is full.
    """
    boxes = canvas_boxes(people)
    key = hashlib.sha256(f"{VERSION} {people.sha256()} {side} {ROOM} {_image_bytes(people)}".encode() + boxes.tobytes()).hexdigest()[:16]
    home = folder / key
    if not (home / "canvases.json").exists():
        make_folder(home)
        with FileLock(home / "lock"):
            if not (home / "canvases.json").exists():  # another process may have built them while this one waited
                _build(people, crop_affine(boxes, side), side, home, jobs, progress)
    record = json.loads((home / "canvases.json").read_text())
    if not any(record["readable"]):
        raise PaperlibError(f"none of {len(people)} images can be read; the first problem: {record['problems'][0]}")
    pixels = np.load(home / "pixels.npy", mmap_mode="r")
    return Canvases(pixels, crop_affine(boxes, side), np.array(record["readable"]), tuple(record["problems"]), record["sha256"])


def _image_bytes(people: People) -> list[int]:
    """The size of every image file, -1 where there is none: an image that was fetched again is not taken for the broken one."""
    size = {path: os.stat(path).st_size if os.path.exists(path) else -1 for path in set(people.image)}
    return [size[path] for path in people.image]


def _build(people: People, affine: np.ndarray, side: int, home: Path, jobs: int, progress: bool) -> None:
    """Cut everybody's canvas into pixels.npy, with a line in a log for each finished chunk; canvases.json says that they are complete."""
    file, log, n = home / "pixels.npy", home / "chunks.jsonl", len(people)
    try:
        pixels = _open_pixels(file, (n, side, side, 3))
        errors, digest = _finished(pixels, log)
        done, missing, free = len(errors), pixels[len(errors) :].nbytes, shutil.disk_usage(home).free
        if missing > free:
            raise OSError(errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {missing / 1e6:.0f} MB are needed")
        chunks = [slice(start, min(start + CHUNK, n)) for start in range(done, n, CHUNK)]
        work = [(file, pixels.offset, rows, people.image[rows], affine[rows], side) for rows in chunks]
        cv2.setNumThreads(1)
        pool = ThreadPoolExecutor(jobs)  # threads: decoding, warping and hashing leave Python's lock alone
        bar = tqdm(total=n, initial=done, desc=f"canvases, {side} px", unit="person", disable=not progress, mininterval=2)
        try:
            for rows, found in zip(chunks, pool.map(_cut_chunk, work), strict=True):
                digest.update(pixels[rows])
                with log.open("a") as lines:
                    lines.write(json.dumps({"sha256": digest.hexdigest(), "errors": found}) + "\n")
                errors += found
                bar.update(len(found))
        finally:
            pool.shutdown(cancel_futures=True)
            bar.close()
        with file.open("r+b") as written:
            os.fsync(written.fileno())
    except OSError as error:
        raise PaperlibError(
            f"{file}: {n * side * side * 3 / 1e6:.0f} MB of canvases cannot be written ({error.strerror}); "
            "free some disk space, then the same command goes on where it was"
        ) from error
    problems = list(dict.fromkeys(error for error in errors if error))
    record = {"sha256": digest.hexdigest(), "readable": [error is None for error in errors], "problems": problems}
    write_whole(home / "canvases.json", json.dumps(record))
    log.unlink(missing_ok=True)


def _open_pixels(file: Path, shape: tuple[int, ...]) -> np.memmap:
    """The file of an interrupted build, else a new one without anything in it."""
    try:
        pixels = np.load(file, mmap_mode="r")
        if pixels.shape == shape:
            return pixels
    except (OSError, ValueError, EOFError):
        pass
    np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    return np.load(file, mmap_mode="r")


def _finished(pixels: np.ndarray, log: Path):
    """The people that an interrupted build has cut: an error or None each, and the SHA-256 so far. The log keeps what agrees with the pixels."""
    errors, digest, kept = [], hashlib.sha256(), []
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            record = json.loads(line)
        except ValueError:  # killed within the line
            break
        longer = digest.copy()
        longer.update(pixels[len(errors) : len(errors) + len(record["errors"])])
        if longer.hexdigest() != record["sha256"]:  # the machine went down before the pixels were on the disk
            break
        errors, digest, kept = errors + record["errors"], longer, [*kept, line]
    write_whole(log, "".join(line + "\n" for line in kept))
    return errors, digest


def _cut_chunk(work) -> list[str | None]:
    """Write the canvases of some people in their place in the file. Returns what is wrong with each one's image, or None."""
    file, offset, rows, paths, affines, side = work
    cut, errors, last = np.full((len(paths), side, side, 3), GREY[0], np.uint8), [], (None, None)
    for i, (path, affine) in enumerate(zip(paths, affines, strict=True)):
        try:
            image = last[1] if last[0] == path else read_image(path)  # people of one image follow one another
            last, cut[i], error = (path, image), cut_canvas(image, affine, side), None
        except PaperlibError as problem:
            error = str(problem)
        errors.append(error)
    with file.open("r+b") as pixels:  # not through a map, where a full disk would kill the process
        pixels.seek(offset + rows.start * cut[0].nbytes)
        pixels.write(cut)
    return errors


def fetch_pages(pixels: np.ndarray, rows: np.ndarray) -> None:
    """Have the system read the canvases `rows` of a mapped file now and as a whole: one page fault after the other takes five times as long."""
    if isinstance(pixels.base, mmap.mmap) and hasattr(mmap, "MADV_WILLNEED"):
        canvas = pixels[0].nbytes
        for row in rows.tolist():
            pixels.base.madvise(mmap.MADV_WILLNEED, (pixels.offset + row * canvas) // mmap.PAGESIZE * mmap.PAGESIZE, canvas + mmap.PAGESIZE)


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
