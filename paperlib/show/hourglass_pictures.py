"""Pictures of the hourglass at work: a pose and its heatmaps, two people close together, early and final predictions.

For each there are two functions. The first measures: it asks a model, or takes its predictions, and returns arrays. The second draws these arrays and
nothing else. Points are crop px.
"""

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from paperlib.codecs import HourglassCodec
from paperlib.data.canvases import Canvases, canvas_boxes, cut_canvas, whole_pixels
from paperlib.data.crops import Crops
from paperlib.data.synthetic import Pair
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import normalised_errors
from paperlib.people import People
from paperlib.predict import Prediction, predict, predict_batch
from paperlib.show.pictures import crop_images, draw_heat, draw_pose, thumbnails
from paperlib.show.style import COLOURS
from paperlib.skeleton import MPII, SKELETONS

JOINTS = ("upper_neck", "left_elbow", "left_wrist", "right_knee", "right_ankle")  # of H fig. 2, from left to right
PERSON = (COLOURS[4], COLOURS[1])  # the first and the second of a pair


def heatmaps_of(model: nn.Module, crops: Crops, person: int) -> dict[str, np.ndarray]:
    """The crop of row `person`, the pose that `model` finds there, and its heatmaps of JOINTS, averaged with the mirrored image's."""
    maps, batch = predict_batch(model, crops, np.array([person]))
    points, _ = crops.codec.decode(maps[-1])
    skeleton = crops.codec.skeleton
    chosen = maps[-1][0, [skeleton.index(joint) for joint in JOINTS]]
    names = np.array([joint.removeprefix("upper_").replace("_", " ") for joint in JOINTS])
    return {"image": crop_images(batch)[0], "points": points[0].cpu().numpy(), "maps": chosen.half().cpu().numpy(), "names": names}


def pose_and_heatmaps(numbers: dict[str, np.ndarray], skeleton: str = "mpii") -> Figure:
    """H-fig2: the pose that the network finds on a crop, and five of its heatmaps: neck, left elbow and wrist, right knee and ankle.

    `image` (S, S, 3) uint8; `points` (J, 2); `maps` (K, H, W) with their `names` (K,).
    """
    figure = Figure(figsize=(9, 1.9), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(numbers["maps"]))
    _picture(first, numbers["image"], "prediction")
    draw_pose(first, numbers["points"], SKELETONS[skeleton])
    for axes, heat, name in zip(others, numbers["maps"].astype(np.float32), numbers["names"], strict=True):
        _picture(axes, numbers["image"], name)
        draw_heat(axes, numbers["image"], heat, heat.max())
        axes.set_xlabel(f"peak {heat.max():.1f}", labelpad=2)
    return figure


def between(pairs: list[Pair], codec: HourglassCodec, device: torch.device, positions: np.ndarray) -> Crops:
    """Crops on the way from the first person of each pair (position 0) to the second (1): row n * len(positions) + t. The labels are the first's."""
    t = positions[None, :, None]
    centre = np.stack([pair.centre for pair in pairs])[:, None]  # (N, 1, 2 people, 2)
    scale = np.stack([pair.scale for pair in pairs])[:, None]  # (N, 1, 2 people)
    rows = np.repeat(np.arange(len(pairs)), len(positions))
    people = People(
        MPII,
        image=np.array([f"pair {row}" for row in rows]),
        joints=np.stack([pairs[row].joints[0] for row in rows]),
        state=np.stack([pairs[row].state[0] for row in rows]),
        centre=(centre[:, :, 0] + t * (centre[:, :, 1] - centre[:, :, 0])).reshape(-1, 2),
        scale=(scale[:, :, 0] + positions * (scale[:, :, 1] - scale[:, :, 0])).reshape(-1),
        framed=np.zeros(len(rows), bool),
        head_size=np.full(len(rows), np.nan),
        others=tuple(pairs[row].joints[1:] for row in rows),
    )
    side = round(1.5 * codec.side)
    squares = canvas_boxes(people, side)
    pixels = np.stack([cut_canvas(pairs[row].image, square, side) for row, square in zip(rows, squares, strict=True)])
    return Crops(people, Canvases(pixels, crop_affine(squares, side), np.ones(len(rows), bool), (), ""), codec, device)


