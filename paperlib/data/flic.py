"""FLIC: 5003 film frames, 11 joints of the upper body, labels person-centric or observer-centric."""

from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.data.files import bad_rows, choose, find, image_absent, image_paths, leave_out, others_in_image, read, read_h5
from paperlib.people import ABSENT, VISIBLE, People
from paperlib.skeleton import FLIC

_FILES = {"oc": "annot/{}.h5", "pc": "annot/{}_personcentric.h5"}


def load_flic(folder: str | Path, split: str, labels: str = "oc", need_images: bool = True, strict: bool = False) -> People:
    """The people of `split`: "train" (3987) or "valid", the 1016 of the test set (FACTS C.8).

    Reads <folder>/annot/<split>.h5, or <split>_personcentric.h5 for labels "pc", and the file names in annot/<split>_images.txt; images in
    <folder>/images/. Scale is 2.2 everywhere and the centre is (torso, 240): the crop is that 440 px box itself, `framed`. All points are kept as
    stored: sub-pixel clicks whose origin, 0 or 1, no file states. Every joint is annotated as visible, and there are no head boxes: head_size is NaN.
    `others` are the other people of the split in the same image.
    A person whose image is absent (unless `need_images` is False), or whose row is bad, is left out and counted; `strict` raises at a bad row.
    Raises PaperlibError on a missing, truncated or malformed file.
    """
    choose("split of FLIC", split, ("train", "valid"))
    path = find(folder, _FILES[choose("labels of FLIC", labels, _FILES)].format(split))
    stored = read_h5(path, {"part": (None, len(FLIC), 2), "visible": (None, len(FLIC)), "center": (None, 2), "scale": (None,)})
    names_file = find(folder, f"annot/{split}_images.txt")
    names = read(names_file, lambda file: file.read_text(encoding="utf-8")).splitlines()
    if len(names) != len(stored["part"]):
        raise PaperlibError(f"{names_file}: {len(names)} image names, but {path} has {len(stored['part'])} people")

    missing = (stored["part"] == 0).all(-1)  # none in the official files
    joints = np.where(missing[..., None], np.nan, stored["part"])
    image = image_paths(Path(folder) / "images", names)
    people = People(
        skeleton=FLIC,
        image=image,
        joints=joints,
        state=np.where(missing, ABSENT, VISIBLE).astype(np.uint8),
        centre=stored["center"],
        scale=stored["scale"],
        framed=np.ones(len(image), bool),
        head_size=np.full(len(image), np.nan),
        others=others_in_image(image, joints),
    )
    return leave_out(people, path, bad_rows(people), strict, absent=image_absent(people, need_images))
