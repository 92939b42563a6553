"""People: the one table that every loader returns and everything else reads."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from paperlib.skeleton import Skeleton, joint_map

ABSENT, OCCLUDED, VISIBLE = 0, 1, 2  # the flags of COCO; MPII's and LSP's are translated to them


@dataclass(frozen=True)
class People:
    """N labelled people, one row each.

    Points are image pixels, 0-based and continuous: the centre of the top left pixel is (0, 0). An
    absent joint is NaN with state ABSENT.
    """

    skeleton: Skeleton
    image: np.ndarray  # (N,) str, the image's path
    joints: np.ndarray  # (N, J, 2) float64, px
    state: np.ndarray  # (N, J) uint8: ABSENT, OCCLUDED or VISIBLE
    centre: np.ndarray  # (N, 2) float64, px: the rough position of the person
    scale: np.ndarray  # (N,) float64: the person's rough height / 200 px
    # (N,) bool: True where the square (centre, 200 * scale) is the crop itself (LSP: the whole
    # image; FLIC), not a person's box
    framed: np.ndarray
    # (N,) float64, px: 0.6 x the diagonal of the head box, NaN where there is none
    head_size: np.ndarray
    # N arrays (K_i, J, 2), px: the other labelled people in the same image
    others: tuple[np.ndarray, ...]
    # why people are missing from the table -> how many
    left_out: dict[str, int] = field(default_factory=dict)
    # what the label file does not say: "occlusion" (then labelled joints are VISIBLE)
    unstated: tuple[str, ...] = ()

    def __post_init__(self):
        n, j = len(self.image), len(self.skeleton)
        shapes = {"joints": (n, j, 2), "state": (n, j), "centre": (n, 2)}
        shapes |= dict.fromkeys(("scale", "framed", "head_size"), (n,))
        wrong = {name: getattr(self, name).shape for name in shapes}
        wrong = {name: shape for name, shape in wrong.items() if shape != shapes[name]}
        if wrong or len(self.others) != n:
            rows = f"{len(self.others)} rows of others"
            raise ValueError(f"People: {n} images of {j} joints, but {wrong or rows}")

    def __len__(self) -> int:
        return len(self.image)

    @property
    def torso(self) -> np.ndarray:
        """(N,) px: left shoulder to right hip, the reference length of PCK (FACTS D.2, D.3); NaN
        where one is absent."""
        ends = [self.skeleton.index(joint) for joint in ("left_shoulder", "right_hip")]
        return np.linalg.norm(self.joints[:, ends[0]] - self.joints[:, ends[1]], axis=-1)

    def select(self, which) -> "People":
        """The rows `which`: a boolean mask, a slice or an array of indices."""
        rows = np.arange(len(self))[which]
        arrays = {
            f.name: getattr(self, f.name)[rows]
            for f in fields(self)
            if isinstance(getattr(self, f.name), np.ndarray)
        }
        return replace(self, **arrays, others=tuple(self.others[i] for i in rows))

    def to(self, skeleton: Skeleton) -> "People":
        """The same people with another data set's joints; a joint that cannot be mapped is
        absent."""
        source = joint_map(self.skeleton, skeleton)
        known = source >= 0
        return replace(
            self,
            skeleton=skeleton,
            joints=np.where(known[:, None], self.joints[:, source], np.nan),
            state=np.where(known, self.state[:, source], ABSENT).astype(np.uint8),
            others=tuple(
                np.where(known[:, None], other[:, source], np.nan) for other in self.others
            ),
        )

    def sha256(self) -> str:
        """Identity of the labels: of every row in order, the images by name only, and of the other
        people of each."""
        digest = hashlib.sha256(
            repr((self.skeleton, [Path(name).name for name in self.image])).encode()
        )
        for name in ("joints", "state", "centre", "scale", "framed", "head_size"):
            digest.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        for other in self.others:
            digest.update(f"{len(other)}".encode() + np.ascontiguousarray(other).tobytes())
        return digest.hexdigest()


def concatenate(tables: list[People]) -> People:
    """One table of several with the same skeleton, in the order given."""
    first = tables[0]
    if any(table.skeleton is not first.skeleton for table in tables):
        raise ValueError(
            f"people of {sorted({t.skeleton.name for t in tables})} cannot be put together; "
            "map them with .to(skeleton) first"
        )
    columns = [f.name for f in fields(first) if isinstance(getattr(first, f.name), np.ndarray)]
    arrays = {name: np.concatenate([getattr(t, name) for t in tables]) for name in columns}
    return replace(
        first,
        **arrays,
        others=tuple(other for table in tables for other in table.others),
        left_out=dict(sum((Counter(table.left_out) for table in tables), Counter())),
        unstated=tuple(dict.fromkeys(what for table in tables for what in table.unstated)),
    )
