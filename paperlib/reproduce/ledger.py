"""The ledger: what the papers claim, what we found, and where we did something else.

published/claims.toml      the thirty claims, with the papers' figures
published/deviations.toml  every difference between a paper, its released code and us
reproduce/claims.py        how each claim is measured
"""

import csv
import functools
import tomllib
from importlib import resources
from pathlib import Path

from paperlib import PaperlibError

VERDICTS = ("reproduced", "contradicted", "inconclusive", "not measured")
COLUMNS = ("id", "claim", "paper", "ours", "interval", "seeds", "verdict", "why")
MARGIN = 1.0  # points within which two systems count as equal


@functools.cache
def claims() -> tuple[dict, ...]:
    """The papers' claims: id, paper (R or H), text, printed (the paper's figure), kind, and the runs that it takes. See published/claims.toml."""
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
    """Of a claim with several parts: reproduced if each part is, contradicted if one is, else inconclusive."""
    found = [verdict(*estimate, claim) for estimate in estimates]
    return "reproduced" if set(found) == {"reproduced"} else "contradicted" if "contradicted" in found else "inconclusive"


def read_claims(results: Path) -> list[dict]:
    """The rows of claims.csv in a results folder. Raises PaperlibError if there is none, or if it is not whole."""
    path = Path(results) / "claims.csv"
    if not path.is_file():
        raise PaperlibError(f"{path}: no claims ledger there; notebook 07 writes it (paperlib reproduce --only 07)")
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PaperlibError(f"{path}: cannot be read ({error}); write it again with paperlib reproduce --only 07 --force") from error
    if [row.get("id") for row in rows] != [claim["id"] for claim in claims()] or any(row.get("verdict") not in VERDICTS for row in rows):
        raise PaperlibError(
            f"{path}: does not hold one verdict for each of {len(claims())} claims; write it again with paperlib reproduce --only 07 --force"
        )
    return [row | {"seeds": int(row["seeds"])} for row in rows]


def _read(name: str) -> dict:
    return tomllib.loads(resources.files("paperlib.published").joinpath(name).read_text(encoding="utf-8"))
