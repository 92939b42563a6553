"""How each claim of the papers is measured: a short function a claim, here from runs, in
claims_of_files.py from what the authors published."""

import numpy as np

from companion.measure.claims_exact import (
    absent_share,
    newell_file,
    occluded_share,
    printed_error,
    size_ratio,
    visible_share,
)
from companion.measure.finding import HARD, MEMBERS, Finding
from companion.measure.intervals import SEED_SPREAD, Estimate, contrasts, less, share, steps
from companion.measure.scores import Measured, baseline, measure_seeds
from companion.measure.verdict import verdict_of_all
from companion.runs.study import NotMeasured, Study
from paperlib.metrics import average_precision
from paperlib.people import ABSENT, VISIBLE

SCALES = (0.85, 1.0, 1.15)  # of R-c7


def measure_claim(study: Study, claim: dict) -> dict:
    """A row of the ledger; 'not measured' with its reason where runs, files or the papers' own data
    are not to be had."""
    runs, row = (
        claim["runs"],
        {"id": claim["id"], "claim": claim["text"], "paper": claim["printed"]},
    )
    try:
        for run in runs:
            if reason := study.missing(run):
                raise NotMeasured(reason)
        finding = MEASURES[claim["id"]](study, claim)
    except NotMeasured as reason:
        nothing = dict.fromkeys(("ours", "interval"), "not measured")
        return row | nothing | {"seeds": 0, "verdict": "not measured", "why": str(reason)}
    seeds = [len(study.seeds(run)) for run in runs] or [0]
    estimates = [
        tuple(round(number, 2) + 0.0 for number in estimate) for estimate in finding.estimates
    ]  # judged as they are printed
    found, whys = verdict_of_all(estimates, claim), [finding.why, claim.get("why", "")]
    if runs:
        whys.append(
            f"{'drawn' if study.data == 'synthetic' else 'real'} people, size {study.size}, "
            f"{_how_sure(finding, seeds)}"
        )
        if study.size == "tiny":  # a few steps of training: not even a negative result
            found, whys = (
                "inconclusive" if estimates else found,
                ["size tiny tests the machinery, its numbers mean nothing", *whys],
            )
    intervals = _intervals(estimates) or "not measured"
    return row | {
        "ours": finding.ours,
        "interval": intervals,
        "seeds": min(seeds),
        "verdict": found,
        "why": "; ".join(filter(None, whys)),
    }


def _how_sure(finding: Finding, each: list[int]) -> str:
    """How the seeds of each run entered the interval, by the rule of certainty.py."""
    seeds = str(max(each)) if min(each) == max(each) else f"{min(each)} to {max(each)}"
    if not finding.estimates:
        return "one seed" if seeds == "1" else f"{seeds} seeds"
    if seeds != "1":
        return f"{seeds} seeds: the interval is over people and seeds"
    if finding.same_network:
        return "one seed: the interval is over people, of one network"
    return (
        "one seed: the interval over people is wider at either end by what another seed may change "
        f"({SEED_SPREAD:g} points of a difference)"
    )


def _intervals(estimates: list[Estimate]) -> str:
    """'+1.20 [+0.31, +2.09]' for each estimate; an exact one stands alone."""
    return "; ".join(
        f"{x:+.2f}" + (f" [{low:+.2f}, {high:+.2f}]" if low < high else "")
        for x, low, high in estimates
    )


Systems = list[list[Measured]]  # each with its seeds


def compare(
    systems: Systems, weights, groups: tuple[str, ...] = (), threshold: float = 0.5
) -> list[Estimate]:
    """Contrasts of the systems' pooled shares, over the official joints or `groups` of them,
    points."""
    shares = [[one.share(groups, threshold) for one in system] for system in systems]
    return contrasts(shares, weights, len(systems[0][0].errors))


def changes(
    better: list[Measured], worse: list[Measured], threshold: float = 0.5
) -> list[Estimate]:
    """A network less itself, seed by seed: what a way of predicting changes, points."""
    pairs = zip(better, worse, strict=True)
    gains = [
        less(one.share(threshold=threshold), other.share(threshold=threshold))
        for one, other in pairs
    ]
    return contrasts([gains], [1], len(better[0].errors), same_network=True)


def each_beats_the_next(study: Study, claim: dict, groups: tuple[str, ...] = (), **how) -> Finding:
    """The claim's runs in order: the first less the second, the second less the third."""
    systems = [measure_seeds(study, run, **how) for run in claim["runs"]]
    return Finding(_totals(systems, groups), compare(systems, steps(len(systems)), groups))


