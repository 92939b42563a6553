"""Two people, one crop: whose pose comes out as the crop is shifted from one to the other and made
larger or smaller (H sec. 5.1)."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.checks import within
from companion.figures.pictures import draw_pose, fit_picture
from companion.figures.stacks import PERSON, WAY, draw_square
from paperlib.skeleton import MPII


def shifted_crop(
    numbers: dict[str, np.ndarray], pair: int = 0, position: int = 0, zoom: int = 2
) -> Figure:
    """Two people, the crop laid on them and the pose that comes out, its frame in the colour of the
    person whose it mostly is.

    The numbers of `whose_pose_grid`; `pair`, `position` and `zoom` count from 0 along its first
    three axes.
    """
    pairs, positions, zooms = numbers["second"].shape
    within(
        pair=(pair, 0, pairs - 1), position=(position, 0, positions - 1), zoom=(zoom, 0, zooms - 1)
    )
    scene, box = numbers["scenes"][pair], numbers["boxes"][pair, position, zoom]
    share, (x, y, side) = numbers["second"][pair, :, zoom], box
    colour = PERSON[int(share[position] > 0.5)]
    figure = Figure(figsize=(9, 3.3), layout="constrained")
    whole, crop, curve = figure.subplots(1, 3)
    for axes, title in (
        (whole, f"pair {numbers['rows'][pair]}, and the crop"),
        (crop, "what the network sees, and says"),
    ):
        axes.imshow(scene)
        axes.set(xticks=[], yticks=[], title=title)
        fit_picture(axes, scene)
    draw_square(whole, box, colour, lw=2, cross=10)
    draw_pose(crop, numbers["poses"][pair, position, zoom], MPII)
    crop.set(xlim=(x - side / 2, x + side / 2), ylim=(y + side / 2, y - side / 2))
    crop.set_facecolor("black")
    crop.spines[:].set(visible=True, color=colour, linewidth=3)
    _shares(curve, numbers["positions"], 100 * share, position)
    curve.set(xlim=(-0.03, 1.03), ylim=(0, 100), title=f"zoom {numbers['zooms'][zoom]:g}", **WAY)
    return figure


def _shares(axes: Axes, positions: np.ndarray, percent: np.ndarray, position: int) -> None:
    """Joints on the second person along the way, with a dot at this position."""
    axes.axhspan(0, 50, color=PERSON[0], alpha=0.12, linewidth=0)
    axes.axhspan(50, 100, color=PERSON[1], alpha=0.15, linewidth=0)
    axes.plot(positions, percent, color="#333333", linewidth=1.2)
    colour = PERSON[int(percent[position] > 50)]
    dot = {"color": colour, "markersize": 10, "markeredgecolor": "black"}
    axes.plot(positions[position], percent[position], "o", **dot)
