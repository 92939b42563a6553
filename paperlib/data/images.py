"""Image files: read any picture as (H, W, 3) uint8 RGB, read its size from the header alone, and
raise one clear error for a file that is not a whole picture.

`upright` chooses the orientation. A data set's labels are made for the pixels as stored, so the
default leaves them where they are; `upright=True` turns a photograph as its EXIF orientation
asks.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from paperlib import PaperlibError

MOST = 2**28  # px that a picture may have: 268 megapixels, 0.8 GB as RGB
_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION, _ORIENTATIONS = 0x0112, range(1, 9)  # the EXIF tag, and what it may be
# Pillow's modes of a grey picture of more than 8 bits
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_NOT_PAGES = ("MPO", "PSD")  # formats whose further frames are previews or layers
_BACK = {6: 8, 8: 6}  # what undoes a turn; the others undo themselves
_RAW = (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2")  # they open as a preview
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
# What is often taken for a picture that we can read: (where, bytes, its name)
_FOREIGN = (
    *((8, brand, "a HEIC picture") for brand in _HEIF),
    (8, b"avif", "an AVIF picture"),
    (4, b"ftyp", "a video"),
    (0, b"%PDF", "a PDF document"),
    (0, b"<svg", "an SVG drawing"),
    (0, b"<?xml", "an XML file or SVG drawing"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL ", "a JPEG XL picture"),
)


def read_image(path: str | Path, upright: bool = False, reduced: int = 1) -> np.ndarray:
    """(H, W, 3) uint8 RGB, a fresh writable array.

    `reduced`, 2, 4 or 8, makes it so many times smaller: each pixel is that many pixels of the file
    wide. Greyscale, CMYK and palette pictures become RGB, wider grey keeps its highest 8 bits,
    transparent parts become white, of several pages the first is read. Raises PaperlibError naming
    the file where it is missing, empty, truncated, no picture, or of more than MOST px.

    JPEGs are decoded by OpenCV, bit-identical to Pillow (CMYK: to one grey level), 1.2 (MPII, 1280
    x 720) to 2.2 (LSP) times as fast. What it makes of a truncated file depends on its version, so
    a JPEG without its end marker is left to Pillow, which refuses it; so is every other format.
    """
    with _named(path):
        data = Path(path).read_bytes()
    if _whole_jpeg(data[:8], data[-64:]):
        turn = header(path, data)[1] if upright else 1
        decoded = 1 if upright else reduced  # turned, the rest at the right lies on another side
        pixels = _decode_jpeg(data, decoded)
        if pixels is not None:
            return shrink(_turned(pixels, turn), reduced // decoded)
    with _opened(path, BytesIO(data)) as picture:
        turn, stored = _turn(picture), picture.format != "TIFF"  # Pillow turns TIFF by itself
        pixels = np.array(_rgb(picture))
    if upright and stored:
        pixels = _turned(pixels, turn)
    if not upright and not stored:
        pixels = _turned(pixels, _BACK.get(turn, turn))
    return shrink(pixels, reduced)


def shrink(image: np.ndarray, times: int) -> np.ndarray:
    """(H // times, W // times, 3): the means of squares of `times` px.

    What is over on the right and below is left out.
    """
    if times == 1:
        return image
    height, width = image.shape[0] // times, image.shape[1] // times
    if not height or not width:
        return image[:height, :width]
    whole = image[: height * times, : width * times]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def image_size(path: str | Path, upright: bool = False) -> tuple[int, int]:
    """(width, height) px from the header, without decoding.

    Raises PaperlibError naming the file where there is no header to read, or more than MOST px.
    """
    stored, turn = header(path)
    return stored[::-1] if upright and turn >= 5 else stored


def remarks(path: str | Path) -> list[str]:
    """Remarks on how a photograph is read, one line each; usually none."""
    said = []
    with _opened(path, path) as picture:
        asked = _asked(picture)
        if asked not in _ORIENTATIONS:
            is_none = "is damaged" if asked is None else f"{asked!r} is none of 1 to 8"
            said.append(f"its EXIF orientation {is_none}; taken as it is stored")
        pages = _pages(picture)
        if pages > 1:
            said.append(f"it has {pages} pages or frames; the first is taken")
    return said


def fault_of(path: str | Path) -> str | None:
    """Why read_image would refuse the file; None if it would read it.

    A JPEG or PNG with a header and an end marker is accepted without decoding (50 us).
    """
    try:
        with _named(path), open(path, "rb") as file:
            start = file.read(8)
            file.seek(max(0, Path(path).stat().st_size - 64))
            end = file.read()
        whole = _whole_jpeg(start, end) or (start == _PNG and b"IEND" in end)
        image_size(path) if whole else read_image(path)
    except PaperlibError as error:
        return str(error).removeprefix(f"{path}: ")
    return None


def _whole_jpeg(start: bytes, end: bytes) -> bool:
    """Whether start and end marker are there; some programs leave a few bytes after the end."""
    return start.startswith(b"\xff\xd8\xff") and end.rstrip(b"\r\n\0").endswith(b"\xff\xd9")


def _decode_jpeg(data: bytes, reduced: int) -> np.ndarray | None:
    smaller = getattr(cv2, f"IMREAD_REDUCED_GRAYSCALE_{reduced}", 0)
    flags = cv2.IMREAD_COLOR_RGB | smaller | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # more pixels than OpenCV allows
        return None


def header(path: str | Path, source: bytes | None = None) -> tuple[tuple[int, int], int]:
    """(width, height) px as stored, and the EXIF orientation, 1 to 8."""
    with _opened(path, path if source is None else BytesIO(source)) as picture:
        turn = _turn(picture)
        swapped = picture.format == "TIFF" and turn >= 5  # Pillow tells a TIFF's size upright
        return picture.size[::-1] if swapped else picture.size, turn


def _turn(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where it is something else."""
    asked = _asked(picture)
    return asked if asked in _ORIENTATIONS else 1


def _asked(picture: Image.Image):
    """What is written as EXIF orientation; 1 where nothing is, None where it is damaged."""
    try:
        return picture.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises nearly anything on a damaged block
        return None


def _turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """What makes the stored pixels upright, by the EXIF orientation: from 5 on the axes change
    places, then each may be turned round."""
    if turn == 1:
        return pixels
    pixels = pixels.swapaxes(0, 1) if turn >= 5 else pixels
    right, down = (-1 if turn in turned else 1 for turned in ((2, 3, 6, 7), (3, 4, 7, 8)))
    return np.ascontiguousarray(pixels[::down, ::right])


def _pages(picture: Image.Image) -> int:
    try:
        return 1 if picture.format in _NOT_PAGES else getattr(picture, "n_frames", 1)
    except Exception:  # damaged behind the first page, which is all that is read
        return 1


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _WIDE:
        return Image.fromarray(_eight_bits(np.asarray(picture, np.float64))).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Grey levels from 0 to 1, to 255 or to 65535, by what their largest is, as uint8."""
    grey = np.nan_to_num(grey)
    largest = grey.max()
    eight = np.rint(grey * 255) if largest <= 1 else grey if largest <= 255 else grey // 256
    return eight.clip(0, 255).astype(np.uint8)


@contextmanager
def _opened(path: str | Path, source: str | Path | BytesIO) -> Iterator[Image.Image]:
    """The picture of file `path`; whatever goes wrong with it is a PaperlibError that names it."""
    if Path(path).suffix.lower() in _RAW:
        raise PaperlibError(f"{path}: a camera's raw file; export it as JPEG or PNG")
    with _named(path), _without_limit(), Image.open(source) as picture:
        width, height = picture.size
        if width * height > MOST:
            raise PaperlibError(
                f"{path}: {width} x {height} px are {width * height / 1e6:.0f} megapixels, more "
                f"than the {MOST / 1e6:.0f} that are read; make it smaller"
            )
        yield picture


@contextmanager
def _named(path: str | Path) -> Iterator[None]:
    try:
        yield
    except PaperlibError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on a damaged file
        raise PaperlibError(f"{path}: {_fault(path, error)}") from error


def _fault(path: str | Path, error: Exception) -> str:
    """What is wrong with a file that raised `error`, and the way out."""
    match error:
        case FileNotFoundError():
            return "no such image file; check the path"
        case MemoryError():
            return "too large for the memory; make it smaller"
        case Image.UnidentifiedImageError():
            with open(path, "rb") as file:
                start = file.read(16)
            if not start:
                return "an empty file (0 bytes); fetch or export the image again"
            for at, mark, name in _FOREIGN:
                if start[at : at + len(mark)] == mark:
                    return f"{name}, not read here; save it as JPEG or PNG"
            error = "not in a picture format that we can read"
        case OSError(strerror=str(why)):
            return f"cannot be read ({why})"
    return f"not a whole picture ({error}); fetch it again, or save it anew as JPEG or PNG"


_LOCK, _LIMITS = threading.Lock(), []


@contextmanager
def _without_limit() -> Iterator[None]:
    """While any thread is within, Pillow refuses no picture for its size: its error names no way
    out. The last to leave puts the limit back."""
    with _LOCK:
        _LIMITS.append(Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _LOCK:
            limit = _LIMITS.pop()  # ours, None, but for the first
            if not _LIMITS:
                Image.MAX_IMAGE_PIXELS = limit
