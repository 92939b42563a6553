"""From an interval to a verdict: the one rule, and the ledger as it was stored."""

import re

from companion.measure.preconditions import all_hold, checked_as_asked, unmet
from companion.published.claims import claim_of

# What a verdict may be, the best known first:
#   exact                     counted, or recomputed from published files: no training in it
#   reproduced, contradicted  trained under the paper's own conditions
#   agrees, disagrees in miniature     trained smaller, with the claim's preconditions holding
#   inconclusive              the interval does not decide; `settles` says what would
#   not testable at this size a precondition of the claim does not hold
#   not measured              no run, file or hardware to measure it with
VERDICTS = (
    "exact",
    "reproduced",
    "contradicted",
    "agrees in miniature",
    "disagrees in miniature",
    "inconclusive",
    "not testable at this size",
    "not measured",
)
COLUMNS = ("id", "claim", "paper", "ours", "interval", "seeds", "verdict", "why")  # every reader's
EVIDENCE = ("holds", "preconditions", "conditions", "settles")  # what the verdict follows from
MARGIN = 1.0  # points within which two systems count as equal


def answer(estimate: float, low: float, high: float, claim: dict) -> str:
    """Does it hold? "yes", "no" or "open", by the claim's kind. `low` and `high` are the 95 %
    interval of `estimate`; an exact count is its own interval.

    effect  a difference, better minus worse: yes if the interval lies above 0, no if below.
    equal   a difference in points: yes if the interval lies within +-1, no if wholly outside.
    value   a figure less the printed one: the same with +-`tolerance`.
    In each case open otherwise, also where there is no number.
    """
    if claim["kind"] == "effect":
        yes, no = low > 0, high < 0
    else:
        margin = MARGIN if claim["kind"] == "equal" else claim["tolerance"]
        yes, no = -margin <= low and high <= margin, low > margin or high < -margin
    return "yes" if yes else "no" if no else "open"


def answers(estimates: list[tuple[float, float, float]], claim: dict) -> list[str]:
    """For each part of a claim, whether it holds.

    Where published files bear witness (`witnesses`), the estimates are those of one file after the
    other, each with as many `parts`; a part holds if it does by every file, and fails only if it
    does by two or more, since one file may be of a weaker training than the paper's.
    """
    found = [answer(*estimate, claim) for estimate in estimates]
    if not claim.get("witnesses"):
        return found
    return [
        said.pop()
        if len(said) == 1 and ("no" not in said or len(found) > claim["parts"])
        else "open"
        for said in (set(found[part :: claim["parts"]]) for part in range(claim["parts"]))
        if said
    ]


def in_words(holds: list[str]) -> str:
    """ "holds", or part by part: "part 1 holds, part 2 does not hold"."""
    said = [{"yes": "holds", "no": "does not hold", "open": "is open"}[one] for one in holds]
    parts = ", ".join(f"part {number} {word}" for number, word in enumerate(said, 1))
    return said[0] if len(set(said)) == 1 else parts


def verdict(holds: list[str], trained: bool, testable: bool, faithful: bool) -> str:
    """The one rule. `holds` is the answer of each part of a claim, `trained` whether it rests on
    networks trained here, `testable` whether the claim's preconditions hold, and `faithful` whether
    all of the paper's conditions do."""
    if not holds:
        return "not measured" if testable else "not testable at this size"
    if not trained:
        return "exact"
    if not testable:
        return "not testable at this size"
    if set(holds) == {"yes"}:
        return "reproduced" if faithful else "agrees in miniature"
    if "no" in holds:
        return "contradicted" if faithful else "disagrees in miniature"
    return "inconclusive"


def estimates_of(row: dict) -> list[tuple[float, float, float]]:
    """The estimates that a row of the ledger prints in `interval`; an exact one is its own
    interval."""
    parts = row["interval"].split(";") if row["interval"] != "not measured" else []
    numbers = [[float(number) for number in re.findall(r"[+-][\d.]+", part)] for part in parts]
    return [(x, *(ends or (x, x))) for x, *ends in numbers]


def follows(row: dict) -> bool:
    """Whether a row's verdict is what the rule says of its printed interval, preconditions and
    conditions."""
    claim = claim_of(row["id"])
    holds = answers(estimates_of(row), claim)
    found = verdict(
        holds, bool(row["seeds"]), not unmet(row["preconditions"]), all_hold(row["conditions"])
    )
    return (
        row["verdict"] == found
        and row["holds"] == "; ".join(holds)
        and checked_as_asked(row["preconditions"], claim, bool(row["seeds"]))
    )
