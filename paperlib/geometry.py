"""One affine between image, crop and heatmap, exact both ways; the augmentation laws of the two
papers; mirroring.

All points are continuous pixels with the centre of the first pixel at 0. A batch of affines is (N,
3, 3) and acts on column vectors (x, y, 1), so `b @ a` first does a, then b.
"""

import functools
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F


def crop_affine(boxes: np.ndarray, side: int) -> np.ndarray:
    """Image px -> crop px of squares `boxes` (N, 3): centre x, centre y, side in image px. Returns
    (N, 3, 3).

    The square's edges land on the crop's edges: u + 0.5 = (x - left edge) * side / box side.
    """
    zoom = side / boxes[:, 2]
    affine = np.zeros((len(boxes), 3, 3))
    affine[:, 0, 0] = affine[:, 1, 1] = zoom
    affine[:, :2, 2] = (side - 1) / 2 - zoom[:, None] * boxes[:, :2]
    affine[:, 2, 2] = 1
    return affine


def heatmap_affine(stride: float) -> np.ndarray:
    """Crop px -> heatmap px, (3, 3): a heatmap pixel covers stride x stride crop pixels."""
    shift = 0.5 / stride - 0.5
    return np.array([[1 / stride, 0, shift], [0, 1 / stride, shift], [0, 0, 1]])


def transform(points, affine):
    """Points (N, J, 2) through affines (N, 3, 3) or one (3, 3); numpy or torch, NaN stays NaN."""
    return points @ affine[..., :2, :2].mT + affine[..., None, :2, 2]


@dataclass(frozen=True)
class Augmentation:
    """What is done to each of N crops, about the crop's centre: rotate, zoom, shift, mirror, and
    change the colours."""

    angle: np.ndarray  # (N,) rad, positive turns x towards y
    zoom: np.ndarray  # (N,) size of the person after / before
    shift: np.ndarray  # (N, 2) fraction of the crop's side
    mirror: np.ndarray  # (N,) bool
    gain: np.ndarray  # (N, 3) factor on each colour channel
    # (N, 2, 2) the least and the most, in x and in y, that may be added to the shift for a joint's
    # sake
    play: np.ndarray

    def __getitem__(self, rows) -> "Augmentation":
        return Augmentation(*(getattr(self, field.name)[rows] for field in fields(self)))

    def holding(self, joints: np.ndarray, side: int) -> "Augmentation":
        """The same, but shifted by the least more that brings into the crop all `joints` (N, J, 2)
        that the play can bring in.

        Joints are px of the crop before augmentation, NaN where absent. If there are some on both
        sides, those on the right and below count.
        """
        at = transform(joints, self.affine(side))
        least, most = (side * self.play[:, None, :, i] for i in (0, 1))  # (N, 1, 2) px
        near = ((at + most >= 0) & (at + least <= side - 1)).all(axis=-1, keepdims=True)
        low = np.where(near, -at, -np.inf).max(axis=1)
        high = np.where(near, side - 1 - at, np.inf).min(axis=1)
        return replace(self, shift=self.shift + np.clip(0, low, high) / side)

    def affine(self, side: int) -> np.ndarray:
        """Crop px -> augmented crop px, (N, 3, 3)."""
        centre, n = (side - 1) / 2, len(self.angle)
        cos, sin = self.zoom * np.cos(self.angle), self.zoom * np.sin(self.angle)
        turn = np.stack([cos, -sin, sin, cos], axis=-1).reshape(n, 2, 2)
        turn[:, 0] *= np.where(self.mirror, -1, 1)[:, None]
        affine = np.zeros((n, 3, 3))
        affine[:, :2, :2] = turn
        affine[:, :2, 2] = centre + self.shift * side - turn.sum(axis=-1) * centre
        affine[:, 2, 2] = 1
        return affine


