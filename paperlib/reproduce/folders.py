"""Where things are: the data, runs and results folders."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Folders:
    """PAPERLIB_DATA, PAPERLIB_RUNS and PAPERLIB_RESULTS; else data/, runs/ and results/ of the checkout, or of where the command was called."""

    data: Path
    runs: Path
    results: Path

    @classmethod
    def here(cls) -> "Folders":
        root = Path(__file__).parents[2]
        if not (root / "pyproject.toml").exists():
            root = Path.cwd()
        return cls(*[Path(os.environ.get(f"PAPERLIB_{name.upper()}") or root / name).expanduser().resolve() for name in ("data", "runs", "results")])
