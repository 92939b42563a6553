"""The comparison tables and curves: what the papers print, what the published prediction files score, and ours.

Every table is long: a row a system, and the column `source` says where its numbers come from.

    paper        printed in the paper
    benchmark    R table IV, whose digits its stored text lacks: scored by others from the prediction files (FACTS E)
    recomputed   a published prediction file, scored here with our metrics
    ours         a run of the catalogue, measured on this study's people

`difference` is a measured total minus that of the printed row it answers to; `low` and `high` are ours' 95 % interval over people.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from paperlib import published
from paperlib import score as scoring
from paperlib.metrics import Convention, convention, normalised_errors, pck_curve
from paperlib.models.sizes import model_sizes
from paperlib.reproduce.measures import measure_run
from paperlib.reproduce.study import Study
from paperlib.skeleton import SKELETONS, Skeleton

GROUPS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
PEOPLE = {"mpii": "MPII validation", "lsp": "LSP test", "flic": "FLIC test"}
VALIDATION = "MPII validation, not the test set that the paper's row is measured on"


@dataclass(frozen=True)
class File:
    """A published prediction file in the data folder, and the printed row it answers to ('' if none)."""

    path: str
    system: str
    row: str = ""
    labels: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Comparison:
    """What is laid beside a printed table: files, and runs with the printed row that each answers to ('' if none)."""

    dataset: str
    columns: tuple[str, ...]
    printed_on: str
    files: tuple[File, ...]
    runs: tuple[tuple[str, str], ...]


def _mpii_files(tompson: str, newell: str) -> tuple[File, ...]:
    return (
        File("mpii/preds/tompson.h5", "Tompson et al., published file", tompson, note=VALIDATION),
        File("mpii/preds/newell.h5", "Newell et al., published file", newell, note=VALIDATION),
        File("mpii/preds/newell-valid-ours.h5", "Newell et al., file of the demo code", newell, note=VALIDATION),
        File("mpii/preds/bearpaw-hg_s2_b1.mat", "hourglass, 2 stacks, bearpaw", note="MPII validation; another's PyTorch port"),
    )


_LSP_FILES = {
    "WangLiCVPR13": "Wang&Li CVPR13",
    "TompsonNIPS14": "Tompson NIPS14",
    "FanCVPR15": "Fan CVPR15",
    "ChenYuilleNIPS14": "Chen&Yuille NIPS14",
    "YuECCV16": "Yu ECCV16",
    "BelagiannisZissermanARXIV16": "Belagiannis&Zisserman (submitted predictions)",
    "LifshitzECCV16": "Lifshitz ECCV16",
    "PishchulinCVPR16": "Pishchulin CVPR16",
    "WeiCVPR16": "Wei CVPR16",
}
_NEWELL_FLIC = "predictions/flic/NewellARXIV16.mat"

COMPARISONS = {
    "R-tab2": Comparison(
        "mpii",
        (*GROUPS, "total", "auc"),
        "MPII test",
        _mpii_files("Tompson et al. [37]", "Newell et al. [25]"),
        (("recurrent", "Ours"), ("recurrent-t2-parts-finetuned", "Ours (fine-tuned)"), ("hourglass", "Newell et al. [25]")),
    ),
    "R-tab4": Comparison(
        "lsp",
        (*GROUPS, "total", "auc"),
        "LSP test, 1000 people",
        tuple(File(f"predictions/lsp_pc/{file}.mat", row, row) for file, row in _LSP_FILES.items()),
        (("recurrent-lsp", "Belagiannis&Zisserman (submitted predictions)"), ("hourglass-lsp", "")),
    ),
    "H-tab1": Comparison(
        "flic",
        ("elbow", "wrist", "total"),
        "FLIC test, 1016 people",
        (
            File("predictions/flic/WeiCVPR16.mat", "Wei et al., published file", "Wei et al."),
            File("predictions/flic/YangCVPR16.mat", "Yang et al. CVPR16, published file"),
            File(_NEWELL_FLIC, "Newell et al., published file", "Our model", "pc", "a person-centric file against person-centric labels"),
            File(_NEWELL_FLIC, "Newell et al., published file, oc", "Our model", "oc", "the same file against the paper's observer-centric labels"),
        ),
        (("hourglass-flic", "Our model"),),
    ),
    "H-tab2": Comparison(
        "mpii",
        (*GROUPS, "total"),
        "MPII test",
        _mpii_files("Tompson et al. CVPR15", "Our model"),
        (("hourglass", "Our model"), ("recurrent", "")),
    ),
}


def comparison(study: Study, artifact: str) -> pd.DataFrame:
    """R-tab2, R-tab4, H-tab1 or H-tab2, in percent: printed rows, then prediction files, then ours. What cannot be had says so in `note`."""
    plan, printed = COMPARISONS[artifact], published.table(artifact)
    return _table(plan, [*_printed(plan, printed), *_recomputed(plan, printed, study.folders.data), *_ours(plan, printed, study)])


def recomputed(study: Study, artifact: str) -> pd.DataFrame:
    """The rows of `comparison` that published prediction files give: the same whatever was trained. Percent, two decimals."""
    plan = COMPARISONS[artifact]
    table = _table(plan, _recomputed(plan, published.table(artifact), study.folders.data))
    return table.drop(columns=["source", "low", "high"]).round(2)


def _table(plan: Comparison, rows: list[dict]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["method", "source", "people", *plan.columns, "low", "high", "difference", "note"])
    return table.astype(dict.fromkeys([*plan.columns, "low", "high", "difference"], float)).fillna({"note": "", "people": ""})


def sizes_table() -> pd.DataFrame:
    """R-tab3: the printed figure, the learnable numbers, the rule k * k * C_out that reconciles the two, and what explains each row (FACTS B)."""
    sizes = pd.DataFrame(model_sizes())
    ours = sizes.set_index("model").parameters["recurrent, 2 iterations, parts"]
    printed = ["-" if np.isnan(value) else f"{value:.0f}" for value in sizes.printed]
    return pd.DataFrame(
        {
            "model": sizes.model,
            "printed": printed,
            "parameters": sizes.parameters,
            "k*k*C_out": sizes.paper_rule,
            "times recurrent": (sizes.parameters / ours).round(3),
            "GMACs": sizes.gmacs.round(2),
            "input px": sizes.input,
            "explanation": sizes.note,
        }
    )


def five_numbers(study: Study, file: str = "mpii/preds/newell.h5") -> pd.DataFrame:
    """One prediction file of MPII's validation people under every convention in use (FACTS D.4), in percent. Empty where the file is absent."""
    path = study.folders.data / file
    names = ("official", "headtop", "unweighted14", "pooled16", "hard10")
    found = {name: scoring.score_file("mpii", path, study.folders.data, convention=name) for name in names if path.is_file()}
    rows = [(name, found[name]["groups"]["head"], found[name]["total"], convention("mpii", name).source) for name in found]
    return pd.DataFrame(rows, columns=["convention", "head", "total", "who"]).round(2)


