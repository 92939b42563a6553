"""What the environment says: where the data, runs and results folders are, and how many seeds are
wanted."""

import os
from dataclasses import dataclass
from pathlib import Path

from paperlib import PaperlibError


@dataclass(frozen=True)
class Folders:
    """PAPERLIB_DATA, PAPERLIB_RUNS and PAPERLIB_RESULTS; else data/, runs/ and results/ of the
    checkout, or of where the command was called."""

    data: Path
    runs: Path
    results: Path

    @classmethod
    def here(cls) -> "Folders":
        root = Path(__file__).parents[1]
        if not (root / "pyproject.toml").exists():
            root = Path.cwd()
        return cls(
            *[
                Path(os.environ.get(f"PAPERLIB_{name.upper()}") or root / name)
                .expanduser()
                .resolve()
                for name in ("data", "runs", "results")
            ]
        )


def seeds_wanted() -> int:
    """PAPERLIB_SEEDS; 0, which leaves it to the size, where it is not set. Raises PaperlibError for
    what is no number."""
    word = os.environ.get("PAPERLIB_SEEDS") or "0"
    if not word.isdigit():
        raise PaperlibError(f"PAPERLIB_SEEDS={word}: give a number, such as 3")
    return int(word)
