"""How each claim of the papers is measured: a short function a claim, here from runs, in
claims_exact.py from what the authors published."""

from dataclasses import dataclass, replace

import numpy as np

from companion.measure.claims_exact import (
    absent_share,
    flic_file,
    hourglass_files,
    occluded_share,
    printed_totals,
    size_ratio,
    visible_share,
)
from companion.measure.finding import HARD, MEMBERS, Finding
from companion.measure.intervals import SEED_SPREAD, Estimate, contrasts, less, share, steps
from companion.measure.preconditions import all_hold, conditions, preconditions, unmet
from companion.measure.scores import Measured, baseline, measure_seeds
from companion.measure.settle import settles
from companion.measure.verdict import EVIDENCE, answers, in_words, verdict
from companion.runs.catalogue import runs_of_claim
from companion.runs.study import NotMeasured, Study
from paperlib.metrics import average_precision
from paperlib.people import ABSENT, VISIBLE

SCALES = (0.85, 1.0, 1.15)  # of R-c7


def measure_claim(study: Study, claim: dict) -> dict:
    """A row of the ledger; 'not measured' with its reason where runs, files or the papers' own data
    are not to be had."""
    row = {"id": claim["id"], "claim": claim["text"], "paper": claim["printed"]}
    try:
        return row | (_from_files(study, claim) or _from_runs(study, claim))
    except NotMeasured as reason:
        return not_measured(claim, str(reason))


def not_measured(claim: dict, why: str) -> dict:
    """The row of a claim for which there is nothing to measure."""
    row = {"id": claim["id"], "claim": claim["text"], "paper": claim["printed"]}
    nothing = dict.fromkeys(("ours", "interval", "verdict"), "not measured")
    return row | nothing | dict.fromkeys(EVIDENCE, "") | {"seeds": 0, "why": why}


def _from_files(study: Study, claim: dict) -> dict:
    """The finding of a claim that takes no training; {} where its files are absent and it can be
    measured of a run."""
    try:
        finding = FILES[claim["id"]](study, claim) if claim["id"] in FILES else None
    except NotMeasured:
        if not claim["runs"]:
            raise
        finding = None
    return _judged(finding, claim, Evidence()) if finding else {}


def _from_runs(study: Study, claim: dict) -> dict:
    runs = runs_of_claim(claim, study.runs)
    if claim.get("rather") and not any(map(study.missing, claim["rather"])):
        runs = claim["rather"]
    for run in runs:
        if reason := study.missing(run):
            raise NotMeasured(reason)
    claim = claim | {"runs": runs}
    finding = MEASURES[claim["id"]](study, claim)
    seeds = [len(study.seeds(run)) for run in runs]
    made_of = (
        f"{'drawn' if study.data == 'synthetic' else 'real'} people, size {study.size}, "
        f"{_how_sure(finding, seeds)}"
    )
    finding, left_out = _answerable(study, claim, finding) if runs else (finding, "")
    evidence = (
        Evidence(min(seeds), preconditions(study, claim, runs), conditions(study, runs))
        if runs
        else Evidence()
    )
    return _judged(finding, claim, evidence, (left_out, made_of))


@dataclass(frozen=True)
class Evidence:
    """What a verdict on trained networks rests on besides the interval: seeds, preconditions, and
    the paper's conditions."""

    seeds: int = 0
    preconditions: str = ""
    conditions: str = ""


def _judged(finding: Finding, claim: dict, evidence: Evidence, notes: tuple[str, ...] = ()) -> dict:
    """The rest of a row: the estimates as they are printed, the verdict on them, and why."""
    printed = [tuple(round(x, 2) + 0.0 for x in estimate) for estimate in finding.estimates]
    holds, open_ = answers(printed, claim), unmet(evidence.preconditions)
    trained = bool(evidence.seeds)
    found = verdict(holds, trained, not open_, all_hold(evidence.conditions))
    settled_by = settles(finding.estimates, claim) if found == "inconclusive" else ""
    said = f"would be settled by {settled_by}" if settled_by else ""
    said = f"the paper's figure {in_words(holds)}" if found == "exact" else said
    whys = [*open_, said, finding.why, claim.get("why", ""), *notes]
    return {
        "ours": finding.ours,
        "interval": _intervals(printed) or "not measured",
        "seeds": evidence.seeds,
        "verdict": found,
        "why": "; ".join(filter(None, whys)),
        "holds": "; ".join(holds),
        "preconditions": evidence.preconditions,
        "conditions": evidence.conditions,
        "settles": settled_by,
    }


