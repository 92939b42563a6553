"""LSP and its extension from LEEDS_annotations.json, a list of Convolutional Pose Machines.

A record is a person: `img_paths` (lsp_dataset/images/im0001.jpg .. or lspet_dataset/images/
im00001.jpg ..), `isValidation`, and `joint_self`, 16 x [x, y, flag] in MPII's order, of which
pelvis and thorax are zeros (CPM) or the means of hips and shoulders (bearpaw). Coordinates are
those of joints.mat, rounded to 0.001. The flag is joints.mat's turned round for LSP (1 visible, 0
occluded), and joints.mat's for its extension (1 annotated). `objpos` and `scale_provided` are CPM's
estimates.
"""

import re
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.records import field, numbers, read_records
from paperlib.skeleton import LSP, MPII, joint_map

_IMAGES = {
    "lsp": (re.compile(r"\bim(\d{4})\.jpg$"), 2000),
    "lspet": (re.compile(r"\bim(\d{5})\.jpg$"), 10000),
}
_TRAINING = 1000  # of LSP; the images after them are its test images


def read_points(path: Path, dataset: str) -> np.ndarray:
    """(N, 14, 3) points of all N images of `dataset`, lsp or lspet, with flags as joints.mat has
    them; NaN where the file has no such image.

    Raises PaperlibError on a file that cannot be read, a record that is not one, an image that is
    there twice or is none of the data set's, and an LSP image whose split is not the official one.
    """
    pattern, count = _IMAGES[dataset]
    found = {}
    for record in read_records(path):
        name = pattern.search(str(field(path, record, "img_paths")))
        if name is None:
            continue
        number = int(name[1])
        test = field(path, record, "isValidation") == 1
        if number in found or not 1 <= number <= count:
            what = "there twice" if number in found else f"none of the {count} of {dataset}"
            raise PaperlibError(f"{path}: {name[0]} is {what}; take the list as it was published")
        if dataset == "lsp" and test != (number > _TRAINING):
            raise PaperlibError(
                f"{path}: {name[0]} has isValidation {int(test)}, but LSP's test images are those "
                f"after {_TRAINING}; take the list as it was published"
            )
        found[number] = record
    points = np.full((count, len(LSP), 3), np.nan)
    read = numbers(path, list(found.values()), "joint_self", (len(MPII), 3))
    points[np.array(list(found), int) - 1] = read[:, joint_map(MPII, LSP)]
    if dataset == "lsp":
        points[..., 2] = 1 - points[..., 2]
    return points
