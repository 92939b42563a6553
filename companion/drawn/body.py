"""A jointed body in three dimensions: proportions, poses, and its turn towards the camera.

Axes of a body facing the camera: x to the image's right (the person's left), y down, z towards the
camera. Lengths are parts of the standing height.
"""

from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
import pandas as pd

from paperlib.skeleton import MPII

# points after the 16 joints and before 18 and 19, the toes; right before left
HANDS, FACE, HEAD_CENTRE = slice(16, 18), slice(20, 25), 25
# Segments as the label map names them; a hand belongs to the forearm, a foot to the shank.
SEGMENTS = (
    "torso", "neck", "head", "right_upper_arm", "right_forearm", "right_thigh", "right_shank",
    "left_upper_arm", "left_forearm", "left_thigh", "left_shank",
)  # fmt: skip
_ADJOINING = {
    "ankle": ("shank",), "knee": ("shank", "thigh"), "hip": ("thigh", "torso"),
    "pelvis": ("torso", "right_thigh", "left_thigh"),
    "thorax": ("torso", "neck"), "upper_neck": ("torso", "neck", "head"), "head_top": ("head",),
    "wrist": ("forearm",), "elbow": ("forearm", "upper_arm"), "shoulder": ("upper_arm", "torso"),
}  # fmt: skip


def _adjoins(joint: str, segment: str) -> bool:
    side, _, name = (
        joint.rpartition("_") if joint.startswith(("left_", "right_")) else ("", "", joint)
    )
    return segment in [
        part if part == "torso" or not side else f"{side}_{part}" for part in _ADJOINING[name]
    ]


# (16, 11): the segments that meet at a joint
OWN = np.array([[_adjoins(joint, segment) for segment in SEGMENTS] for joint in MPII.joints])

# How often a pose is drawn, how much its angles vary, and its mean angles, degrees: a row a pose.
_POSES = pd.read_csv(files("companion.drawn") / "poses.csv", index_col="pose")
_FACE = np.array([
    (0, 0.012, 0.064),  # nose, eyes, ears
    (0.019, -0.008, 0.052), (-0.019, -0.008, 0.052),
    (0.05, 0.004, 0), (-0.05, 0.004, 0),
])  # fmt: skip
# root, spine, head (nod, tilt, turn), arms, legs
_SPREAD = np.array([5, 4, 6, 5, 8, 12, 8, 18, *(16, 10, 18, 16) * 2, *(10, 4, 10) * 2], float)
_LOWEST = np.array(
    [-200, -200, -25, -28, -40, -30, -25, -55, *(-60, -8, -90, 0) * 2, *(-40, -6, 0) * 2], float
)
_HIGHEST = np.array(
    [200, 200, 105, 28, 40, 45, 25, 55, *(180, 175, 90, 145) * 2, *(130, 60, 145) * 2], float
)
_SHARES = np.cumsum(_POSES["weight"].to_numpy()) / _POSES["weight"].sum()
_VARIES, _MEANS = _POSES["spread"].to_numpy(), _POSES.iloc[:, 2:].to_numpy(float)


# mean adult proportions
_LENGTHS = {"shin": 0.246, "thigh": 0.245, "hip": 0.056, "spine": 0.288, "neck": 0.024}
_LENGTHS |= {"head": 0.166, "shoulder": 0.108, "upper_arm": 0.176, "forearm": 0.146}
_LENGTHS |= {"hand": 0.075, "foot": 0.105}


@dataclass(frozen=True)
class Body:
    """Points in the camera's axes; in parts of the height until `place` puts the body into an
    image, then in pixels."""

    # (26, 3): the 16 joints, hands, toes, the 5 face points of COCO, the head's centre; x and y in
    # perspective
    points: np.ndarray
    # (26,) how much larger than the pelvis the camera shows what is at a point: the nearer, the
    # larger
    zoom: np.ndarray
    # (3, 3) rotation of the rib cage: columns are the person's left, down and front
    chest: np.ndarray
    head: np.ndarray  # (3, 3) rotation of the head
    height: float  # the standing height
    pose: str

    @property
    def joints(self) -> np.ndarray:
        """(16, 2) the joints in the image plane, MPII order."""
        return self.points[:16, :2]

    def place(self, height: float, pelvis: np.ndarray) -> "Body":
        """The body `height` px tall with its pelvis at the image point `pelvis` (2,)."""
        points = self.points * (height / self.height)
        points[:, :2] += np.asarray(pelvis) - points[6, :2]
        return replace(self, points=points, height=height)


def rotations(angles: np.ndarray) -> np.ndarray:
    """(K, 3) degrees (flexion, abduction, turn) -> (K, 3, 3): a limb hanging down is turned on its
    axis, lifted sideways, then swung forward."""
    c, s = np.cos(np.radians(angles)).T, np.sin(np.radians(angles)).T
    one, zero = np.ones(len(angles)), np.zeros(len(angles))
    swing = np.array([[one, zero, zero], [zero, c[0], -s[0]], [zero, s[0], c[0]]])
    lift = np.array([[c[1], s[1], zero], [-s[1], c[1], zero], [zero, zero, one]])
    turn = np.array([[c[2], zero, -s[2]], [zero, one, zero], [s[2], zero, c[2]]])
    return swing.transpose(2, 0, 1) @ lift.transpose(2, 0, 1) @ turn.transpose(2, 0, 1)


