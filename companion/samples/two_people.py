"""Whose pose comes out as a crop is shifted from one person to the other and resized (H sec.
5.1)."""

import numpy as np
import torch
from torch import nn

from companion.drawn.synthetic import Pair
from companion.samples.stacks import between
from paperlib.codecs import HourglassCodec
from paperlib.data.canvases import cut_canvas, whole_pixels
from paperlib.geometry import crop_affine, transform
from paperlib.predict import decode, folded, heatmaps, zoomed

ZOOMS = np.array([0.7, 0.85, 1.0, 1.2, 1.4])
SIDE = 192  # px of a stored scene


def whose_pose_grid(
    model: nn.Module,
    pairs: list[Pair],
    rows: np.ndarray,
    codec: HourglassCodec,
    device: torch.device,
    steps: int = 9,
) -> dict[str, np.ndarray]:
    """What `model` finds in the pairs `rows` for crops at `steps` positions, from the first person
    (0) to the second (1), and at each of ZOOMS.

    `poses` (n, T, Z, J, 2) and the crops' `boxes` (n, T, Z, 3), centre and side, in px of the
    `scenes` (n, S, S, 3); `second` (n, T, Z) is the share of joints, of those labelled on both,
    that are found nearer to the second person's. At zoom 1 it is that of `whose_pose`.
    """
    chosen, positions = [pairs[row] for row in rows], np.linspace(0, 1, steps)
    crops = between(chosen, codec, device, positions)
    every, network = np.arange(len(crops)), folded(model)  # as `predict` does
    found, boxes = [], []
    for zoom in ZOOMS:
        batch = crops.batch(every, zoomed(len(every), zoom) if zoom != 1 else None)
        found.append(decode(codec, heatmaps(network, codec, batch.images)[-1], batch.to_image)[0])
        boxes.append(codec.boxes(crops.people) * [1, 1, 1 / zoom])
    found, boxes = (
        np.stack(part, axis=1).reshape(len(chosen), steps, len(ZOOMS), *part[0].shape[1:])
        for part in (found, boxes)
    )
    apart = np.linalg.norm(
        found[..., None, :, :] - np.stack([pair.joints for pair in chosen])[:, None, None], axis=-1
    )  # (n, T, Z, 2, J)
    both = ~np.isnan(apart).any(axis=3)
    second = ((apart[..., 1, :] < apart[..., 0, :]) & both).sum(axis=-1) / np.maximum(
        both.sum(axis=-1), 1
    )
    wide = np.array(
        [
            [(pair.image.shape[1] - 1) / 2, (pair.image.shape[0] - 1) / 2, max(pair.image.shape)]
            for pair in chosen
        ]
    )
    wide = whole_pixels(wide, SIDE)
    to_scene = crop_affine(wide, SIDE)
    return {
        "scenes": np.stack(
            [cut_canvas(pair.image, box, SIDE) for pair, box in zip(chosen, wide, strict=True)]
        ),
        "poses": _through(found, to_scene),
        "boxes": np.concatenate(
            [
                _through(boxes[..., None, :2], to_scene)[..., 0, :],
                boxes[..., 2:] * to_scene[:, None, None, :1, 0],
            ],
            axis=-1,
        ),
        "second": second,
        "positions": positions,
        "zooms": ZOOMS,
        "rows": np.asarray(rows),
    }


def _through(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Points (n, T, Z, J, 2) through one affine (n, 3, 3) a pair."""
    return transform(points.reshape(len(points), -1, 2), affine).reshape(points.shape)
