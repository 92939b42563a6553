"""Image files: any picture in as (H, W, 3) uint8 RGB, its size from the header alone, and one clear error for a file that is not a whole picture.

`upright` says which way up. A data set's labels are made for the pixels as stored, so the default leaves them where they are;
`upright=True` turns a photograph as its EXIF orientation asks.
"""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from paperlib import PaperlibError

_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112  # the EXIF tag
_REDUCED = {1: 0, 2: cv2.IMREAD_REDUCED_GRAYSCALE_2, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4, 8: cv2.IMREAD_REDUCED_GRAYSCALE_8}
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # Pillow's modes of a grey picture of more than 8 bits


def read_image(path: str | Path, upright: bool = False, reduced: int = 1) -> np.ndarray:
    """(H, W, 3) uint8 RGB, a fresh writable array; with `reduced`, 2, 4 or 8, so many times smaller, each pixel that many pixels of the file wide.

    Greyscale, CMYK and palette pictures become RGB, wider grey keeps its highest 8 bits, what is transparent shows white.
    Raises PaperlibError naming the file where it is missing, empty, truncated or no picture.

    JPEGs are decoded by OpenCV, bit-identical to Pillow (CMYK: to one grey level), 1.2 (MPII, 1280 x 720) to 2.2 (LSP) times as fast. What it makes
    of a truncated file depends on its version, so a JPEG without its end marker is left to Pillow, which refuses it; so is every other format.
    """
    data = _read_bytes(path)
    if _whole_jpeg(data[:8], data[-64:]):
        decoded = 1 if upright else reduced  # turned, what is over on the right and below would lie on another side
        pixels = _decode_jpeg(data, upright, decoded)
        if pixels is not None:
            return shrink(pixels, reduced // decoded)
    try:
        with Image.open(BytesIO(data)) as picture:
            return shrink(np.array(_rgb(ImageOps.exif_transpose(picture) if upright else picture)), reduced)
    except Exception as error:  # Pillow's plugins raise nearly anything on a damaged file
        raise _unreadable(path, error) from error


def shrink(image: np.ndarray, times: int) -> np.ndarray:
    """(H // times, W // times, 3): the means of squares of `times` px; what is over on the right and below is left out."""
    if times == 1:
        return image
    height, width = image.shape[0] // times, image.shape[1] // times
    if not height or not width:
        return image[:height, :width]
    return cv2.resize(image[: height * times, : width * times], (width, height), interpolation=cv2.INTER_AREA)


def image_size(path: str | Path, upright: bool = False) -> tuple[int, int]:
    """(width, height) px from the header, without decoding. Raises PaperlibError naming the file where there is no header to read."""
    try:
        with Image.open(path) as picture:
            turned = upright and picture.getexif().get(_ORIENTATION, 1) >= 5
            return picture.size[::-1] if turned else picture.size
    except FileNotFoundError as error:
        raise _missing(path) from error
    except Exception as error:
        raise _unreadable(path, error) from error


def fault_of(path: str | Path) -> str | None:
    """Why read_image would refuse the file, None where it would not. A JPEG or PNG with header and end is believed and not decoded (50 us)."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            file.seek(max(0, Path(path).stat().st_size - 64))
            end = file.read()
        whole = _whole_jpeg(start, end) or (start == _PNG and b"IEND" in end)
        image_size(path) if whole else read_image(path)
    except PaperlibError as error:
        return str(error).removeprefix(f"{path}: ")
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def _whole_jpeg(start: bytes, end: bytes) -> bool:
    """Has its start and its end marker; some programs leave a few bytes after it."""
    return start.startswith(b"\xff\xd8\xff") and end.rstrip(b"\r\n\0").endswith(b"\xff\xd9")


def _decode_jpeg(data: bytes, upright: bool, reduced: int) -> np.ndarray | None:
    flags = cv2.IMREAD_COLOR_RGB | _REDUCED[reduced] | (0 if upright else cv2.IMREAD_IGNORE_ORIENTATION)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # more pixels than OpenCV allows
        return None


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in _WIDE:
        return Image.fromarray(_eight_bits(np.asarray(picture, np.float64))).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Grey levels from 0 to 1, to 255 or to 65535, by what their largest is, as uint8."""
    largest = grey.max()
    return (np.rint(grey * 255) if largest <= 1 else grey if largest <= 255 else grey // 256).clip(0, 255).astype(np.uint8)


def _read_bytes(path: str | Path) -> bytes:
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise _missing(path) from error
    except OSError as error:
        raise PaperlibError(f"{path}: cannot be read ({error.strerror})") from error
    if not data:
        raise PaperlibError(f"{path}: an empty file (0 bytes); fetch or export the image again")
    return data


def _missing(path: str | Path) -> PaperlibError:
    return PaperlibError(f"{path}: no such image file; check the path")


def _unreadable(path: str | Path, error: Exception) -> PaperlibError:
    why = "not in a picture format that we can read" if isinstance(error, Image.UnidentifiedImageError) else error
    return PaperlibError(f"{path}: not a whole picture ({why}); fetch it again, or save it anew as JPEG or PNG")