def whose_pose(
    model: nn.Module, pairs: list[Pair], codec: HourglassCodec, device: torch.device, shown: int = 3, steps: int = 9
) -> dict[str, np.ndarray]:
    """Whose pose comes out as the crop moves, in `steps`, from the first person of each of N pairs to the second.

    `second` (N, steps) is the share of joints, of those labelled on both, that are found nearer to the second person's than to the first's; `shown`
    are the pairs in which it rises most. Of these: `scenes` (n, S, S, 3) with `boxes` (n, 2, 3), centre and side of the two people's crops; `crops`
    (n, 2, S, S, 3) and the `poses` (n, 2, J, 2) found there; `rows` (n,).
    """
    positions = np.linspace(0, 1, steps)
    crops = between(pairs, codec, device, positions)
    found = predict(model, crops, progress=False).points[-1].reshape(len(pairs), steps, -1, 2)
    truth = np.stack([pair.joints for pair in pairs])  # (N, 2, J, 2)
    apart = np.linalg.norm(found[:, :, None] - truth[:, None], axis=-1)  # (N, T, 2, J)
    both = ~np.isnan(apart).any(axis=2)
    second = ((apart[:, :, 1] < apart[:, :, 0]) & both).sum(axis=-1) / np.maximum(both.sum(axis=-1), 1)
    rows = np.argsort(second[:, 0] - second[:, -1], kind="stable")[:shown]

    ends = (rows[:, None] * steps + [0, steps - 1]).ravel()  # the crops on either person
    boxes = codec.boxes(crops.people)[ends].reshape(-1, 2, 3)
    images = crop_images(crops.batch(ends))
    poses = transform(found[rows][:, [0, -1]].reshape(len(ends), -1, 2), crop_affine(codec.boxes(crops.people)[ends], codec.side))
    images, poses = thumbnails(images, poses, 96)
    wide = np.array([[(pair.image.shape[1] - 1) / 2, (pair.image.shape[0] - 1) / 2, max(pair.image.shape)] for pair in pairs])[rows]
    wide = whole_pixels(wide, 128)
    to_scene = crop_affine(wide, 128)
    scenes = np.stack([cut_canvas(pairs[row].image, square, 128) for row, square in zip(rows, wide, strict=True)])
    boxes = np.concatenate([transform(boxes[..., :2], to_scene), boxes[..., 2:] * to_scene[:, :1, :1]], axis=-1)
    shape = (len(rows), 2)
    return {
        "second": second,
        "rows": rows,
        "scenes": scenes,
        "boxes": boxes,
        "crops": images.reshape(*shape, *images.shape[1:]),
        "poses": poses.reshape(*shape, *poses.shape[1:]),
    }


def pairs(numbers: dict[str, np.ndarray]) -> Figure:
    """H-fig10: pairs of people, the crop centred on either, the poses found, and whose pose comes out on the way from one to the other.

    The numbers of `whose_pose`; a row is a pair.
    """
    second, rows = 100 * numbers["second"], numbers["rows"]
    figure = Figure(figsize=(9, 1.75 * len(rows)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.6, 1))
    panels = left.subplots(len(rows), 3, squeeze=False)
    for axes, title in zip(panels[0], ("the picture, and both crops", "centred on one", "centred on the other"), strict=True):
        axes.set_title(title)
    for i, row in enumerate(rows):
        _picture(panels[i, 0], numbers["scenes"][i])
        panels[i, 0].set_ylabel(f"pair {row}")
        for person, (x, y, side) in enumerate(numbers["boxes"][i]):
            panels[i, 0].add_patch(Rectangle((x - side / 2, y - side / 2), side, side, fill=False, ec=PERSON[person], lw=1.6))
            panels[i, 0].plot(x, y, "+", color=PERSON[person], markersize=9, markeredgewidth=2)
            axes = panels[i, 1 + person]
            _picture(axes, numbers["crops"][i, person])
            draw_pose(axes, numbers["poses"][i, person], MPII)
            axes.spines[:].set(visible=True, color=PERSON[person], linewidth=2)
            axes.set_xlabel(f"{second[row, -1 if person else 0]:.0f} % of the joints on the other", fontsize=8, labelpad=2)
    axes = right.subplots()
    positions = np.linspace(0, 1, second.shape[1])
    for row, colour in zip(rows, COLOURS, strict=False):
        axes.plot(positions, second[row], color=colour, linewidth=1.2, label=f"pair {row}")
    axes.plot(positions, second.mean(axis=0), color="black", linewidth=2.2, label=f"mean of {len(second)} pairs")
    axes.set(xlim=(0, 1), ylim=(0, 100), xlabel="crop, from one person (0) to the other (1)", ylabel="joints nearer to the other person, %")
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.legend(loc="upper left", fontsize=8)
    return figure


