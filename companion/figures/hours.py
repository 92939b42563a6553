"""What hours of a processor bought: the score of a network against the hours spent on it."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from companion.figures.style import COLOURS, GRID


def hours(frame: pd.DataFrame) -> Figure:
    """PCK on LSP test over processor hours, a line a network. Columns: name, hours, score, low and
    high (the ends of its interval); rows in the order of the trainings."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for colour, (name, rows) in zip(COLOURS, frame.groupby("name", sort=False), strict=False):
        axes.plot(rows.hours, rows.score, "-", color=colour, linewidth=1, alpha=0.5)
        axes.vlines(rows.hours, rows.low, rows.high, color=colour, linewidth=2)
        axes.plot(rows.hours, rows.score, "o", color=colour, label=name.removesuffix("-lsp"))
        for row in rows.itertuples():
            place = {"textcoords": "offset points", "fontsize": 8, "color": colour}
            axes.annotate(f"{row.score:.1f}", (row.hours, row.score), (7, -9), **place)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set(xlabel="hours of one processor thread", ylabel="PCK@0.2 on LSP test, %")
    axes.margins(x=0.08)
    axes.grid(axis="y", **GRID)
    axes.legend(loc="lower right")
    return figure
