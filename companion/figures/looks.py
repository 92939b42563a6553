"""A second look: one joint's heatmap site by site, beside what the later sites repair and spoil and
what becomes of the false peaks (R-fig2, R-fig5, and the same for a stack of hourglasses)."""

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.pictures import FOUND, bare, heat_row, key
from companion.figures.style import COLOURS

REPAIRED, SPOILT = COLOURS[2], COLOURS[5]
FIRST = FOUND | {"marker": "s", "facecolors": "none"}  # where the first site was wrong


def looked_again(numbers: dict[str, np.ndarray]) -> Figure:
    """R-fig2 and R-fig5: one joint of each of N people at each of K sites of the network, and
    beside them all joints that a later site repairs or spoils.

    `images` (N, S, S, 3) uint8; `maps` (N, K, H, W), a row has one scale of colours; `truth` (N,
    2); `found` (N, K, 2); `error` (N, K), written below in units of `unit`; `names` (N,) of the
    rows; `titles` (K,) of the sites. Of all joints: `repaired` and `spoilt` (K - 1,), `gain` (3,)
    points with their interval, and `heights` (M, K) of the false peaks of the rescued ones.
    """
    rows, sites = len(numbers["images"]), numbers["maps"].shape[1]
    figure = Figure(figsize=(1.55 * (1 + sites) + 2.9, 1.78 * rows + 0.5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.55 * (1 + sites), 2.9))
    panels = left.subplots(rows, 1 + sites, squeeze=False)
    for axes, title in zip(panels[0], ("crop", *numbers["titles"]), strict=True):
        axes.set_title(title)
    for i, row in enumerate(panels):
        heat_row(row, numbers, i, FIRST)
        for axes in row:
            bare(axes)
        for axes, error in zip(row[1:], numbers["error"][i], strict=True):
            axes.set_xlabel(f"{error:.1f} {numbers['unit']} off", labelpad=2)
    key(figure, panels[0, 0], ("maximum at the first site", FIRST))
    above, below = right.subplots(2, 1)
    _balance(above, numbers)
    _false_peaks(below, numbers)
    return figure


def _balance(axes: Axes, numbers: dict[str, np.ndarray]) -> None:
    """How many joints each later site repairs, upwards, and spoils, downwards."""
    repaired, spoilt = numbers["repaired"], numbers["spoilt"]
    places = np.arange(len(repaired))
    for counts, colour, name in ((repaired, REPAIRED, "repaired"), (-spoilt, SPOILT, "spoilt")):
        bars = axes.bar(places, counts, color=colour, width=0.6, label=name)
        axes.bar_label(bars, [f"{abs(count)} {name}" for count in counts], fontsize=8, padding=2)
    axes.axhline(0, color="#333333", linewidth=0.8)
    axes.set_xticks(places, _short(numbers["titles"])[1:])
    axes.set(yticks=[], xlim=(-0.8, len(repaired) - 0.2))
    axes.margins(y=0.18)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    gain, low, high = numbers["gain"]
    axes.set_title(f"all joints: first to last site\n{gain:+.1f} points [{low:.1f}, {high:.1f}]")


def _false_peaks(axes: Axes, numbers: dict[str, np.ndarray]) -> None:
    """The height of each rescued joint's false peak, in parts of what it is at the first site."""
    heights = numbers["heights"]
    axes.set_title(f"the false peak of all {len(heights)} joints\nlost at first, found at last")
    if not len(heights):
        axes.axis("off")
        return
    share = 100 * heights[:, 1:] / heights[:, :1]
    frame = pd.DataFrame(share, columns=_short(numbers["titles"])[1:])
    frame = frame.melt(var_name="site", value_name="height")
    look = {"color": COLOURS[4], "fliersize": 2, "linewidth": 1, "width": 0.5}
    seaborn.boxplot(frame, x="site", y="height", ax=axes, **look)
    for k, middle in enumerate(np.median(share, axis=0)):
        axes.text(k + 0.28, middle, f"{middle:.0f}", fontsize=8, va="center")
    axes.axhline(100, color="#888888", linestyle=":", linewidth=1)
    axes.set(xlabel="", ylabel="height, % of the first site's")
    axes.set(xlim=(-0.6, share.shape[1] - 0.3), ylim=(min(0, share.min() - 5), None))


def _short(titles: np.ndarray) -> list[str]:
    """8A, 8B, ... of R's sites; other names as they are."""
    return [name.split()[0] if name.startswith("8") else name for name in map(str, titles)]
