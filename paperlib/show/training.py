"""How training goes: the validation accuracy of several runs as they learn."""

import pandas as pd
from matplotlib.figure import Figure

from paperlib.show.style import COLOURS

MEASURES = {
    "accuracy": "heatmap accuracy, %\n(wrists, elbows, knees, ankles)",
    "PCKh": "PCKh@0.5, %\n(all annotated joints)",
}


def training_progress(numbers: pd.DataFrame) -> Figure:
    """H-fig8: one curve a run in each of two panels. Columns curve, step, measure (a key of MEASURES) and value (percent)."""
    figure = Figure(figsize=(9, 3.7), layout="constrained")
    for axes, (measure, label) in zip(figure.subplots(1, len(MEASURES), sharex=True), MEASURES.items(), strict=True):
        for colour, (curve, rows) in zip(COLOURS, numbers[numbers.measure == measure].groupby("curve", sort=False), strict=False):
            axes.plot(rows.step, rows.value, "o-", color=colour, markersize=3.5, linewidth=1.6, label=curve)
        axes.set(xlabel="training step", ylabel=label)
        axes.set_ylim(0, max(1, 1.1 * numbers.value[numbers.measure == measure].max()))
        axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.axes[0].legend(loc="lower right")
    return figure
