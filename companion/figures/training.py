"""How training goes: the validation accuracy of several runs as they learn, and one network watched
from its first step."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.checks import within
from companion.figures.pictures import FOUND, TRUTH, draw_heat
from companion.figures.style import COLOURS, GRID

MEASURES = {
    "accuracy": "heatmap accuracy, %\n(wrists, elbows, knees, ankles)",
    "PCKh": "PCKh@0.5, %\n(all annotated joints)",
}


# H's four designs of equal capacity: how many hourglasses, and where a loss attaches, in
# hourglasses from the left: at the end of one, or within it, after the upsampling.
DESIGNS = {
    "HG": (1, (1.0,)),
    "HG-Int": (1, (0.68, 0.84, 1.0)),
    "HG-Stacked": (2, (2.0,)),
    "HG-Stacked-Int": (2, (1.0, 2.0)),
}


def training_progress(numbers: pd.DataFrame) -> Figure:
    """H-fig8: accuracy on validation people while the networks train, one curve a run, by heatmap
    and by PCKh. Above, the designs, with an arrow where a loss attaches.

    Columns curve (a key of DESIGNS), seed, step, measure (a key of MEASURES) and value (percent).
    A curve is the mean of its seeds, its band goes from the lowest of them to the highest.
    """
    figure = Figure(figsize=(9, 4.7), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 2.7))
    names = list(dict.fromkeys(numbers.curve))
    palette = dict(zip(names, COLOURS, strict=False))
    for axes, name in zip(above.subplots(1, len(names), squeeze=False).flat, names, strict=True):
        _sketch(axes, name, palette[name])
    for axes, (measure, label) in zip(below.subplots(1, 2), MEASURES.items(), strict=True):
        look = {"hue": "curve", "style": "curve", "palette": palette, "markers": True, "ax": axes}
        look |= {"dashes": False, "errorbar": ("pi", 100), "legend": False, "markersize": 5}
        sns.lineplot(numbers[numbers.measure == measure], x="step", y="value", **look)
        axes.set(xlabel="training step", ylabel=label, ylim=(0, None))
        axes.grid(**GRID)
    seeds = numbers.groupby("curve").seed.nunique()
    many = f"{seeds.min()} to {seeds.max()}" if seeds.min() < seeds.max() else str(seeds.max())
    band = "mean, lowest and highest" if seeds.max() > 1 else "no band"
    below.suptitle(f"seeds a curve: {many} ({band})", fontsize="small")
    return figure


def _sketch(axes: Axes, name: str, colour: str) -> None:
    """Hourglasses from left to right, wide at both ends; an arrow for each loss."""
    count, losses = DESIGNS[name]
    width = 2 / count
    for k in range(count):
        left, middle, right = k * width, (k + 0.5) * width, (k + 0.94) * width
        corners = [(left, 1), (middle, 0.25), (right, 1), (right, -1), (middle, -0.25), (left, -1)]
        axes.fill(*zip(*corners, strict=True), color=colour, alpha=0.85)
    for loss in losses:
        whole = loss * width - 0.06 * width
        arrow = {"arrowstyle": "->", "color": "black", "linewidth": 1.2}
        half = 0.25 + 0.75 * min(1.0, 2 * abs((loss - 1e-9) % 1 - 0.5))
        axes.annotate("", (whole, half), (whole, 2.1), arrowprops=arrow)
    axes.set(xlim=(-0.4, 2.3), ylim=(-1.1, 2.2), xticks=[], yticks=[])
    axes.set_title(name, color=colour, fontweight="bold")
    axes.set_xlabel(f"{len(losses)} loss{'es' if len(losses) > 1 else ''}", fontsize=8)
    axes.spines[:].set_visible(False)


def learning(numbers: dict[str, np.ndarray], look: int = -1) -> Figure:
    """A network as it learns: loss and PCKh of people it does not train on, step by step, and one
    of their heatmaps at one of the looks.

    `step`, `loss`, `pckh` (percent) (T,); `maps` (T, H, W) over `image` (S, S, 3) uint8; `found`
    (T, 2) and `truth` (2,) in crop px; `joint`, its name; `people`, how many the loss and PCKh are
    of. Look -1 is the last.
    """
    count = len(numbers["step"])
    within(look=(look, -1, count - 1))
    look %= count
    figure = Figure(figsize=(9, 3), layout="constrained")
    *curves, picture = figure.subplots(1, 3, width_ratios=(1.15, 1.15, 1))
    labels = {"loss": "loss", "pckh": "PCKh@0.5, %"}
    for axes, (name, label), colour in zip(curves, labels.items(), COLOURS, strict=False):
        steps, values = numbers["step"], numbers[name]
        axes.plot(steps, values, "o-", color=colour, markersize=3.5)
        here = {"color": colour, "markersize": 10, "markeredgecolor": "black"}
        axes.plot(steps[look], values[look], "o", **here)
        axes.set(xlabel="training step", ylim=(0, 1.1 * max(values.max(), 1e-6)))
        axes.set_title(f"{label}, {numbers['people']} people")
        axes.grid(**GRID)
    heat = numbers["maps"][look].astype(np.float32)
    # one scale of colours for all looks
    bar = draw_heat(picture, numbers["image"], heat, numbers["maps"].max())
    figure.colorbar(bar, ax=picture, shrink=0.8, aspect=20, label="heatmap value")
    picture.scatter(*numbers["truth"], **TRUTH)
    picture.scatter(*numbers["found"][look], **FOUND)
    picture.set(xticks=[], yticks=[], xlabel=f"peak {heat.max():.2f}")
    picture.set_title(f"{numbers['joint']} at step {numbers['step'][look]}")
    return figure
