"""What measuring a claim gives: the numbers as the ledger prints them, and the estimates that its verdict judges."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paperlib.skeleton import MPII

Estimate = tuple[float, float, float]  # what is judged, and the ends of its 95 % interval
HARD = ("wrist", "elbow", "knee", "ankle")  # the joints of H fig. 8
MEMBERS = {name: list(members) for name, members in MPII.groups}


@dataclass(frozen=True)
class Finding:
    """No estimate means that what was measured does not bear on the paper's figure."""

    ours: str
    estimates: list[Estimate]
    why: str = ""


def over_people(statistic: Callable[[np.ndarray], np.ndarray], people: int, times: int = 400) -> list[Estimate]:
    """statistic(rows) (K,) of everybody, with its 95 % interval over people drawn with replacement."""
    drawn = np.random.default_rng(0).integers(people, size=(times, people))
    low, high = np.nanpercentile([statistic(rows) for rows in drawn], [2.5, 97.5], axis=0)
    return list(zip(map(float, statistic(np.arange(people))), map(float, low), map(float, high), strict=True))
