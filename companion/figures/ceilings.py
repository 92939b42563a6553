"""What the grid costs: PCKh of a perfect network, whose answer is its target, by six ways from a
point to a heatmap and back (FACTS F.1)."""

import pandas as pd
import seaborn
from matplotlib.figure import Figure

from companion.figures.style import COLOURS


def ceiling_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the curves of `ceilings`, a row a decoder: PCKh at 0.5, 0.2 and 0.1."""
    chosen = frame[frame.threshold.isin([0.1, 0.2, 0.5])]
    table = chosen.pivot(index=["decoder", "people"], columns="threshold", values="pck")
    table = table.loc[list(dict.fromkeys(frame.decoder))]
    table.columns = [f"PCKh@{threshold:g}" for threshold in table.columns]
    return table.reset_index()


def ceiling_curves(frame: pd.DataFrame) -> Figure:
    """PCKh of a perfect network over the threshold, one curve a decoder, and beside it what each
    decoder leaves at a tenth of a head."""
    colours = dict(zip(dict.fromkeys(frame.decoder), COLOURS, strict=False))
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    curves, bars = figure.subplots(1, 2, width_ratios=(1.15, 1))
    look = {"hue": "decoder", "palette": colours, "legend": False}
    line = {"x": "threshold", "y": "pck", "style": "decoder", "errorbar": None}
    seaborn.lineplot(frame, **line, **look, ax=curves)
    curves.axvline(0.1, color="#888888", linewidth=0.8, linestyle=":")
    curves.set(xlim=(0, 0.25), ylim=(0, 101), xlabel="threshold, head sizes")
    curves.set(ylabel="joints within it, %", title=f"a perfect network, {frame.people.iloc[0]}")
    tenth = frame[frame.threshold == 0.1]
    seaborn.barplot(tenth, x="pck", y="decoder", **look, ax=bars)
    for bar in bars.containers:
        bars.bar_label(bar, fmt="%.1f", padding=3)
    bars.set(xlim=(0, 112), xlabel="joints within 0.1 head sizes, %", ylabel="")
    bars.set_title("the same at the dotted line")
    return figure
