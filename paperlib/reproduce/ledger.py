"""The ledger: what the papers claim, what we found, and where we did something else."""

import functools
import tomllib
from importlib import resources


@functools.cache
def deviations() -> tuple[dict, ...]:
    """Every departure from a paper, or of a paper from its own released code: published/deviations.toml."""
    return tuple(tomllib.loads(resources.files("paperlib.published").joinpath("deviations.toml").read_text())["deviation"])


def deviations_of(artifact: str, size: str, data: str) -> tuple[str, ...]:
    """One line for each deviation that touches `artifact` at this size and on this data."""
    return tuple(
        f"{entry['id']}: {entry['paper_says']} We: {entry['we_do']}"
        for entry in deviations()
        if ("all" in entry["artifacts"] or artifact in entry["artifacts"])
        and size in entry.get("sizes", [size])
        and data in entry.get("data", [data])
    )