def curves(study: Study, artifact: str) -> tuple[pd.DataFrame, str]:
    """H-fig6 (FLIC, elbow and wrist) or H-fig7 (MPII, every group and the total) for show.curves.pck_curves, and why a curve is missing, or ''."""
    plan = COMPARISONS[{"H-fig6": "H-tab1", "H-fig7": "H-tab2"}[artifact]]
    rule, skeleton = convention(plan.dataset), SKELETONS[plan.dataset]
    groups, parts, absent = [column for column in plan.columns if column in GROUPS], [], []
    for file in plan.files:
        if not (study.folders.data / file.path).is_file():
            absent.append("published predictions absent")
        elif not (artifact == "H-fig6" and file.labels == "oc"):
            errors = file_errors(plan.dataset, study.folders.data / file.path, study.folders.data, file.labels)
            parts.append(_curve_rows(errors, skeleton, rule, groups).assign(system=file.system, kind="published"))
    run = plan.runs[0][0]
    if reason := study.missing(run):
        absent.append(f"ours not measured: {reason}")
    else:
        measured = measure_run(study, run)
        name = f"ours, {_people(study, plan.dataset, measured.scores.people)}"
        parts.append(_curve_rows(measured.errors, skeleton, rule, groups).assign(system=name, kind="ours"))
    columns = ["group", "system", "threshold", "pck", "kind"]
    frame = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
    return frame, "; ".join(dict.fromkeys(absent))


