"""Forest plots: differences with their 95 % intervals on one scale, the paper's beside what is
measured (05-gains, 07-gains, 07-hard-joints)."""

import pandas as pd
from matplotlib.figure import Figure

from companion.figures.style import COLOURS, GRID

# How a source is drawn: colour, marker and whether the marker is filled.
SOURCES = {
    "paper": ("#555555", "D", False),
    "published files": (COLOURS[2], "s", True),
    "ours": (COLOURS[0], "o", True),
}


def gains(numbers: pd.DataFrame, title: str = "") -> Figure:
    """What one system gains over another, points, as the paper prints it and as measured here with
    its 95 % interval.

    Columns row (what is compared), source (a key of SOURCES), gain, low and high; without ends no
    interval is drawn, without a gain "not measured" is written. An interval that holds zero shows
    no gain.
    """
    rows = list(dict.fromkeys(numbers.row))
    sources = [name for name in SOURCES if (numbers.source == name).any()]
    figure = Figure(figsize=(7.6, 0.9 + 0.42 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for name in sources:
        colour, marker, filled = SOURCES[name]
        aside = 0.34 * (sources.index(name) - (len(sources) - 1) / 2)
        face = colour if filled else "white"
        for one in numbers[numbers.source == name].itertuples():
            at = rows.index(one.row) + aside
            if pd.isna(one.gain):
                axes.text(0, at, "  not measured", color=colour, va="center", fontsize=7.5)
                continue
            axes.plot([one.low, one.high], [at, at], color=colour, linewidth=1.8, zorder=2)
            look = {"color": colour, "markerfacecolor": face, "markersize": 6, "zorder": 3}
            axes.plot(one.gain, at, marker, **look)
        label = {"color": colour, "markerfacecolor": face, "label": name}
        axes.plot([], [], f"{marker}{'-' if filled else ''}", **label)
    axes.axvline(0, color="#888888", linewidth=0.9, zorder=1)
    for between in range(1, len(rows)):
        axes.axhline(between - 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", **GRID)
    axes.set(ylim=(len(rows) - 0.5, -0.5), xlabel="gain, points (line: 95 % interval)", title=title)
    figure.legend(loc="outside lower center", ncols=len(sources))
    return figure
