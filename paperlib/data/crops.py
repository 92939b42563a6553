"""Crops: batches of a network's inputs and labels, cut, turned, scaled and mirrored out of the canvases by one batched warp on the device."""

from dataclasses import dataclass

import numpy as np
import torch

from paperlib.codecs import Codec
from paperlib.data.canvases import Canvases
from paperlib.geometry import Augmentation, crop_affine, draw_augmentation, transform, warp
from paperlib.people import People


@dataclass(frozen=True)
class Batch:
    images: torch.Tensor  # (B, 3, S, S) float, (grey value - 128) / 256 as in R's released code
    joints: torch.Tensor  # (B, J, 2) crop px, NaN where absent
    state: torch.Tensor  # (B, J) uint8
    to_image: torch.Tensor  # (B, 3, 3) crop px -> image px
    others: torch.Tensor  # (B, K, J, 2) crop px, NaN where absent: the image's other labelled people; K: the most that any row has, maybe 0


class Crops:
    """The people of a data set as a codec's network wants to see them.

    `people` must have the codec's skeleton. A person whose image cannot be read is left out. What comes out is a function of the rows and of the
    augmentation alone.
    """

    def __init__(self, people: People, canvases: Canvases, codec: Codec, device: str | torch.device = "cpu"):
        self.people, self.codec, self.device = people.select(canvases.readable), codec, torch.device(device)
        self.sha256 = canvases.sha256
        rows = np.flatnonzero(canvases.readable)
        self._rows = None if len(rows) == len(people) else rows
        self._pixels = canvases.pixels if self.device.type == "cpu" else torch.from_numpy(canvases.pixels[rows]).to(self.device)
        self._to_crop = crop_affine(codec.boxes(self.people), codec.side)  # image px -> crop px
        self._to_canvas = canvases.affine[rows]
        self._others = np.concatenate([np.empty((0, len(codec.skeleton), 2)), *self.people.others])  # (M, J, 2) image px, row after row
        self._first = np.cumsum([0, *map(len, self.people.others)])  # (N + 1,) where each row's begin

    def __len__(self) -> int:
        return len(self.people)

    def batch(self, rows: np.ndarray, augmentation: Augmentation | None = None) -> Batch:
        """The crops of `rows`, with `augmentation` (one entry a row) if given."""
        to_crop = self._to_crop[rows]
        joints, state, others = self.people.joints[rows], self.people.state[rows], self._others_of(rows)
        if augmentation is not None:
            to_crop = augmentation.affine(self.codec.side) @ to_crop
            mirrored, swap = augmentation.mirror, self.codec.skeleton.mirror
            joints = np.where(mirrored[:, None, None], joints[:, swap], joints)
            state = np.where(mirrored[:, None], state[:, swap], state)
            others = np.where(mirrored[:, None, None, None], others[:, :, swap], others)
        to_image = np.linalg.inv(to_crop)
        images = warp(self._canvas(rows), torch.from_numpy(self._to_canvas[rows] @ to_image).to(self.device), self.codec.side)
        if augmentation is not None:
            gain = torch.from_numpy(augmentation.gain).to(images)[..., None, None]
            images = ((images + 0.5) * gain).clamp(0, 1) - 0.5
        points = torch.from_numpy(transform(joints, to_crop)).float().to(self.device)
        others = torch.from_numpy(transform(others, to_crop[:, None])).float().to(self.device)
        return Batch(images, points, torch.from_numpy(state).to(self.device), torch.from_numpy(to_image).to(self.device), others)

    def _others_of(self, rows: np.ndarray) -> np.ndarray:
        """(B, K, J, 2) image px: the other people of each row's image, NaN where a row has fewer than K."""
        first, count = self._first[rows], self._first[1:][rows] - self._first[rows]
        k = np.arange(count.max(initial=0))
        there = k < count[:, None]  # (B, K)
        others = np.full((*there.shape, *self._others.shape[1:]), np.nan)
        others[there] = self._others[(first[:, None] + k)[there]]
        return others

    def _canvas(self, rows: np.ndarray) -> torch.Tensor:
        """(B, 3, C, C) float."""
        if self.device.type == "cpu":
            pixels = torch.from_numpy(self._pixels[rows if self._rows is None else self._rows[rows]])
        else:
            pixels = self._pixels[torch.from_numpy(np.asarray(rows)).to(self.device)]
        return (pixels.permute(0, 3, 1, 2).float() - 128) / 256


class TrainingOrder:
    """Which rows step s of a run sees, and how they are augmented: a function of (seed, step) alone, so that a resumed run goes on exactly."""

    def __init__(self, n: int, batch: int, law: str, seed: int):
        self.n, self.size, self.law, self.seed, self._epoch = n, min(batch, n), law, seed, None

    def __call__(self, step: int) -> tuple[np.ndarray, Augmentation]:
        per_epoch = self.n // self.size
        epoch, i = divmod(step, per_epoch)
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._epoch, self._order, self._draws = epoch, rng.permutation(self.n), draw_augmentation(self.law, self.n, rng)
        rows = self._order[i * self.size : (i + 1) * self.size]
        return rows, self._draws[rows]
