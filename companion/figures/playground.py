"""The target playground: one joint's or part's target, the weights of its pixels, and what the loss
says of three guesses, for any setting."""

from dataclasses import replace

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.figures.checks import one_of, within
from companion.figures.pictures import bare, draw_heat
from companion.figures.style import COLOURS
from paperlib.codecs import RecurrentCodec, Targets
from paperlib.losses import recurrent_loss
from paperlib.people import ABSENT, OCCLUDED
from paperlib.skeleton import MPII, PARTS

POLICIES, WEIGHTS = ("include", "ignore", "exclude"), ("balanced", "equal")
PAPER = RecurrentCodec()
OFF = 1  # heatmap px by which the second guess misses


def choices(numbers: dict[str, np.ndarray]) -> list[str]:
    """What there is to draw: the annotated joints, the occluded ones first, then the parts."""
    order = np.argsort(numbers["state"] != OCCLUDED, kind="stable")
    annotated = [j for j in order if numbers["state"][j] != ABSENT]
    joints = [
        MPII.joints[j].replace("_", " ") + " (occluded)" * bool(numbers["state"][j] == OCCLUDED)
        for j in annotated
    ]
    return joints + [part.replace("_", " ") for part in PARTS]


def playground(
    numbers: dict[str, np.ndarray],
    what: str = "",
    sigma: float = PAPER.sigma,
    peak: float = PAPER.peak,
    along: float = PAPER.along,
    across: float = PAPER.across,
    occluded: str = "include",
    weights: str = "balanced",
) -> Figure:
    """A target over its crop, the weight of each pixel in the loss, and R's loss of three guesses:
    nothing, a near miss, a haze.

    The numbers of `person_to_play_with`; `what` is one of `choices`, the first if empty; `sigma` in
    heatmap px, `along` and `across` in limb lengths; `weights` are "balanced" (R sec. III) or
    "equal". Everything is drawn by RecurrentCodec and recurrent_loss.
    """
    known = choices(numbers)
    what = what or known[0]
    one_of(what=(what, known), occluded=(occluded, POLICIES), weights=(weights, WEIGHTS))
    within(sigma=(sigma, 0.3, 6), peak=(peak, 0.1, 50))
    within(along=(along, 0.02, 1), across=(across, 0.01, 1))
    codec = replace(PAPER, sigma=sigma, peak=peak, along=along, across=across, occluded=occluded)
    target, weight, would_be = targets_at(codec, numbers, what, weights)
    figure = Figure(figsize=(9, 2.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    for axes in (left, middle):
        bare(axes)
    heat = draw_heat(left, numbers["image"], target.numpy(), peak)
    left.set_title(f"target: {what}")
    figure.colorbar(heat, ax=left, shrink=0.75, aspect=18, label="heatmap value")
    shown = middle.imshow(weight.numpy(), cmap="cividis", vmin=0, vmax=1)
    middle.set_title("weight in the loss")
    figure.colorbar(shown, ax=middle, shrink=0.75, aspect=18, label="weight")
    _losses(right, target, weight, would_be, peak)
    return figure


def targets_at(
    codec: RecurrentCodec, numbers: dict[str, np.ndarray], what: str, weights: str
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Target, weights and foreground (H, W) of one joint or part; the foreground is where the bump
    is, or would be were it not hidden."""
    name = what.removesuffix(" (occluded)").replace(" ", "_")
    channel = len(MPII) + PARTS[name] if name in PARTS else MPII.index(name)
    joints, state = (torch.from_numpy(numbers[part])[None] for part in ("joints", "state"))
    drawn = codec.encode(joints, state)
    would_be = replace(codec, occluded="include").encode(joints, state).maps[0, channel] > 0
    weight = drawn.weights[0, channel]
    return drawn.maps[0, channel], (weight > 0).float() if weights == "equal" else weight, would_be


def guess_losses(
    target: torch.Tensor, weight: torch.Tensor, foreground: torch.Tensor, peak: float
) -> dict[str, tuple[float, float]]:
    """R's loss of three guesses: what the foreground and what the background says of each."""
    guesses = {
        "nothing:\nall zero": torch.zeros_like(target),
        f"near miss:\n{OFF} px off": torch.roll(target, OFF, dims=1),
        "haze: 1/10 of\nthe mode all over": torch.full_like(target, peak / 10),
    }
    parts = [
        Targets(target[None, None], (weight * region)[None, None])
        for region in (foreground, ~foreground)
    ]
    return {
        name: tuple(
            recurrent_loss([guess[None, None]], lambda side, part=part: part).item()
            for part in parts
        )
        for name, guess in guesses.items()
    }


def _losses(
    axes: Axes, target: torch.Tensor, weight: torch.Tensor, foreground: torch.Tensor, peak: float
) -> None:
    """The losses of the guesses as bars."""
    guesses = guess_losses(target, weight, foreground, peak)
    fore, back = np.array(list(guesses.values())).T
    rows = np.arange(len(guesses))
    axes.barh(rows, fore, color=COLOURS[1], height=0.6, label="foreground")
    axes.barh(rows, back, left=fore, color=COLOURS[0], height=0.6, label="background")
    for row, total in zip(rows, fore + back, strict=True):
        axes.text(total, row, f" {total:.3g}", va="center")
    axes.set_yticks(rows, guesses)
    count, inside, outside = int(foreground.sum()), weight[foreground], weight[~foreground]
    means = [f"{part.mean().item():.3f}" if part.numel() else "-" for part in (inside, outside)]
    axes.set(ylim=(2.5, -0.5), xlim=(0, 1.25 * max((fore + back).max(), 1e-6)))
    axes.set_xlabel("half the weighted squared error, summed")
    axes.set_title(
        f"loss; {count} of {foreground.numel()} px foreground,\nweight {means[0]} on it, "
        f"{means[1]} elsewhere"
    )
    handles = axes.get_legend_handles_labels()
    axes.figure.legend(*handles, loc="outside lower right", ncols=2, fontsize=8)
