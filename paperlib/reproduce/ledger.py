"""The ledger: what the papers claim, what we found, and where we did something else.

published/claims.toml      the thirty claims, with the papers' figures
published/deviations.toml  every difference between a paper, its released code and us
published/artifacts.toml   what each figure and table shows
reproduce/claims.py        how each claim is measured
"""

import csv
import functools
import re
import tomllib
from importlib import resources
from pathlib import Path

from paperlib import PaperlibError

VERDICTS = ("reproduced", "contradicted", "inconclusive", "not measured")
COLUMNS = ("id", "claim", "paper", "ours", "interval", "seeds", "verdict", "why")
MARGIN = 1.0  # points within which two systems count as equal


@functools.cache
def claims() -> tuple[dict, ...]:
    """The papers' claims: id, paper (R or H), text, printed (the paper's figure), kind, artifacts and runs. See published/claims.toml."""
    return tuple(_read("claims.toml")["claim"])


@functools.cache
def deviations() -> tuple[dict, ...]:
    """Every departure from a paper, or of a paper from its own released code: published/deviations.toml."""
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


def verdict(estimate: float, low: float, high: float, claim: dict) -> str:
    """The one rule, by the claim's kind. `low` and `high` are the 95 % interval of `estimate`; an exact count is its own interval.

    effect  a difference, better minus worse: reproduced if the interval lies above 0, contradicted if it lies below.
    equal   a difference in points: reproduced if the interval lies within +-1, contradicted if it lies wholly outside.
    value   a figure, less the printed one: reproduced if the estimate lies within +-`tolerance`, contradicted if the interval lies wholly outside.
    In each case inconclusive otherwise, also where there is no number.
    """
    if claim["kind"] == "effect":
        yes, no = low > 0, high < 0
    elif claim["kind"] == "equal":
        yes, no = -MARGIN <= low and high <= MARGIN, low > MARGIN or high < -MARGIN
    else:
        yes, no = abs(estimate) <= claim["tolerance"], low > claim["tolerance"] or high < -claim["tolerance"]
    return "reproduced" if yes else "contradicted" if no else "inconclusive"


def verdict_of_all(estimates: list[tuple[float, float, float]], claim: dict) -> str:
    """Of a claim with several parts: reproduced if each part is, contradicted if one is, else inconclusive; without any part, not measured."""
    if not estimates:
        return "not measured"
    found = [verdict(*estimate, claim) for estimate in estimates]
    return "reproduced" if set(found) == {"reproduced"} else "contradicted" if "contradicted" in found else "inconclusive"


def claim_of(name: str) -> dict:
    """The claim `name`, such as "R-c1"."""
    return next(claim for claim in claims() if claim["id"] == name)


def estimates_of(row: dict) -> list[tuple[float, float, float]]:
    """The estimates that a row of the ledger prints in `interval`; an exact one is its own interval."""
    parts = row["interval"].split(";") if row["interval"] != "not measured" else []
    numbers = [[float(number) for number in re.findall(r"[+-][\d.]+", part)] for part in parts]
    return [(x, *(ends or (x, x))) for x, *ends in numbers]


def follows(row: dict) -> bool:
    """Whether a row's verdict is what the rule says of its printed interval."""
    estimates = estimates_of(row)
    meaningless = estimates and row["why"].startswith("size tiny")
    return row["verdict"] == ("inconclusive" if meaningless else verdict_of_all(estimates, claim_of(row["id"])))


def read_claims(results: Path) -> list[dict]:
    """The rows of claims.csv in a results folder. Raises PaperlibError if there is none, or if it is not whole."""
    path = Path(results) / "claims.csv"
    if not path.is_file():
        raise PaperlibError(f"{path}: no claims ledger there; notebook 07 writes it (paperlib reproduce --only 07)")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            provenance = file.readline()
            rows = list(csv.DictReader(file, strict=True)) if provenance.startswith("# {") else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PaperlibError(f"{path}: cannot be read ({error}); write it again with paperlib reproduce --only 07 --force") from error
    if [row.get("id") for row in rows] != [claim["id"] for claim in claims()] or any(row.get("verdict") not in VERDICTS for row in rows):
        raise PaperlibError(
            f"{path}: does not hold one verdict for each of {len(claims())} claims; write it again with paperlib reproduce --only 07 --force"
        )
    return [row | {"seeds": int(row["seeds"])} for row in rows]


@functools.cache
def captions() -> dict[str, str]:
    """What each figure and table shows, by its id: published/artifacts.toml."""
    return _read("artifacts.toml")


def _read(name: str) -> dict:
    return tomllib.loads(resources.files("paperlib.published").joinpath(name).read_text(encoding="utf-8"))
