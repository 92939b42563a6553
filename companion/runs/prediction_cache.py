"""Predictions as they are kept, beside the run and with the results: small, and the same numbers
for whoever scores them."""

import io
from lzma import LZMAError
from pathlib import Path
from zipfile import ZIP_LZMA, BadZipFile, ZipFile, ZipInfo

import numpy as np

from paperlib import PaperlibError
from paperlib.mathematics import PREDICTION
from paperlib.predict import Prediction

NAMES = ("points", "peak", "mean")
FINEST = 64  # parts of a pixel in which points are kept
DIGITS = 11  # binary digits of a heatmap's maximum and mean, as many as float16 has


def file_name(on: str, flip: bool, scales: tuple[float, ...], offset: bool) -> str:
    """predictions-mpii-flip-1.npz: what was predicted of the test people of `on`, and how."""
    scaled = "-".join(f"{scale:g}" for scale in scales)
    return (
        f"predictions-{on}-{'flip' if flip else 'plain'}-{scaled}{'' if offset else '-argmax'}.npz"
    )


def identity_of_predictions(people: str) -> str:
    """What predictions are of: the SHA-256 of their people, and with which mathematics they were
    made."""
    return f"{people}-{PREDICTION}"


def as_kept(found: Prediction) -> Prediction:
    """`found` as precisely as it is kept: the points of every site, of the heatmaps' maxima and
    means only the last site's, (1, N, J). Every number is made of this, so whoever reads the file
    makes the same number."""
    points = np.round(np.asarray(found.points, np.float64) * FINEST) / FINEST
    return Prediction(
        points.astype(np.float32), *[_rounded(values[-1:]) for values in (found.peak, found.mean)]
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    mantissa, exponent = np.frexp(np.asarray(values, np.float32))
    return np.ldexp(np.round(mantissa * 2**DIGITS) / 2**DIGITS, exponent).astype(np.float32)


def prediction_bytes(found: Prediction, people: str) -> bytes:
    """An .npz of `found`, one person after the other: points (N, S, J, 2) image px, peak and mean
    (N, 1, J), float32; and the `people`'s identity.

    In this order what the sites say of a person lies side by side, and being nearly the same it
    packs well; LZMA makes it half as large as numpy's own deflate, and numpy reads it.
    """
    content, kept = io.BytesIO(), as_kept(found)
    arrays = {name: getattr(kept, name).swapaxes(0, 1) for name in NAMES}
    arrays["people"] = np.array(identity_of_predictions(people))
    with ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.save(entry, array)
            # ZipInfo's own date: the same predictions are the same bytes
            archive.writestr(ZipInfo(f"{name}.npy"), entry.getvalue(), ZIP_LZMA)
    return content.getvalue()


def read_prediction(path: Path, people: str = "") -> Prediction | None:
    """What `prediction_bytes` wrote; None where the file is not there or is of other people.

    Raises PaperlibError for a file that cannot be read.
    """
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as stored:
            if people and str(stored["people"]) != identity_of_predictions(people):
                return None
            return as_kept(Prediction(*[stored[name].swapaxes(0, 1) for name in NAMES]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, LZMAError) as error:
        raise PaperlibError(
            f"{path}: cannot be read as predictions ({error}); delete it, and they are made anew"
        ) from error


def shape_problem(path: Path) -> str:
    """'' if `path` holds points of people and their heatmaps' maxima and means and nothing else;
    otherwise what is wrong."""
    with np.load(path, allow_pickle=False) as stored:
        if set(stored.files) != {*NAMES, "people"}:
            return f"holds {', '.join(stored.files)}"
        points, peak, mean, people = (stored[name] for name in ("points", "peak", "mean", "people"))
    people_and_joints = (points.shape[0], points.shape[2]) if points.ndim == 4 else ()
    if not (
        people_and_joints
        and points.shape[-1] == 2
        and peak.shape == mean.shape
        and peak.shape[1:2] in ((1,), points.shape[1:2])  # of the last site, or of all
        and (peak.shape[0], peak.shape[-1]) == people_and_joints
    ):
        shapes = f"points {points.shape}, maxima {peak.shape} and means {mean.shape}"
        return f"{shapes} are not of the same joints"
    if {array.dtype for array in (points, peak, mean)} != {
        np.dtype(np.float32)
    } or people.nbytes > np.dtype("U80").itemsize:
        return "holds more than numbers of float32 and one SHA-256 of people"
    return ""
