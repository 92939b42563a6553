"""How Convolutional Pose Machines and Iterative Error Feedback learn: targets, decoding and loss.

The networks are in models/; both are trained by the loop that trains the two papers' networks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from paperlib.codecs import HourglassCodec, SquareCrop, Targets
from paperlib.geometry import heatmap_affine, transform
from paperlib.heatmaps import balance, gaussians
from paperlib.losses import Encode
from paperlib.models.error_feedback import LARGEST_STEP, ErrorFeedback, bounded
from paperlib.people import ABSENT, People
from paperlib.skeleton import LSP, MPII, Skeleton


@dataclass(frozen=True)
class PoseMachineCodec(HourglassCodec):
    """CPM: Gaussians of mode 1 and sigma 7 px of the crop on heatmaps of stride 8, about the joints
    themselves and zero below 1 %, and a map of the background, last. As in its released code
    (FACTS B.1).

    Its crop is 368 px in which a person of scale 1 would be 1.171 times as large as in the image:
    314 px x scale. The options of short schedules are those of HourglassCodec; `patch` is not used.
    Two things are not the released code's (deviation D58): there every stage after the first is
    shown the joints of all people in the crop, here each stage those of the one person alone; and
    there the maps are enlarged to the image before the maximum is taken, here they are decoded as
    H's are.
    """

    side: int = 368
    sigma: float = 7 / 8  # heatmap px
    skeleton: Skeleton = LSP
    tail: float = 0.01  # a Gaussian below tail x peak is background
    stride: int = 8
    margin: float = 368 / 1.171 / 200
    shift: float = 0.0

    @property
    def channels(self) -> int:
        return len(self.skeleton) + 1

    @property
    def mirror(self) -> np.ndarray:
        """(K,) the heatmap that each heatmap becomes in the mirrored image."""
        return np.append(self.skeleton.mirror, len(self.skeleton))

    def encode(
        self,
        joints: torch.Tensor,
        state: torch.Tensor,
        side: int | None = None,
        others: torch.Tensor | None = None,
    ) -> Targets:
        """Targets (B, J + 1, H, W) of joints (B, J, 2) in crop px with states (B, J).

        Of a joint outside the crop the part of its Gaussian that lies inside is drawn. The
        background is 1 less the highest of the joints' Gaussians, of mode 1 whatever the peak;
        where the weights are balanced, so are its: of the pixels of any joint, and the others.
        """
        if self.balanced and self.absent != "ignore":
            raise ValueError("balanced weights are of drawn joints: use them with absent='ignore'")
        absent = (state == ABSENT)[..., None, None]
        maps = torch.where(absent, 0, self._draw(joints, side or self.side // self.stride))
        drawn = torch.cat([maps, maps.amax(dim=1, keepdim=True)], dim=1)  # the last: any joint
        weights = balance(drawn > 0) if self.balanced else torch.ones_like(drawn)
        if self.absent == "ignore":
            weights[:, :-1].masked_fill_(absent, 0)
        return Targets(torch.cat([self.peak * maps, 1 - drawn[:, -1:]], dim=1), weights)

    def _draw(self, joints: torch.Tensor, side: int) -> torch.Tensor:
        """(B, J, side, side) Gaussians of mode 1 about joints (B, J, 2) in crop px, cut at the
        tail."""
        affine = torch.as_tensor(heatmap_affine(self.side / side)).to(joints)
        maps = gaussians(transform(joints, affine), self.sigma, side)
        return torch.where(maps < self.tail, 0, maps)


@dataclass(frozen=True)
class ErrorFeedbackCodec(SquareCrop):
    """IEF: no heatmaps but the points themselves, from the crop's middle in units of its side.

    Its released code finds a person's scale with a network of its own; here a crop of 300 px x
    scale stands in.
    """

    side: int = 224
    skeleton: Skeleton = MPII
    margin: float = 1.5
    shift: float = 0.0

    @property
    def mirror(self) -> np.ndarray:
        """(J,) the joint that each joint becomes in the mirrored image."""
        return self.skeleton.mirror

    def encode(
        self,
        joints: torch.Tensor,
        state: torch.Tensor,
        side: int | None = None,
        others: torch.Tensor | None = None,
    ) -> Targets:
        """Points (B, J, 2) of joints (B, J, 2) in crop px, zero where absent, and weights (B, J, 1)
        that leave absent joints out."""
        points = (joints - (self.side - 1) / 2) / self.side
        return Targets(torch.nan_to_num(points), (state != ABSENT)[..., None].to(joints))

    def decode(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, J, 2) in crop px, and NaN (B, J): IEF predicts no confidence."""
        nothing = torch.full_like(points[..., 0], torch.nan)
        return points * self.side + (self.side - 1) / 2, nothing

    def mean_pose(self, people: People) -> torch.Tensor:
        """(J, 2) the mean of the people's joints and of their mirror images; 0 where no person has
        the joint."""
        boxes = self.boxes(people)[:, None]  # (N, 1, 3)
        points = (people.joints - boxes[..., :2]) / boxes[..., 2:]
        known = np.isfinite(points)
        mean = np.where(known, points, 0).sum(axis=0) / known.sum(axis=0).clip(min=1)
        return torch.from_numpy(mean + mean[self.mirror] * [-1, 1]).float() / 2


def begin_at_mean_pose(model: nn.Module, codec, people: People) -> None:
    """IEF's first guess is the mean pose of the people it trains on; other networks have none."""
    if isinstance(model, ErrorFeedback):
        model.start.copy_(codec.mean_pose(people))


def error_feedback_loss(poses: list[torch.Tensor], targets: Encode) -> torch.Tensor:
    """Squared error of each step's move against the bounded correction that was due, in largest
    steps, mean over annotated joints, summed over the steps.

    `poses` are the first guess and the pose after each step, (B, J, 2). The steps are trained
    together along the network's own path; the published system trains them one after the other
    along a fixed one.
    """
    truth = targets(poses[-1].shape[-1])
    annotated = truth.weights.sum().clamp(min=1)
    total = 0
    for before, after in zip(poses[:-1], poses[1:], strict=True):
        due = bounded(truth.maps - before.detach())
        wrong = (truth.weights * (((after - before) - due) / LARGEST_STEP) ** 2).sum()
        total = total + wrong / annotated
    return total
