"""MPII from Newell's .h5 files: whole pixels.

annot/train.h5 and annot/valid.h5, a split each, have the centre 15 x the scale below the official
one and the scale 1.25 x the official one, made for the crop of H; both are undone here. pose-hg-
train's earlier annot.h5, all 40,614 people, has both as the official file does, leaves the split to
chance, and has `istrain` 0 for the people of the test set, whose joints are (-1, -1) (FACTS C.5,
C.10). `normalize` is 0.6 x the diagonal of the head box.
"""

from pathlib import Path

import numpy as np

from paperlib.data.files import read_h5, read_h5_names
from paperlib.data.mpii_labels import Labels, of_split, with_missing

_SHAPES = {"part": (None, 16, 2), "visible": (None, 16), "center": (None, 2)}
_SHAPES |= dict.fromkeys(("scale", "normalize"), (None,))
_WHO = dict.fromkeys(("index", "person", "istrain"), (None,))


def read_labels(path: Path, who: Path | None, split: str) -> Labels:
    """The people of `split`, in the order of the file; `who` is the annot/valid.h5 that names the
    validation people, None where the file is of one split.

    Raises PaperlibError on a file that cannot be read, has other arrays, or lacks people that `who`
    names.
    """
    stored = read_h5(path, _SHAPES | (_WHO if who else {}))
    images = np.array(read_h5_names(path, "imgname", len(stored["part"])), str)
    points = with_missing(stored["part"], stored["visible"])
    centre, scale = stored["center"], stored["scale"]
    known, wanted = np.ones(len(images), bool), None
    if who is None:
        scale = scale / 1.25
        centre = centre - np.outer(scale, (0, 15))
    else:
        known = (stored["istrain"] == 1) & points[..., :2].any((1, 2))
        places = zip(stored["index"].tolist(), stored["person"].tolist(), strict=True)
        wanted = of_split(path, who, split, list(places))[known]
    return Labels(
        images=images[known].tolist(),
        points=points[known],
        centre=centre[known],
        scale=scale[known],
        head_size=stored["normalize"][known],
        wanted=wanted,
    )
