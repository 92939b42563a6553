"""The metric microscope: one published prediction file under every convention, joint by joint, from
counts that are small enough to ship.

`published/mpii_newell_errors.csv` holds how many joints of newell.h5 lie within each distance of
the labels, and no coordinate of either: enough for every share in the notebook, and made by
`count_errors` from the official files (FACTS D.4, D.6).
"""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.checks import one_of, within
from companion.figures.style import COLOURS, GRID
from paperlib import score as scoring
from paperlib.conventions import CONVENTIONS, Convention, convention
from paperlib.metrics import normalised_errors
from paperlib.people import VISIBLE
from paperlib.skeleton import MPII
from paperlib.truths import mpii_truth

FINEST = np.arange(61) / 100  # thresholds, in reference lengths
# cells cannot be told from distances
RULES = tuple(rule for rule in CONVENTIONS["mpii"] if not rule.cells)
NAMES = tuple(rule.name for rule in RULES)
GROUPS = ("all", *(name for name, _ in MPII.groups))
STATES = ("all", "visible", "occluded")
NORMALISERS = ("head", "torso")
# The labels that a convention measures against, and where the joint's x must lie above for it to be
# there (FACTS D.4, D.5).
TRUTHS = {
    "fractions": ("annot/detections_our_format.mat", 0),
    "whole": ("annot/valid.h5", 0),
    "whole, x > 1": ("annot/valid.h5", 1),
}


def truth_of(rule: Convention) -> str:
    """The key of TRUTHS that a convention measures against."""
    return {"pooled16": "whole", "hard10": "whole, x > 1"}.get(rule.name, "fractions")


def count_errors(data: Path, file: str = "mpii/preds/newell.h5") -> pd.DataFrame:
    """The shipped counts, made from the official files in `data`: a row a truth, normaliser, joint
    and state, with the number `annotated`, `within`, how many more lie within each of FINEST than
    within the one before, and `ties`, "k:n" where n lie exactly at FINEST[k]."""
    points = scoring.read_points(data / file, 2958, MPII)
    flags = mpii_truth(data / "mpii" / TRUTHS["whole"][0], above=0).state
    rows = []
    for truth, (labels, above) in TRUTHS.items():
        counted = {joint for rule in RULES if truth_of(rule) == truth for joint in rule.joints}
        known = mpii_truth(data / "mpii" / labels, above)
        ends = (known.points[:, MPII.index(name)] for name in ("left_shoulder", "right_hip"))
        torso = np.linalg.norm(np.subtract(*ends), axis=-1)
        for normaliser, length in zip(NORMALISERS, (known.reference, torso), strict=True):
            errors = normalised_errors(points, known.points, length)
            for joint in sorted(map(MPII.index, counted)):
                seen = flags[:, joint] == VISIBLE
                row = {"truth": truth, "normaliser": normaliser, "joint": MPII.joints[joint]}
                for state, own in (("visible", seen), ("occluded", ~seen)):
                    rows.append(row | {"state": state} | _counted(errors[own, joint]))
    table = pd.DataFrame(rows)
    return table[table.annotated > 0].reset_index(drop=True)


def _counted(errors: np.ndarray) -> dict:
    errors = np.sort(errors[~np.isnan(errors)])
    inside, below = (np.searchsorted(errors, FINEST, side) for side in ("right", "left"))
    ties = " ".join(f"{k}:{n}" for k, n in enumerate(inside - below) if n)
    within = " ".join(map(str, np.diff(inside, prepend=0)))
    return {"annotated": len(errors), "within": within, "ties": ties}


def shipped_counts() -> pd.DataFrame:
    """The numbers of `microscope`: what `count_errors` made of the published file, as shipped with
    the package."""
    with (files("companion.published") / "mpii_newell_errors.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#", keep_default_na=False)


def _rows(
    numbers: pd.DataFrame, rule: Convention, normaliser: str, group: str, state: str
) -> pd.DataFrame:
    """The counts that enter a share."""
    if group == "all":
        members = rule.joints
    elif group == "head" and rule.head:
        members = rule.head
    else:
        members = [MPII.joints[j] for j in dict(MPII.groups)[group]]
    own = numbers[(numbers.truth == truth_of(rule)) & (numbers.normaliser == normaliser)]
    return own[own.joint.isin(members) & ((state == "all") | (own.state == state))]


