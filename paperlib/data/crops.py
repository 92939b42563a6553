"""Crops: batches of a network's inputs and labels, cut, turned, scaled, mirrored and coloured out
of the canvases, each by one affine."""

import copy
import functools
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from paperlib.codecs import Codec
from paperlib.data.canvases import GREY, Canvases, fetch_pages
from paperlib.geometry import Augmentation, crop_affine, draw_augmentation, transform, warp
from paperlib.people import People

# from an affine that says where in the canvas a crop's pixel lies
BILINEAR = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


@dataclass(frozen=True)
class Batch:
    images: torch.Tensor  # (B, 3, S, S) float, (grey value - 128) / 256 as in R's released code
    joints: torch.Tensor  # (B, J, 2) crop px, NaN where absent
    state: torch.Tensor  # (B, J) uint8
    to_image: torch.Tensor  # (B, 3, 3) float64 on the CPU, crop px -> image px
    # (B, K, J, 2) crop px, NaN where absent: the image's other labelled people; K: the most that
    # any row has, maybe 0
    others: torch.Tensor


class Crops:
    """The people of a data set, cut out as a codec's network expects them.

    `people` must have the codec's skeleton. A person whose image cannot be read is left out. A
    batch depends on its rows and their augmentation alone.
    """

    def __init__(
        self, people: People, canvases: Canvases, codec: Codec, device: str | torch.device = "cpu"
    ):
        self.people = people.select(canvases.readable)
        self.codec, self.device = codec, torch.device(device)
        self.decoder = codec  # what reads the heatmaps; see read_by
        self.sha256 = canvases.sha256
        self._canvas = np.flatnonzero(canvases.readable)  # (N,) each person's row in the pixels
        self._mapped = canvases.pixels
        self._to_crop = crop_affine(codec.boxes(self.people), codec.side)  # image px -> crop px
        self._to_canvas = canvases.affine[self._canvas]
        # (M, J, 2) image px, row after row
        self._others = np.concatenate([np.empty((0, len(codec.skeleton), 2)), *self.people.others])
        # (N + 1,) where each row's begin
        self._first = np.cumsum([0, *map(len, self.people.others)])

    def __len__(self) -> int:
        return len(self.people)

    def read_by(self, decoder: Codec) -> "Crops":
        """The same crops, but `decoder` reads the heatmaps instead of the crops' codec."""
        found = copy.copy(self)
        found.decoder = decoder
        return found

    @functools.cached_property
    def _pixels(self) -> np.ndarray | torch.Tensor:
        """The canvases where they are cut: brought to the device on first use, so that a process
        that trains nothing takes none of it."""
        return resident(self._mapped, self.device) if self.device.type == "cuda" else self._mapped

    def batch(self, rows: np.ndarray, augmentation: Augmentation | None = None) -> Batch:
        """The crops of `rows`, with `augmentation` (one entry a row) if given."""
        to_crop, gain = self._to_crop[rows], np.ones((len(rows), 3))
        joints, state = self.people.joints[rows], self.people.state[rows]
        others = self._others_of(rows)
        if augmentation is not None:
            augmentation = augmentation.holding(transform(joints, to_crop), self.codec.side)
            to_crop, gain = augmentation.affine(self.codec.side) @ to_crop, augmentation.gain
            mirrored, swap = augmentation.mirror, self.codec.skeleton.mirror
            joints = np.where(mirrored[:, None, None], joints[:, swap], joints)
            state = np.where(mirrored[:, None], state[:, swap], state)
            others = np.where(mirrored[:, None, None, None], others[:, :, swap], others)
        to_image = np.linalg.inv(to_crop)
        source = self._to_canvas[rows] @ to_image
        images = cut_crops(self._canvases(rows), source, gain, self.codec.side).to(self.device)
        points = to_device(transform(joints, to_crop).astype(np.float32), self.device)
        others = to_device(transform(others, to_crop[:, None]).astype(np.float32), self.device)
        state = to_device(state, self.device)
        return Batch(images, points, state, torch.from_numpy(to_image), others)

    def _canvases(self, rows: np.ndarray) -> list[np.ndarray] | torch.Tensor:
        """B canvases (C, C, 3) uint8: for CUDA one tensor there, else views of the mapped file,
        which the CPU cuts."""
        rows = self._canvas[rows]
        if isinstance(self._pixels, np.ndarray):
            fetch_pages(self._pixels, rows)
        if self.device.type != "cuda":
            return [self._pixels[row] for row in rows]
        if isinstance(self._pixels, torch.Tensor):
            return self._pixels[to_device(rows, self.device)]
        return to_device(self._pixels[rows], self.device)

    def _others_of(self, rows: np.ndarray) -> np.ndarray:
        """(B, K, J, 2) image px: the other people of each row's image, NaN where a row has fewer
        than K."""
        first, count = self._first[rows], self._first[1:][rows] - self._first[rows]
        k = np.arange(count.max(initial=0))
        there = k < count[:, None]  # (B, K)
        others = np.full((*there.shape, *self._others.shape[1:]), np.nan)
        others[there] = self._others[(first[:, None] + k)[there]]
        return others