def _answerable(study: Study, claim: dict, finding: Finding) -> tuple[Finding, str]:
    """The finding without the parts that only photographs answer, where people are drawn, and a
    word on what was left out."""
    asked = claim.get("photographs", []) if study.data == "synthetic" else []
    kept = [x for number, x in enumerate(finding.estimates, 1) if number not in asked]
    if len(kept) == len(finding.estimates):
        return finding, ""
    parts = " and ".join(map(str, asked))
    return replace(finding, estimates=kept), f"part {parts} is about photographs: not judged here"


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


def _intervals(estimates: list[tuple[float, float, float]]) -> str:
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
    (run,) = claim["runs"]
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
    over_ignore, over_include, own = contrasts(
        systems, [[1, -1, 0], [1, 0, -1], [1, 0, 0]], len(state), times=200
    )
    others = own[0] - over_ignore[0], own[0] - over_include[0]
    chance = 100 * (state == VISIBLE).sum() / (state != ABSENT).sum()
    ours = "AP exclude {:.1f}, ignore {:.1f}, include {:.1f} %".format(own[0], *others)
    return Finding(ours, [over_ignore, over_include, own.less(90)], f"chance is {chance:.1f} %")


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
    return Finding(ours, [*contrasts([gains], [1], len(mean.errors)), Estimate(left, left, left)])


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
    """H-c9: area under precision-recall of 'has this joint no annotation?' from a low mean of its
    heatmap, as the released script and the printed areas have it (FACTS C.9), less the area of a
    guess."""
    run = claim["runs"][0]
    absent = study.test_crops(run).people.state == ABSENT  # (N, J)

    def over_chance(seed: str, group: str, chance: float = 1.0):
        mean, gone = study.predict(seed).mean[-1][:, MEMBERS[group]], absent[:, MEMBERS[group]]
        return lambda rows: (
            100
            * (
                average_precision(-mean[rows].ravel(), gone[rows].ravel())
                - chance * gone[rows].mean()
            )
        )

    parts, everybody = ("knee", "ankle"), np.arange(len(absent))
    chances = [100 * absent[:, MEMBERS[group]].mean() for group in parts]
    areas = [
        np.mean([over_chance(seed, group, 0)(everybody) for seed in study.seeds(run)])
        for group in parts
    ]
    systems = [[over_chance(seed, group) for seed in study.seeds(run)] for group in parts]
    ours = "area {:.1f} / {:.1f} %, chance {:.1f} / {:.1f} %".format(*areas, *chances)
    return Finding(ours, contrasts(systems, np.eye(2), len(absent), times=200))


def flic(study: Study, claim: dict) -> Finding:
    """H-c12 of our own network, where the published file is absent."""
    systems = [measure_seeds(study, claim["runs"][0])]
    groups, printed = ("elbow", "wrist"), [float(x) for x in claim["printed"].split(" / ")]
    ours = " / ".join(
        f"{np.mean([one.scores.groups[group] for one in systems[0]]):.1f}" for group in groups
    )
    members = dict(study.test_people("flic").skeleton.groups)
    columns = [
        [share(one.errors[:, list(members[group])], 0.2) for one in systems[0]] for group in groups
    ]
    found = contrasts(columns, np.eye(2), systems[0][0].scores.people)
    differences = [x.less(of) for x, of in zip(found, printed, strict=True)]
    return Finding(ours, differences, "our own network: the published file is absent")


def offset_helps(study: Study, claim: dict) -> Finding:
    systems = [measure_seeds(study, claim["runs"][0], offset=offset) for offset in (True, False)]
    return Finding(
        _totals(systems, threshold=0.1), changes(*systems, threshold=0.1), same_network=True
    )


def _cannot(reason: str):
    def measure(study: Study, claim: dict) -> Finding:
        raise NotMeasured(reason)

    return measure


FILES = {
    "R-c11": occluded_share,
    "R-c12": size_ratio,
    "H-c7": hourglass_files,
    "H-c8": hourglass_files,
    "H-c10": absent_share,
    "H-c11": visible_share,
    "H-c12": flic_file,
    "H-c13": printed_totals,
}
MEASURES = {
    **dict.fromkeys(
        ("R-c1", "R-c2", "R-c3", "R-c4", "R-c5", "R-c6", "R-c10", "H-c3"), each_beats_the_next
    ),
    "R-c7": scales_help,
    "R-c8": easy_joints_gain_least,
    "R-c9": visibility,
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
    "H-c9": presence,
    "H-c12": flic,
    "H-c14": _cannot("the time of one pass on other hardware says nothing about a TitanX"),
    "H-c15": offset_helps,
}
