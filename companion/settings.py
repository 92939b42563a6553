"""What the environment says: where the data, runs and results folders are, and how many seeds are
wanted."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from paperlib import PaperlibError


@dataclass(frozen=True)
class Folders:
    """Where things are: the data sets, trained runs, the results that are written, and the kept
    results that are read where a run is not trained here (None: those that are written).

    PAPERLIB_DATA, PAPERLIB_RUNS and PAPERLIB_RESULTS name them; else they are data/, runs/ and
    results/ of the checkout, or of where the command was called.
    """

    data: Path
    runs: Path
    results: Path
    kept: Path | None = None

    @classmethod
    def here(cls) -> "Folders":
        """For a reader: what a notebook makes goes to runs/results, so that results/ stays as it
        was committed, unless PAPERLIB_RESULTS names another folder."""
        data, runs, results = (_folder(name) for name in ("data", "runs", "results"))
        named = bool(os.environ.get("PAPERLIB_RESULTS"))
        return cls(data, runs, results if named else runs / "results", results)

    @classmethod
    def of_results(cls) -> "Folders":
        """For `paperlib reproduce`, which alone writes results/."""
        here = cls.here()
        return replace(here, results=here.kept)


def _folder(name: str) -> Path:
    root = Path(__file__).parents[1]
    if not (root / "pyproject.toml").exists():
        root = Path.cwd()
    return Path(os.environ.get(f"PAPERLIB_{name.upper()}") or root / name).expanduser().resolve()


def seeds_wanted() -> int:
    """PAPERLIB_SEEDS; 0, which leaves it to the size, where it is not set. Raises PaperlibError for
    what is no number."""
    word = os.environ.get("PAPERLIB_SEEDS") or "0"
    if not word.isdigit():
        raise PaperlibError(f"PAPERLIB_SEEDS={word}: give a number, such as 3")
    return int(word)
