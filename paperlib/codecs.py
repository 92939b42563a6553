"""RecurrentCodec and HourglassCodec: people -> target heatmaps and weights (encode), heatmaps ->
points (decode), one class for each paper."""

from dataclasses import dataclass

import numpy as np
import torch

from paperlib.geometry import constant, heatmap_affine, transform
from paperlib.heatmaps import argmax, balance, gaussians, limbs, quarter_pixel
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.skeleton import MPII, Skeleton


@dataclass(frozen=True)
class Targets:
    """The targets of one supervised site: `maps`, and the weight of each of their pixels in the
    loss, both (B, K, H, W)."""

    maps: torch.Tensor
    weights: torch.Tensor


class SquareCrop:
    """The crop that the network of a codec sees."""

    margin: float  # side of the crop, in sides of the person's rough box
    shift: float  # px x scale by which it is moved down

    def boxes(self, people: People) -> np.ndarray:
        """(N, 3) the square to crop, centre and side in image px: 200 px x scale x `margin`, moved
        down by `shift` px x scale; a frame is the crop itself."""
        rough = ~people.framed
        side = 200 * people.scale * np.where(rough, self.margin, 1)
        down = np.where(rough, self.shift * people.scale, 0)
        return np.column_stack([people.centre[:, 0], people.centre[:, 1] + down, side])


@dataclass(frozen=True)
class RecurrentCodec(SquareCrop):
    """Targets and decoding of R (sec. II-C to II-E, III; FACTS A.3-A.5). Sizes are px: `side` of
    the network's input, the rest of the heatmap."""

    side: int = 248
    sigma: float = 1.3
    peak: float = 12.0
    # body parts across the limb, in limb lengths: 0.1 in the paper, 0.08 in the released code
    across: float = 0.1
    along: float = 0.15
    tail: float = 1e-18  # a Gaussian below tail x peak is background
    parts: bool = True
    occluded: str = "include"  # "include", "ignore" or "exclude": R sec. II-E
    # where other people's joints are: "background" in the released code, "ignore" (no gradient) in
    # the paper (FACTS A.5)
    others: str = "background"
    # False: every pixel weighs the same, which R sec. III says converges to zero
    balanced: bool = True
    skeleton: Skeleton = MPII
    stride: int = 4
    # 300 px x scale about the person's rough position become 256 px, of which the middle 248 are
    # taken (FACTS A.6)
    margin: float = 1.5 * 248 / 256
    shift: float = 0.0

    @property
    def channels(self) -> int:
        return len(self.skeleton) + (len(self.skeleton.limbs) if self.parts else 0)

    @property
    def mirror(self) -> np.ndarray:
        """(K,) the heatmap that each heatmap becomes in the mirrored image."""
        joints, limbs = self.skeleton.mirror, self.skeleton.limb_mirror + len(self.skeleton)
        return np.concatenate([joints, limbs]) if self.parts else joints

    def encode(
        self,
        joints: torch.Tensor,
        state: torch.Tensor,
        side: int | None = None,
        others: torch.Tensor | None = None,
    ) -> Targets:
        """Targets of joints (B, J, 2) in crop px with states (B, J), for heatmaps of `side` px
        (default: the input's / stride).

        Keypoints are Gaussians at the nearest heatmap pixel, parts are elongated Gaussians at the
        limb's middle (R sec. II-C). The weights balance fore- and background (FACTS A.4); a map
        without annotation has no weight at all. `others` (B, N, J, 2) crop px, NaN where absent,
        are the other people of the image; they matter with others="ignore" only.
        """
        maps, state = self._draw(joints, state, side)
        if self.balanced:
            weights = balance(maps > 0)
        else:
            drawn = (maps > 0).any(dim=-1).any(dim=-1)[..., None, None]
            weights = drawn.to(maps).expand_as(maps)
        if self.others not in ("background", "ignore"):
            raise ValueError(f"other people {self.others!r}: they are background or ignore")
        if self.others == "ignore" and others is not None:
            weights = torch.where((maps == 0) & self._region(others, side), 0, weights)
        return _occlusion_policy(self.peak * maps, weights, state, self.occluded)

    def _draw(
        self, joints: torch.Tensor, state: torch.Tensor, side: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, K, H, W) Gaussians of mode 1, zero where absent and in the tail, and the states (B,
        K) of keypoints and parts."""
        side, points, state = _on_heatmap(self, joints, state, side)
        maps = gaussians(torch.round(points), self.sigma, side)  # (B, J, H, W)
        if self.parts:
            ends = constant(self.skeleton.limbs, torch.int64, joints.device)  # (P, 2)
            maps = torch.cat([maps, limbs(points[:, ends], self.along, self.across, side)], dim=1)
            # a part is as visible as its least visible end
            state = torch.cat([state, state[:, ends].amin(dim=-1)], dim=1)
        return torch.where((state == ABSENT)[..., None, None] | (maps < self.tail), 0, maps), state

    def _region(self, others: torch.Tensor, side: int | None) -> torch.Tensor:
        """(B, K, H, W) where the joints and parts of other people (B, N, J, 2) would have been
        drawn."""
        of_each = others.shape[:1] + others.shape[2:3]  # (B, J)
        known = torch.full(of_each, VISIBLE, dtype=torch.uint8, device=others.device)
        drawn = [self._draw(other, known, side)[0] > 0 for other in others.unbind(dim=1)]
        nowhere = torch.zeros((), dtype=torch.bool, device=others.device)
        return torch.stack(drawn).any(dim=0) if drawn else nowhere

    def decode(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, J, 2) in crop px at the arg-max of each keypoint heatmap, without sub-pixel
        refinement (FACTS A.3), and their maxima (B, J)."""
        cells, score = argmax(maps[:, : len(self.skeleton)])
        return _to_crop(cells.float(), self.stride), score


