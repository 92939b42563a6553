"""What would settle an inconclusive claim: seeds where their luck is in the way, people where not
even an end of that luck would do."""

import math

from companion.measure.intervals import Estimate, with_seeds
from companion.measure.verdict import MARGIN, answer

MOST_SEEDS = 99
MOST_PEOPLE = 100  # times as many


def seeds_to_settle(estimate: Estimate, claim: dict) -> int:
    """The fewest seeds of each system with which the interval would decide, were the figure, the
    spread between seeds and the interval over people as they are; 0 if no number up to MOST_SEEDS
    would."""
    return next(
        (
            seeds
            for seeds in range(2, MOST_SEEDS + 1)
            if answer(*with_seeds(estimate, seeds), claim) != "open"
        ),
        0,
    )


def people_to_settle(estimate: Estimate, claim: dict) -> int:
    """How many times as many people would settle it, with as many seeds as it takes; 0 if not even
    MOST_PEOPLE times as many."""
    margin = {"effect": 0.0, "equal": MARGIN, "value": claim.get("tolerance", 0.0)}[claim["kind"]]
    room = abs(abs(estimate[0]) - margin)
    times = math.ceil((estimate.people / room) ** 2) if room else 0
    return times if times <= MOST_PEOPLE else 0


def settles(estimates: list[Estimate], claim: dict) -> str:
    """What would settle the parts of a claim that are open: "4 seeds"; the hardest of them."""
    still = [estimate for estimate in estimates if answer(*estimate, claim) == "open"]
    seeds = [seeds_to_settle(estimate, claim) for estimate in still]
    if not still or any(math.isnan(estimate[0]) for estimate in still):
        return ""
    if all(seeds):
        return f"{max(seeds)} seeds"
    people = [people_to_settle(estimate, claim) for estimate in still]
    if all(people):
        return f"{max(people)} times the people, and no number of seeds"
    return f"over {MOST_PEOPLE} times the people, and no number of seeds"