def _totals(systems: Systems, groups: tuple[str, ...] = (), threshold: float = 0.5) -> str:
    """'39.9 vs 42.7', means over the seeds."""
    everybody = np.arange(len(systems[0][0].errors))
    return " vs ".join(
        f"{np.mean([one.share(groups, threshold)(everybody) for one in system]):.1f}"
        for system in systems
    )


def scales_help(study: Study, claim: dict) -> Finding:
    """R-c7, on the fine-tuned model as the paper, else (no COCO here) on the one that it starts
    beside."""
    tuned = "recurrent-t2-parts-finetuned"
    run = claim["runs"][0] if study.missing(tuned) else tuned
    systems = [measure_seeds(study, run, scales=SCALES), measure_seeds(study, run)]
    return Finding(_totals(systems), changes(*systems), f"run {run}", same_network=True)


def easy_joints_gain_least(study: Study, claim: dict) -> Finding:
    """R-c8: ankle less head of the better network, less the same of the other one."""
    systems = [measure_seeds(study, run) for run in claim["runs"]]
    gaps = [
        [less(one.share(("ankle",), 0.5), one.share(("head",), 0.5)) for one in system]
        for system in systems
    ]
    gains = {group: compare(systems, [1, -1], (group,))[0][0] for group in ("head", "ankle")}
    ours = ", ".join(f"{group} {gain:+.1f}" for group, gain in gains.items())
    return Finding(ours, contrasts(gaps, [1, -1], len(systems[0][0].errors)))


def visibility(study: Study, claim: dict) -> Finding:
    """R-c9: average precision of 'is this annotated joint visible?' from the heatmaps' maxima (R
    sec. IV-B)."""
    state = study.test_crops(claim["runs"][0]).people.state  # (N, J)

    def precision(run: str):
        peak = study.predict(run).peak[-1]

        def of(rows: np.ndarray) -> float:
            known = state[rows] != ABSENT
            return 100 * average_precision(peak[rows][known], state[rows][known] == VISIBLE)

        return of

    # exclude, ignore, include
    systems = [[precision(run) for run in study.seeds(name)] for name in claim["runs"]]
    over_ignore, over_include, (ap, low, high) = contrasts(
        systems, [[1, -1, 0], [1, 0, -1], [1, 0, 0]], len(state), times=200
    )
    others = ap - over_ignore[0], ap - over_include[0]
    chance = 100 * (state == VISIBLE).sum() / (state != ABSENT).sum()
    ours = "AP exclude {:.1f}, ignore {:.1f}, include {:.1f} %".format(ap, *others)
    return Finding(
        ours,
        [over_ignore, over_include, (ap - 90, low - 90, high - 90)],
        f"chance is {chance:.1f} %",
    )


def converges_to_zero(study: Study, claim: dict) -> Finding:
    """R-c14: the mean height of the maxima on annotated joints, in percent of the target's
    height."""
    known = study.test_crops(claim["runs"][0]).people.state != ABSENT

    def height(run: str):
        peak = np.where(known, study.predict(run).peak[-1], 0)
        return lambda rows: 100 * peak[rows].sum() / known[rows].sum() / study.runs[run].codec.peak

    plain, weighted = systems = [
        [height(run) for run in study.seeds(name)] for name in claim["runs"]
    ]
    scores = _totals([measure_seeds(study, run) for run in claim["runs"]])
    heights = contrasts(systems, np.eye(2), len(known))
    return Finding(
        f"maxima {heights[0][0]:.0f} % of the target's, with the weighting "
        f"{heights[1][0]:.0f} %; PCKh {scores}",
        heights[:1],
    )


def learns_in_time(study: Study, claim: dict) -> Finding:
    run = claim["runs"][0]
    epochs, systems, mean = (
        float(study.log(run).epoch.iloc[-1]),
        [measure_seeds(study, run)],
        baseline(study, run),
    )
    gains = [less(one.share(threshold=0.5), mean.share(threshold=0.5)) for one in systems[0]]
    left = 40 - epochs
    ours = f"{_totals(systems)} after {epochs:.1f} epochs, mean pose {mean.scores.total:.1f}"
    return Finding(ours, [*contrasts([gains], [1], len(mean.errors)), (left, left, left)])


def supervision_helps(study: Study, claim: dict) -> Finding:
    systems = [measure_seeds(study, run) for run in claim["runs"]]
    pairs = [[0, 0, 1, -1], [1, -1, 0, 0], [1, 0, -1, 0]]
    return Finding(
        _totals(systems, HARD),
        compare(systems, pairs, HARD),
        "in the order HG-Stacked-Int, HG-Stacked, HG-Int, HG",
    )


