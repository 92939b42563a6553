"""The claims that take no training: from MPII's annotation, from published prediction files, from
printed tables, and from the models themselves."""

from pathlib import Path

import numpy as np
import torch

from companion.figures.microscope import shipped_counts
from companion.measure.finding import HARD, MEMBERS, Finding
from companion.measure.intervals import Estimate
from companion.published.printed import table
from companion.runs.study import NotMeasured, Study
from paperlib import score as scoring
from paperlib.metrics import normalised_errors, pck
from paperlib.models import Recurrent, StackedHourglass
from paperlib.models.complexity import paper_rule, parameters
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import GROUPS, MPII
from paperlib.truths import mpii_truth, truths

VALID = "mpii/annot/valid.h5"
NEWELL = "newell.h5"
WITNESSES = {  # trainings of H's eight stacks whose predictions are published
    NEWELL: "mpii/preds/newell.h5",
    "bearpaw's 8 stacks": "mpii/preds/bearpaw-hg_s8_b1.mat",
}
FLIC_FILE = "predictions/flic/NewellARXIV16.mat"
FLIC_LABELS = ("flic/annot/valid.h5", "flic/annot/valid_personcentric.h5")


def _data(study: Study, *files: str) -> Path:
    for file in files:
        if not (study.folders.data / file).is_file():
            raise NotMeasured(f"{file} absent")
    return study.folders.data


def _exactly(*differences: float) -> list[Estimate]:
    return [Estimate(x, x, x) for x in differences]


def _states(study: Study) -> np.ndarray:
    """(2958, 16) of MPII's validation people."""
    return mpii_truth(_data(study, VALID) / VALID, above=0).state


def occluded_share(study: Study, claim: dict) -> Finding:
    state = _states(study)
    share = 100 * (state == OCCLUDED).sum() / (state != ABSENT).sum()
    return Finding(f"{share:.2f} %", _exactly(share - 23))


def absent_share(study: Study, claim: dict) -> Finding:
    knee, ankle = (
        100 * (_states(study)[:, MEMBERS[group]] == ABSENT).mean() for group in ("knee", "ankle")
    )
    return Finding(f"{knee:.2f} % / {ankle:.2f} %", _exactly(knee - 16.1, ankle - 28.4))


def visible_share(study: Study, claim: dict) -> Finding:
    state = _states(study)[:, MEMBERS["elbow"] + MEMBERS["wrist"]]
    share = 100 * (state == VISIBLE).sum() / (state != ABSENT).sum()
    return Finding(f"{share:.2f} %", _exactly(share - 75))


def hourglass_files(study: Study, claim: dict) -> Finding:
    """H-c7, H-c8: each published file of eight stacks, a training each, on the paper's own
    validation people. All by the official truth; visible and occluded by valid.h5, the one with
    flags (FACTS D.6)."""
    data = _data(study, VALID, WITNESSES[NEWELL], "mpii/annot/detections_our_format.mat")
    there = [name for name, file in WITNESSES.items() if (data / file).is_file()]
    shares = {name: _shares(data, WITNESSES[name], claim["text"].split()[0]) for name in there}
    printed = [float(word) for word in claim["printed"].split(" / ")]
    absent = [f"absent: {name}" for name in WITNESSES if name not in there]
    return Finding(
        "; ".join(
            f"{name} {' / '.join(f'{share:.1f}' for share in found)}"
            for name, found in shares.items()
        ),
        _exactly(
            *(x - y for found in shares.values() for x, y in zip(found, printed, strict=True))
        ),
        "; ".join(absent),
    )


def _shares(data: Path, file: str, group: str) -> list[float]:
    """PCKh of all, visible and occluded joints of a published file, percent."""
    both = truths("mpii", data, None, "official", None)
    points = scoring.read_points(data / file, len(both[0].points), MPII)
    official, flagged = (
        normalised_errors(points, truth.points, truth.reference)[:, MEMBERS[group]]
        for truth in both
    )
    state = both[1].state[:, MEMBERS[group]]
    hidden = [np.where(state == flag, flagged, np.nan) for flag in (VISIBLE, OCCLUDED)]
    return [pck(errors, 0.5) for errors in (official, *hidden)]


def flic_file(study: Study, claim: dict) -> Finding:
    """H-c12: Newell's published file, person-centric as it is; against the labels that the paper
    names it is 4 points lower, which only says that the file is not of those."""
    data = _data(study, FLIC_FILE, *FLIC_LABELS)
    own, other = (
        scoring.score_file("flic", data / FLIC_FILE, data, labels=labels)["groups"]
        for labels in ("pc", "oc")
    )
    printed = [float(word) for word in claim["printed"].split(" / ")]
    return Finding(
        "{:.1f} / {:.1f}, the published file".format(own["elbow"], own["wrist"]),
        _exactly(*(own[group] - of for group, of in zip(("elbow", "wrist"), printed, strict=True))),
        "the published file by person-centric labels, as it is; by the paper's observer-centric "
        f"ones {other['elbow']:.1f} / {other['wrist']:.1f}",
    )


def size_ratio(study: Study, claim: dict) -> Finding:
    """R-c12 on two scales: learnable numbers, and R's own rule, k * k * C_out (FACTS B)."""
    with torch.device("meta"):
        both = StackedHourglass(8, head="paper"), Recurrent()
    learnable, ruled = ([count(model) for model in both] for count in (parameters, paper_rule))
    ratios = [hourglass / recurrent for hourglass, recurrent in (learnable, ruled)]
    return Finding(
        f"learnable {learnable[1]:,} vs {learnable[0]:,}: {ratios[0]:.2f} times; by R's own rule "
        f"{ruled[1]:,} vs {ruled[0]:,}: {ratios[1]:.2f} times",
        _exactly(*(ratio - 100 for ratio in ratios)),
    )


def printed_totals(study: Study, claim: dict) -> Finding:
    """H-c13, its two halves: the total that H table 2's own columns give, weighted by how many
    joints of each group MPII's validation people have, and the mean error of four of them."""
    row, counts = table("h-tab2").set_index("method").loc["Our model"], shipped_counts()
    counts = counts[(counts.truth == "fractions") & (counts.normaliser == "head")]
    annotated = counts.groupby("joint").annotated.sum()
    joints = {group: annotated[[MPII.joints[j] for j in MEMBERS[group]]].sum() for group in GROUPS}
    total = sum(row[group] * count for group, count in joints.items()) / sum(joints.values())
    right = counts.within.map(lambda steps: sum(map(int, steps.split()[:51]))).sum()  # up to 0.5
    error = 100 - row[list(HARD)].mean()
    file = 100 * right / counts.annotated.sum()
    return Finding(
        f"{total:.2f} by its own columns; {error:.2f} %, a rounding slip",
        _exactly(total - 90.9, error - 12.8),
        f"the published file newell.h5, on the validation people, scores {file:.2f}",
    )
