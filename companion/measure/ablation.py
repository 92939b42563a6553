"""What each component is worth: R table I row by row, the curves of H fig. 8, the stages of H fig.
9, each beside what it is compared with.

Differences between two networks are paired, both look at the same people, and their 95 % intervals
hold what another seed may change (intervals.py). Of one network, stage by stage or with and without
something, they are over people alone.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from companion.measure.claims import SCALES
from companion.measure.comparisons import against, mean_scores, total_of
from companion.measure.intervals import contrasts, less
from companion.measure.scores import Measured, baseline, measure_run, measure_seeds
from companion.published.printed import table, text_numbers
from companion.runs.study import Study
from paperlib.metrics import bootstrap_interval, pck
from paperlib.skeleton import GROUPS

# R table I from the top: a run, and the scales of the crop that are averaged at test time.
ROWS = (
    ("recurrent-t0-exclude", (1.0,)),
    ("recurrent-t0-ignore", (1.0,)),
    ("recurrent-t0", (1.0,)),
    ("recurrent-t1", (1.0,)),
    ("recurrent-t2", (1.0,)),
    ("recurrent-t2-parts", (1.0,)),
    ("recurrent-t2-parts-finetuned", (1.0,)),
    ("recurrent-t2-parts-finetuned", SCALES),
)
# H fig. 8, by the paper's names, and H fig. 9, by the number of hourglasses.
VARIANTS = {
    "HG": "hourglass-1x8",
    "HG-Int": "hourglass-1x8-int",
    "HG-Stacked": "hourglass-2x4-last",
    "HG-Stacked-Int": "hourglass-2x4",
}
ARRANGEMENTS = {2: "hourglass-2x4", 4: "hourglass-4x2", 8: "hourglass-8x1"}


def component_ablation(study: Study) -> pd.DataFrame:
    """R-tab1 in percent: each row as printed, and under it as measured here.

    `gain` is what a row adds to the row above, with its paired interval. `low` to `high` is the
    95 % interval of our total; on photographs `difference` is our total less the printed one and
    `inside` whether that interval holds it. Drawn people are not laid beside the printed total, and
    `note` says so; a row whose run cannot be had says why there.
    """
    printed, rows, above = table("r-tab1"), [], None
    for number, (run, scales) in enumerate(ROWS):
        paper = printed.loc[number]
        row = {
            "heatmaps": paper.method,
            "source": "paper",
            "note": "",
            "beside": paper.method,
        } | paper[[*GROUPS, "total"]].to_dict()
        rows.append(row | ({"gain": paper.total - printed.total[number - 1]} if number else {}))
        row = {
            "heatmaps": paper.method,
            "source": "ours",
            "note": "",
            "beside": paper.method,
            "study": study.results.name,
        }
        if reason := study.missing(run):
            rows.append(row | {"note": f"not measured: {reason}"})
            above = None
            continue
        found = measure_seeds(study, run, scales=scales)
        row |= mean_scores(found) | against(study, total_of(found), paper.total)
        rows.append(row | _added(found, above, same_network=run == ROWS[number - 1][0]))
        above = found
    names = [
        "heatmaps",
        "source",
        *GROUPS,
        "total",
        "difference",
        "low",
        "high",
        "inside",
        "gain",
        "gain low",
        "gain high",
        "note",
        "beside",
        "study",
    ]
    words = {"inside": "", "study": ""}
    return _frame(rows, names).astype(dict.fromkeys(words, object)).fillna(words)


def _added(
    found: list[Measured], above: list[Measured] | None, same_network: bool
) -> dict[str, float]:
    """What a row adds to the one above: of another network, or of the same one predicting otherwise
    (the last row)."""
    if not above:
        return {}
    shares = [[one.share() for one in seeds] for seeds in (found, above)]
    if same_network:
        estimate = contrasts(*_of_one_network(found, above))[0]
    else:
        estimate = contrasts(shares, [1, -1], found[0].scores.people)[0]
    return dict(zip(("gain", "gain low", "gain high"), estimate, strict=True))


def site_table(study: Study, run: str) -> pd.DataFrame:
    """Run `run` at each of its supervised sites, percent, under the mean pose of its training
    people; `difference` is to the row above."""
    above = baseline(study, run)
    rows = [{"prediction": "mean pose"} | _scores(above)]
    for site in range(len(study.predict(run).points)):
        found = measure_run(study, run, site=site)
        rows.append(
            {"prediction": f"after hourglass {site + 1}"} | _scores(found) | _gain(found, above)
        )
        above = found
    return _frame(rows, ["prediction", *GROUPS, "total", "difference", "low", "high"])


def offset_table(
    study: Study, run: str, thresholds: tuple[float, ...] = (0.05, 0.1, 0.2, 0.5)
) -> pd.DataFrame:
    """PCKh at several thresholds, percent, with the quarter-pixel offset and at the arg-max alone
    (H sec. 3.4), and the paired difference."""
    moved, plain = (measure_run(study, run, offset=offset) for offset in (True, False))
    rows = []
    for threshold in thresholds:
        first, second = (
            replace(one, scores=replace(one.scores, threshold=threshold)) for one in (moved, plain)
        )
        shares = {
            name: pck(one.errors[:, one.counted], threshold)
            for name, one in (("arg-max", plain), ("with offset", moved))
        }
        low, high = bootstrap_interval(first.hits, first.annotated, against=second.hits)
        rows.append(
            {"threshold": threshold}
            | shares
            | {"difference": shares["with offset"] - shares["arg-max"], "low": low, "high": high}
        )
    return pd.DataFrame(rows)


def progress(study: Study) -> pd.DataFrame:
    """H-fig8: what was watched while the four variants trained, every seed of them. Columns curve,
    seed (the run's name), step, measure ("accuracy" or "PCKh") and value, percent.

    The accuracy is the one in heatmap space that the authors' code prints, over wrists, elbows,
    knees and ankles (FACTS C.7).
    """
    parts = []
    for curve, run in VARIANTS.items():
        for seed in study.seeds(run):
            log = study.log(seed).dropna(subset="accuracy").rename(columns={"pck": "PCKh"})
            rows = log.melt("step", ["accuracy", "PCKh"], "measure")
            parts.append(rows.assign(curve=curve, seed=seed))
    return pd.concat(parts, ignore_index=True)[["curve", "seed", "step", "measure", "value"]]


def deepest(study: Study) -> str:
    """The run of most stacks among those of equal capacity that can be had."""
    there = [run for run in ARRANGEMENTS.values() if study.seeds(run)]
    return (there or list(ARRANGEMENTS.values()))[-1]


def stages(study: Study) -> pd.DataFrame:
    """The networks of equal capacity after each of their hourglasses, means over seeds, percent:
    `accuracy` in heatmap space at the end of training, of the people watched (FACTS C.7), and
    `pckh` of all test people with its 95 % interval `low` to `high`. `accuracy gain` and `gain`
    (of PCKh, paired, with `gain low` to `gain high`) are since half-way. `stage` 1 is the first of
    `stacks` hourglasses. The intervals hold no luck of a seed where there is one. Networks that
    are not trained are left out."""
    rows = []
    for stacks, run in ARRANGEMENTS.items():
        if not study.seeds(run):
            continue
        accuracy = _accuracy_by_site(study, run)
        every = [measure_seeds(study, run, site=site) for site in range(stacks)]
        half = stacks // 2 - 1
        for site, found in enumerate(every):
            pckh = contrasts(*_of_one_network(found))[0]
            gain = contrasts(*_of_one_network(found, every[half]))[0]
            row = {"stacks": stacks, "stage": site + 1, "accuracy": accuracy[site]}
            row |= dict(zip(("pckh", "low", "high"), pckh, strict=True))
            row |= {"accuracy gain": accuracy[site] - accuracy[half]}
            rows.append(row | dict(zip(("gain", "gain low", "gain high"), gain, strict=True)))
    return pd.DataFrame(rows)


def _accuracy_by_site(study: Study, run: str) -> list[float]:
    """The last watched accuracy of every site, means over seeds."""
    last = [study.log(seed).dropna(subset="accuracy").iloc[-1] for seed in study.seeds(run)]
    sites = sum(name.startswith("accuracy_site") for name in last[0].index)
    return [float(np.mean([log[f"accuracy_site{site}"] for log in last])) for site in range(sites)]


def _of_one_network(found: list[Measured], above: list[Measured] | None = None) -> tuple:
    """What `contrasts` takes for a network's share of joints found, or for its gain over its own
    answer `above`."""
    shares = [one.share() for one in found]
    if above:
        shares = [less(new, old.share()) for new, old in zip(shares, above, strict=True)]
    return [shares], [1], found[0].scores.people, True


def printed_stages() -> pd.DataFrame:
    """What H fig. 9 prints half-way and at the end: stacks, stage and accuracy, percent."""
    printed = text_numbers().set_index("item").value
    rows = []
    for stacks in ARRANGEMENTS:
        for stage, where in ((stacks // 2, f"after stack {stacks // 2}"), (stacks, "final")):
            rows.append(
                (
                    stacks,
                    stage,
                    printed[f"validation accuracy, {stacks} stacks of {8 // stacks}, {where}"],
                )
            )
    return pd.DataFrame(rows, columns=["stacks", "stage", "accuracy"])


def _scores(found: Measured) -> dict[str, float]:
    return {group: found.scores.groups[group] for group in GROUPS} | {"total": found.scores.total}


def _gain(found: Measured, above: Measured | None) -> dict[str, float]:
    return (
        dict(zip(("difference", "low", "high"), found.gain_over(above), strict=True))
        if above
        else {}
    )


def _frame(rows: list[dict], columns: list[str]) -> pd.DataFrame:
    numbers = {
        *GROUPS,
        "total",
        "difference",
        "low",
        "high",
        "gain",
        "gain low",
        "gain high",
    } & set(columns)
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, float))