def random_yaw(rng: np.random.Generator, yaw: str) -> float:
    """Degrees; 0 faces the camera. "frontal": 65 % N(0, 0.6 rad), the rest any way; "uniform": any
    way, which makes telling left from right hard."""
    choice, towards, anywhere = rng.random(), np.degrees(rng.normal(0, 0.6)), rng.uniform(-180, 180)
    return float(towards if yaw == "frontal" and choice < 0.65 else anywhere)


def random_body(
    rng: np.random.Generator, yaw: str | float = "frontal", upright: bool = False
) -> Body:
    """A person of random build in a random pose. `upright` leaves out poses whose trunk is not."""
    name = _POSES.index[np.searchsorted(_SHARES, rng.random())]
    if upright and name in ("lie", "recline", "handstand", "cartwheel", "stoop", "squat", "run"):
        name = "gesture"
    row = _POSES.index.get_loc(name)
    angles = _MEANS[row] + _VARIES[row] * _SPREAD * rng.normal(size=22)
    angles = np.clip(angles, _LOWEST, _HIGHEST)
    if name in ("gesture", "jump", "sit"):  # the arms anywhere
        anywhere = rng.uniform(-1, 1, 8) * (70, 40, 60, 90, 70, 40, 60, 90)
        angles[8:16] += anywhere * (rng.random() < 0.6)
        angles = np.clip(angles, _LOWEST, _HIGHEST)
    if rng.random() < 0.5:  # as seen in a mirror: left and right change places
        trunk, left_arm, right_arm, left_leg, right_leg = np.split(angles, (8, 12, 16, 19))
        turned = trunk * (1, -1, 1, -1, -1, 1, -1, -1)
        angles = np.concatenate([turned, right_arm, left_arm, right_leg, left_leg])
    turn = random_yaw(rng, yaw) if isinstance(yaw, str) else yaw
    camera = (rng.normal(0, 6), rng.normal(0, 2.5))
    return _skeleton(angles, turn, camera, rng.uniform(3, 10), _proportions(rng), name)


def _proportions(rng: np.random.Generator) -> dict[str, float]:
    """Part of the height: each length with its own variation, and all with a common one."""
    limbs = rng.normal(1, 0.03)
    return {part: length * limbs * rng.normal(1, 0.035) for part, length in _LENGTHS.items()}


def _skeleton(
    angles: np.ndarray,
    yaw: float,
    camera: tuple[float, float],
    distance: float,
    length: dict[str, float],
    name: str,
) -> Body:
    """Forward kinematics from the pelvis outwards, seen by a camera that is turned a little and
    stands `distance` heights away."""
    pitch, roll, bend, lean, twist, nod, tilt, turn = angles[:8]
    left_arm, right_arm, left_leg, right_leg = np.split(angles[8:], (4, 8, 11))
    other_way = np.array([1, -1, -1])
    local = rotations(
        np.array([
            (camera[0], camera[1], yaw), (-pitch, roll, 0),
            (-bend, lean, twist), (-nod, tilt, turn),
            right_arm[:3] * other_way, left_arm[:3], (right_arm[3], 0, 0), (left_arm[3], 0, 0),
            (*right_leg[:2] * other_way[:2], 0), (*left_leg[:2], 0),
            (-right_leg[2], 0, 0), (-left_leg[2], 0, 0),
        ])
    )  # fmt: skip
    root = local[0] @ local[1]
    chest = root @ local[2]
    head = chest @ local[3]
    upper_arms, thighs = chest @ local[4:6], root @ local[8:10]
    forearms, shanks = upper_arms @ local[6:8], thighs @ local[10:12]

    side = np.array([[-1.0], [1.0]])  # right, left
    pelvis = np.zeros(3)
    thorax = pelvis - chest[:, 1] * length["spine"]
    neck = thorax - (0.6 * chest[:, 1] + 0.4 * head[:, 1]) * length["neck"]
    top = neck - head[:, 1] * length["head"]
    shoulders = thorax + side * chest[:, 0] * length["shoulder"]
    elbows = shoulders + upper_arms[:, :, 1] * length["upper_arm"]
    wrists = elbows + forearms[:, :, 1] * length["forearm"]
    hands = wrists + forearms[:, :, 1] * length["hand"]
    hips = pelvis + side * root[:, 0] * length["hip"]
    knees = hips + thighs[:, :, 1] * length["thigh"]
    ankles = knees + shanks[:, :, 1] * length["shin"]
    toes = ankles + shanks[:, :, 2] * length["foot"] + shanks[:, :, 1] * 0.028
    size = length["head"] / 0.166
    centre = top + head[:, 1] * 0.069 * size
    face = centre + _FACE @ head.T * size
    joints = [ankles[0], knees[0], hips[0], hips[1], knees[1], ankles[1], pelvis, thorax, neck, top]
    joints += [wrists[0], elbows[0], shoulders[0], shoulders[1], elbows[1], wrists[1]]
    points = np.concatenate([joints, hands, toes, face, [centre]])
    zoom = distance / (distance - points[:, 2])
    points[:, :2] *= zoom[:, None]
    return Body(points, zoom, chest, head, 1.0, name)
