"""Pictures of the hourglass at work: a pose and its heatmaps, two people close together, early and
final predictions.

For each there are two functions. The first measures: it asks a model, or takes its predictions, and
returns arrays. The second draws these arrays and nothing else. Points are crop px.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from companion.figures.pictures import draw_heat, draw_pose
from companion.figures.style import COLOURS
from paperlib.skeleton import MPII, SKELETONS

JOINTS = (
    "upper_neck",
    "left_elbow",
    "left_wrist",
    "right_knee",
    "right_ankle",
)  # of H fig. 2, from left to right
PERSON = (COLOURS[4], COLOURS[1])  # the first and the second of a pair


def pose_and_heatmaps(numbers: dict[str, np.ndarray], skeleton: str = "mpii") -> Figure:
    """H-fig2: the pose that the network finds on a crop, and five of its heatmaps: neck, left elbow
    and wrist, right knee and ankle.

    `image` (S, S, 3) uint8; `points` (J, 2); `maps` (K, H, W) with their `names` (K,).
    """
    figure = Figure(figsize=(9, 1.9), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(numbers["maps"]))
    _picture(first, numbers["image"], "prediction")
    draw_pose(first, numbers["points"], SKELETONS[skeleton])
    for axes, heat, name in zip(
        others, numbers["maps"].astype(np.float32), numbers["names"], strict=True
    ):
        _picture(axes, numbers["image"], name)
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
    for axes, title in zip(
        panels[0],
        ("the picture, and both crops", "centred on one", "centred on the other"),
        strict=True,
    ):
        axes.set_title(title)
    for i, row in enumerate(rows):
        _picture(panels[i, 0], numbers["scenes"][i])
        panels[i, 0].set_ylabel(f"pair {row}")
        for person, (x, y, side) in enumerate(numbers["boxes"][i]):
            panels[i, 0].add_patch(
                Rectangle(
                    (x - side / 2, y - side / 2), side, side, fill=False, ec=PERSON[person], lw=1.6
                )
            )
            panels[i, 0].plot(x, y, "+", color=PERSON[person], markersize=9, markeredgewidth=2)
            axes = panels[i, 1 + person]
            _picture(axes, numbers["crops"][i, person])
            draw_pose(axes, numbers["poses"][i, person], MPII)
            axes.spines[:].set(visible=True, color=PERSON[person], linewidth=2)
            axes.set_xlabel(
                f"{second[row, -1 if person else 0]:.0f} % of the joints on the other",
                fontsize=8,
                labelpad=2,
            )
    axes = right.subplots()
    positions = np.linspace(0, 1, second.shape[1])
    for row, colour in zip(rows, COLOURS, strict=False):
        axes.plot(positions, second[row], color=colour, linewidth=1.2, label=f"pair {row}")
    axes.plot(
        positions,
        second.mean(axis=0),
        color="black",
        linewidth=2.2,
        label=f"mean of {len(second)} pairs",
    )
    axes.set(
        xlim=(0, 1),
        ylim=(0, 100),
        xlabel="crop, from one person (0) to the other (1)",
        ylabel="joints nearer to the other person, %",
    )
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.legend(loc="upper left", fontsize=8)
    return figure


def early_and_final(numbers: dict[str, np.ndarray], early: str = "early") -> Figure:
    """H-fig9. Left, of `changed`: each person's pose at the stage named `early` and at the end.
    Right, of networks of equal capacity: `stacks`, `stage`, `accuracy` in heatmap space (FACTS C.7)
    and `pckh`, (R,) each, percent; beside the accuracy the paper's, `printed_stacks`,
    `printed_stage` and `printed_accuracy` (P,)."""
    people, columns = len(numbers["images"]), 2
    figure = Figure(figsize=(9, 0.55 + 1.35 * -(-people // columns)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
    panels = left.subplots(-(-people // columns), 2 * columns, squeeze=False)
    for axes in panels.flat[2 * people :]:
        axes.remove()
    for i, axes in enumerate(panels.flat[: 2 * people]):
        person, last = divmod(i, 2)
        _picture(
            axes, numbers["images"][person], ("final" if last else early) if i < 2 * columns else ""
        )
        draw_pose(axes, numbers["poses"][person, last], MPII, width=1.5)
        axes.set_xlabel(
            f"{numbers['right'][person, last]} of {numbers['labelled'][person]} right",
            fontsize=7.5,
            labelpad=2,
        )
    ours = pd.DataFrame({name: numbers[name] for name in ("stacks", "stage", "accuracy", "pckh")})
    above, below = right.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    _equal_capacity(above, ours, numbers)
    for colour, (_, rows) in zip(COLOURS, ours.groupby("stacks"), strict=False):
        below.plot(100 * rows.stage / rows.stacks, rows.pckh, "o-", color=colour, markersize=4)
    below.set(
        ylim=(0, None), xlabel="way through the network, %", ylabel="PCKh@0.5, %\n(all joints)"
    )
    below.grid(color="#E5E5E5", linewidth=0.6)
    return figure


def _equal_capacity(axes: Axes, ours: pd.DataFrame, numbers: dict[str, np.ndarray]) -> None:
    for colour, stacks in zip(
        COLOURS, sorted(set(numbers["printed_stacks"].tolist())), strict=False
    ):
        rows, printed = ours[ours.stacks == stacks], numbers["printed_stacks"] == stacks
        part, paper = (
            100 * numbers["printed_stage"][printed] / stacks,
            numbers["printed_accuracy"][printed],
        )
        label = f"{stacks} stacks (the paper: {', then '.join(f'{value:.1f}' for value in paper)})"
        axes.plot(
            100 * rows.stage / stacks, rows.accuracy, "o-", color=colour, markersize=4, label=label
        )
        axes.plot(
            part, paper, "D--", color=colour, markersize=5, markerfacecolor="none", linewidth=0.8
        )
    axes.plot(
        [],
        [],
        "D--",
        color="#666666",
        markersize=5,
        markerfacecolor="none",
        linewidth=0.8,
        label="the paper's",
    )
    axes.set(
        xlim=(0, 104), ylim=(0, 100), ylabel="heatmap accuracy, %\n(wrists, elbows, knees, ankles)"
    )
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.legend(
        loc="lower right" if len(ours) == 0 or ours.accuracy.max() > 50 else "center right",
        fontsize=8,
    )


def _picture(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """A crop without ticks; a limb that leaves it is cut."""
    axes.imshow(image)
    axes.set(
        xticks=[], yticks=[], xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5)
    )
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title)
