"""What the grid costs: PCKh of a perfect network, whose answer is its target, by six ways from a
point to a heatmap and back (FACTS F.1)."""

import pandas as pd
from matplotlib.figure import Figure


def ceiling_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Of the curves of `ceilings`, a row a decoder: PCKh at 0.5, 0.2 and 0.1."""
    chosen = frame[frame.threshold.isin([0.1, 0.2, 0.5])]
    table = chosen.pivot(index=["decoder", "people"], columns="threshold", values="pck").loc[
        list(dict.fromkeys(frame.decoder))
    ]
    table.columns = [f"PCKh@{threshold:g}" for threshold in table.columns]
    return table.reset_index()


def ceiling_curves(frame: pd.DataFrame) -> Figure:
    """PCKh over the threshold, one curve a decoder, and the same close to zero, where they part."""
    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for name, curve in frame.groupby("decoder", sort=False):
        look = {
            "linestyle": "-"
            if "as here" in name
            else (0, (5, 2))
            if "released" in name
            else (0, (1, 1.2))
        }
        colour = axes[0].plot(curve.threshold, curve.pck, label=name, **look)[0].get_color()
        axes[1].plot(curve.threshold, curve.pck, color=colour, marker=".", **look)
    axes[0].set(
        xlim=(0, 0.5), ylim=(0, 101), ylabel=f"joints within it, percent ({frame.people.iloc[0]})"
    )
    axes[1].set(xlim=(0.04, 0.16), ylim=(0, 101), title="the same, where they part")
    axes[0].set_title("a perfect network's PCKh")
    for ax in axes:
        ax.set_xlabel("threshold, head sizes")
    axes[0].legend(loc="lower right")
    return figure
