"""MPII from lists of records, one a person.

Convolutional Pose Machines' mpii_annotations.json[.gz]: `img_paths`, `isValidation` (1: one of
Tompson's 2958), `joint_self` (16 x [x, y, visible]), `objpos`, `scale_provided` and `joint_others`,
all the other annotated people of the image. Numbers are rounded to 0.001. A list that holds other
data sets too says so in `dataset`.

HRNet's annot/train.json and annot/valid.json, and mmpose's annotations/mpii_*.json: `image`,
`center`, `scale`, `joints` (16 x [x, y]) and `joints_vis`. The numbers are the official file's:
1-based, centre and scale neither shifted nor enlarged (HRNet's loader subtracts 1, adds 15 x the
scale to the centre's y and takes 1.25 x the scale). A missing joint is (-1, -1) and its
`joints_vis` 0; 1 is every labelled joint, occluded or not (microsoft/human-pose-estimation.pytorch,
issue 7), so the file does not say who is occluded.
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.mpii_labels import HEAD_PER_SCALE, Labels, with_missing
from paperlib.data.records import Record, field, numbers, read_records

OTHER_SETS = ("LEEDS", "FLIC")  # what CPM's own lists call the sets that are not MPII


def read_labels(path: Path, split: str) -> Labels:
    """The people of `split`, in the order of the records, whichever of the two kinds they are.

    Raises PaperlibError on a file that cannot be read or a record that is not one.
    """
    every = read_records(path)
    hrnet = any("joints_vis" in record for record in every)
    records = [record for record in every if record.get("dataset") not in OTHER_SETS]
    if not hrnet or any("isValidation" in record for record in records):
        wanted = split == "valid"
        records = [r for r in records if (field(path, r, "isValidation") == 1) == wanted]
    elif ("val" if split == "valid" else "train") not in path.stem:
        raise PaperlibError(
            f"{path}: its records do not say who is of the validation split; "
            "name the files of the two splits train.json and valid.json, in annot/"
        )
    strangers = sum(record.get("dataset") in OTHER_SETS for record in every)
    left_out = {"of another data set": strangers} if strangers else {}
    return _hrnet(path, records, left_out) if hrnet else _cpm(path, records, left_out)


def _cpm(path: Path, records: list[Record], left_out: dict[str, int]) -> Labels:
    scale = numbers(path, records, "scale_provided", ())
    return Labels(
        images=[str(field(path, record, "img_paths")) for record in records],
        points=numbers(path, records, "joint_self", (16, 3)),
        centre=numbers(path, records, "objpos", (2,)),
        scale=scale,
        head_size=HEAD_PER_SCALE * scale,
        others=[_others(path, record) for record in records],
        left_out=left_out,
    )


def _others(path: Path, record: Record) -> np.ndarray:
    """(K, 16, 3). MATLAB's writer leaves out the first axis of one person and writes a dictionary
    for none."""
    points = field(path, record, "joint_others")
    try:
        return np.array(points if isinstance(points, list) else [], dtype=float).reshape(-1, 16, 3)
    except (TypeError, ValueError, OverflowError) as error:
        raise PaperlibError(
            f"{path}: 'joint_others' of image '{record['img_paths']}' should be K x 16 x 3 numbers"
        ) from error


def _hrnet(path: Path, records: list[Record], left_out: dict[str, int]) -> Labels:
    labelled = numbers(path, records, "joints_vis", (16,))
    points = with_missing(numbers(path, records, "joints", (16, 2)), labelled)
    points[labelled == 0] = 0
    centre, scale = numbers(path, records, "center", (2,)), numbers(path, records, "scale", ())
    return Labels(
        images=[str(field(path, record, "image")) for record in records],
        points=points,
        centre=np.where((centre[:, :1] == -1), np.nan, centre),  # (-1, -1): not given
        scale=scale,
        head_size=HEAD_PER_SCALE * scale,
        left_out=left_out,
        unstated=("occlusion",),
    )
