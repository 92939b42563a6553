"""MPII as HRNet has it, annot/train.json and annot/valid.json, and mmpose, annotations/mpii_*.json.

A record is a person: `image`, `center`, `scale`, `joints` (16 x [x, y]) and `joints_vis`. Its
numbers are the official file's: 1-based, centre and scale neither shifted nor enlarged (HRNet's
loader subtracts 1, adds 15 x the scale to the centre's y and takes 1.25 x the scale). A missing
joint is (-1, -1) and its `joints_vis` 0; 1 is every labelled joint, occluded or not
(microsoft/human-pose-estimation.pytorch, issue 7), so the file does not say who is occluded.
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import others_in_image
from paperlib.data.mpii_points import HEAD_PER_SCALE, Labels
from paperlib.data.records import Record, field, numbers


def read_labels(path: Path, records: list[Record], split: str) -> Labels:
    """The people of `split` of the `records` of `path`, in their order; all of them where the file
    is of one split. Raises PaperlibError on a record that is not one."""
    if any("isValidation" in record for record in records):
        wanted = split == "valid"
        records = [r for r in records if (field(path, r, "isValidation") == 1) == wanted]
    elif ("val" if split == "valid" else "train") not in path.stem:
        raise PaperlibError(
            f"{path}: its records do not say who is of the validation split; "
            "name the files of the two splits train.json and valid.json, in annot/"
        )
    labelled = numbers(path, records, "joints_vis", (16,))
    points = numbers(path, records, "joints", (16, 2))
    missing = (labelled == 0) | (points == -1).all(-1) | (points == 0).all(-1)
    points = np.where(missing[..., None], 0, np.dstack([points, labelled]))  # (N, 16, 3)
    images = [str(field(path, record, "image")) for record in records]
    centre, scale = numbers(path, records, "center", (2,)), numbers(path, records, "scale", ())
    return Labels(
        images=images,
        points=points,
        centre=np.where((centre[:, :1] == -1), np.nan, centre),  # (-1, -1): not given
        scale=scale,
        head_size=HEAD_PER_SCALE * scale,
        others=list(others_in_image(np.array(images, str), points)),
        unstated=("occlusion",),
    )