def changed(prediction: Prediction, crops: Crops, early: int, shown: int = 6) -> dict[str, np.ndarray]:
    """The `shown` people whose pose changes most, in joints that become right or wrong, from site `early` to the last: `images` (n, S, S, 3),
    `poses` (n, 2, J, 2) and `right` (n, 2), how many of the `labelled` (n,) joints are within half a head size."""
    people = crops.people
    errors = np.stack([normalised_errors(prediction.points[site], people.joints, people.head_size) for site in (early, -1)], axis=1)
    right = errors <= 0.5  # (N, 2, J)
    rows = np.argsort(-np.abs(right[:, 1].sum(-1) - right[:, 0].sum(-1)), kind="stable")[:shown]
    to_crop = crop_affine(crops.codec.boxes(people), crops.codec.side)[rows]
    poses = np.stack([transform(prediction.points[site][rows], to_crop) for site in (early, -1)], axis=1)
    images, poses = thumbnails(crop_images(crops.batch(rows)), poses, 96)
    return {"images": images, "poses": poses, "right": right[rows].sum(-1), "labelled": (~np.isnan(errors[rows, 0])).sum(-1)}


def early_and_final(numbers: dict[str, np.ndarray], early: str = "early") -> Figure:
    """H-fig9. Left, of `changed`: each person's pose at the stage named `early` and at the end. Right, of networks of equal capacity: `stacks`,
    `stage`, `accuracy` in heatmap space (FACTS C.7) and `pckh`, (R,) each, percent; beside the accuracy the paper's, `printed_stacks`,
    `printed_stage` and `printed_accuracy` (P,)."""
    people, columns = len(numbers["images"]), 2
    figure = Figure(figsize=(9, 0.55 + 1.35 * -(-people // columns)), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
    panels = left.subplots(-(-people // columns), 2 * columns, squeeze=False)
    for axes in panels.flat[2 * people :]:
        axes.remove()
    for i, axes in enumerate(panels.flat[: 2 * people]):
        person, last = divmod(i, 2)
        _picture(axes, numbers["images"][person], ("final" if last else early) if i < 2 * columns else "")
        draw_pose(axes, numbers["poses"][person, last], MPII, width=1.5)
        axes.set_xlabel(f"{numbers['right'][person, last]} of {numbers['labelled'][person]} right", fontsize=7.5, labelpad=2)
    ours = pd.DataFrame({name: numbers[name] for name in ("stacks", "stage", "accuracy", "pckh")})
    above, below = right.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    _equal_capacity(above, ours, numbers)
    for colour, (_, rows) in zip(COLOURS, ours.groupby("stacks"), strict=False):
        below.plot(100 * rows.stage / rows.stacks, rows.pckh, "o-", color=colour, markersize=4)
    below.set(ylim=(0, None), xlabel="way through the network, %", ylabel="PCKh@0.5, %\n(all joints)")
    below.grid(color="#E5E5E5", linewidth=0.6)
    return figure


def _equal_capacity(axes: Axes, ours: pd.DataFrame, numbers: dict[str, np.ndarray]) -> None:
    for colour, stacks in zip(COLOURS, sorted(set(numbers["printed_stacks"].tolist())), strict=False):
        rows, printed = ours[ours.stacks == stacks], numbers["printed_stacks"] == stacks
        part, paper = 100 * numbers["printed_stage"][printed] / stacks, numbers["printed_accuracy"][printed]
        label = f"{stacks} stacks (the paper: {', then '.join(f'{value:.1f}' for value in paper)})"
        axes.plot(100 * rows.stage / stacks, rows.accuracy, "o-", color=colour, markersize=4, label=label)
        axes.plot(part, paper, "D--", color=colour, markersize=5, markerfacecolor="none", linewidth=0.8)
    axes.plot([], [], "D--", color="#666666", markersize=5, markerfacecolor="none", linewidth=0.8, label="the paper's")
    axes.set(xlim=(0, 104), ylim=(0, 100), ylabel="heatmap accuracy, %\n(wrists, elbows, knees, ankles)")
    axes.grid(color="#E5E5E5", linewidth=0.6)
    axes.legend(loc="lower right" if len(ours) == 0 or ours.accuracy.max() > 50 else "center right", fontsize=8)


def _picture(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """A crop without ticks; a limb that leaves it is cut."""
    axes.imshow(image)
    axes.set(xticks=[], yticks=[], xlim=(-0.5, image.shape[1] - 0.5), ylim=(image.shape[0] - 0.5, -0.5))
    axes.spines[:].set_visible(False)
    if title:
        axes.set_title(title)
