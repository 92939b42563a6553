"""Pictures of the hourglass at work: a pose and its heatmaps, two people close together, early and
final predictions. Points are crop px; `samples.stacks` measures what is drawn here."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from companion.figures.pictures import draw_heat, draw_pose, first_panels, show
from companion.figures.style import COLOURS, GRID
from paperlib.skeleton import MPII, SKELETONS

# of H fig. 2, from left to right
JOINTS = ("upper_neck", "left_elbow", "left_wrist", "right_knee", "right_ankle")
PERSON = (COLOURS[4], COLOURS[1])  # the first and the second of a pair
# the axes of a crop that is shifted from the first to the second
WAY = {
    "xlabel": "crop, from one person (0) to the other (1)",
    "ylabel": "joints nearer to the other person, %",
}


def pose_and_heatmaps(numbers: dict[str, np.ndarray], skeleton: str = "mpii") -> Figure:
    """H-fig2: the pose that the network finds on a crop, and five of its heatmaps: neck, left elbow
    and wrist, right knee and ankle.

    `image` (S, S, 3) uint8; `points` (J, 2); `maps` (K, H, W) with their `names` (K,).
    """
    figure = Figure(figsize=(9, 1.9), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(numbers["maps"]))
    show(first, numbers["image"], "prediction")
    draw_pose(first, numbers["points"], SKELETONS[skeleton])
    maps = numbers["maps"].astype(np.float32)
    for axes, heat, name in zip(others, maps, numbers["names"], strict=True):
        show(axes, numbers["image"], name)
        draw_heat(axes, numbers["image"], heat, heat.max())
        axes.set_xlabel(f"peak {heat.max():.1f}", labelpad=2)
    return figure


def pairs(numbers: dict[str, np.ndarray]) -> Figure:
    """H-fig10: pairs of people, the crop centred on either, the poses found, and whose pose comes
    out on the way from one to the other.

    The numbers of `whose_pose`; a row is a pair.
    """
    second, rows = 100 * numbers["second"], numbers["rows"]
    figure = Figure(figsize=(9, 1.75 * len(rows)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.6, 1))
    panels = left.subplots(len(rows), 3, squeeze=False)
    titles = ("the picture, and both crops", "centred on one", "centred on the other")
    for i, row in enumerate(rows):
        both, *crops = panels[i]
        show(both, numbers["scenes"][i])
        both.set_ylabel(f"pair {row}")
        for person, axes in enumerate(crops):
            draw_square(both, numbers["boxes"][i, person], PERSON[person], lw=1.6, cross=9)
            show(axes, numbers["crops"][i, person])
            draw_pose(axes, numbers["poses"][i, person], MPII)
            axes.spines[:].set(visible=True, color=PERSON[person], linewidth=2)
            share = f"{second[row, -person]:.0f} % of the joints on the other"
            axes.set_xlabel(share, fontsize=8, labelpad=2)
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title)
    axes = right.subplots()
    positions = np.linspace(0, 1, second.shape[1])
    for row, colour in zip(rows, COLOURS, strict=False):
        axes.plot(positions, second[row], color=colour, linewidth=1.2, label=f"pair {row}")
    mean = {"color": "black", "linewidth": 2.2, "label": f"mean of {len(second)} pairs"}
    axes.plot(positions, second.mean(axis=0), **mean)
    axes.set(xlim=(0, 1), ylim=(0, 100), **WAY)
    axes.grid(**GRID)
    axes.legend(loc="upper left", fontsize=8)
    return figure


def draw_square(axes: Axes, box: np.ndarray, colour: str, lw: float, cross: float) -> None:
    """A crop (x, y, side) as a square, with a cross at its centre."""
    x, y, side = box
    corner = (x - side / 2, y - side / 2)
    axes.add_patch(Rectangle(corner, side, side, fill=False, ec=colour, lw=lw))
    axes.plot(x, y, "+", color=colour, markersize=cross, markeredgewidth=2)


STAGES = ("stacks", "stage", "accuracy_gain", "gain", "gain_low", "gain_high")


def early_and_final(numbers: dict[str, np.ndarray], early: str = "early") -> Figure:
    """H-fig9. Left, of `changed`: each person's pose at the stage named `early` and at the end.
    Right, what networks of equal capacity gain since half of their depth: `stacks`, `stage`,
    `accuracy_gain` in heatmap space (FACTS C.7), `gain` of PCKh and its ends `gain_low` and
    `gain_high`, (R,) each, points; beside the accuracy the paper's, of `printed_stacks`,
    `printed_stage` and `printed_accuracy` (P,)."""
    people, columns = len(numbers["images"]), 2
    figure = Figure(figsize=(9.6, 0.75 + 1.4 * -(-people // columns)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.4, 1))
    panels = left.subplots(-(-people // columns), 2 * columns, squeeze=False)
    for i, axes in enumerate(first_panels(panels, 2 * people)):
        person, last = divmod(i, 2)
        title = ("final" if last else early) if i < 2 * columns else ""
        show(axes, numbers["images"][person], title)
        draw_pose(axes, numbers["poses"][person, last], MPII, width=1.5)
        right_ones, labelled = numbers["right"][person, last], numbers["labelled"][person]
        axes.set_xlabel(f"{right_ones} of {labelled} right", fontsize=7.5, labelpad=2)
    _gain_over_depth(right, numbers)
    return figure


def _gain_over_depth(figure, numbers: dict[str, np.ndarray]) -> None:
    """Above, heatmap accuracy beside the paper's; below, PCKh with its interval over people. The
    legend is outside."""
    ours = pd.DataFrame({name: numbers[name] for name in STAGES})
    ours["depth"] = 100 * ours.stage / ours.stacks
    above, below = figure.subplots(2, 1, sharex=True)
    colours = dict(zip(sorted(set(ours.stacks)), COLOURS, strict=False))
    look = {"hue": "stacks", "palette": colours, "marker": "o", "markersize": 5, "legend": False}
    sns.lineplot(ours, x="depth", y="accuracy_gain", **look, ax=above)
    sns.lineplot(ours, x="depth", y="gain", **look, ax=below)
    for stacks, rows in ours.groupby("stacks"):
        band = {"color": colours[stacks], "alpha": 0.15, "linewidth": 0}
        below.fill_between(rows.depth, rows.gain_low, rows.gain_high, **band)
        own = numbers["printed_stacks"] == stacks
        half, end = numbers["printed_accuracy"][own]
        hollow = {"color": colours[stacks], "markerfacecolor": "none", "linewidth": 1}
        above.plot([50, 100], [0, end - half], "D--", **hollow, markersize=5)
        label = f"{stacks} hourglasses (the paper: {half:.1f}, then {end:.1f})"
        above.plot([], [], "o-", color=colours[stacks], label=label)
    above.plot([], [], "D--", color="#666666", markerfacecolor="none", label="the paper's")
    for axes, label in ((above, "heatmap accuracy"), (below, "PCKh@0.5, all joints")):
        axes.axhline(0, color="#888888", linewidth=0.8)
        axes.set(xlim=(0, 104), ylabel=f"{label},\npoints", xlabel="")
        axes.grid(**GRID)
    above.set_title("gained since half-way")
    below.set_xlabel("way through the network, % (band: 95 % over people)")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", fontsize=8)
