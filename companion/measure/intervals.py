"""How sure a figure is. One rule for every 95 % interval of the tables and of the claims, over
people and over seeds.

A figure is a contrast: a weighted sum over systems, each system the mean over its seeds, such as
one network less another.

people  drawn with replacement, the same ones for every system, so that a difference is paired.
seeds   with one seed each, the interval over people is moved out by SEED_SPREAD at either end if
        two trainings are
        compared, and by SEED_SPREAD x sqrt(sum of squared weights / 2) in general. With several the
            standard error is
        measured: system k has weight w_k and S_k seeds, as many as are trained; the variance
            between seeds, pooled over
        the systems, times the sum of w_k^2 / S_k is the squared error, and Student's t with the sum
            of S_k - 1 degrees
        of freedom gives a half-width, which is added to that over people in quadrature.
A network compared with itself, such as with and without the mirrored image, has no luck of a seed
    in it: with one seed the interval is over people.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.stats import t as student

# Points by which two trainings may differ by chance: 1.96 x sqrt(2) x 1.8, the standard deviation
# of PCKh over four seeds at size smoke (recurrent-t0: 39.9 38.5 39.0 37.2, hourglass-2x4: 38.1 36.7
# 33.2 34.4). Nineteen runs of five seeds, measured since on drawn people, have a pooled one of
# 1.63, from 0.65 to 3.4: 4.5 points, so 5 is on the safe side. Of larger sizes it is not known;
# they have three seeds.
SEED_SPREAD = 5.0


class Estimate(tuple):
    """(figure, low, high): a figure and the ends of its 95 % interval.

    `people` is the half-width that is over people alone, and `luck` the standard error that one
    seed a system leaves, both in the figure's unit: what `seeds_to_settle` needs.
    """

    people: float
    luck: float

    def __new__(cls, figure: float, low: float, high: float, people: float = 0, luck: float = 0):
        made = super().__new__(cls, (float(figure), float(low), float(high)))
        made.people, made.luck = float(people), float(luck)
        return made

    def less(self, value: float) -> "Estimate":
        """The same figure measured from `value`."""
        return Estimate(*(number - value for number in self), self.people, self.luck)


# what one training scores, percent, on the people with these row numbers
Statistic = Callable[[np.ndarray], float]


def share(errors: np.ndarray, threshold: float) -> Statistic:
    """The pooled share of errors (N, J) within `threshold`, percent, of some of the N people; NaN
    is not annotated."""
    right, known = (errors <= threshold).sum(axis=1), (~np.isnan(errors)).sum(axis=1)
    return lambda rows: 100 * right[rows].sum() / max(known[rows].sum(), 1)


def less(better: Statistic, worse: Statistic) -> Statistic:
    """One statistic less another, of the same people."""
    return lambda rows: better(rows) - worse(rows)


def contrasts(
    systems: Sequence[Sequence[Statistic]],
    weights: np.ndarray | Sequence,
    people: int,
    same_network: bool = False,
    times: int = 1000,
) -> list[Estimate]:
    """An estimate for each row of `weights` (E, K): that sum over K systems of `people` people, by
    the rule above. `systems` holds as many statistics for each system as it has seeds, which need
    not be equally many."""
    weights = np.atleast_2d(np.asarray(weights, float))
    everybody = np.arange(people)
    each = [np.array([one(everybody) for one in system]) for system in systems]  # K of (S_k,)
    drawn = np.random.default_rng(0).integers(people, size=(times, people))
    sums = (
        np.array([[np.mean([one(rows) for one in system]) for system in systems] for rows in drawn])
        @ weights.T
    )  # (times, E)
    found = np.array([seeds.mean() for seeds in each]) @ weights.T
    low, high = np.nanpercentile(sums, [2.5, 97.5], axis=0)
    return [
        _with_seeds(*ends, each, row, same_network)
        for *ends, row in zip(found, low, high, weights, strict=True)
    ]


def _with_seeds(
    found: float,
    low: float,
    high: float,
    each: list[np.ndarray],
    weights: np.ndarray,
    same_network: bool,
) -> Estimate:
    """The interval over people, widened by what a seed changes; `each` holds what each system's
    seeds score."""
    systems = [(weight, seeds) for weight, seeds in zip(weights, each, strict=True) if weight]
    freedom = sum(len(seeds) - 1 for _, seeds in systems)
    people, squares = (high - low) / 2, (weights**2).sum()
    if freedom == 0:
        wider = 0.0 if same_network else SEED_SPREAD * np.sqrt(squares / 2)
        return Estimate(
            found, low - wider, high + wider, people, wider / student.ppf(0.975, np.inf)
        )
    variance = sum(((seeds - seeds.mean()) ** 2).sum() for _, seeds in systems) / freedom
    error = np.sqrt(variance * sum(weight**2 / len(seeds) for weight, seeds in systems))
    wider = student.ppf(0.975, freedom) * error
    return Estimate(
        found,
        found - np.hypot(found - low, wider),
        found + np.hypot(high - found, wider),
        people,
        np.sqrt(variance * squares),
    )


def with_seeds(estimate: Estimate, seeds: int) -> Estimate:
    """What the interval of `estimate` would be with so many seeds of each of two systems, were
    their figures and the spread between them as they are found; at least two."""
    wider = student.ppf(0.975, 2 * (seeds - 1)) * estimate.luck / np.sqrt(seeds)
    half = np.hypot(estimate.people, wider)
    return Estimate(estimate[0], estimate[0] - half, estimate[0] + half)


def steps(systems: int) -> np.ndarray:
    """Weights (systems - 1, systems): each system less the next."""
    return np.eye(systems - 1, systems) - np.eye(systems - 1, systems, k=1)


def over_people(
    statistic: Callable[[np.ndarray], np.ndarray], people: int, times: int = 400
) -> list[Estimate]:
    """statistic(rows) (K,) of everybody, with its 95 % interval over people alone: for published
    predictions, of which there is one training."""
    drawn = np.random.default_rng(0).integers(people, size=(times, people))
    low, high = np.nanpercentile([statistic(rows) for rows in drawn], [2.5, 97.5], axis=0)
    return list(
        zip(
            map(float, statistic(np.arange(people))), map(float, low), map(float, high), strict=True
        )
    )
