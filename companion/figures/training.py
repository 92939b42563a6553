"""How training goes: the validation accuracy of several runs as they learn, and one network watched
from its first step."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.figures.checks import within
from companion.figures.pictures import FOUND, TRUTH, draw_heat
from companion.figures.style import COLOURS

MEASURES = {
    "accuracy": "heatmap accuracy, %\n(wrists, elbows, knees, ankles)",
    "PCKh": "PCKh@0.5, %\n(all annotated joints)",
}


def training_progress(numbers: pd.DataFrame) -> Figure:
    """H-fig8: accuracy on validation people while the networks train, one curve a run, by heatmap
    and by PCKh.

    Columns curve, step, measure (a key of MEASURES) and value (percent).
    """
    figure = Figure(figsize=(9, 3.7), layout="constrained")
    for axes, (measure, label) in zip(
        figure.subplots(1, len(MEASURES), sharex=True), MEASURES.items(), strict=True
    ):
        for colour, (curve, rows) in zip(
            COLOURS, numbers[numbers.measure == measure].groupby("curve", sort=False), strict=False
        ):
            axes.plot(
                rows.step,
                rows.value,
                "o-",
                color=colour,
                markersize=3.5,
                linewidth=1.6,
                label=curve,
            )
        axes.set(xlabel="training step", ylabel=label)
        axes.set_ylim(0, max(1, 1.1 * numbers.value[numbers.measure == measure].max()))
        axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.axes[0].legend(loc="lower right")
    return figure


def learning(numbers: dict[str, np.ndarray], look: int = -1) -> Figure:
    """A network as it learns: loss and PCKh of people it does not train on, step by step, and one
    of their heatmaps at one of the looks.

    `step`, `loss`, `pckh` (percent) (T,); `maps` (T, H, W) over `image` (S, S, 3) uint8; `found`
    (T, 2) and `truth` (2,) in crop px; `joint`, its name; `people`, how many the loss and PCKh are
    of. Look -1 is the last.
    """
    count = len(numbers["step"])
    within("look", look, -1, count - 1)
    look %= count
    figure = Figure(figsize=(9, 3), layout="constrained")
    *curves, picture = figure.subplots(1, 3, width_ratios=(1.15, 1.15, 1))
    for axes, name, label, colour in zip(
        curves, ("loss", "pckh"), ("loss", "PCKh@0.5, %"), COLOURS, strict=False
    ):
        axes.plot(numbers["step"], numbers[name], "o-", color=colour, markersize=3.5)
        axes.plot(
            numbers["step"][look],
            numbers[name][look],
            "o",
            color=colour,
            markersize=10,
            markeredgecolor="black",
        )
        axes.set(
            xlabel="training step",
            title=f"{label}, {numbers['people']} people",
            ylim=(0, 1.1 * max(numbers[name].max(), 1e-6)),
        )
        axes.grid(color="#E5E5E5", linewidth=0.6)
    heat = numbers["maps"][look].astype(np.float32)
    # one scale of colours for all looks
    bar = draw_heat(picture, numbers["image"], heat, numbers["maps"].max())
    figure.colorbar(bar, ax=picture, shrink=0.8, aspect=20, label="heatmap value")
    picture.scatter(*numbers["truth"], **TRUTH)
    picture.scatter(*numbers["found"][look], **FOUND)
    picture.set(
        xticks=[],
        yticks=[],
        title=f"{numbers['joint']} at step {numbers['step'][look]}",
        xlabel=f"peak {heat.max():.2f}",
    )
    return figure
