"""The comparison tables and curves: what the papers print, what the published prediction files
score, and ours.

Every table is long: a row a system, and the column `source` says where its numbers come from.

    paper        printed in the paper
    benchmark    of R table IV: scored by others from the methods' prediction files (FACTS E)
    recomputed   a published prediction file, scored here with our metrics
    ours         a run of the catalogue, measured on this study's people

A measured row stands under the printed row that it answers to, named in `beside`. `low` and `high`
are the 95 % interval of its total (of a file over people, of ours over people and seeds:
intervals.py). `difference` is its total less the printed one, and `inside` says whether the
interval holds the printed total. Of drawn people both are empty, and `note` says why: their total
lies beside no printed one.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from companion.measure.intervals import Estimate, contrasts
from companion.measure.scores import Measured, measure_seeds
from companion.published.compared_systems import COMPARISONS, Comparison
from companion.published.printed import table as printed_table
from companion.runs.catalogue import first_of
from companion.runs.study import Study
from paperlib import score as scoring
from paperlib.conventions import convention
from paperlib.data.datasets import DATASETS
from paperlib.metrics import bootstrap_interval, normalised_errors
from paperlib.models.complexity import model_sizes
from paperlib.skeleton import SKELETONS
from paperlib.truths import truths

MEASURED = (
    "difference",
    "low",
    "high",
    "inside",
    "note",
    "beside",
    "study",
)  # what a measured row has more than a printed one
DRAWN = "drawn people: not compared with the printed total"
HOURGLASS, RECURRENT = "hourglass, 8 stacks, June 2016", "recurrent, 2 iterations, parts"
FUSION = 7 * 7 * 64  # the convolution that R's printed figure leaves out (FACTS B)


def comparison(study: Study, artifact: str) -> pd.DataFrame:
    """R-tab2, R-tab4, H-tab1 or H-tab2, in percent: under each printed row what answers to it. What
    cannot be had says so in `note`."""
    plan, printed = COMPARISONS[artifact], printed_table(artifact)
    measured = [
        *_recomputed(plan, printed, study.folders.data),
        *_ours(plan, printed, study, artifact),
    ]
    rows = [
        row
        for first in (*_printed(plan, printed), {"beside": ""})
        for row in (first, *_answers(measured, first["beside"]))
        if "source" in row
    ]
    return _table(plan, rows)


def made_of(study: Study, artifact: str) -> dict:
    """What `save_table` says under a comparison: its runs, its prediction files, its convention and
    its note."""
    plan = COMPARISONS[artifact]
    named = _runs(plan, study, artifact)
    runs = tuple(seed for run, _ in named for seed in study.seeds(run))
    return {
        "runs": runs,
        "predictions": tuple(dict.fromkeys(file.path for file in plan.files)),
        "notes": (*reading_notes(plan.dataset), plan.note),
    }


def reading_notes(dataset: str) -> tuple[str, ...]:
    """The convention of a table, and how its interval is to be read."""
    rule = convention(dataset)
    name = "PCKh" if dataset == "mpii" else "PCK"
    return (
        f"Convention: {name}@{rule.threshold:g}, {rule.name}, total over "
        f"{len(rule.joints)} joints {rule.total}. {rule.source}.",
        "The 95 % interval is of the measured total: of ours over people and seeds, of a "
        "published file over people. 'inside' says whether it holds "
        "the printed total; drawn people are not compared with it. Where a row has both, "
        "difference and interval of the short table are ours'. Bold: the best of its source.",
    )


def recomputed(study: Study, artifact: str) -> pd.DataFrame:
    """The rows of `comparison` that published prediction files give: the same whatever was trained.
    Percent, two decimals."""
    plan = COMPARISONS[artifact]
    table = _table(plan, _recomputed(plan, printed_table(artifact), study.folders.data))
    return table.drop(columns=["source", "study"]).round(2)


def _table(plan: Comparison, rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["method", "source", "people", *plan.columns, *MEASURED])
    words = dict.fromkeys(("note", "people", "inside", "beside", "study"), "")
    kinds = dict.fromkeys([*plan.columns, "difference", "low", "high"], float) | dict.fromkeys(
        words, object
    )
    return table.astype(kinds).fillna(words)


def _answers(measured: list[dict], printed: str) -> list[dict]:
    return [row for row in measured if row["beside"] == printed]


def sizes_table() -> pd.DataFrame:
    """R-tab3: the printed figure, the same counted as it was counted, the learnable numbers, the
    rule k * k * C_out, and what explains each row (FACTS B). `inside` is whether the count is the
    printed figure as it is rounded, to half a percent."""
    sizes = pd.DataFrame(model_sizes())
    ours = sizes.set_index("model").parameters[RECURRENT]
    printed = ["-" if np.isnan(value) else f"{value:.0f}" for value in sizes.printed]
    counted = (
        sizes.paper_rule.where(sizes.model != HOURGLASS, sizes.parameters)
        - (sizes.model == RECURRENT) * FUSION
    )
    difference = (counted - sizes.printed).astype(float)
    inside = [
        "" if np.isnan(apart) else "yes" if abs(apart) <= 0.005 * value else "no"
        for apart, value in zip(difference, sizes.printed, strict=True)
    ]
    return pd.DataFrame(
        {
            "model": sizes.model,
            "printed": printed,
            "counted so": counted.where(sizes.printed.notna()).astype(float),
            "difference": difference,
            "inside": inside,
            "parameters": sizes.parameters,
            "k*k*C_out": sizes.paper_rule,
            "times recurrent": (sizes.parameters / ours).round(3),
            "GMACs": sizes.gmacs.round(2),
            "input px": sizes.input,
            "explanation": sizes.note,
        }
    )


def file_errors(dataset: str, path: Path, data: Path, labels: str | None = None) -> np.ndarray:
    """(N, J) normalised errors of a published prediction file under the official convention."""
    truth, _ = truths(
        dataset, data, None, "official", labels or ("oc" if dataset == "flic" else "pc")
    )
    return normalised_errors(
        scoring.read_points(path, len(truth.points), SKELETONS[dataset]),
        truth.points,
        truth.reference,
    )


def _printed(plan: Comparison, printed: pd.DataFrame) -> list[dict]:
    source = "benchmark" if plan.dataset == "lsp" else "paper"
    rows = printed.drop(columns="source").to_dict("records")
    more = {"source": source, "people": plan.printed_on}
    return [
        {"total": _total(plan, printed, row["method"])} | row | more | {"beside": row["method"]}
        for row in rows
    ]


def _recomputed(plan: Comparison, printed: pd.DataFrame, data: Path) -> list[dict]:
    rows = []
    for file in plan.files:
        row = {"method": file.system, "source": "recomputed", "note": file.note, "beside": file.row}
        if not (data / file.path).is_file():
            rows.append(row | {"note": "not measured: published predictions absent"})
            continue
        found = scoring.score_file(plan.dataset, data / file.path, data, labels=file.labels)
        values = found["groups"] | {
            "total": found["total"],
            "auc": found["auc"],
            "people": f"{DATASETS[plan.dataset].measured}, {found['people']} people",
        }
        counted = np.isin(SKELETONS[plan.dataset].joints, convention(plan.dataset).joints)
        errors = file_errors(plan.dataset, data / file.path, data, file.labels)[:, counted]
        ends = bootstrap_interval(errors <= found["threshold"], ~np.isnan(errors))
        rows.append(
            row | values | _against((found["total"], *ends), _total(plan, printed, file.row))
        )
    return rows


def _runs(plan: Comparison, study: Study, artifact: str) -> list[tuple[str, str]]:
    """The runs of a table and the printed row that each answers to: those of the plan, and every
    other one of the catalogue that names the table among its artifacts, which answers to none."""
    named = [name for name, run in study.runs.items() if artifact in run.artifacts]
    known = dict(plan.runs)
    return [*plan.runs, *((name, "") for name in named if first_of(name) == name not in known)]


def _ours(plan: Comparison, printed: pd.DataFrame, study: Study, artifact: str) -> list[dict]:
    rows = []
    for run, answers in _runs(plan, study, artifact):
        row = {
            "method": f"ours: {run}",
            "source": "ours",
            "beside": answers,
            "study": study.results.name,
        }
        if reason := study.missing(run):
            rows.append(row | {"note": f"not measured: {reason}"})
            continue
        seeds = measure_seeds(study, run)
        values, estimate = mean_scores(seeds), total_of(seeds)
        row |= values | against(study, estimate, _total(plan, printed, answers))
        rows.append(row | {"people": people_of(study, plan.dataset, seeds[0].scores.people)})
    return rows


def mean_scores(seeds: list[Measured]) -> dict[str, float]:
    """Groups, total and AUC, means over the seeds."""
    each = [one.scores.groups | {"total": one.scores.total, "auc": one.scores.auc} for one in seeds]
    return {name: float(np.mean([one[name] for one in each])) for name in each[0]}


def total_of(seeds: list[Measured]) -> Estimate:
    """The total with its 95 % interval, over people and seeds."""
    return contrasts([[one.share() for one in seeds]], [1], seeds[0].scores.people)[0]


def against(study: Study, found: Estimate, printed: float) -> dict:
    """The columns that lay our total beside the printed one; of drawn people those that can."""
    if study.data != "synthetic":
        return _against(found, printed)
    _, low, high = found
    return {"low": low, "high": high, "note": DRAWN}


def _against(found: Estimate, printed: float) -> dict:
    total, low, high = found
    inside = "" if np.isnan(printed) else "yes" if low <= printed <= high else "no"
    return {"low": low, "high": high, "difference": total - printed, "inside": inside}


def _total(plan: Comparison, printed: pd.DataFrame, row: str) -> float:
    """The printed total of `row`, NaN if there is none. H table 1 prints none: elbows and wrists
    are equally many, so it is their mean."""
    if not row:
        return np.nan
    values = printed.set_index("method").loc[row]
    return float(values["total"] if "total" in values else values[["elbow", "wrist"]].mean())


def people_of(study: Study, dataset: str, count: int) -> str:
    return (
        f"{count} drawn people"
        if study.data == "synthetic"
        else f"{count} people of {DATASETS[dataset].measured}"
    )