def resident(pixels: np.ndarray, device: torch.device) -> np.ndarray | torch.Tensor:
    """The canvases in the GPU's memory if they fill at most half of what is free, without ever
    being in main memory all at once; else `pixels`."""
    if pixels.nbytes > torch.cuda.mem_get_info(device)[0] / 2:
        return pixels
    there = torch.empty(pixels.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(pixels), 64):
        there[start : start + 64] = torch.from_numpy(np.array(pixels[start : start + 64]))
    return there


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """`array` there; on a GPU without waiting for what it still has to do."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def cut_crops(
    canvases: list[np.ndarray] | torch.Tensor, source: np.ndarray, gain: np.ndarray, side: int
) -> torch.Tensor:
    """(B, 3, side, side) float: what lies at `source` (B, 3, 3), crop px -> canvas px, of B
    `canvases` (C, C, 3) uint8; bilinear, grey outside.

    Each channel is multiplied by `gain` (B, 3) and clipped to 0..256. Arrays are cut on the CPU,
    one after the other; a tensor where it is, in one warp. The two differ by the CPU's rounding to
    whole grey levels: at most a half x gain.
    """
    if isinstance(canvases, torch.Tensor):
        about_grey = canvases.permute(0, 3, 1, 2).float() - GREY[0]
        grey = warp(about_grey, to_device(source, canvases.device), side) + GREY[0]
        gain = to_device((gain / 256).astype(np.float32), canvases.device)[..., None, None]
        return (grey * gain).clamp(0, 1) - 0.5
    images = torch.empty(len(canvases), side, side, 3)
    colours = np.clip(np.arange(256)[:, None] * gain[:, None] / 256, 0, 1) - 0.5
    colours = colours.astype(np.float32)  # (B, 256, 3): of each grey value
    grey = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": GREY}
    for canvas, affine, table, image in zip(canvases, source, colours, images.numpy(), strict=True):
        crop = cv2.warpAffine(canvas, affine[:2], (side, side), flags=BILINEAR, **grey)
        cv2.LUT(crop, table[None], dst=image)
    return images.permute(0, 3, 1, 2)


class TrainingOrder:
    """Which rows step s of a run sees, and how they are augmented: a function of (seed, step)
    alone, so that a resumed run goes on exactly."""

    def __init__(self, n: int, batch: int, law: str, seed: int):
        self.n, self.size, self.law, self.seed, self._epoch = n, min(batch, n), law, seed, None

    def __call__(self, step: int) -> tuple[np.ndarray, Augmentation]:
        per_epoch = self.n // self.size
        epoch, i = divmod(step, per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch, self._order = epoch, rng.permutation(self.n)
            self._draws = draw_augmentation(self.law, self.n, rng)
        rows = self._order[i * self.size : (i + 1) * self.size]
        return rows, self._draws[rows]
