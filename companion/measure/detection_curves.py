"""H-fig6 and H-fig7, the share of joints within a distance, of published prediction files and of
ours; and one file under every convention."""

import numpy as np
import pandas as pd

from companion.measure.comparisons import file_errors, people_of
from companion.measure.scores import measure_run
from companion.published.compared_systems import COMPARISONS
from companion.runs.study import Study
from paperlib import score as scoring
from paperlib.conventions import CONVENTIONS, Convention, convention
from paperlib.metrics import pck_curve
from paperlib.skeleton import GROUPS, SKELETONS, Skeleton


def every_convention(study: Study, file: str = "mpii/preds/newell.h5") -> pd.DataFrame:
    """One prediction file of MPII's validation people under every convention in use (FACTS C.7,
    D.4), in percent. Empty where the file is absent."""
    path = study.folders.data / file
    rules = CONVENTIONS["mpii"] if path.is_file() else ()
    found = {
        rule: scoring.score_file("mpii", path, study.folders.data, convention=rule.name)
        for rule in rules
    }
    rows = [
        (rule.name, scores["groups"]["head"], scores["total"], rule.source)
        for rule, scores in found.items()
    ]
    return pd.DataFrame(rows, columns=["convention", "head", "total", "who"]).round(2)


def curves(study: Study, artifact: str) -> tuple[pd.DataFrame, str]:
    """H-fig6 (FLIC, elbow and wrist) or H-fig7 (MPII, every group and the total) for
    show.curves.pck_curves, and why a curve is missing, or ''."""
    plan = COMPARISONS[{"H-fig6": "H-tab1", "H-fig7": "H-tab2"}[artifact]]
    rule, skeleton = convention(plan.dataset), SKELETONS[plan.dataset]
    groups, parts, absent = [column for column in plan.columns if column in GROUPS], [], []
    for file in plan.files:
        if not (study.folders.data / file.path).is_file():
            absent.append("published predictions absent")
        elif not (artifact == "H-fig6" and file.labels == "oc"):
            errors = file_errors(
                plan.dataset, study.folders.data / file.path, study.folders.data, file.labels
            )
            parts.append(
                _curve_rows(errors, skeleton, rule, groups).assign(
                    system=file.system, kind="published"
                )
            )
    run = plan.runs[0][0]
    if reason := study.missing(run):
        absent.append(f"ours not measured: {reason}")
    else:
        measured = measure_run(study, run)
        name = f"ours, {people_of(study, plan.dataset, measured.scores.people)}"
        parts.append(
            _curve_rows(measured.errors, skeleton, rule, groups).assign(system=name, kind="ours")
        )
    columns = ["group", "system", "threshold", "pck", "kind"]
    frame = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
    return frame, "; ".join(dict.fromkeys(absent))


def _curve_rows(
    errors: np.ndarray, skeleton: Skeleton, rule: Convention, groups: list[str]
) -> pd.DataFrame:
    """Each group's mean curve over its joints, and, for all seven groups, that of the convention's
    joints pooled."""
    thresholds = np.arange(round(100 * rule.threshold) + 1) / 100
    joints = pck_curve(errors, thresholds)  # (J, K)
    found = {
        name: joints[list(members)].mean(0) for name, members in skeleton.groups if name in groups
    }
    if len(groups) == len(GROUPS):
        counted = errors[:, [skeleton.index(joint) for joint in rule.joints]]
        found["total"] = pck_curve(counted.reshape(-1, 1), thresholds)[0]
    return pd.concat(
        [
            pd.DataFrame({"group": name, "threshold": thresholds, "pck": curve})
            for name, curve in found.items()
        ]
    )