@dataclass(frozen=True)
class HourglassCodec(SquareCrop):
    """Targets and decoding of H (sec. 3.4; FACTS C.4-C.6). The options after `skeleton` are of
    short schedules; their defaults are the paper's.

    The released code draws another target than the paper's: HourglassCodec(sigma=1.75, patch=7),
    but for joints within three cells of the left or the top border, which it moves inwards by up to
    two (FACTS C.7).
    """

    side: int = 256
    sigma: float = 1.0
    patch: int = 0  # heatmap px: the Gaussian is cut to a square of this side; 0: it is whole
    skeleton: Skeleton = MPII
    peak: float = 1.0
    tail: float = 1e-18
    balanced: bool = False  # fore- and background weighted equally, as R does
    # an all-zero target for a joint without annotation (H sec. 3.4), or "ignore"
    absent: str = "zero"
    stride: int = 4
    margin: float = 1.25  # the crop is 250 px x scale, moved down by 15 px x scale (FACTS C.5)
    shift: float = 15.0

    @property
    def channels(self) -> int:
        return len(self.skeleton)

    @property
    def mirror(self) -> np.ndarray:
        """(K,) the heatmap that each heatmap becomes in the mirrored image."""
        return self.skeleton.mirror

    def encode(
        self,
        joints: torch.Tensor,
        state: torch.Tensor,
        side: int | None = None,
        others: torch.Tensor | None = None,
    ) -> Targets:
        """Targets of joints (B, J, 2) in crop px with states (B, J), for heatmaps of `side` px
        (default: the input's / stride).

        The released code truncates to the heatmap pixel that the joint lies in; in pixel centres
        that is the nearest one. `others`, the other people of the image, are background.
        """
        side, points, state = _on_heatmap(self, joints, state, side)
        maps = gaussians(torch.round(points), self.sigma, side, self.patch)
        maps = torch.where((state == ABSENT)[..., None, None] | (maps < self.tail), 0, maps)
        weights = balance(maps > 0) if self.balanced else torch.ones_like(maps)
        if self.absent == "ignore":
            weights = torch.where((state == ABSENT)[..., None, None], 0, weights)
        elif self.balanced:
            raise ValueError(
                "balanced weights are zero where a map has no foreground: use them with "
                "absent='ignore'"
            )
        return Targets(self.peak * maps, weights)

    def decode(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, J, 2) in crop px and the maxima (B, J): the arg-max, a quarter pixel towards
        its higher neighbour (H sec. 3.4, FACTS C.6).

        So also in a map without a positive value, for which the released code answers the first
        cell (D47).
        """
        cells, score = argmax(maps[:, : len(self.skeleton)])
        nudge = quarter_pixel(maps[:, : len(self.skeleton)], cells)
        return _to_crop(cells + nudge, self.stride), score


Codec = RecurrentCodec | HourglassCodec


def _on_heatmap(codec: Codec, joints: torch.Tensor, state: torch.Tensor, side: int | None):
    """Heatmap side, points in heatmap px, and states in which a joint outside the heatmap is
    absent."""
    side = side or codec.side // codec.stride
    affine = tuple(map(tuple, heatmap_affine(codec.side / side)))
    affine = constant(affine, joints.dtype, joints.device)
    points = transform(joints, affine)
    outside = ~((points > -0.5) & (points < side - 0.5)).all(dim=-1)  # also where a point is NaN
    return side, torch.nan_to_num(points), torch.where(outside, ABSENT, state)


def _to_crop(points: torch.Tensor, stride: int) -> torch.Tensor:
    affine = np.linalg.inv(heatmap_affine(stride))
    return transform(points, torch.as_tensor(affine, dtype=points.dtype, device=points.device))


def _occlusion_policy(
    maps: torch.Tensor, weights: torch.Tensor, state: torch.Tensor, policy: str
) -> Targets:
    """R sec. II-E for the maps whose joint or part is occluded.

    include: they are drawn like the others. ignore: no gradient in the region of the would-be
    Gaussian. exclude: that region is pushed to zero.
    """
    hidden = (state == OCCLUDED)[..., None, None]
    match policy:
        case "include":
            return Targets(maps, weights)
        case "ignore":
            weights = torch.where(hidden & (maps > 0), 0, weights)
            return Targets(torch.where(hidden, 0, maps), weights)
        case "exclude":
            return Targets(torch.where(hidden, 0, maps), weights)
    raise ValueError(f"occlusion policy {policy!r}: it is include, ignore or exclude")
