"""What hours of a processor bought: the score of a network against the hours spent on it."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from companion.figures.style import COLOURS, GRID


def hours(frame: pd.DataFrame) -> Figure:
    """PCK on LSP test over processor hours, a line a network, broken where a later training took
    less. Columns: name, hours, score, low and high (the ends of its interval); rows in the order of
    the trainings."""
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    networks = frame.groupby("name", sort=False)
    for number, (colour, (name, rows)) in enumerate(zip(COLOURS, networks, strict=False)):
        for _, line in rows.groupby((rows.hours.diff() < 0).cumsum()):
            axes.plot(line.hours, line.score, "-", color=colour, linewidth=1, alpha=0.5)
        axes.vlines(rows.hours, rows.low, rows.high, color=colour, linewidth=2)
        axes.plot(rows.hours, rows.score, "o", color=colour, label=name.removesuffix("-lsp"))
        above = number == 0  # the first network's scores above its intervals, the others' below
        place = {"ha": "center", "va": "bottom" if above else "top", "color": colour}
        place |= {"textcoords": "offset points", "fontsize": 8}
        for row in rows.itertuples():
            end, aside = (row.high, 2) if above else (row.low, -2)
            axes.annotate(f"{row.score:.1f}", (row.hours, end), (0, aside), **place)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set(xlabel="hours of one processor thread", ylabel="PCK@0.2 on LSP test, %")
    axes.margins(x=0.08)
    axes.grid(axis="y", **GRID)
    axes.legend(loc="lower right")
    return figure
