"""Predictions as they are kept, beside the run and with the results: small, and the same numbers
for whoever scores them."""

import io
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from paperlib import PaperlibError
from paperlib.mathematics import PREDICTION
from paperlib.predict import Prediction

NAMES = ("points", "peak", "mean")
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
    """`found` as precisely as it is kept. Every number is made of this, so whoever reads the file
    makes the same number."""
    return Prediction(
        np.asarray(found.points, np.float32),
        *[_rounded(values) for values in (found.peak, found.mean)],
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    mantissa, exponent = np.frexp(np.asarray(values, np.float32))
    return np.ldexp(np.round(mantissa * 2**DIGITS) / 2**DIGITS, exponent).astype(np.float32)


def prediction_bytes(found: Prediction, people: str) -> bytes:
    """An .npz of `found`, one person after the other: points (N, S, J, 2) image px, peak and mean
    (N, S, J), float32; and the `people`'s identity.

    In this order what the sites say of a person lies side by side, and being nearly the same it
    packs well.
    """
    content = io.BytesIO()
    arrays = {name: getattr(as_kept(found), name).swapaxes(0, 1) for name in NAMES}
    np.savez_compressed(content, **arrays, people=identity_of_predictions(people))
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
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
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
    if not (
        points.ndim == 4 and points.shape[-1] == 2 and peak.shape == mean.shape == points.shape[:3]
    ):
        shapes = f"points {points.shape}, maxima {peak.shape} and means {mean.shape}"
        return f"{shapes} are not of the same joints"
    if {array.dtype for array in (points, peak, mean)} != {
        np.dtype(np.float32)
    } or people.nbytes > np.dtype("U80").itemsize:
        return "holds more than numbers of float32 and one SHA-256 of people"
    return ""
