"""A file of points, which every reader takes, and its points, which every reader returns."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from paperlib import PaperlibError
from paperlib.skeleton import Skeleton


@dataclass(frozen=True)
class File:
    """A file of points, and the skeleton whose joints are read from it.

    `gaps`: an empty cell of a table is a joint without annotation, as in a truth.
    """

    path: Path
    skeleton: Skeleton
    gaps: bool = False

    def error(self, what: str) -> PaperlibError:
        return PaperlibError(f"{self.path}: {what}")


@dataclass(frozen=True)
class Points:
    """The points of N people: of named joints, or of joints in some order."""

    values: np.ndarray  # (N, K, 2 or 3) float64: x, y and perhaps a score or a flag
    joints: tuple[str, ...] | None = None  # K names of any skeleton, or None: by position
    people: list | None = None  # N labels that tell the people's order
    images: list | None = None  # N names or numbers of images
    best: np.ndarray | None = None  # (N,) score of each person as a whole
    notes: tuple[str, ...] = ()  # remarks for the user
    # "coco" or "visible": which flag the third value is; "predict": written by `paperlib predict`;
    # "array": only the order tells the people apart
    kind: str = ""
    axes: tuple[int, int, int] = (0, 1, 2)  # which axis of the file's array is people, joints, x y

    @property
    def points(self) -> np.ndarray:
        """(N, K, 2) px; NaN for joints that the file lacks."""
        return self.values[..., :2]

    @property
    def third(self) -> np.ndarray | None:
        """(N, K) a score or a flag, where the file has one."""
        return self.values[..., 2] if self.values.shape[2] == 3 else None

    def select(self, rows: list[int], *notes: str) -> "Points":
        """The people `rows`, in this order, and more notes."""
        people, images = ([c[i] for i in rows] if c else c for c in (self.people, self.images))
        best = None if self.best is None else self.best[rows]
        found = replace(self, values=self.values[rows], people=people, images=images, best=best)
        return replace(found, notes=self.notes + notes)
