"""The joints of MPII-16, LSP-14, FLIC-11 and COCO-17: names, order, limbs, mirror pairs, scoring
groups, and the maps between them."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

# the seven columns of every table in both papers
GROUPS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


@dataclass(frozen=True)
class Skeleton:
    """Joints in a data set's own order. `limbs` are pairs of joint indices; `groups` name the
    columns that a table reports."""

    name: str
    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    groups: tuple[tuple[str, tuple[int, ...]], ...]

    def __len__(self) -> int:
        return len(self.joints)

    @cached_property
    def plain(self) -> tuple[str, ...]:
        """The joints' names as ours are spelt; ours themselves."""
        return tuple(map(plain_name, self.joints))

    def index(self, joint: str) -> int:
        """The place of `joint`, however it is spelt. Raises ValueError where there is none."""
        return self.plain.index(plain_name(joint))

    @cached_property
    def mirror(self) -> np.ndarray:
        """(J,) the joint that each joint becomes in the mirrored image: left and right change
        places.

        Raises ValueError for a joint of one side that has no counterpart."""
        return np.array([self.plain.index(other_side(name)) for name in self.plain])

    @cached_property
    def limb_mirror(self) -> np.ndarray:
        """(P,) the limb that each limb becomes in the mirrored image."""
        ends = [frozenset(limb) for limb in self.limbs]
        return np.array(
            [ends.index(frozenset(self.mirror[list(limb)].tolist())) for limb in self.limbs]
        )


def other_side(name: str) -> str:
    """The name, spelt as ours are, of the joint that `name` becomes in the mirrored image."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    return "left_" + name.removeprefix("right_") if name.startswith("right_") else name


_SHORT = {"sho": "shoulder", "elb": "elbow", "wri": "wrist", "kne": "knee", "ank": "ankle"}
_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_PAIRED = r"eye|ear|shoulder|elbow|wrist|hip|knee|ankle"
_GLUED = re.compile(rf"(left|right|l|r)({_PAIRED}|{'|'.join(_SHORT)})|({_PAIRED})(left|right|l|r)")


def plain_name(name: str) -> str:
    """`name` as ours are spelt: words in small letters joined by _, the side first.

    "L_Shoulder", "Shoulder (left)", "leftShoulder", "lsho" and "shoulder.L" are left_shoulder.
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    words = [word.lower() for word in words] or [name.lower()]
    if len(words) == 1 and (glued := _GLUED.fullmatch(words[0])):
        words = [word for word in glued.groups() if word]
    sides = [_SIDES[word] for word in words if word in _SIDES]
    rest = [_SHORT.get(word, word) for word in words if word not in _SIDES]
    return "_".join((sides + rest) if len(sides) == 1 and rest else words)


def _pairs(*names: str) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names for side in ("left", "right"))


def _groups(
    joints: tuple[str, ...], head: tuple[str, ...]
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The joints of each of the seven GROUPS; one that the skeleton has no joint of is left out."""
    members = {group: head if group == "head" else _pairs(group) for group in GROUPS}
    found = {
        part: tuple(joints.index(name) for name in names if name in joints)
        for part, names in members.items()
    }
    return tuple((part, indices) for part, indices in found.items() if indices)


_LEGS = ("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle")
_ARMS = (
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
)

_MPII = (*_LEGS, "pelvis", "thorax", "upper_neck", "head_top", *_ARMS)
# The fifteen body parts of R sec. II-C in the order of the released code (FACTS A.1).
_MPII_LIMBS = (
    (0, 1), (1, 2), (2, 6), (3, 4), (4, 5), (6, 3), (7, 9), (8, 9), (10, 11), (11, 12), (12, 7),
    (13, 7), (13, 14), (14, 15), (6, 7),
)  # fmt: skip
MPII = Skeleton("mpii", _MPII, limbs=_MPII_LIMBS, groups=_groups(_MPII, ("upper_neck", "head_top")))

_LSP = (*_LEGS, *_ARMS, "neck", "head_top")
_LSP_LIMBS = (
    (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 12), (9, 12), (9, 10), (10, 11),
    (12, 13), (2, 8), (3, 9),
)  # fmt: skip
LSP = Skeleton("lsp", _LSP, limbs=_LSP_LIMBS, groups=_groups(_LSP, ("neck", "head_top")))

_FLIC = (
    "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
    "left_hip", "right_hip", "left_eye", "right_eye", "nose",
)  # fmt: skip
FLIC = Skeleton(
    "flic",
    _FLIC,
    limbs=((0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (0, 6), (3, 7), (6, 7), (8, 10), (9, 10)),
    groups=_groups(_FLIC, ("left_eye", "right_eye", "nose")),
)

_COCO = ("nose", *_pairs("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"))
_COCO_LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8),
    (7, 9), (8, 10), (0, 1), (0, 2), (1, 3), (2, 4),
)  # fmt: skip
COCO = Skeleton(
    "coco", _COCO, limbs=_COCO_LIMBS, groups=_groups(_COCO, ("nose", "left_eye", "right_eye"))
)

SKELETONS = {skeleton.name: skeleton for skeleton in (MPII, LSP, FLIC, COCO)}

# LSP's neck is MPII's upper neck, not its thorax (FACTS D.7).
_SAME_JOINT = {"neck": "upper_neck", "upper_neck": "neck"}


def same_joint(joint: str) -> str:
    """What another data set calls the joint; its own name where all call it the same."""
    return _SAME_JOINT.get(joint, joint)


def joint_map(source: Skeleton, target: Skeleton) -> np.ndarray:
    """(len(target),) index into `source` of each joint of `target`, -1 where the source has no such
    joint: absent, never invented."""
    names = {name: i for i, name in enumerate(source.plain)}
    return np.array([names.get(joint, names.get(same_joint(joint), -1)) for joint in target.plain])


# R's fifteen parts by the names that people use.
PARTS = {
    "right_forearm": 8,
    "left_forearm": 13,
    "right_thigh": 1,
    "left_thigh": 3,
    "right_shin": 0,
    "left_shin": 4,
    "torso": 14,
}
