"""MPII: 25,204 people of training and validation, from whichever of three sets of files is in the
folder; all give the same People. The people of the test set, whose joints are withheld, are in the
second alone.

1. mpii_annotations.json[.gz]: the record list of Convolutional Pose Machines with the validation split (paperlib.data.mpii_json).
2. mpii_human_pose_v1_u12_1.mat: the official file, all that its site offers (paperlib.data.mpii_mat). The validation split is not in it, Tompson
   et al. chose it later: annot/valid.h5 says who is of it.
3. annot/train.h5 and annot/valid.h5: Newell's lists, in whole pixels (paperlib.data.mpii_h5).

The first that is there is taken. Validation is Tompson's 2958 people; training is everybody in an image without one of them, 22,246 people.
The other 3679 annotated people of the validation images are of neither, and only stand among their neighbours' `others`.
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data import mpii_h5, mpii_json, mpii_mat
from paperlib.data.files import bad_rows, choose, find, find_labels, image_faults, image_paths, leave_out
from paperlib.data.mpii_points import split_points
from paperlib.people import People
from paperlib.skeleton import MPII

_WHO_IS_VALIDATION = (
    "the official .mat does not say who is of the validation split: put there data/MPII/annot/valid.h5 of "
    "github.com/princeton-vl/pytorch_stacked_hourglass, as `paperlib data fetch mpii` does"
)


def load_mpii(folder: str | Path, split: str, need_images: bool = True, strict: bool = False, separated: bool = False) -> People:
    """The people of `split`, "train", "valid" or "test", in the order of the official file; images
    in <folder>/images/. Of the test people only centre, scale and image are known.

    Centre and scale are the official ones, neither shifted nor enlarged (FACTS C.5), the centre 0-based. head_size is 0.6 x the diagonal of the head
    box (FACTS D.1); the JSON holds no box, there it is 25 x the scale, the same to 0.013 px. The sources differ as FACTS D.5 says: the JSON is
    rounded to 0.001 px, and the .h5 has dropped the fraction and knows as `others` the people of its own split alone.
    `separated` keeps only the people whom the official .mat lists as sufficiently separated from others (its single_person).
    A person whose image is absent (unless `need_images` is False), or whose row or image is bad, is left out and counted; `strict` raises at what is
    bad. Raises PaperlibError on a missing, truncated or malformed file.
    """
    choose("split of MPII", split, ("train", "valid", "test"))
    path = find_labels(folder, "mpii", split)
    if separated and path.suffix != ".mat":
        raise PaperlibError(f"{path}: does not say who is sufficiently separated; only mpii_human_pose_v1_u12_1.mat does, put it in its place")
    if split == "test":
        labels = mpii_mat.read_test_people(path, separated)
    elif path.suffix == ".mat":
        labels = mpii_mat.read_labels(path, find(folder, "annot/valid.h5", _WHO_IS_VALIDATION), split, separated)
    else:
        labels = (mpii_h5 if path.suffix == ".h5" else mpii_json).read_labels(path, split)

    joints, state = split_points(labels.points)
    people = People(
        skeleton=MPII,
        image=image_paths(Path(folder) / "images", labels.images),
        joints=joints,
        state=state,
        centre=labels.centre - 1,
        scale=labels.scale,
        framed=np.zeros(len(joints), bool),
        head_size=labels.head_size,
        others=tuple(split_points(points)[0] for points in labels.others),
    )
    bad = bad_rows(people) | {"visible neither 0 nor 1": ~np.isin(labels.points[..., 2], (0, 1)).all(-1)}
    return leave_out(people, path, bad, strict, image_faults(people, need_images))
