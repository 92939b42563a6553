"""FLIC: 5003 film frames, 11 joints of the upper body, labels person-centric or observer-centric.

Read from Newell's lists, annot/<split>.h5 and annot/<split>_images.txt, or else from the official
examples.mat; both give the same people.
"""

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from paperlib import PaperlibError
from paperlib.data.files import (
    bad_rows,
    choose,
    find,
    find_labels,
    image_faults,
    image_paths,
    leave_out,
    others_in_image,
    read,
    read_h5,
)
from paperlib.people import ABSENT, VISIBLE, People
from paperlib.skeleton import FLIC

FILES = ("annot/{split}.h5", "examples.mat")

SCALE, CENTRE_Y = 2.2, 240  # of every person: the 440 px box of FACTS C.8
# of the 29 in `coords`, those that were labelled: FLIC's eleven joints, in their order
_COLUMNS = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]


def load_flic(
    folder: str | Path,
    split: str,
    labels: str = "oc",
    need_images: bool = True,
    strict: bool = False,
) -> People:
    """The people of `split`: "train" (3987) or "valid", the 1016 of the test set (FACTS C.8).

    Images in <folder>/images/. `labels` are person-centric, "pc", or observer-centric, "oc": there
    a person whose right shoulder is right of the left one in the image has left and right exchanged
    (48 of the test images). Scale is 2.2 everywhere and the centre is (torso, 240): the crop is
    that 440 px box itself, `framed`. All points are kept as stored: sub-pixel clicks whose origin,
    0 or 1, no file states. Every joint is annotated as visible, and there are no head boxes:
    head_size is NaN. `others` are the other people of the split in the same image. A person whose
    image is absent (unless `need_images` is False), or whose row or image is bad, is left out and
    counted; `strict` raises at what is bad. Raises PaperlibError on a missing, truncated or
    malformed file.
    """
    choose("split of FLIC", split, ("train", "valid"))
    choose("labels of FLIC", labels, ("oc", "pc"))
    path = find_labels(folder, FILES, split)
    read_labels = _from_mat if path.suffix == ".mat" else _from_h5
    names, part, centre, scale = read_labels(path, split, labels)
    missing = (part == 0).all(-1)  # none in the official files
    joints = np.where(missing[..., None], np.nan, part)
    image = image_paths(Path(folder) / "images", names)
    people = People(
        skeleton=FLIC,
        image=image,
        joints=joints,
        state=np.where(missing, ABSENT, VISIBLE).astype(np.uint8),
        centre=centre,
        scale=scale,
        framed=np.ones(len(image), bool),
        head_size=np.full(len(image), np.nan),
        others=others_in_image(image, joints),
    )
    bad = bad_rows(people) | image_faults(people, need_images)
    return leave_out(people, path, bad, strict)


def _from_h5(path: Path, split: str, labels: str) -> tuple:
    """Image names, points (N, 11, 2), centres (N, 2) and scales (N,) of
    annot/<split>[_personcentric].h5."""
    if labels == "pc":
        path = find(path.parent, f"{split}_personcentric.h5")
    shapes = {"part": (None, len(FLIC), 2), "visible": (None, len(FLIC))}
    stored = read_h5(path, shapes | {"center": (None, 2), "scale": (None,)})
    names_file = find(path.parent, f"{split}_images.txt")
    names = read(names_file, lambda file: file.read_text(encoding="utf-8")).splitlines()
    if len(names) != len(stored["part"]):
        raise PaperlibError(
            f"{names_file}: {len(names)} image names, but {path} has {len(stored['part'])} people"
        )
    return names, stored["part"], stored["center"], stored["scale"]


def _from_mat(path: Path, split: str, labels: str) -> tuple:
    """The same of examples.mat: person-centric `coords` (2, 29), `torsobox` x1 y1 x2 y2, and the
    flags `istrain` and `istest`."""

    def load(path):
        content = loadmat(path, squeeze_me=True, struct_as_record=False)
        if "examples" not in content:
            raise PaperlibError(
                f"{path}: is not FLIC's: it has no struct examples, only "
                f"{sorted(k for k in content if not k.startswith('__'))}"
            )
        flag = "istrain" if split == "train" else "istest"
        chosen = [e for e in np.atleast_1d(content["examples"]).tolist() if getattr(e, flag)]
        part = [np.asarray(e.coords, float)[:, _COLUMNS].T for e in chosen]
        torso = [np.asarray(e.torsobox, float)[[0, 2]].mean() for e in chosen]
        return [str(e.filepath) for e in chosen], np.reshape(part, (-1, len(FLIC), 2)), torso

    names, part, torso = read(path, load)
    if labels == "oc":
        left, right = FLIC.index("left_shoulder"), FLIC.index("right_shoulder")
        crossed = part[:, right, :1] > part[:, left, :1]
        part = np.where(crossed[..., None], part[:, FLIC.mirror], part)
    centre = np.array([(x, CENTRE_Y) for x in torso], float).reshape(-1, 2)
    return names, part, centre, np.full(len(torso), SCALE)
