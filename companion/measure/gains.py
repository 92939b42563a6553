"""What one system gains over another, as the papers print it and as measured: the rows of the
forest plots 05-gains, 07-gains and 07-hard-joints.

Printed differences carry no interval; those of published files are paired over people, ours over
people and seeds (intervals.py). Columns: row, source, gain, low and high, points.
"""

import numpy as np
import pandas as pd

from companion.measure.comparisons import file_errors
from companion.measure.finding import MEMBERS
from companion.measure.intervals import contrasts, less, over_people, share
from companion.measure.scores import measure_seeds
from companion.published.printed import table as printed_table
from companion.runs.study import Study
from paperlib.conventions import convention
from paperlib.skeleton import GROUPS, MPII

COLUMNS = ["row", "source", "gain", "low", "high"]
PARTS = ("total", *GROUPS)
FILES = ("mpii/preds/newell.h5", "mpii/preds/tompson.h5")


def of_components(components: pd.DataFrame) -> pd.DataFrame:
    """05-gains: of the rows of `ablation.component_ablation`, what each adds to the row above."""
    frame = components.rename(columns={"heatmaps": "row", "gain low": "low", "gain high": "high"})
    frame = frame.drop(columns=["low", "high"]).join(
        components[["gain low", "gain high"]].set_axis(["low", "high"], axis=1)
    )
    return frame[frame.row != components.heatmaps.iloc[0]][COLUMNS].reset_index(drop=True)


def of_networks(study: Study) -> pd.DataFrame:
    """07-gains: R table II's hourglass less its recurrent network, in total and a joint group; and
    what training on COCO first adds."""
    printed = printed_table("r-tab2").set_index("method")
    better, worse = printed.loc["Newell et al. [25]"], printed.loc["Ours"]
    rows = [_row(part, "paper", better[part] - worse[part]) for part in PARTS]
    rows += [_row(part, "ours", *_ours(study, "hourglass", "recurrent", part)) for part in PARTS]
    first, runs = "COCO first: total", ("recurrent-t2-parts-finetuned", "recurrent-t2-parts")
    rows.append(_row(first, "paper", printed.loc["Ours (fine-tuned)", "total"] - worse.total))
    rows.append(_row(first, "ours", *_ours(study, *runs, "total")))
    return pd.DataFrame(rows)


def of_files(study: Study) -> pd.DataFrame:
    """07-hard-joints: H table 2's hourglass less Tompson et al., as printed of MPII's test people,
    and of the published files of both on its validation people."""
    printed = printed_table("h-tab2").set_index("method")
    better, worse = printed.loc["Our model"], printed.loc["Tompson et al. CVPR15"]
    rows = [_row(part, "paper", better[part] - worse[part]) for part in PARTS]
    data = study.folders.data
    if not all((data / file).is_file() for file in FILES):
        return pd.DataFrame([*rows, *(_row(part, "published files") for part in PARTS)])
    errors = [file_errors("mpii", data / file, data) for file in FILES]
    for part in PARTS:
        gain = less(*(share(one[:, _joints(part)], 0.5) for one in errors))
        found = over_people(lambda people, gain=gain: [gain(people)], len(errors[0]))[0]
        rows.append(_row(part, "published files", *found))
    return pd.DataFrame(rows)


def _ours(study: Study, better: str, worse: str, part: str) -> tuple[float, ...]:
    """The gain with its ends; nothing where a run cannot be had."""
    if study.missing(better) or study.missing(worse):
        return ()
    groups = () if part == "total" else (part,)
    seeds = [measure_seeds(study, run) for run in (better, worse)]
    shares = [[one.share(groups) for one in system] for system in seeds]
    return contrasts(shares, [1, -1], seeds[0][0].scores.people)[0]


def _row(name: str, source: str, *found: float) -> dict:
    return dict(zip(COLUMNS, (name, source, *found, *[np.nan] * (3 - len(found))), strict=True))


def _joints(part: str) -> list[int]:
    """Of the official convention's joints all, or those of a group."""
    return (
        [MPII.index(name) for name in convention("mpii").joints]
        if part == "total"
        else MEMBERS[part]
    )
