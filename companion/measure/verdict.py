"""From an interval to a verdict: the one rule, and the ledger as it was stored."""

import re

from companion.published.claims import claims

VERDICTS = ("reproduced", "contradicted", "inconclusive", "not measured")
COLUMNS = ("id", "claim", "paper", "ours", "interval", "seeds", "verdict", "why")
MARGIN = 1.0  # points within which two systems count as equal


def verdict(estimate: float, low: float, high: float, claim: dict) -> str:
    """The one rule, by the claim's kind. `low` and `high` are the 95 % interval of `estimate`; an
    exact count is its own interval.

    effect  a difference, better minus worse: reproduced if the interval lies above 0, contradicted
            if it lies below.
    equal   a difference in points: reproduced if the interval lies within +-1, contradicted if it
            lies wholly outside.
    value   a figure, less the printed one: reproduced if the estimate lies within +-`tolerance`,
            contradicted if the interval lies wholly outside.
    In each case inconclusive otherwise, also where there is no number.
    """
    if claim["kind"] == "effect":
        yes, no = low > 0, high < 0
    elif claim["kind"] == "equal":
        yes, no = -MARGIN <= low and high <= MARGIN, low > MARGIN or high < -MARGIN
    else:
        yes, no = (
            abs(estimate) <= claim["tolerance"],
            low > claim["tolerance"] or high < -claim["tolerance"],
        )
    return "reproduced" if yes else "contradicted" if no else "inconclusive"


def verdict_of_all(estimates: list[tuple[float, float, float]], claim: dict) -> str:
    """Of a claim with several parts: reproduced if each part is, contradicted if one is, else
    inconclusive; without any part, not measured."""
    if not estimates:
        return "not measured"
    found = [verdict(*estimate, claim) for estimate in estimates]
    return (
        "reproduced"
        if set(found) == {"reproduced"}
        else "contradicted"
        if "contradicted" in found
        else "inconclusive"
    )


def claim_of(name: str) -> dict:
    """The claim `name`, such as "R-c1"."""
    return next(claim for claim in claims() if claim["id"] == name)


def estimates_of(row: dict) -> list[tuple[float, float, float]]:
    """The estimates that a row of the ledger prints in `interval`; an exact one is its own
    interval."""
    parts = row["interval"].split(";") if row["interval"] != "not measured" else []
    numbers = [[float(number) for number in re.findall(r"[+-][\d.]+", part)] for part in parts]
    return [(x, *(ends or (x, x))) for x, *ends in numbers]


def follows(row: dict) -> bool:
    """Whether a row's verdict is what the rule says of its printed interval."""
    estimates = estimates_of(row)
    meaningless = estimates and row["why"].startswith("size tiny")
    return row["verdict"] == (
        "inconclusive" if meaningless else verdict_of_all(estimates, claim_of(row["id"]))
    )
