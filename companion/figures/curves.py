"""Curves: precision and recall (R-fig7, H-fig11), and the share of joints within a distance
(H-fig6, H-fig7, H-fig11).

Every function is pure: one tidy DataFrame, a row a point of a curve, gives one Figure. The order of
the rows is the order of the curves.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from companion.figures.style import COLOURS

CHANCE = {"color": "#888888", "linestyle": ":", "linewidth": 1}
PLATE = {
    "frameon": True,
    "framealpha": 0.9,
    "edgecolor": "none",
}  # a legend that lies on a line of chance
DASHES = (
    (0, (5, 2)),
    (0, (1, 1.2)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1)),
    (0, (1, 3)),
)  # published systems, told apart without colour too


def precision_recall(frame: pd.DataFrame) -> Figure:
    """R-fig7: one curve a training policy, its average precision in the legend and chance as a
    dotted line.

    Columns: curve (its name), recall and precision, ap (average precision, the same all along a
    curve) and chance, all in 0..1.
    """
    figure = Figure(figsize=(5.2, 4), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in frame.groupby("curve", sort=False):
        axes.plot(curve.recall, curve.precision, label=f"{name}: AP {100 * curve.ap.iloc[0]:.1f} %")
    _chance(axes, frame.chance.iloc[0])
    _precision_axes(axes, lowest=min(frame.precision.min(), frame.chance.min()))
    axes.legend(loc="upper right", **PLATE)
    return figure


def occlusion(frame: pd.DataFrame) -> Figure:
    """H-fig11: PCKh of all, visible and occluded joints, and how well the height of a heatmap tells
    that a joint has no annotation.

    Left, panel "pckh": curve, x (normalised distance) and y (percent of the joints). Right, panel
    "presence": curve, x (recall), y (precision), area under it, and chance, all in 0..1; a dotted
    line at each level of chance, in its curve's colour."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    pckh, presence = (frame[frame.panel == panel] for panel in ("pckh", "presence"))
    _distance_axes(left, pckh.x.max())
    colours = {}
    # a published curve has the colour of ours, dashed
    for name, curve in pckh.groupby("curve", sort=False):
        ours = name.removeprefix("published ")
        look = {
            "color": colours.setdefault(ours, COLOURS[len(colours) % len(COLOURS)]),
            "linestyle": "-" if name == ours else DASHES[0],
        }
        left.plot(curve.x, curve.y, label=f"{name}: {curve.y.iloc[-1]:.1f} %", **look)
    left.set_title("joints found (at the right end: in the legend)")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2, fontsize=8)
    for name, curve in presence.groupby("curve", sort=False):
        area, chance = 100 * curve.area.iloc[0], 100 * curve.chance.iloc[0]
        (line,) = right.plot(
            curve.x, curve.y, label=f"{name}: area {area:.1f} %, chance {chance:.1f} %"
        )
        right.axhline(curve.chance.iloc[0], **CHANCE | {"color": line.get_color()})
    _precision_axes(right, lowest=min(presence.y.min(), presence.chance.min()))
    right.set_title("is a joint without annotation recognised? (dotted: chance)")
    right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=8)
    return figure


def pck_curves(frame: pd.DataFrame, columns: int = 4, title: str = "") -> Figure:
    """H-fig6 and H-fig7: one panel a joint group, `columns` to a row; published systems dashed,
    ours solid. One legend for all panels.

    Columns: group, system, threshold (normalised distance), pck (percent) and kind, "published" or
    "ours". `title` says which curves could not be measured, and why; a frame without any row gives
    a figure that says only that.
    """
    groups, systems = list(dict.fromkeys(frame.group)), _styles(frame)
    rows = -(-len(groups) // columns) or 1
    panel = 3.3 if columns < 3 else 2.3  # inches
    figure = Figure(
        figsize=(panel * columns + 0.4, min(panel, 2.6) * rows + 0.7), layout="constrained"
    )
    figure.suptitle(title, fontsize="medium")
    if frame.empty:
        return figure
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(groups) :]:
        axes.remove()
    for place, (axes, group) in enumerate(zip(grid.flat, groups, strict=False)):
        panel = frame[frame.group == group]
        for system, curve in panel.groupby("system", sort=False):
            axes.plot(curve.threshold, curve.pck, **systems[system])
        _distance_axes(axes, panel.threshold.max())
        axes.set_title(group)
        axes.set_ylabel("detection rate, %" if place % columns == 0 else "")
        below = place + columns >= len(groups)
        axes.set_xlabel("normalised distance" if below else "")
        axes.tick_params(labelbottom=below)
    lines = [Line2D([], [], label=system, **style) for system, style in systems.items()]
    figure.legend(handles=lines, loc="outside lower center", ncols=min(columns, 3, len(lines)))
    return figure


def _styles(frame: pd.DataFrame) -> dict[str, dict]:
    """A colour and a dash for each published system; ours are black, solid and wider."""
    systems = frame.drop_duplicates("system")[["system", "kind"]].itertuples(index=False)
    return {
        system: {"color": "black", "linewidth": 2}
        if kind == "ours"
        else {
            "color": COLOURS[k % len(COLOURS)],
            "linewidth": 1.4,
            "linestyle": DASHES[k % len(DASHES)],
        }
        for k, (system, kind) in enumerate(systems)
    }


def _distance_axes(axes: Axes, widest: float) -> None:
    axes.set(
        xlim=(0, widest), ylim=(0, 100), xlabel="normalised distance", ylabel="detection rate, %"
    )
    axes.grid(color="#E5E5E5", linewidth=0.6)


def _precision_axes(axes: Axes, lowest: float) -> None:
    """Recall and precision in percent; the axis of precision starts a little below what there is to
    see."""
    axes.set(
        xlim=(0, 1), ylim=(max(0, lowest - 0.05), 1.005), xlabel="recall, %", ylabel="precision, %"
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=""))
    axes.grid(color="#E5E5E5", linewidth=0.6)


def _chance(axes: Axes, level: float) -> None:
    axes.axhline(level, label=f"chance: {100 * level:.1f} %", **CHANCE)
