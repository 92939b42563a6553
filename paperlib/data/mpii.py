"""MPII: 25,204 people of training and validation, from whichever set of files is in the folder.
The people of the test set are in the second alone.

1. mpii_annotations.json[.gz]: the record list of Convolutional Pose Machines with the validation
   split (paperlib.data.mpii_json).
2. mpii_human_pose_v1_u12_1.mat: the official file, all that its site offers
   (paperlib.data.mpii_mat). The validation split is not in it, Tompson et al. chose it later:
   annot/valid.h5 says who is of it.
3. annot.h5 of pose-hg-train, in whole pixels; again annot/valid.h5 says who is of validation.
4. annot/train.h5 and annot/valid.h5: Newell's lists, in whole pixels (paperlib.data.mpii_h5).
5. annot/train.json and annot/valid.json of HRNet, or annotations/mpii_train.json and mpii_val.json
   of mmpose (paperlib.data.mpii_json), which do not say who is occluded.

The first that is there is taken. Validation is Tompson's 2958 people; training is everybody in an
image without one of them, 22,246 people. The other 3679 annotated people of the validation images
are of neither, and only stand among their neighbours' `others`.
"""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data import mpii_h5, mpii_json, mpii_mat
from paperlib.data.files import (
    bad_rows,
    choose,
    find,
    find_labels,
    image_faults,
    image_paths,
    leave_out,
    others_in_image,
)
from paperlib.data.mpii_labels import Labels, split_points
from paperlib.people import People
from paperlib.skeleton import MPII

FILES = (
    "mpii_annotations.json",
    "mpii_annotations.json.gz",
    "mpii_human_pose_v1_u12_1.mat",  # with annot/valid.h5, which names the validation people
    "mpii_human_pose_v1_u12_2/mpii_human_pose_v1_u12_1.mat",  # as the official archive unpacks
    "annot.h5",  # pose-hg-train's; with annot/valid.h5
    "annot/annot.h5",
    "annot/{split}.h5",
    "annot/{split}.json",  # HRNet's
    "annotations/mpii_{short}.json",  # mmpose's
)
TEST_FILES = FILES[2:4]  # these alone have the positions of the test people

_WHO_IS_VALIDATION = (
    "{} does not say who is of the validation split: put there data/MPII/annot/valid.h5 of "
    "github.com/princeton-vl/pytorch_stacked_hourglass, as `paperlib data fetch mpii` does"
)


def load_mpii(
    folder: str | Path,
    split: str,
    need_images: bool = True,
    strict: bool = False,
    separated: bool = False,
) -> People:
    """The people of `split`, "train", "valid" or "test", in the order of the file; images in
    <folder>/images/. Of the test people only centre, scale and image are read.

    Centre and scale are the official ones, neither shifted nor enlarged (FACTS C.5), the centre
    0-based. head_size is 0.6 x the diagonal of the head box (FACTS D.1); the JSON files hold no
    box, there it is 25 x the scale, the same to 0.013 px. The sources differ as FACTS D.5 says: the
    record list is rounded to 0.001 px, the .h5 has dropped the fraction. The files of one split
    know as `others` the people of that split alone, and HRNet's JSON says who is labelled, not who
    is occluded: every labelled joint is VISIBLE, and `unstated` holds "occlusion".
    `separated` keeps only the people whom the official .mat lists as sufficiently separated from
    others (its single_person).
    A person whose image is absent (unless `need_images` is False), or whose row or image is bad, is
    left out and counted; `strict` raises at what is bad. Raises PaperlibError on a missing,
    truncated or malformed file.
    """
    choose("split of MPII", split, ("train", "valid", "test"))
    path = find_labels(folder, TEST_FILES if split == "test" else FILES, split)
    if separated and path.suffix != ".mat":
        raise PaperlibError(
            f"{path}: does not say who is sufficiently separated; only "
            "mpii_human_pose_v1_u12_1.mat does, put it in its place"
        )
    labels = _read(path, Path(folder), split, separated)
    joints, state = split_points(labels.points)
    if labels.others is None:
        others = others_in_image(np.array(labels.images, str), joints)
    else:
        others = tuple(split_points(points)[0] for points in labels.others)
    people = People(
        skeleton=MPII,
        image=image_paths(Path(folder) / "images", labels.images),
        joints=joints,
        state=state,
        centre=labels.centre - 1,
        scale=labels.scale,
        framed=np.zeros(len(joints), bool),
        head_size=labels.head_size,
        others=others,
        left_out=labels.left_out,
        unstated=labels.unstated,
    )
    wanted = np.ones(len(people), bool) if labels.wanted is None else labels.wanted
    people, flags = people.select(wanted), labels.points[wanted, :, 2]
    bad = bad_rows(people) | {"visible neither 0 nor 1": ~np.isin(flags, (0, 1)).all(-1)}
    return leave_out(people, path, bad | image_faults(people, need_images), strict)


def _read(path: Path, folder: Path, split: str, separated: bool) -> Labels:
    if path.suffix in (".json", ".gz"):
        return mpii_json.read_labels(path, split)
    who = None
    if split != "test" and (path.suffix == ".mat" or path.name == "annot.h5"):
        name = "the official .mat" if path.suffix == ".mat" else path.name
        who = find(folder, "annot/valid.h5", _WHO_IS_VALIDATION.format(name))
    if path.suffix == ".mat":
        return mpii_mat.read_labels(path, who, split, separated)
    return mpii_h5.read_labels(path, who, split)
