"""Conventions: what one PCK number means, by name. Each toolkit's is a record."""

from dataclasses import dataclass

from paperlib import PaperlibError

_PARTS = ("ankle", "knee", "hip", "wrist", "elbow", "shoulder")
_LIMBS = tuple(f"{side}_{part}" for part in _PARTS for side in ("right", "left"))
_HARD = tuple(joint for joint in _LIMBS if not joint.endswith("shoulder"))
_ARMS = tuple(f"{side}_{part}" for part in ("elbow", "wrist") for side in ("left", "right"))


@dataclass(frozen=True)
class Convention:
    """What one number means: which joints count, within which distance, and how they are put
    together."""

    name: str
    source: str
    # those that enter total and AUC; a group is always the mean of its own joints
    joints: tuple[str, ...]
    threshold: float  # in reference lengths
    strict: bool = False  # right if error < threshold; else if error <= threshold
    total: str = "pooled"  # over every annotated joint; or "mean" of the joints' shares
    head: tuple[str, ...] = ()  # joints of the head column where they are not the skeleton's own
    cells: bool = (
        False  # points are cells of H's heatmap, which paperlib.score makes them, and not pixels
    )


_MPII_14 = (*_LIMBS, "upper_neck", "head_top")
_LSP_14 = (*_LIMBS, "neck", "head_top")
# PCKh: reference length = 0.6 x the diagonal of the head box. PCK: left shoulder to right hip. One
# prediction file, five PCKh: FACTS D.4.
CONVENTIONS = {
    "mpii": (
        Convention("official", "evalMPII toolkit; both papers' tables (FACTS D.1)", _MPII_14, 0.5),
        Convention(
            "headtop",
            "microsoft, and mmpose with <: official but for the head column (FACTS D.4)",
            _MPII_14,
            0.5,
            head=("head_top",),
        ),
        Convention(
            "unweighted14",
            "bearpaw, anibali, Tompson's script (FACTS D.4)",
            _MPII_14,
            0.5,
            strict=True,
            total="mean",
            head=("head_top",),
        ),
        Convention(
            "pooled16",
            "princeton's PyTorch port, truth in whole pixels (FACTS D.4)",
            (*_MPII_14, "pelvis", "thorax"),
            0.5,
            strict=True,
        ),
        Convention(
            "hard10",
            "the ten joints of the Torch training log, in image space, truth in whole pixels "
            "(FACTS D.4)",
            _HARD,
            0.5,
            total="mean",
        ),
        Convention(
            "torch-training",
            "the Torch training log, cells of the heatmap: H fig. 8, 9 (FACTS C.7)",
            _HARD,
            0.5,
            total="mean",
            cells=True,
        ),
    ),
    "lsp": (Convention("official", "evalLSP toolkit; R table IV (FACTS D.2)", _LSP_14, 0.2),),
    "flic": (Convention("official", "H table 1: elbows and wrists (FACTS D.3)", _ARMS, 0.2),),
}


def convention(dataset: str, name: str = "official") -> Convention:
    """The convention `name` of `dataset` (mpii, lsp or flic). Raises PaperlibError that lists the
    known ones."""
    if dataset not in CONVENTIONS:
        raise PaperlibError(
            f"no scoring for data set {dataset!r}; there is {', '.join(CONVENTIONS)}"
        )
    found = {known.name: known for known in CONVENTIONS[dataset]}
    if name not in found:
        raise PaperlibError(f"no convention {name!r} for {dataset}; there is {', '.join(found)}")
    return found[name]
