"""Curves: precision and recall (R-fig7, H-fig11), and the share of joints within a distance
(H-fig6, H-fig7, H-fig11).

Every function is pure: one tidy DataFrame, a row a point of a curve, gives one Figure. The order of
the rows is the order of the curves.
"""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from companion.figures.style import COLOURS, GRID

CHANCE = {"color": "#888888", "linestyle": ":", "linewidth": 1}
VISIBILITY = {"all": "#000000", "visible": COLOURS[0], "occluded": COLOURS[5]}
EVERY_POINT = {"estimator": None, "sort": False}  # of seaborn: the rows as they are


def precision_recall(frame: pd.DataFrame) -> Figure:
    """R-fig7: one curve a training policy, with chance as a dotted line; and how far each average
    precision is above chance, with its 95 % interval over people.

    Columns: curve (its name), recall and precision, ap (average precision, the same all along a
    curve), low and high (the ends of its interval) and chance, all in 0..1.
    """
    figure = Figure(figsize=(8.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    look = {"hue": "curve", "palette": _palette(frame.curve), "ax": left}
    sns.lineplot(frame, x="recall", y="precision", **look, **EVERY_POINT)
    chance = frame.chance.iloc[0]
    left.axhline(chance, **CHANCE, label=f"chance: {100 * chance:.1f} %")
    _precision_axes(left, lowest=min(frame.precision.min(), chance))
    left.legend(loc="upper right", title="occluded joints in training")
    whole = frame.groupby("curve", sort=False)[["ap", "low", "high"]].first() * 100
    for row, (colour, found) in enumerate(zip(COLOURS, whole.itertuples(), strict=False)):
        right.plot([found.low, found.high], [row, row], color=colour, linewidth=2)
        right.plot(found.ap, row, "o", color=colour)
        above = {"textcoords": "offset points", "ha": "center", "fontsize": 8}
        right.annotate(f"{found.ap:.1f}", (found.ap, row), (0, 6), **above)
    right.axvline(100 * chance, **CHANCE)
    right.set_yticks(range(len(whole)), whole.index)
    right.set(ylim=(len(whole) - 0.5, -0.7), xlabel="average precision, %\n(dotted: chance)")
    right.grid(axis="x", **GRID)
    return figure


def occlusion(frame: pd.DataFrame) -> Figure:
    """H-fig11: PCKh of all, visible and occluded joints, and how well the height of a heatmap tells
    that a joint has no annotation.

    Panel "pckh": curve ("published wrist, occluded": source, joint and visibility), x (normalised
    distance) and y (percent of the joints). Panel "presence": curve ("knee, mean"), x (recall), y
    (precision), area under it, and chance, all in 0..1. A column of panels is a source, a row a
    joint, a colour a visibility."""
    pckh, presence = (frame[frame.panel == panel] for panel in ("pckh", "presence"))
    names = pckh.curve.str.extract(r"(published )?(\w+), (\w+)")
    pckh = pckh.assign(source=names[0].fillna("ours"), joint=names[1], kind=names[2])
    sources, joints = pckh.source.unique(), pckh.joint.unique()
    figure = Figure(figsize=(3.4 + 2.9 * len(sources), 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(len(sources), 1.25))
    grid = left.subplots(len(joints), len(sources), sharex=True, sharey=True, squeeze=False)
    for (source, joint), curves in pckh.groupby(["source", "joint"], sort=False):
        row, column = list(joints).index(joint), list(sources).index(source)
        _by_visibility(grid[row, column], curves)
        grid[row, column].set_title(f"{source.strip()}: {joint}")
    for axes in grid.flat:
        axes.label_outer()
    said = "share of joints found, and at the right end its percent"
    handles = grid[0, 0].get_legend_handles_labels()
    left.legend(*handles, loc="outside lower center", ncols=3, title=said)
    _presence(right, presence)
    return figure


def _by_visibility(axes: Axes, curves: pd.DataFrame) -> None:
    look = {"hue": "kind", "palette": VISIBILITY, "linewidth": 1.8, "ax": axes}
    sns.lineplot(curves, x="x", y="y", **look, **EVERY_POINT)
    _distance_axes(axes, curves.x.max())
    for kind, curve in curves.groupby("kind"):
        end = (curve.x.iloc[-1], curve.y.iloc[-1])
        style = {"color": VISIBILITY.get(kind, "black"), "va": "center", "fontsize": 7.5}
        axes.annotate(f"{end[1]:.0f}", end, (3, 0), textcoords="offset points", **style)
    axes.get_legend().remove()


def _presence(figure, presence: pd.DataFrame) -> None:
    """Colour is the joint, dashes are of the heatmap's maximum; a dotted line at each chance."""
    axes = figure.subplots()
    colours = {"knee": COLOURS[2], "ankle": COLOURS[3]}
    for name, curve in presence.groupby("curve", sort=False):
        joint, signal = name.split(", ") if ", " in name else (name, "mean")
        area, chance = 100 * curve.area.iloc[0], 100 * curve.chance.iloc[0]
        label = f"{name}: area {area:.1f} %, chance {chance:.1f} %"
        dashes = "-" if signal == "mean" else "--"
        axes.plot(curve.x, curve.y, dashes, color=colours[joint], label=label)
        axes.axhline(curve.chance.iloc[0], **CHANCE | {"color": colours[joint]})
    if len(presence):
        _precision_axes(axes, lowest=min(presence.y.min(), presence.chance.min()))
        figure.legend(loc="outside lower center", title="dotted: chance")
    axes.set_title("joints without annotation, by a low heatmap")


def pck_curves(frame: pd.DataFrame, columns: int = 4, title: str = "") -> Figure:
    """H-fig6 and H-fig7: published systems, one panel a joint group, `columns` to a row; and this
    study's people in a panel of their own, one curve a joint group.

    Columns: group, system, threshold (normalised distance), pck (percent) and kind, "published" or
    "ours". `title` says which curves could not be measured, and why; a frame without any row gives
    a figure that says only that.
    """
    kinds = {kind: rows for kind, rows in frame.groupby("kind")}
    rows = -(-frame[frame.kind == "published"].group.nunique() // columns) or 1
    figure = Figure(figsize=(9.4, max(2.9, 1.85 * rows + 0.9)), layout="constrained")
    figure.suptitle(title, fontsize="medium")
    widths = (2.3, 1) if len(kinds) == 2 else (1,)
    parts = figure.subfigures(1, max(len(kinds), 1), squeeze=False, width_ratios=widths)
    for part, kind in zip(parts[0], sorted(kinds, reverse=True), strict=False):
        if kind == "published":
            _published(part, kinds[kind], rows, columns)
        else:
            _own_people(part, kinds[kind])
    return figure


def _published(figure, frame: pd.DataFrame, rows: int, columns: int) -> None:
    """A panel a joint group, colour and dashes are the system; one legend for all."""
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    groups = frame.groupby("group", sort=False)
    for axes, (group, curves) in zip(grid.flat, groups, strict=False):
        look = {"hue": "system", "style": "system", "palette": _palette(frame.system)}
        sns.lineplot(curves, x="threshold", y="pck", **look, linewidth=1.5, **EVERY_POINT, ax=axes)
        _distance_axes(axes, curves.threshold.max())
        axes.set_title(group)
        axes.get_legend().remove()
        axes.label_outer()
    for axes in grid.flat[frame.group.nunique() :]:
        axes.remove()
    handles = grid[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2, fontsize=8)


def _own_people(figure, frame: pd.DataFrame) -> None:
    """All joint groups of ours in one panel; the total is black."""
    axes = figure.subplots()
    groups = list(frame.group.unique())
    palette = _palette(group for group in groups if group != "total") | {"total": "#000000"}
    look = {"hue": "group", "style": "group", "palette": palette, "ax": axes}
    sns.lineplot(frame, x="threshold", y="pck", linewidth=1.5, **look, **EVERY_POINT)
    _distance_axes(axes, frame.threshold.max())
    axes.set_title(frame.system.iloc[0])
    handles = axes.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    axes.get_legend().remove()


def _palette(names) -> dict[str, str]:
    """A colour a name, in the order of the names; black is kept for totals, yellow is too light."""
    colours = [*COLOURS[:6], "#777777"]
    return {name: colours[k % len(colours)] for k, name in enumerate(dict.fromkeys(names))}


def _distance_axes(axes: Axes, widest: float) -> None:
    axes.set(xlim=(0, widest), ylim=(0, 100))
    axes.set(xlabel="normalised distance", ylabel="joints found, %")
    axes.grid(**GRID)


def _precision_axes(axes: Axes, lowest: float) -> None:
    """Recall and precision in percent; the axis of precision starts a little below what there is to
    see."""
    axes.set(xlim=(0, 1), ylim=(max(0, lowest - 0.05), 1.005))
    axes.set(xlabel="recall, %", ylabel="precision, %")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.grid(**GRID)
