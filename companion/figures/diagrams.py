"""The architectures of both papers, drawn from the real models: every box, kernel, width,
resolution and loss is a row of `layers`.

A box is as high as the square root of the side of the map that it gives, so that 4 px can be seen
beside 256.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from companion.figures.layers import layers
from companion.figures.strokes import (
    FRAME,
    HEATMAP,
    INK,
    LARGE,
    LOSS,
    NARROW,
    SMALL,
    arrow,
    box,
    conv,
    junction,
    line,
    loss,
    notes,
    shade,
    sheet,
    tall,
    write,
)
from companion.figures.style import COLOURS

__all__ = ["hourglass_diagram", "layers", "recurrent_diagram", "residual_diagram", "stack_diagram"]


def recurrent_diagram(numbers: pd.DataFrame) -> Figure:
    """R-fig3: the recurrent network, layers 1 to 5 once, layers 6 and 7 once a pass, the skip from
    layer 3, and a loss at each site.

    Of `layers(Recurrent(...), side)`.
    """
    convs = numbers[numbers.kind == "conv"]
    figure, ax = sheet(9.2, 3.45, bottom=-2.05)
    over = tall(numbers.side.max()) / 2 + 0.12  # where the skip runs
    write(ax, 0.3, 0, f"image\n{convs.side.iloc[0]} px")
    x = 0.56
    for number in range(1, 6):
        own = numbers[numbers.name.str.startswith(f"layer{number}.")]
        arrow(ax, (x, 0), (x + 0.2, 0))
        start = x = x + 0.2
        for row in own[own.kind == "conv"].itertuples():
            x = _conv(ax, x, row)
        write(ax, (start + x) / 2, -tall(row.side) / 2 - 0.13, f"layer {number}")
        if number == 3:
            tap, skip = x + 0.06, row.outputs
        for row in own[own.kind == "max pool"].itertuples():
            write(ax, x + 0.09, 0.12, f"/{row.stride}", size=7)
    _head(ax, x + 0.09, convs[convs.name == "layer8a"].iloc[0], "8A")
    fused = convs[convs.name.str.startswith("fusion.")]
    for step in range(fused.calls.max()):
        junction_x, x = _pass(ax, x, step, fused[fused.call == step + 1])
        arrow(ax, (junction_x, over), (junction_x, 0.09))
        head = convs[(convs.name == "layer8") & (convs.call == step + 1)].iloc[0]
        _head(ax, x + 0.09, head, "8" + chr(ord("B") + step))
    line(ax, (tap, 0), (tap, over), (junction_x, over))
    said = f"skip: the {skip} maps of layer 3, the same at every pass"
    write(ax, (tap + junction_x) / 2, over + 0.13, said)
    norms = numbers[numbers.name.str.startswith("fusion.norms.0.")]
    own = "each pass its own" if (norms.calls == 1).all() else "all passes the same"
    shared = (convs.calls[convs.name == "layer8"] > 1).all()
    later = ", the later heads share theirs" if shared else ""
    key = ((NARROW, "1x1"), (SMALL, "3x3"), (LARGE, "larger convolution, maps that it gives"))
    x = 0.12
    for colour, text in key:
        box(ax, (x, -1.5), (0.16, 0.14), colour)
        write(ax, x + 0.22, -1.5, text, ha="left", size=7.5)
        x += 0.35 + 0.065 * len(text)
    notes(
        ax,
        -1.76,
        f"Dashed: one set of filters of {fused.parameters.sum():,} numbers, run "
        f"{fused.calls.max()} times. Coloured edges: batch norms, "
        f"{norms.parameters.sum():,} numbers, {own}.",
        f"Red: a loss on {convs.outputs[convs.site > 0].iloc[0]} heatmaps; 8A has filters "
        f"of its own{later}. "
        f"The network learns {numbers.parameters.sum():,} numbers.",
    )
    return figure


def _conv(ax: Axes, x: float, row, edge: str = "") -> float:
    """One convolution as an upright box; returns where the next begins."""
    box(ax, (x, 0), (0.2, tall(row.side)), shade(row.kernel), conv(row), rotation=90, size=7)
    if edge:
        box(ax, (x + 0.165, 0), (0.035, tall(row.side)), edge)
    return x + 0.23


def _head(ax: Axes, x: float, row, name: str) -> None:
    """Layer 8 under the main line at x: a 1x1 convolution to the heatmaps, and their loss."""
    line(ax, (x - 0.09, 0), (x, 0), to=(x, -0.74))
    box(ax, (x - 0.21, -0.84), (0.42, 0.19), HEATMAP, conv(row), size=7)
    line(ax, (x, -0.94), (x, -1.06))
    loss(ax, x, -1.1, name)


def _pass(ax: Axes, x: float, step: int, rows: pd.DataFrame) -> tuple[float, float]:
    """Layers 6 and 7 once, from the concatenation on; returns where that is, and where the next
    pass begins."""
    colour = COLOURS[step % len(COLOURS)]
    arrow(ax, (x, 0), (x + 0.3, 0))
    circle = x + 0.39
    junction(ax, circle, 0, "concatenate")
    arrow(ax, (circle + 0.09, 0), (circle + 0.26, 0))
    start = x = circle + 0.26
    for row in rows.itertuples():
        x = _conv(ax, x, row, edge=colour if row.name.startswith("fusion.layer6") else "")
    high = tall(row.side)
    corner, size = (start - 0.04, -high / 2 - 0.24), (x - start + 0.05, high + 0.29)
    dashes = {"fc": "none", "ec": FRAME, "ls": "--", "lw": 0.8}
    ax.add_patch(FancyBboxPatch(corner, *size, "round,pad=0.03", **dashes))
    write(ax, (start + x - 0.26) / 2, -high / 2 - 0.13, "layer 6")
    write(ax, x - 0.13, -high / 2 - 0.13, "7")
    write(ax, (start + x) / 2, high / 2 + 0.19, f"pass {step}", color=colour)
    return circle, x + 0.02


def stack_diagram(numbers: pd.DataFrame) -> Figure:
    """H-fig1: the stacked hourglass network: the stem, every hourglass, and the loss after it.

    Of `layers(StackedHourglass(...), side, blocks=(Residual,))`.
    """
    figure, ax = sheet(9.6, 2.35, bottom=-1.45)
    sites = numbers[numbers.site > 0]
    stem = numbers[numbers.name.str.startswith("stem.") & numbers.kind.isin(["conv", "residual"])]
    write(ax, 0.3, 0, f"image\n{stem.side.iloc[0] * stem.stride.iloc[0]} px")
    arrow(ax, (0.56, 0), (0.7, 0))
    x = 0.7
    for row in stem.itertuples():
        colour = SMALL if row.kind == "residual" else LARGE
        box(ax, (x, 0), (0.11, tall(row.side)), colour)
        x += 0.13
    write(ax, x - 0.26, -tall(stem.side.max()) / 2 - 0.13, "stem")
    residual = numbers[numbers.name.str.startswith("hourglasses.") & (numbers.kind == "residual")]
    stacks = [own for _, own in residual.groupby(residual.name.str.split(".").str[1].astype(int))]
    pitch = (9.5 - x) / len(stacks)
    over = tall(residual.side.max()) / 2 + 0.1
    for number, own in enumerate(stacks, start=1):
        arrow(ax, (x, 0), (x + 0.2 * pitch, 0))
        start = x + 0.2 * pitch
        main = own[~own.name.str.contains(r"\.keep\.") | (own.side == own.side.min())].side.tolist()
        main = [own.side.max(), *main, own.side.max()]
        bar = 0.55 * pitch / len(main)
        for i, side in enumerate(main):
            box(ax, (start + i * bar, 0), (bar, tall(side)), SMALL, border=(INK, 0.5))
        write(ax, start + 0.275 * pitch, -over, str(number))
        end = start + 0.6 * pitch
        line(ax, (start + 0.55 * pitch, 0), (end + 0.15 * pitch, 0))
        last = number == len(stacks)
        if ("heatmaps" if last else f"junctions.{number - 1}.heatmaps") in set(sites.name):
            line(ax, (end, 0), (end, -0.75))
            loss(ax, end, -0.78)
        if not last:
            out, back = x + 0.1 * pitch, end + 0.14 * pitch
            junction(ax, back, 0, radius=0.065)
            line(ax, (out, 0), (out, over), (back, over), to=(back, 0.065))
        x = end + 0.2 * pitch
    once = (numbers.calls[numbers.kind.isin(["conv", "residual"])] == 1).all()
    shared = "No filters are shared." if once else "Filters are shared."
    sides = ", ".join(str(side) for side in sorted(set(residual.side), reverse=True))
    notes(
        ax,
        -1.12,
        f"{len(stacks)} hourglasses of {len(stacks[0])} residual modules each; their maps "
        f"are {sides} px and back. {shared}",
        f"Red: {len(sites)} loss{'es, each' if len(sites) > 1 else ''} on "
        f"{sites.outputs.iloc[-1]} heatmaps of {sites.side.iloc[-1]} px. "
        f"The network learns {numbers.parameters.sum():,} numbers.",
    )
    return figure


def hourglass_diagram(numbers: pd.DataFrame) -> Figure:
    """H-fig3: one hourglass, down to its smallest map and back up, with a branch at each
    resolution; a box is a step of residual modules.

    Of the rows "hourglasses.0" of `layers(StackedHourglass(...), side, blocks=(Residual,))`.
    """
    steps = numbers[numbers.kind == "residual"].assign(
        level=numbers.name.str.count("inner"), step=numbers.name.str.split(".").str[-2]
    )
    steps = steps.groupby(["level", "step"]).agg(
        side=("side", "first"), outputs=("outputs", "first"), modules=("side", "size")
    )
    depth = steps.index.get_level_values("level").max()
    branches = [steps.loc[level, "keep"].side for level in range(depth)]  # px, the outermost first
    heights = {
        level: 0.38 + sum(tall(side) + 0.08 for side in branches[level:]) - tall(side) / 2
        for level, side in enumerate(branches)
    }
    figure, ax = sheet(9.6, heights[0] + 1.65, bottom=-1.05)
    middle, pitch, ends = 4.8, 0.86, f"{steps.side.max()} px\n{steps.outputs.iloc[0]} maps"

    def step(level: int, name: str, x: float, y: float = 0.0):
        row = steps.loc[level, name]
        text = f"{row.side}\nx{row.modules}" if row.modules > 1 else f"{row.side}"
        box(ax, (x - 0.16, y), (0.32, tall(row.side)), SMALL, text)

    line(ax, (middle - pitch * depth - 0.75, 0), to=(middle + pitch * depth + 0.75, 0))
    # the outermost first; `inner` of one level lies between its `down` and its `up`
    for level in range(depth):
        out, high = pitch * (depth - level), heights[level]
        left, right = middle - out, middle + out  # where the branch leaves and comes back
        line(ax, (left, 0), (left, high), (right, high), to=(right, 0.09))
        step(level, "keep", middle, high)
        step(level, "down", left + pitch / 2)
        step(level, "up", right - pitch / 2)
        write(ax, left + 0.14, 0.1, "/2", size=7)
        write(ax, right - 0.17, 0.1, "x2", size=7)
        junction(ax, right, 0)
    step(depth, "keep", middle)
    write(ax, middle - pitch * depth - 1.03, 0, ends)
    write(ax, middle + pitch * depth + 1.03, 0, ends)
    counts = numbers.kind.value_counts()
    notes(
        ax,
        -0.72,
        f"{counts['residual']} residual modules of {steps.outputs.iloc[0]} maps each, in "
        "a box the side of these in px. Left of the middle "
        f"{counts['max pool']} max pools, one before each box;",
        f"right of it {counts['upsample']} nearest-neighbour upsamplings, one after each "
        f"box, and {counts['add']} additions. "
        f"{numbers.parameters.sum():,} numbers are learned.",
    )
    return figure


def residual_diagram(numbers: pd.DataFrame) -> Figure:
    """H-fig4: on the left the residual module, on the right what stands between two hourglasses,
    with the heatmaps on which the loss is.

    Of the rows of one residual module, "hourglasses.0.keep.0", and of what follows the first
    hourglass, "rounds.0" and "junctions.0", of `layers(StackedHourglass(...), side)`.
    """
    figure, ax = sheet(9.6, 2.75, bottom=-1.35)
    convs = numbers[numbers.kind == "conv"]
    module = convs[convs.name.str.startswith("hourglasses.0.keep.0.")]
    line(ax, (0.5, 0), to=(3.61, 0))
    write(ax, 0.27, 0, f"{module.inputs.iloc[0]}\nmaps")
    line(ax, (0.72, 0), (0.72, 0.8), (3.7, 0.8), to=(3.7, 0.09))
    for i, row in enumerate(module.itertuples()):
        text = f"{row.kernel}x{row.kernel}\n{row.outputs}"
        box(ax, (0.95 + 0.88 * i, 0), (0.62, 0.62), shade(row.kernel), text)
    junction(ax, 3.7, 0)
    arrow(ax, (3.79, 0), (4.05, 0))
    bottleneck = numbers.name.str.startswith("hourglasses.0.keep.0.bottleneck.")
    steps = numbers.kind[bottleneck].str.replace("relu", "ReLU").tolist()
    before = steps[: steps.index("conv")]
    if steps == len(module) * [*before, "conv"]:
        write(ax, 2.2, -0.5, f"{' and '.join(before)} before each convolution", size=7)
    count = numbers.parameters[numbers.name.str.startswith("hourglasses.0.keep.0.")].sum()
    write(ax, 2.2, -0.72, f"residual module, {count:,} numbers")

    from_features, heatmaps, from_heatmaps = (
        convs[convs.name == f"junctions.0.{name}"].iloc[0]
        for name in ("from_features", "heatmaps", "from_heatmaps")
    )
    rounds = convs[convs.name.str.startswith("rounds.0.")]
    line(ax, (4.6, 0.8), (8.55, 0.8), to=(8.55, 0.09))
    write(ax, 4.6, 0.93, "what went into the hourglass", ha="left", size=7)
    line(ax, (4.95, 0.8), to=(4.95, 0.31))
    line(ax, (5.25, 0), to=(8.46, 0))
    box(ax, (4.65, 0), (0.6, 0.62), SMALL, "hour-\nglass")
    if rounds.name.str.contains("bottleneck").any():
        later = {"facecolor": "white", "edgecolor": INK, "lw": 0.9, "ls": "--", "zorder": 2}
        ax.add_patch(Rectangle((5.4, -0.31), 0.6, 0.62, **later))
        write(ax, 5.7, 0, "resid-\nual", zorder=3)
        note = "dashed: added in the released code\nof September 2016, not in the paper"
        write(ax, 4.65, -0.56, note, ha="left", size=7)
    small = (
        (6.12, 0, rounds.iloc[-1]),
        (7.5, 0, from_features),
        (6.9, -0.72, heatmaps),
        (8.13, -0.72, from_heatmaps),
    )
    line(ax, (6.75, 0), (6.75, -0.72), (8.9, -0.72), to=(8.9, -0.09))
    for x, y, row in small:
        box(ax, (x, y), (0.5, 0.36), shade(row.kernel), conv(row), size=7)
    text = str(heatmaps.outputs)
    box(ax, (7.53, -0.72), (0.4, 0.4), HEATMAP, text, border=(COLOURS[0], 2))
    line(ax, (7.73, -0.92), (7.73, -1.1))
    loss(ax, 7.73, -1.12)
    write(ax, 7.85, -1.12, f"loss on {heatmaps.outputs} heatmaps", ha="left", color=LOSS)
    junction(ax, 8.55, 0)
    line(ax, (8.64, 0), to=(8.81, 0))
    junction(ax, 8.9, 0)
    line(ax, (8.99, 0), to=(9.3, 0))
    write(ax, 9.0, 0.3, "to the next\nhourglass", size=7)
    return figure