def draw_augmentation(law: str, n: int, rng: np.random.Generator) -> Augmentation:
    """One augmentation for each of n crops, by the law of a paper's released code.

    Half the crops are mirrored in each but "none", and besides: "recurrent" (R, FACTS A.6): half
    turn by up to 40 degrees either way, and the turned, enlarged square of 256 px is cut back to
    256 px at a random place; then half are zoomed by 0.7-1.3; then 248 px are cut out at one of 5 x
    5 places, up to 4 px from the middle, or at another where a joint would be left out. Exact but
    for places in whole px when turned, and for what lies outside the square, grey there.
    "hourglass" (H, FACTS C.5): box side x 2^N(0, 0.25) within 2^+-0.5; 40 % turn by N(0, 30) within
    60 degrees; each colour x 0.6-1.4. Exact. "small" (ours, for short schedules): 60 % turn by N(0,
    15) within 30 degrees, N(1, 0.125) zoom within 25 %, up to 5 % of shift, colours x 0.8-1.2.
    """
    normal, uniform = rng.standard_normal((n, 2)), rng.random((n, 9))
    mirror, play = uniform[:, 0] < 0.5, np.zeros((n, 2, 2))
    shift, gain = np.zeros((n, 2)), np.ones((n, 3))
    sway = 2 * uniform - 1  # uniform in -1..1
    match law:
        case "recurrent":
            angle = np.where(uniform[:, 1] < 0.5, 40 * sway[:, 2], 0)
            zoom = np.where(uniform[:, 3] < 0.5, 1 + 0.3 * sway[:, 4], 1)
            wider = np.abs(np.cos(np.radians(angle))) + np.abs(np.sin(np.radians(angle))) - 1
            room = 256 * wider / 2  # px by which turning widens the square
            place = 2 * np.floor(5 * uniform[:, 5:7]) - 4  # px: -4, -2, 0, 2 or 4
            shift = (zoom[:, None] * room[:, None] * sway[:, 7:9] + place) / 248
            play = (np.array([-4, 4]) - place[..., None]) / 248  # as far as that square reaches
        case "hourglass":
            angle = np.where(uniform[:, 1] < 0.4, np.clip(30 * normal[:, 0], -60, 60), 0)
            zoom = 2 ** -np.clip(0.25 * normal[:, 1], -0.5, 0.5)
            gain = 1 + 0.4 * sway[:, 6:9]
        case "small":
            angle = np.where(uniform[:, 1] < 0.6, np.clip(15 * normal[:, 0], -30, 30), 0)
            zoom = np.clip(1 + 0.125 * normal[:, 1], 0.75, 1.25)
            shift, gain = 0.05 * sway[:, 4:6], 1 + 0.2 * sway[:, 6:9]
        case "none":
            angle, zoom, mirror = np.zeros(n), np.ones(n), np.zeros(n, bool)
        case _:
            raise ValueError(f"augmentation law {law!r}: it is recurrent, hourglass, small or none")
    return Augmentation(np.radians(angle), zoom, shift, mirror, gain, play)


@functools.cache
def constant(values: tuple, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Nested tuples of numbers as a tensor that is on its device from the first call on: bringing
    it there makes the host wait for a GPU."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device)


def warp(images: torch.Tensor, source: torch.Tensor, side: int) -> torch.Tensor:
    """Bilinear samples of `images` (N, C, H, W) at `source` (N, 3, 3): output px -> image px.
    Returns (N, C, side, side), zero outside the image."""
    height, width = images.shape[-2:]
    # grid_sample without aligned corners: -1 and 1 are the outer edges of the first and the last
    # pixel
    to_grid = constant(
        ((2 / width, 0, 1 / width - 1), (0, 2 / height, 1 / height - 1), (0, 0, 1)),
        source.dtype,
        source.device,
    )
    steps = torch.arange(side, dtype=source.dtype, device=source.device)
    pixels = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(1, -1, 2)
    grid = transform(pixels, to_grid @ source).reshape(len(images), side, side, 2)
    return F.grid_sample(
        images, grid.to(images.dtype), mode="bilinear", padding_mode="zeros", align_corners=False
    )
