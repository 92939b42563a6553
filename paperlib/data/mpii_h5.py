"""MPII from Newell's .h5 files: whole pixels.

annot/train.h5 and annot/valid.h5, a split each, have the centre already moved and the scale already
enlarged. pose-hg-train's earlier annot.h5, all 40,614 people, has both as the official file does,
and `istrain` 0 for the test set's people (FACTS C.5, C.10).
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import others_in_image, read_h5, read_h5_names
from paperlib.data.mpii_points import Labels


def read_labels(path: Path, split: str) -> Labels:
    """The people of <split>.h5, in its order.

    The file's centre is 15 x the scale below the official one and its scale 1.25 x the official
    one, made for the crop of H; both are undone here (FACTS C.5). `normalize` is 0.6 x the diagonal
    of the head box. Raises PaperlibError on a file that cannot be read or has other arrays.
    """
    people, joints = (None,), (None, 16)
    stored = read_h5(
        path,
        {
            "part": (*joints, 2),
            "visible": joints,
            "center": (*people, 2),
            "scale": people,
            "normalize": people,
        },
    )
    images = read_h5_names(path, "imgname", len(stored["part"]))
    scale = stored["scale"] / 1.25
    centre = stored["center"]
    centre[:, 1] -= 15 * scale
    points = np.concatenate([stored["part"], stored["visible"][..., None]], -1)  # (N, 16, 3)
    return Labels(
        images=images,
        points=points,
        centre=centre,
        scale=scale,
        head_size=stored["normalize"],
        others=list(others_in_image(np.array(images, str), points)),
    )


def read_all(path: Path, split_path: Path, split: str) -> Labels:
    """The people of `split` of annot.h5, in its order; `split_path` is the annot/valid.h5 that
    names the validation people: annot.h5 leaves the split to chance.

    A missing joint is (0, 0); a person of the test set has only (-1, -1). Raises PaperlibError on a
    file that cannot be read, has other arrays, or lacks people that `split_path` names.
    """
    people, joints = (None,), (None, 16)
    shapes = {"part": (*joints, 2), "visible": joints, "center": (*people, 2)}
    shapes |= dict.fromkeys(("scale", "normalize", "index", "person", "istrain"), people)
    stored = read_h5(path, shapes)
    names = np.array(read_h5_names(path, "imgname", len(stored["part"])), str)
    validation = validation_people(split_path)
    who = list(zip(stored["index"].tolist(), stored["person"].tolist(), strict=True))
    if absent := validation - set(who):
        i, p = min(absent)
        raise PaperlibError(
            f"{split_path}: names {len(absent)} validation people whom {path} does not have, the "
            f"first is person {p:g} of image {i:g} (from 0); take the valid.h5 of the same data"
        )
    images = {i for i, _ in validation}
    missing = (stored["part"] == 0).all(-1) | (stored["part"] == -1).all(-1)
    points = np.dstack([stored["part"], stored["visible"]])  # (N, 16, 3)
    points = np.where(missing[..., None], 0, points)
    known = (stored["istrain"] == 1) & ~missing.all(-1)
    chosen = [pair in validation if split == "valid" else pair[0] not in images for pair in who]
    rows = known & np.array(chosen, bool)
    others = others_in_image(names[known], points[known])
    return Labels(
        images=names[rows].tolist(),
        points=points[rows],
        centre=stored["center"][rows],
        scale=stored["scale"][rows],
        head_size=stored["normalize"][rows],
        others=[other for other, kept in zip(others, rows[known], strict=True) if kept],
    )


def validation_people(path: Path) -> set[tuple[int, int]]:
    """{(image, person)} of the validation split by their places in the official .mat, from 0: what
    valid.h5 calls `index` and `person`."""
    stored = read_h5(path, {"index": (None,), "person": (None,)})
    return set(zip(stored["index"].tolist(), stored["person"].tolist(), strict=True))
