"""How far each layer sees: receptive fields, measured by the gradient, layer by layer and pass by
pass."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from companion.figures.checks import within
from companion.figures.style import COLOURS


def receptive_fields(numbers: dict[str, np.ndarray], layer: int = -1, joint: int = 0) -> Figure:
    """What a layer sees of a person when it decides about a joint, as a square on the crop, beside
    the receptive fields of all layers in px.

    `image` (S, S, 3) uint8, a crop that the network sees with `side` px; `points` (J, 2) in px of
    the network's input and their `names` (J,); `layers` (L,), names in the order computed, and
    their `fields` (L,) px. Layer -1 is the last.
    """
    count = len(numbers["layers"])
    within(layer=(layer, -1, count - 1), joint=(joint, 0, len(numbers["names"]) - 1))
    layer, side = layer % count, int(numbers["side"])
    field = int(numbers["fields"][layer])
    x, y = np.nan_to_num(numbers["points"][joint], nan=side / 2)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    edges = (-0.5, side - 0.5, side - 0.5, -0.5)
    left.imshow(0.45 * numbers["image"] / 255, extent=edges)
    seen = left.imshow(numbers["image"], extent=edges)
    square = {"xy": (x - field / 2, y - field / 2), "width": field, "height": field}
    seen.set_clip_path(Rectangle(**square, transform=left.transData))
    left.add_patch(Rectangle(**square, fill=False, ec=COLOURS[1], lw=2))
    left.plot(x, y, "+", color=COLOURS[1], markersize=11, markeredgewidth=2)
    left.set(xticks=[], yticks=[], xlim=edges[:2], ylim=edges[2:])
    left.set_title(f"{numbers['layers'][layer]} about the {numbers['names'][joint]}")
    left.set_xlabel(f"{field} px of the crop's {side} px")
    colours = [COLOURS[1] if row == layer else COLOURS[0] for row in range(count)]
    right.barh(np.arange(count), numbers["fields"], color=colours, height=0.7)
    right.axvline(side, color="#333333", linestyle="--", linewidth=1)
    right.text(side, -0.9, " the whole crop", va="bottom", fontsize=8)
    right.set_yticks(np.arange(count), numbers["layers"], fontsize=8)
    measured = "receptive field, px of the input, measured by the gradient"
    right.set(ylim=(count - 0.5, -1), xlabel=measured)
    return figure
