"""Canvases: each person's surroundings cut out of the image once, as memory-mapped uint8, big
enough for nearly every augmented crop.

Under H's law of augmentation 0.3 % of the crops' pixels lie outside their canvas and are grey;
under R's 2.5 %, of 11 % that are grey in its code.
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
from paperlib.data.images import read_image, shrink
from paperlib.geometry import crop_affine
from paperlib.people import People
from paperlib.writing import make_folder, write_whole

ROOM = 1.25  # a canvas is this much wider than the wider of the two papers' crops
GREY = (128, 128, 128)  # what lies outside the image, as in R's released code (FACTS A.6)
CHUNK = 64  # people whose canvases are cut and noted down together
# of the pixels that are cut: another one for other pixels, so that no old cache is used
VERSION = 2


@dataclass(frozen=True)
class Canvases:
    """Pixels of N people and where they come from. `readable` is False for a person whose image
    could not be read: the canvas is grey."""

    pixels: np.ndarray  # (N, C, C, 3) uint8, memory-mapped
    affine: np.ndarray  # (N, 3, 3) image px -> canvas px
    readable: np.ndarray  # (N,) bool
    problems: tuple[str, ...]  # one line for each image that could not be read
    sha256: str  # of the SHA-256 of each person's pixels


def canvas_boxes(people: People, side: int) -> np.ndarray:
    """(N, 3) the square of image that a canvas of `side` px holds: centre and side, image px, as
    `whole_pixels` has them."""
    rough = ~people.framed
    # half-way between R's and H's crops
    centre = people.centre + np.where(rough, 7.5 * people.scale, 0)[:, None] * [0, 1]
    return whole_pixels(
        np.column_stack([centre, 200 * people.scale * ROOM * np.where(rough, 1.5, 1)]), side
    )


def whole_pixels(boxes: np.ndarray, side: int) -> np.ndarray:
    """Squares (N, 3) whose edges lie between pixels of the image, or of the image `reduction` times
    smaller: at most such a pixel narrower than `boxes`, and half of one beside them. They are cut
    to `side` px without a warp."""
    times = reduction(boxes[:, 2], side)[:, None]
    pixels = np.maximum(np.floor(boxes[:, 2:] / times), 1)
    first = np.rint((boxes[:, :2] + 0.5) / times - pixels / 2)
    return np.hstack([(first + pixels / 2) * times - 0.5, pixels * times])


def reduction(width: np.ndarray, side: int) -> np.ndarray:
    """By what factor, 1, 2, 4, .., an image may be reduced so that a square of `width` px still has
    `side` px or more."""
    return 2.0 ** np.floor(np.log2(np.maximum(width / side, 1)))


def load_canvases(
    people: People, side: int, folder: Path, jobs: int = 1, progress: bool = True
) -> Canvases:
    """The canvases of `people`, `side` px wide, built in `folder` with `jobs` threads if they are
    not there yet.

    The cache is keyed by labels, boxes, side, and every image's name and size in bytes; two
    processes that want the same canvases build them once, and a build that was killed goes on where
    it was. Raises PaperlibError when not a single image can be read, or when the disk is full.
    """
    boxes = canvas_boxes(people, side)
    key = hashlib.sha256(
        f"{VERSION} {people.sha256()} {side} {ROOM} {_image_bytes(people)}".encode()
        + boxes.tobytes()
    ).hexdigest()[:16]
    home = folder / key
    if not (home / "canvases.json").exists():
        make_folder(home)
        with FileLock(home / "lock"):
            # another process may have built them while this one waited
            if not (home / "canvases.json").exists():
                _build(people, boxes, side, home, jobs, progress)
    record = json.loads((home / "canvases.json").read_text())
    if not any(record["readable"]):
        raise PaperlibError(
            f"none of {len(people)} images can be read; the first problem: {record['problems'][0]}"
        )
    pixels = np.load(home / "pixels.npy", mmap_mode="r")
    return Canvases(
        pixels,
        crop_affine(boxes, side),
        np.array(record["readable"]),
        tuple(record["problems"]),
        record["sha256"],
    )


def _image_bytes(people: People) -> list[int]:
    """The size of every image file, -1 where there is none: an image that was fetched again is not
    taken for the broken one."""
    there = {path: os.path.exists(path) for path in set(people.image)}
    size = {path: os.stat(path).st_size if there[path] else -1 for path in there}
    return [size[path] for path in people.image]


def _build(
    people: People, boxes: np.ndarray, side: int, home: Path, jobs: int, progress: bool
) -> None:
    """Cut everybody's canvas into pixels.npy, with a line in a log for each finished chunk;
    canvases.json says that they are complete."""
    file, log, n = home / "pixels.npy", home / "chunks.jsonl", len(people)
    try:
        pixels = _open_pixels(file, (n, side, side, 3))
        cut = _finished(pixels, log)
        missing, free = pixels[len(cut) :].nbytes, shutil.disk_usage(home).free
        if missing > free:
            raise OSError(
                errno.ENOSPC, f"{free / 1e6:.0f} MB are free, {missing / 1e6:.0f} MB are needed"
            )
        chunks = [slice(i, min(i + CHUNK, n)) for i in range(len(cut), n, CHUNK)]
        work = [
            (file, pixels.offset, rows, people.image[rows], boxes[rows], side) for rows in chunks
        ]
        cv2.setNumThreads(1)
        # threads: decoding, warping and hashing leave Python's lock alone
        pool = ThreadPoolExecutor(jobs)
        bar = tqdm(
            total=n,
            initial=len(cut),
            desc=f"canvases, {side} px",
            unit="person",
            disable=not progress,
            mininterval=2,
        )
        try:
            for chunk in pool.map(_cut_chunk, work):
                with log.open("a") as lines:
                    lines.write(json.dumps(chunk) + "\n")
                cut += chunk
                bar.update(len(chunk))
        finally:
            pool.shutdown(cancel_futures=True)
            bar.close()
        with file.open("r+b") as written:
            os.fsync(written.fileno())
    except OSError as error:
        raise PaperlibError(
            f"{file}: {n * side * side * 3 / 1e6:.0f} MB of canvases cannot be written "
            f"({error.strerror}); free some disk space, then the same command goes on where it was"
        ) from error
    record = {
        "sha256": hashlib.sha256("".join(sha256 for sha256, _ in cut).encode()).hexdigest(),
        "readable": [problem is None for _, problem in cut],
        "problems": list(dict.fromkeys(problem for _, problem in cut if problem)),
    }
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


def _finished(pixels: np.ndarray, log: Path) -> list:
    """What _cut_chunk said of the people that an interrupted build has cut. The log keeps what
    agrees with the pixels."""
    cut, kept = [], ""
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            chunk = [(sha256, problem) for sha256, problem in json.loads(line)]
        except ValueError:  # killed within the line
            break
        there = pixels[len(cut) : len(cut) + len(chunk)]
        # the machine went down before the pixels were on the disk
        if [hashlib.sha256(canvas).hexdigest() for canvas in there] != [one[0] for one in chunk]:
            break
        cut, kept = cut + chunk, f"{kept}{line}\n"
    write_whole(log, kept)
    return cut


def _cut_chunk(work: tuple) -> list[tuple[str, str | None]]:
    """Write the canvases of some people in their place in the file. Returns the SHA-256 of
    each, and what is wrong with its image, or None."""
    file, offset, rows, paths, boxes, side = work
    canvas, chunk, last = np.empty((side, side, 3), np.uint8), [], (None, None)
    with file.open("r+b") as pixels:  # not through a map, where a full disk would kill the process
        pixels.seek(offset + rows.start * canvas.nbytes)
        for path, box in zip(paths, boxes, strict=True):
            times = int(min(reduction(box[2], side), 8))  # a decoder's most
            try:
                # people of one image follow one another
                image = last[1] if last[0] == (path, times) else read_image(path, reduced=times)
                last, problem = ((path, times), image), None
                cut_canvas(image, box, side, times, canvas)
            except PaperlibError as error:
                canvas[:], problem = GREY, str(error)
            chunk.append((hashlib.sha256(canvas).hexdigest(), problem))
            pixels.write(canvas)
    return chunk


def fetch_pages(pixels: np.ndarray, rows: np.ndarray) -> None:
    """Have the system read the canvases `rows` of a mapped file now and as a whole: one page fault
    after the other takes five times as long."""
    if isinstance(pixels.base, mmap.mmap) and hasattr(mmap, "MADV_WILLNEED"):
        canvas = pixels[0].nbytes
        for row in rows.tolist():
            pixels.base.madvise(
                mmap.MADV_WILLNEED,
                (pixels.offset + row * canvas) // mmap.PAGESIZE * mmap.PAGESIZE,
                canvas + mmap.PAGESIZE,
            )


def cut_canvas(
    image: np.ndarray,
    box: np.ndarray,
    side: int,
    reduced: int = 1,
    out: np.ndarray | None = None,
    outside: int = GREY[0],
) -> np.ndarray:
    """(side, side, 3) of the square `box` (3,), px of the image in full, with edges as
    `whole_pixels` has them; grey value `outside` outside of it. `image` is the whole image,
    `reduced` times smaller. `out`: where to write it.

    An image twice as large or more is averaged down first; what is then left, less than two, is
    cubic, which loses less than a warp to whole px."""
    times = int(reduction(box[2], side))
    if times > reduced:
        image = shrink(image, times // reduced)
    n = round(box[2] / times)
    x, y = np.rint((box[:2] + 0.5) / times - n / 2).astype(int).tolist()
    height, width = image.shape[:2]
    inside = image[max(y, 0) : max(y + n, 0), max(x, 0) : max(x + n, 0)]
    if inside.size == 0:
        inside, margins = np.full((1, 1, 3), outside, np.uint8), (0, 0, 0, 0)
    else:
        margins = max(-y, 0), max(y + n - height, 0), max(-x, 0), max(x + n - width, 0)
    if any(margins):
        inside = cv2.copyMakeBorder(inside, *margins, cv2.BORDER_CONSTANT, value=(outside,) * 3)
    return cv2.resize(
        inside,
        (side, side),
        dst=out,
        interpolation=cv2.INTER_CUBIC if n > side else cv2.INTER_LINEAR,
    )
