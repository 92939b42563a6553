"""MPII from mpii_annotations.json[.gz], the records of Convolutional Pose Machines, one a person.

A record has `img_paths`, `isValidation` (1: one of Tompson's 2958), `joint_self` (16 x [x, y,
visible]), `objpos`, `scale_provided` and `joint_others`, all the other annotated people of the
image. Numbers are rounded to 0.001. A list that holds other data sets too says so in `dataset`.
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data import mpii_hrnet
from paperlib.data.mpii_points import HEAD_PER_SCALE, Labels
from paperlib.data.records import Record, field, image_of, numbers, read_records

OTHER_SETS = ("LEEDS", "FLIC")  # what CPM's own lists call the sets that are not MPII


def read_labels(path: Path, split: str) -> Labels:
    """The people of `split`, in the order of the records, whichever of the two kinds they are.

    Raises PaperlibError on a file that cannot be read or a record that is not one.
    """
    every = read_records(path)
    if any("joints_vis" in record for record in every):
        return mpii_hrnet.read_labels(path, every, split)
    records = [record for record in every if record.get("dataset") not in OTHER_SETS]
    records = [r for r in records if (field(path, r, "isValidation") == 1) == (split == "valid")]
    scale = numbers(path, records, "scale_provided", ())
    strangers = len([record for record in every if record.get("dataset") in OTHER_SETS])
    return Labels(
        images=[str(field(path, record, "img_paths")) for record in records],
        points=numbers(path, records, "joint_self", (16, 3)),
        centre=numbers(path, records, "objpos", (2,)),
        scale=scale,
        head_size=HEAD_PER_SCALE * scale,
        others=[_others(path, record) for record in records],
        left_out={"of another data set": strangers} if strangers else {},
    )


def _others(path: Path, record: Record) -> np.ndarray:
    """(K, 16, 3). MATLAB's writer leaves out the first axis of one person and writes a dictionary
    for none."""
    points = field(path, record, "joint_others")
    try:
        return np.array(points if isinstance(points, list) else [], dtype=float).reshape(-1, 16, 3)
    except (TypeError, ValueError, OverflowError) as error:
        raise PaperlibError(
            f"{path}: 'joint_others' of image '{image_of(record)}' should be K x 16 x 3 numbers"
        ) from error
