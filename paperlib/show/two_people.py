"""Two people, one crop: whose pose comes out as the crop is shifted from one to the other and made larger or smaller (H sec. 5.1)."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from paperlib.codecs import HourglassCodec
from paperlib.data.canvases import cut_canvas, whole_pixels
from paperlib.data.synthetic import Pair
from paperlib.geometry import crop_affine, transform
from paperlib.predict import decode, folded, heatmaps, zoomed
from paperlib.show.hourglass_pictures import PERSON, between
from paperlib.show.pictures import draw_pose
from paperlib.show.positions import within
from paperlib.skeleton import MPII

ZOOMS = np.array([0.7, 0.85, 1.0, 1.2, 1.4])
SIDE = 192  # px of a stored scene


def whose_pose_grid(
    model: nn.Module, pairs: list[Pair], rows: np.ndarray, codec: HourglassCodec, device: torch.device, steps: int = 9
) -> dict[str, np.ndarray]:
    """What `model` finds in the pairs `rows` for crops at `steps` positions, from the first person (0) to the second (1), and at each of ZOOMS.

    `poses` (n, T, Z, J, 2) and the crops' `boxes` (n, T, Z, 3), centre and side, in px of the `scenes` (n, S, S, 3); `second` (n, T, Z) is the share
    of joints, of those labelled on both, that are found nearer to the second person's. At zoom 1 it is that of `whose_pose`.
    """
    chosen, positions = [pairs[row] for row in rows], np.linspace(0, 1, steps)
    crops = between(chosen, codec, device, positions)
    every, network = np.arange(len(crops)), folded(model)  # as `predict` does
    found, boxes = [], []
    for zoom in ZOOMS:
        batch = crops.batch(every, zoomed(len(every), zoom) if zoom != 1 else None)
        found.append(decode(codec, heatmaps(network, codec, batch.images)[-1], batch.to_image)[0])
        boxes.append(codec.boxes(crops.people) * [1, 1, 1 / zoom])
    found, boxes = (np.stack(part, axis=1).reshape(len(chosen), steps, len(ZOOMS), *part[0].shape[1:]) for part in (found, boxes))
    apart = np.linalg.norm(found[..., None, :, :] - np.stack([pair.joints for pair in chosen])[:, None, None], axis=-1)  # (n, T, Z, 2, J)
    both = ~np.isnan(apart).any(axis=3)
    second = ((apart[..., 1, :] < apart[..., 0, :]) & both).sum(axis=-1) / np.maximum(both.sum(axis=-1), 1)
    wide = np.array([[(pair.image.shape[1] - 1) / 2, (pair.image.shape[0] - 1) / 2, max(pair.image.shape)] for pair in chosen])
    wide = whole_pixels(wide, SIDE)
    to_scene = crop_affine(wide, SIDE)
    return {
        "scenes": np.stack([cut_canvas(pair.image, box, SIDE) for pair, box in zip(chosen, wide, strict=True)]),
        "poses": _through(found, to_scene),
        "boxes": np.concatenate([_through(boxes[..., None, :2], to_scene)[..., 0, :], boxes[..., 2:] * to_scene[:, None, None, :1, 0]], axis=-1),
        "second": second,
        "positions": positions,
        "zooms": ZOOMS,
        "rows": np.asarray(rows),
    }


def _through(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points (n, T, Z, J, 2) through one affine (n, 3, 3) a pair."""
    return transform(points.reshape(len(points), -1, 2), affine).reshape(points.shape)


def shifted_crop(numbers: dict[str, np.ndarray], pair: int = 0, position: int = 0, zoom: int = 2) -> Figure:
    """Two people, the crop laid on them and the pose that comes out, its frame in the colour of the person whose it mostly is.

    The numbers of `whose_pose_grid`; `pair`, `position` and `zoom` count from 0 along its first three axes.
    """
    for what, value, count in zip(("pair", "position", "zoom"), (pair, position, zoom), numbers["second"].shape, strict=True):
        within(what, value, 0, count - 1)
    scene, pose, (x, y, side) = numbers["scenes"][pair], numbers["poses"][pair, position, zoom], numbers["boxes"][pair, position, zoom]
    share = numbers["second"][pair, :, zoom]
    colour = PERSON[int(share[position] > 0.5)]
    figure = Figure(figsize=(9, 3.3), layout="constrained")
    whole, crop, curve = figure.subplots(1, 3)
    for axes, title in ((whole, f"pair {numbers['rows'][pair]}, and the crop"), (crop, "what the network sees, and says")):
        axes.imshow(scene)
        axes.set(xticks=[], yticks=[], title=title, xlim=(-0.5, scene.shape[1] - 0.5), ylim=(scene.shape[0] - 0.5, -0.5))
    whole.add_patch(Rectangle((x - side / 2, y - side / 2), side, side, fill=False, ec=colour, lw=2))
    whole.plot(x, y, "+", color=colour, markersize=10, markeredgewidth=2)
    draw_pose(crop, pose, MPII)
    crop.set(xlim=(x - side / 2, x + side / 2), ylim=(y + side / 2, y - side / 2))
    crop.set_facecolor("black")
    crop.spines[:].set(visible=True, color=colour, linewidth=3)
    _shares(curve, numbers["positions"], 100 * share, position, f"zoom {numbers['zooms'][zoom]:g}")
    return figure


def _shares(axes: Axes, positions: np.ndarray, percent: np.ndarray, position: int, title: str) -> None:
    """Joints on the second person along the way, with a dot at this position."""
    axes.axhspan(0, 50, color=PERSON[0], alpha=0.12, linewidth=0)
    axes.axhspan(50, 100, color=PERSON[1], alpha=0.15, linewidth=0)
    axes.plot(positions, percent, color="#333333", linewidth=1.2)
    axes.plot(positions[position], percent[position], "o", color=PERSON[int(percent[position] > 50)], markersize=10, markeredgecolor="black")
    axes.set(xlim=(-0.03, 1.03), ylim=(0, 100), title=title, xlabel="crop, from one person (0) to the other (1)")
    axes.set_ylabel("joints nearer to the other person, %")
