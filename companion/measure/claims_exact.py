"""The claims that take no training: from MPII's annotation, from published prediction files, and
from the models themselves."""

from pathlib import Path

import numpy as np
import torch

from companion.measure.finding import HARD, MEMBERS, Finding
from companion.measure.intervals import Estimate, over_people
from companion.published.printed import table
from companion.runs.study import NotMeasured, Study
from paperlib import score as scoring
from paperlib.metrics import normalised_errors, pck
from paperlib.models import Recurrent, StackedHourglass
from paperlib.models.complexity import parameters
from paperlib.people import ABSENT, OCCLUDED, VISIBLE
from paperlib.skeleton import MPII

VALID, NEWELL = "mpii/annot/valid.h5", "mpii/preds/newell.h5"


def _data(study: Study, *files: str) -> Path:
    for file in files:
        if not (study.folders.data / file).is_file():
            raise NotMeasured(f"{file} absent")
    return study.folders.data


def _exactly(*differences: float) -> list[Estimate]:
    return [(float(x), float(x), float(x)) for x in differences]


def _states(study: Study) -> np.ndarray:
    """(2958, 16) of MPII's validation people."""
    return scoring.mpii_truth(_data(study, VALID) / VALID, above=0).state


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


def newell_file(study: Study, claim: dict) -> Finding:
    """H-c7, H-c8: all by the official truth; visible and occluded by valid.h5, the one with flags
    (FACTS D.6)."""
    data, group = (
        _data(study, VALID, NEWELL, "mpii/annot/detections_our_format.mat"),
        claim["text"].split()[0],
    )
    truths = scoring.truths("mpii", data, None, "official", None)
    points = scoring.read_points(data / NEWELL, len(truths[0].points), MPII)
    official, flagged = (
        normalised_errors(points, truth.points, truth.reference)[:, MEMBERS[group]]
        for truth in truths
    )
    state = truths[1].state[:, MEMBERS[group]]
    columns = [official] + [
        np.where(state == flag, flagged, np.nan) for flag in (VISIBLE, OCCLUDED)
    ]
    printed = [float(word) for word in claim["printed"].split(" / ")]
    found = over_people(
        lambda rows: np.array([pck(errors[rows], 0.5) for errors in columns]) - printed, len(points)
    )
    return Finding(
        " / ".join(f"{x + paper:.1f}" for (x, _, _), paper in zip(found, printed, strict=True)),
        found,
    )


def size_ratio(study: Study, claim: dict) -> Finding:
    with torch.device("meta"):
        hourglass, recurrent = (
            parameters(StackedHourglass(8, head="paper")),
            parameters(Recurrent()),
        )
    return Finding(
        f"{recurrent:,} vs {hourglass:,}: {hourglass / recurrent:.2f} times",
        _exactly(hourglass / recurrent - 100),
    )


def printed_error(study: Study, claim: dict) -> Finding:
    row = table("h-tab2").set_index("method").loc["Our model", list(HARD)]
    return Finding(f"{100 - row.mean():.2f} %", _exactly(100 - row.mean() - 12.8))