def half_way(study: Study, claim: dict) -> Finding:
    middles = [len(study.predict(run).points) // 2 - 1 for run in claim["runs"]]
    systems = [
        measure_seeds(study, run, site=site)
        for run, site in zip(claim["runs"], middles, strict=True)
    ]
    return Finding(_totals(systems), compare(systems, steps(len(systems))))


def half_of_eight_is_two(study: Study, claim: dict) -> Finding:
    systems = [
        measure_seeds(study, claim["runs"][0], site=3),
        measure_seeds(study, claim["runs"][1]),
    ]
    return Finding(_totals(systems), compare(systems, [1, -1]))


def flip_helps(study: Study, claim: dict) -> Finding:
    systems = [measure_seeds(study, claim["runs"][0], flip=flip) for flip in (True, False)]
    return Finding(_totals(systems), changes(*systems), same_network=True)


def presence(study: Study, claim: dict) -> Finding:
    """H-c9: area under precision-recall of 'is this joint annotated?' from the heatmap's mean, less
    the area of a guess."""
    run = claim["runs"][0]
    known = study.test_crops(run).people.state != ABSENT  # (N, J)

    def over_chance(seed: str, group: str, chance: float = 1.0):
        mean, there = study.predict(seed).mean[-1][:, MEMBERS[group]], known[:, MEMBERS[group]]
        return lambda rows: (
            100
            * (
                average_precision(mean[rows].ravel(), there[rows].ravel())
                - chance * there[rows].mean()
            )
        )

    everybody, chances = (
        np.arange(len(known)),
        [100 * known[:, MEMBERS[group]].mean() for group in ("knee", "ankle")],
    )
    areas = [
        np.mean([over_chance(seed, group, 0)(everybody) for seed in study.seeds(run)])
        for group in ("knee", "ankle")
    ]
    systems = [
        [over_chance(seed, group) for seed in study.seeds(run)] for group in ("knee", "ankle")
    ]
    ours = "area {:.1f} / {:.1f} %, chance {:.1f} / {:.1f} %".format(*areas, *chances)
    return Finding(ours, contrasts(systems, np.eye(2), len(known), times=200))


def flic(study: Study, claim: dict) -> Finding:
    """H-c12: a value of FLIC's film frames, so drawn people do not bear on it."""
    systems = [measure_seeds(study, claim["runs"][0])]
    ours = " / ".join(
        f"{np.mean([one.scores.groups[group] for one in systems[0]]):.1f}"
        for group in ("elbow", "wrist")
    )
    if study.data == "synthetic":
        return Finding(ours, [], "the figure is of film frames; ours is of drawn people")
    members = dict(study.test_people("flic").skeleton.groups)
    found = []
    for group, printed in (("elbow", 99.0), ("wrist", 97.0)):
        columns = [
            [share(one.errors[:, list(members[group])], 0.2) for one in system]
            for system in systems
        ]
        found += [
            tuple(number - printed for number in estimate)
            for estimate in contrasts(columns, [1], systems[0][0].scores.people)
        ]
    return Finding(ours, found)


def offset_helps(study: Study, claim: dict) -> Finding:
    systems = [measure_seeds(study, claim["runs"][0], offset=offset) for offset in (True, False)]
    return Finding(
        _totals(systems, threshold=0.1), changes(*systems, threshold=0.1), same_network=True
    )


def _cannot(reason: str):
    def measure(study: Study, claim: dict) -> Finding:
        raise NotMeasured(reason)

    return measure


MEASURES = {
    **dict.fromkeys(
        ("R-c1", "R-c2", "R-c3", "R-c4", "R-c5", "R-c6", "R-c10", "H-c3"), each_beats_the_next
    ),
    "R-c7": scales_help,
    "R-c8": easy_joints_gain_least,
    "R-c9": visibility,
    "R-c11": occluded_share,
    "R-c12": size_ratio,
    "R-c13": _cannot(
        "no prediction file of R for MPII is known (FACTS D.1); the printed totals do "
        "follow from their columns"
    ),
    "R-c14": converges_to_zero,
    "R-c15": learns_in_time,
    "H-c1": lambda study, claim: each_beats_the_next(study, claim, HARD),
    "H-c2": supervision_helps,
    "H-c4": half_way,
    "H-c5": half_of_eight_is_two,
    "H-c6": flip_helps,
    "H-c7": newell_file,
    "H-c8": newell_file,
    "H-c9": presence,
    "H-c10": absent_share,
    "H-c11": visible_share,
    "H-c12": flic,
    "H-c13": printed_error,
    "H-c14": _cannot("the time of one pass on other hardware says nothing about a TitanX"),
    "H-c15": offset_helps,
}
