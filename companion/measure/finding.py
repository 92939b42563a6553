"""What measuring a claim gives: the numbers as the ledger prints them, and the estimates that its
verdict judges."""

from dataclasses import dataclass

from companion.measure.intervals import Estimate
from paperlib.skeleton import MPII

HARD = ("wrist", "elbow", "knee", "ankle")  # the joints of H fig. 8
MEMBERS = {name: list(members) for name, members in MPII.groups}


@dataclass(frozen=True)
class Finding:
    """No estimate means that what was measured does not bear on the paper's figure."""

    ours: str
    estimates: list[Estimate]
    why: str = ""
    same_network: bool = False  # compared with itself: no luck of a seed in it