def share_curve(
    numbers: pd.DataFrame,
    rule: Convention,
    normaliser: str = "head",
    group: str = "all",
    state: str = "all",
) -> np.ndarray:
    """(61,) percent of joints within each of FINEST, put together as `metrics.score` does under
    `rule`; NaN where no joint of the group counts."""
    rows = _rows(numbers, rule, normaliser, group, state)
    if rows.empty:
        return np.full(len(FINEST), np.nan)
    inside = np.array([np.cumsum(np.array(row.split(), int)) for row in rows.within])
    if rule.strict:
        for counts, ties in zip(inside, rows.ties.fillna(""), strict=True):
            for k, n in (pair.split(":") for pair in ties.split()):
                counts[int(k)] -= int(n)
    inside = pd.DataFrame(inside).groupby(rows.joint.to_numpy()).sum().to_numpy()  # (joints, 61)
    annotated = rows.groupby("joint").annotated.sum().to_numpy()[:, None]
    # a group is the mean of its joints; by visibility they are pooled
    pooled = rule.total == "pooled" if group == "all" else state != "all"
    if pooled:
        return 100 * (inside.sum(axis=0) / annotated.sum())
    return 100 * (inside / annotated).mean(axis=0)


def microscope(
    numbers: pd.DataFrame,
    convention_: str = "official",
    threshold: float = 0.5,
    normaliser: str = "head",
    group: str = "all",
    state: str = "all",
) -> Figure:
    """One file of predictions under the five named conventions: the share of joints found within
    each distance, and at one threshold.

    The numbers of `shipped_counts`; `threshold` in head lengths or torsos; `group` and `state`
    choose the joints that are looked at.
    """
    one_of(convention_=(convention_, NAMES), normaliser=(normaliser, NORMALISERS))
    one_of(group=(group, GROUPS), state=(state, STATES))
    within(threshold=(threshold, 0, FINEST[-1]))
    at, joints = round(100 * threshold), (normaliser, group, state)
    curves = {rule.name: share_curve(numbers, rule, *joints) for rule in RULES}
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    for curve in curves.values():
        left.plot(FINEST, curve, color="#BBBBBB", linewidth=1, zorder=1)
    left.plot(FINEST, curves[convention_], color=COLOURS[0], linewidth=2.2)
    left.axvline(threshold, color=COLOURS[1], linewidth=1.2)
    dot = {"color": COLOURS[1], "markeredgecolor": "black", "markersize": 8}
    left.plot(threshold, curves[convention_][at], "o", **dot)
    count = _rows(numbers, convention("mpii", convention_), *joints).annotated.sum()
    which = group if state == "all" else f"{group}, {state}"
    left.set(xlim=(0, FINEST[-1]), ylim=(0, 100), xlabel=f"distance, {normaliser} lengths")
    left.set(ylabel="joints found, %", title=f"{which}: {count:,} joints under '{convention_}'")
    left.grid(**GRID)
    _points(right, {name: curve[at] for name, curve in curves.items()}, convention_)
    return figure


def _points(axes: Axes, shares: dict[str, float], chosen: str) -> None:
    """A row a convention, to two decimals, on an axis that begins and ends near them: one file,
    many numbers."""
    rows = np.arange(len(shares))
    values = np.array(list(shares.values()))
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 100.0)
    room = max(0.25 * (high - low), 0.5)
    for row, (name, value) in enumerate(shares.items()):
        colour = COLOURS[0] if name == chosen else "#777777"
        if np.isnan(value):
            axes.text((low + high) / 2, row, "no such joints", va="center", ha="center")
            continue
        axes.plot([low - room, value], [row, row], color=colour, linewidth=1, alpha=0.5)
        axes.plot(value, row, "o", color=colour, markersize=7)
        style = {"textcoords": "offset points", "va": "center", "fontweight": "bold"}
        axes.annotate(f"{value:.2f}", (value, row), (7, 0), **style)
    axes.set_yticks(rows, shares)
    axes.grid(axis="x", **GRID)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlim=(low - room, high + 2 * room))
    axes.set(xlabel="joints found at the threshold, %", title="the same file, by convention")
