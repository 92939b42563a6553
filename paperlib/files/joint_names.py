"""Joint names as people write them: rankle, r_ankle, right ankle, 'R Ankle', RAnkle, ankle_right.

A name is matched by its letters alone, against every joint of paperlib.skeleton: side and part in
either order, whole or shortened as the public codes shorten them. A neck is MPII's upper neck
(FACTS D.7), and the head without more is its top.
"""

import difflib
import re
from dataclasses import dataclass

from paperlib import PaperlibError
from paperlib.files.points import File
from paperlib.skeleton import Skeleton, same_joint

_SIDES = {"right": ("right", "r", "rt"), "left": ("left", "l", "lt")}
_PAIRED = {
    "ankle": ("ankle", "ank"),
    "knee": ("knee", "kne"),
    "hip": ("hip",),
    "wrist": ("wrist", "wri"),
    "elbow": ("elbow", "elb"),
    "shoulder": ("shoulder", "sho", "shld", "shldr"),
    "eye": ("eye",),
    "ear": ("ear",),
}
_MIDDLE = {
    "pelvis": ("pelvis", "pelv", "midhip"),
    "thorax": ("thorax", "thrx", "thor"),
    "upper_neck": ("upperneck", "neck"),
    "head_top": ("headtop", "tophead", "head"),
    "nose": ("nose",),
}
_ALIASES = {alias: joint for joint, names in _MIDDLE.items() for alias in names} | {
    alias: f"{side}_{part}"
    for part, names in _PAIRED.items()
    for name in names
    for side, words in _SIDES.items()
    for word in words
    for alias in (word + name, name + word)
}
_FILLING = {"coord", "coordinate", "coordinates", "pos", "position", "of", "the", "px", "pixel"}
_FILLING |= {"pixels", "pred", "predicted", "prediction", "preds"}
_ANY_JOINT = {"joint", "joints", "jnt", "j", "keypoint", "keypoints", "kpt", "kp", "k", "point"}
_ANY_JOINT |= {"points", "pt", "p", "landmark", "lm", "part", "bodypart", "node"}
_SCORE = {"score", "scores", "conf", "confidence", "likelihood", "prob", "probability", "visible"}
_SCORE |= {"visibility", "vis", "flag", "occluded", "c", "s", "v", "p"}


@dataclass(frozen=True)
class Column:
    """What the name of a column or of an array says: of which joint, and x, y, score or nothing."""

    text: str
    joint: str | int | None  # a joint of any skeleton, a number, or None: no joint that is known
    field: str  # "x", "y", "score" or ""
    words: str  # what is left of the text without its field: of an unknown joint, its name


def words_of(name: str) -> list[str]:
    """The words and numbers of a name, in lower case: 'RAnkle.x2' is r, ankle, x, 2."""
    apart = re.sub(r"([a-z\d])([A-Z])", r"\1 \2", str(name))
    apart = re.sub(r"([A-Z])([A-Z][a-z])", r"\1 \2", apart)
    return re.findall(r"\d+|[^\W\d_]+", apart.lower())


def joint_called(name: str) -> str | None:
    """The joint that a name means, as MPII, LSP, FLIC or COCO call it; None if it is unknown."""
    words = [word for word in words_of(name) if not word.isdigit() and word not in _FILLING]
    named = [word for word in words if word not in _ANY_JOINT]
    return _ALIASES.get("".join(words)) or _ALIASES.get("".join(named))


def read_column(text: str) -> Column:
    """The joint and the field that a column's name says."""
    words = words_of(text)
    axes = [i for i, word in enumerate(words) if word in ("x", "y")]
    if len(axes) == 1:
        at = axes[0]
        field = words[at]
    else:
        at = next((i for i in (len(words) - 1, 0) if words and words[i] in _SCORE), None)
        field = "" if at is None else "score"
    rest = words if at is None else words[:at] + words[at + 1 :]
    joint = _number(rest)
    if joint is None:
        joint = joint_called(" ".join(rest))
    if joint is None and not field:  # ranklex, xrankle
        whole = "".join(words)
        for axis, inner in ((whole[-1:], whole[:-1]), (whole[:1], whole[1:])):
            if axis in ("x", "y") and inner in _ALIASES:
                return Column(text, _ALIASES[inner], axis, inner)
    if field == "score" and joint is None and len(words[at]) == 1:  # 'c' or 'p' alone says nothing
        field = ""
    return Column(text, joint, field, " ".join(rest))


def _number(words: list[str]) -> int | None:
    numbers = [word for word in words if word.isdigit()]
    others = {word for word in words if not word.isdigit()} - _ANY_JOINT - _FILLING
    return int(numbers[0]) if len(numbers) == 1 and not others else None


def joint_in(skeleton: Skeleton, joint: str) -> int | None:
    """The index of a joint in a skeleton that may call it otherwise; None where it has none."""
    for name in (joint, same_joint(joint)):
        if name in skeleton.joints:
            return skeleton.index(name)
    return None


def unknown_joint(file: File, name: str) -> PaperlibError:
    """The error that names the joint of the skeleton that is spelt most like `name`."""
    skeleton = file.skeleton
    places = {alias: joint_in(skeleton, joint) for alias, joint in _ALIASES.items()}
    spelt = {alias: skeleton.joints[i] for alias, i in places.items() if i is not None}
    near = difflib.get_close_matches("".join(words_of(name)), spelt, 1, 0.3) or list(spelt)[:1]
    return file.error(
        f"no joint {name!r} in {skeleton.name}; there is {', '.join(skeleton.joints)}, "
        f"or an index from 0; the nearest is {spelt[near[0]]!r}"
    )


def kept_joints(file: File, joints: dict, unknown: list[str]) -> tuple[dict, tuple[str, ...]]:
    """Those of `joints` (by name or number) that the skeleton has, and a note about the others.

    Raises PaperlibError for an unknown name, which may be a misspelt joint, unless no joint is
    missing; and where the skeleton has none of them.
    """
    named = {joint: found for joint, found in joints.items() if isinstance(joint, str)}
    kept = {j: found for j, found in named.items() if joint_in(file.skeleton, j) is not None}
    if (unknown and len(kept) < len(file.skeleton)) or not kept:
        raise unknown_joint(file, (unknown or list(joints))[0])
    others = dict.fromkeys([*(joint for joint in named if joint not in kept), *unknown])
    told = f"left out, for {file.skeleton.name} has no such joints: {', '.join(others)}"
    return kept, (told,) if others else ()


def places_of(file: File, names: list[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """{joint of the skeleton: its place in `names`}, and a note about the others."""
    joints = [joint_called(name) for name in names]
    if twice := [joint for joint in joints if joint and joints.count(joint) > 1]:
        raise file.error(f"two of its keypoints are called {twice[0]}; keep one")
    places = {joint: k for k, joint in enumerate(joints) if joint}
    unknown = [name for name, joint in zip(names, joints, strict=True) if joint is None]
    return kept_joints(file, places, unknown)
