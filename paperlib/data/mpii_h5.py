"""MPII from Newell's annot/train.h5 and annot/valid.h5: whole pixels, the centre already moved and the scale already enlarged."""

from pathlib import Path

import numpy as np

from paperlib.data.files import others_in_image, read_h5, read_h5_names
from paperlib.data.mpii_points import Labels


def read_labels(path: Path, split: str) -> Labels:
    """The people of <split>.h5, in its order.

    The file's centre is 15 x the scale below the official one and its scale 1.25 x the official one, made for the crop of H; both are undone here
    (FACTS C.5). `normalize` is 0.6 x the diagonal of the head box. Raises PaperlibError on a file that cannot be read or has other arrays.
    """
    people, joints = (None,), (None, 16)
    stored = read_h5(path, {"part": (*joints, 2), "visible": joints, "center": (*people, 2), "scale": people, "normalize": people})
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


def validation_people(path: Path) -> set[tuple[int, int]]:
    """{(image, person)} of the validation split by their places in the official .mat, from 0: what valid.h5 calls `index` and `person`."""
    stored = read_h5(path, {"index": (None,), "person": (None,)})
    return set(zip(stored["index"].tolist(), stored["person"].tolist(), strict=True))
