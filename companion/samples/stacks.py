"""What a stack of hourglasses answers: heatmaps of a person, pairs of people, early and final
poses."""

import numpy as np
import torch
from torch import nn

from companion.drawn.synthetic import Pair
from companion.figures.stacks import JOINTS
from companion.runs.study import Study
from companion.samples.sharp import enlarged, sharp_crops
from paperlib.codecs import HourglassCodec
from paperlib.data.canvases import Canvases, canvas_boxes, cut_canvas, whole_pixels
from paperlib.data.crops import Crops
from paperlib.data.thumbnails import crop_images, thumbnails
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import normalised_errors
from paperlib.people import People
from paperlib.predict import Prediction, predict, predict_batch
from paperlib.skeleton import MPII


def heatmaps_of(
    study: Study, model: nn.Module, crops: Crops, person: int, side: int = 192
) -> dict[str, np.ndarray]:
    """The crop of row `person`, the pose that `model` finds there, and its heatmaps of JOINTS,
    averaged with the mirrored image's."""
    maps, _ = predict_batch(model, crops, np.array([person]))
    points, _ = crops.codec.decode(maps[-1])
    skeleton = crops.codec.skeleton
    chosen = maps[-1][0, [skeleton.index(joint) for joint in JOINTS]]
    names = np.array([joint.removeprefix("upper_").replace("_", " ") for joint in JOINTS])
    return {
        "image": sharp_crops(study, crops, np.array([person]), side)[0],
        "points": enlarged(points[0].cpu().numpy(), crops.codec.side, side),
        "maps": chosen.half().cpu().numpy(),
        "names": names,
    }


def between(
    pairs: list[Pair], codec: HourglassCodec, device: torch.device, positions: np.ndarray
) -> Crops:
    """Crops on the way from the first person of each pair (position 0) to the second (1): row n *
    len(positions) + t. The labels are the first's."""
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
    pixels = np.stack(
        [
            cut_canvas(pairs[row].image, square, side)
            for row, square in zip(rows, squares, strict=True)
        ]
    )
    return Crops(
        people,
        Canvases(pixels, crop_affine(squares, side), np.ones(len(rows), bool), (), ""),
        codec,
        device,
    )


def whose_pose(
    model: nn.Module,
    pairs: list[Pair],
    codec: HourglassCodec,
    device: torch.device,
    shown: int = 3,
    steps: int = 9,
) -> dict[str, np.ndarray]:
    """Whose pose comes out as the crop moves, in `steps`, from the first person of each of N pairs
    to the second.

    `second` (N, steps) is the share of joints, of those labelled on both, that are found nearer to
    the second person's than to the first's; `shown` are the pairs in which it rises most. Of these:
    `scenes` (n, S, S, 3) with `boxes` (n, 2, 3), centre and side of the two people's crops; `crops`
    (n, 2, S, S, 3) and the `poses` (n, 2, J, 2) found there; `rows` (n,).
    """
    positions = np.linspace(0, 1, steps)
    crops = between(pairs, codec, device, positions)
    found = predict(model, crops, progress=False).points[-1].reshape(len(pairs), steps, -1, 2)
    truth = np.stack([pair.joints for pair in pairs])  # (N, 2, J, 2)
    apart = np.linalg.norm(found[:, :, None] - truth[:, None], axis=-1)  # (N, T, 2, J)
    both = ~np.isnan(apart).any(axis=2)
    second = ((apart[:, :, 1] < apart[:, :, 0]) & both).sum(axis=-1) / np.maximum(
        both.sum(axis=-1), 1
    )
    rows = np.argsort(second[:, 0] - second[:, -1], kind="stable")[:shown]

    ends = (rows[:, None] * steps + [0, steps - 1]).ravel()  # the crops on either person
    boxes = codec.boxes(crops.people)[ends].reshape(-1, 2, 3)
    images = crop_images(crops.batch(ends))
    poses = transform(
        found[rows][:, [0, -1]].reshape(len(ends), -1, 2),
        crop_affine(codec.boxes(crops.people)[ends], codec.side),
    )
    images, poses = thumbnails(images, poses, 96)
    wide = np.array(
        [
            [(pair.image.shape[1] - 1) / 2, (pair.image.shape[0] - 1) / 2, max(pair.image.shape)]
            for pair in pairs
        ]
    )[rows]
    wide = whole_pixels(wide, 128)
    to_scene = crop_affine(wide, 128)
    scenes = np.stack(
        [cut_canvas(pairs[row].image, square, 128) for row, square in zip(rows, wide, strict=True)]
    )
    boxes = np.concatenate(
        [transform(boxes[..., :2], to_scene), boxes[..., 2:] * to_scene[:, :1, :1]], axis=-1
    )
    shape = (len(rows), 2)
    return {
        "second": second,
        "rows": rows,
        "scenes": scenes,
        "boxes": boxes,
        "crops": images.reshape(*shape, *images.shape[1:]),
        "poses": poses.reshape(*shape, *poses.shape[1:]),
    }


def changed(
    prediction: Prediction, crops: Crops, early: int, shown: int = 6
) -> dict[str, np.ndarray]:
    """The `shown` people whose pose changes most, in joints that become right or wrong, from site
    `early` to the last: their `rows` (n,), `images` (n, S, S, 3), `poses` (n, 2, J, 2) and `right`
    (n, 2), how many of the `labelled` (n,) joints are within half a head size."""
    people = crops.people
    errors = np.stack(
        [
            normalised_errors(prediction.points[site], people.joints, people.head_size)
            for site in (early, -1)
        ],
        axis=1,
    )
    right = errors <= 0.5  # (N, 2, J)
    rows = np.argsort(-np.abs(right[:, 1].sum(-1) - right[:, 0].sum(-1)), kind="stable")[:shown]
    to_crop = crop_affine(crops.codec.boxes(people), crops.codec.side)[rows]
    poses = np.stack(
        [transform(prediction.points[site][rows], to_crop) for site in (early, -1)], axis=1
    )
    images, poses = thumbnails(crop_images(crops.batch(rows)), poses, 96)
    return {
        "rows": rows,
        "images": images,
        "poses": poses,
        "right": right[rows].sum(-1),
        "labelled": (~np.isnan(errors[rows, 0])).sum(-1),
    }