def file_errors(dataset: str, path: Path, data: Path, labels: str | None = None) -> np.ndarray:
    """(N, J) normalised errors of a published prediction file under the official convention."""
    truth, _ = scoring.truths(dataset, data, None, "official", labels or ("oc" if dataset == "flic" else "pc"))
    return normalised_errors(scoring.read_points(path, len(truth.points), SKELETONS[dataset]), truth.points, truth.reference)


def _curve_rows(errors: np.ndarray, skeleton: Skeleton, rule: Convention, groups: list[str]) -> pd.DataFrame:
    """Each group's mean curve over its joints, and, for all seven groups, that of the convention's joints pooled."""
    thresholds = np.arange(round(100 * rule.threshold) + 1) / 100
    joints = pck_curve(errors, thresholds)  # (J, K)
    found = {name: joints[list(members)].mean(0) for name, members in skeleton.groups if name in groups}
    if len(groups) == len(GROUPS):
        counted = errors[:, [skeleton.index(joint) for joint in rule.joints]]
        found["total"] = pck_curve(counted.reshape(-1, 1), thresholds)[0]
    return pd.concat([pd.DataFrame({"group": name, "threshold": thresholds, "pck": curve}) for name, curve in found.items()])


def _printed(plan: Comparison, printed: pd.DataFrame) -> list[dict]:
    source = "benchmark" if plan.dataset == "lsp" else "paper"
    return [row | {"source": source, "people": plan.printed_on} for row in printed.drop(columns="source").to_dict("records")]


def _recomputed(plan: Comparison, printed: pd.DataFrame, data: Path) -> list[dict]:
    rows = []
    for file in plan.files:
        row = {"method": file.system, "source": "recomputed", "note": file.note}
        if not (data / file.path).is_file():
            rows.append(row | {"note": "not measured: published predictions absent"})
            continue
        found = scoring.score_file(plan.dataset, data / file.path, data, labels=file.labels)
        values = found["groups"] | {"total": found["total"], "auc": found["auc"]}
        people = f"{PEOPLE[plan.dataset]}, {found['people']} people"
        rows.append(row | values | {"people": people, "difference": found["total"] - _total(plan, printed, file.row)})
    return rows


def _ours(plan: Comparison, printed: pd.DataFrame, study: Study) -> list[dict]:
    rows = []
    for run, answers in plan.runs:
        row = {"method": f"ours: {run}", "source": "ours"}
        if reason := study.missing(run):
            rows.append(row | {"note": f"not measured: {reason}"})
            continue
        measured = measure_run(study, run)
        scores, (low, high) = measured.scores, measured.interval()
        values = scores.groups | {"total": scores.total, "auc": scores.auc, "low": low, "high": high}
        against = f"beside '{answers}'; " if answers else "no row in the paper; "
        values |= {"difference": scores.total - _total(plan, printed, answers), "note": f"{against}size {study.size}, one seed"}
        rows.append(row | values | {"people": _people(study, plan.dataset, scores.people)})
    return rows


def _total(plan: Comparison, printed: pd.DataFrame, row: str) -> float:
    """The printed total of `row`, NaN if there is none. H table 1 prints none: elbows and wrists are equally many, so it is their mean."""
    if not row:
        return np.nan
    values = printed.set_index("method").loc[row]
    return float(values["total"] if "total" in values else values[["elbow", "wrist"]].mean())


def _people(study: Study, dataset: str, count: int) -> str:
    return f"{count} drawn people" if study.data == "synthetic" else f"{count} people of {PEOPLE[dataset]}"
