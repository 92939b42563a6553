"""Notebook 01's pictures and table: who is shown, how much of people is hidden, what each knob of
difficulty does, how crops and augmentations look.

A measuring function returns arrays, a drawing function draws these and nothing else. Points are
crop px.
"""

import numpy as np
from matplotlib.figure import Figure

from companion.figures.pictures import draw_pose, panel_grid, show
from paperlib.people import OCCLUDED, VISIBLE
from paperlib.skeleton import SKELETONS

MARKS = {
    VISIBLE: {"facecolors": "white", "edgecolors": "black", "s": 16, "linewidths": 0.7},
    OCCLUDED: {"facecolors": "black", "edgecolors": "#F0E442", "s": 26, "linewidths": 1.4},
}


def labelled(numbers: dict[str, np.ndarray], columns: int = 6) -> Figure:
    """A `contact_sheet`: each row of crops, and under it the same crops as annotated, the person's
    left side blue, the right side red."""
    images, skeleton = numbers["images"], SKELETONS[str(numbers["skeleton"])]
    figure, panels = panel_grid(2 * -(-len(images) // columns), columns, extra=0.2)
    for i, image in enumerate(images):
        row, column = 2 * (i // columns), i % columns
        show(panels[row, column], image)
        axes = panels[row + 1, column]
        show(axes, image)
        draw_pose(axes, numbers["points"][i], skeleton, width=1.3)
        for flag, mark in MARKS.items():
            axes.scatter(*numbers["points"][i][numbers["state"][i] == flag].T, zorder=4, **mark)
    marks = [panels[0, 0].scatter([], [], **mark) for mark in MARKS.values()]
    where = {"loc": "outside lower center", "ncols": 2, "facecolor": "#9A9A9A", "frameon": True}
    figure.legend(marks, ["visible", "occluded"], **where)
    return figure


def difficulties(numbers: dict[str, np.ndarray]) -> Figure:
    """The same drawn people in every row, with another knob of their difficulty turned up.

    The numbers of `difficulty_sheet`.
    """
    images = numbers["images"]
    shape = images.shape[2] / images.shape[3]
    figure, panels = panel_grid(*images.shape[:2], extra=0.2, shape=shape)
    for row, name, shown in zip(panels, numbers["names"], images, strict=True):
        row[0].set_ylabel(name)
        for axes, image in zip(row, shown, strict=True):
            show(axes, image)
    return figure
