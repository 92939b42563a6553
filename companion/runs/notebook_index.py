"""The notebooks in order, and which artifacts and runs each of them names."""

import json
from pathlib import Path

from companion.published.claims import claims
from companion.runs.catalogue import Run, first_of, runs_of_claim
from paperlib import PaperlibError

ORDER = (
    "01_data",
    "02_targets",
    "03_recurrent",
    "04_hourglass",
    "05_ablations",
    "06_occlusion",
    "07_comparison",
)
CHECKOUT = Path(__file__).parents[2] / "notebooks"
FOLDER = CHECKOUT if CHECKOUT.is_dir() else Path(__file__).parents[1] / "notebooks"  # of the wheel


def choose(only: str = "") -> tuple[str, ...]:
    """The notebooks that `only` names ('03,05'); all of them if it is empty.

    Raises PaperlibError for one that does not exist.
    """
    chosen = tuple(dict.fromkeys(_named(word.strip()) for word in only.split(",") if word.strip()))
    return tuple(name for name in ORDER if name in chosen) or ORDER


def _named(word: str) -> str:
    found = [name for name in ORDER if name == word or name.split("_")[0] == word.zfill(2)]
    if not found:
        raise PaperlibError(f"notebook {word!r}: it is one of {', '.join(ORDER)}, or its number")
    return found[0]


def notebook_file(name: str) -> Path:
    """The file of a notebook of `ORDER`."""
    return FOLDER / f"{name}.ipynb"


def artifacts_of(name: str) -> tuple[str, ...]:
    """The ids of the artifacts that a notebook makes: its cells' tags 'figure:R-fig1' and
    'table:R-tab1'."""
    return tuple(
        tag.split(":", 1)[1] for tag in tags_of(name) if tag.startswith(("figure:", "table:"))
    )


def runs_of(name: str, runs: dict[str, Run]) -> tuple[str, ...]:
    """The runs that a notebook needs: those that feed one of its artifacts, and those of every
    claim where a cell is tagged 'claims'."""
    made = set(artifacts_of(name))
    claimed = (
        {run for claim in claims() for run in runs_of_claim(claim, runs)}
        if "claims" in tags_of(name)
        else set()
    )
    return tuple(
        run.name
        for run in runs.values()
        if made & set(run.artifacts) or first_of(run.name) in claimed
    )


def tags_of(name: str) -> list[str]:
    """The tags of all cells of a notebook, read as JSON: nbformat is slow to import."""
    cells = json.loads(notebook_file(name).read_text(encoding="utf-8"))["cells"]
    return [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
