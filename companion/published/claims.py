"""What the papers claim and where we did something else, read from the files beside this one.

claims.toml      the thirty claims, with the papers' figures
deviations.toml  every difference between a paper, its released code and us
artifacts.toml   what each figure and table shows
"""

import functools
import tomllib
from importlib import resources


@functools.cache
def claims() -> tuple[dict, ...]:
    """The papers' claims: id, paper (R or H), text, printed (the paper's figure), kind, artifacts,
    runs, and what their authors would insist on. See published/claims.toml."""
    return tuple(_read("claims.toml")["claim"])


def claim_of(name: str) -> dict:
    """The claim `name`, such as "R-c1"."""
    return next(claim for claim in claims() if claim["id"] == name)


@functools.cache
def deviations() -> tuple[dict, ...]:
    """Every departure from a paper, or of a paper from its own released code:
    published/deviations.toml."""
    return tuple(_read("deviations.toml")["deviation"])


def deviations_of(artifact: str, size: str, data: str) -> tuple[str, ...]:
    """One line for each deviation that touches `artifact` at this size and on this data."""
    return tuple(
        f"{entry['id']}. {entry['paper'].replace('both', 'R, H')}: {entry['paper_says']}. "
        + (f"Released code: {entry['code_did']}. " if entry["code_did"] else "")
        + f"Here: {entry['we_do']}. Why: {entry['why']}."
        for entry in deviations()
        if ("all" in entry["artifacts"] or artifact in entry["artifacts"])
        and size in entry.get("sizes", [size])
        and data in entry.get("data", [data])
    )


@functools.cache
def captions() -> dict[str, str]:
    """What each figure and table shows, by its id: published/artifacts.toml."""
    return _read("artifacts.toml")


def _read(name: str) -> dict:
    return tomllib.loads(
        resources.files("companion.published").joinpath(name).read_text(encoding="utf-8")
    )
