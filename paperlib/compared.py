"""How two compared systems, Convolutional Pose Machines and Iterative Error Feedback, learn in the same loop: targets, decoding and loss.

Both are built in models/; here is what they are trained to say. Neither is tuned: the papers' rows of them are published figures.
"""

from dataclasses import dataclass

import numpy as np
import torch

from paperlib.codecs import HourglassCodec, Targets, square_boxes
from paperlib.geometry import heatmap_affine, transform
from paperlib.losses import Encode
from paperlib.models.error_feedback import LARGEST_STEP, bounded
from paperlib.people import ABSENT, People
from paperlib.skeleton import LSP, MPII, Skeleton


@dataclass(frozen=True)
class PoseMachineCodec:
    """CPM: Gaussians of mode 1 and sigma 7 px of the crop on heatmaps of stride 8, about the joints
    themselves and zero below 1 %, and a map of the background, last. As in its released code (FACTS B.1).

    Its crop is 368 px in which a person of scale 1 would be 1.171 times as large as in the image: 314 px x scale.
    Two things are not the released code's (deviation D58): there every stage after the first is shown
    the joints of all people in the crop, here each stage those of the one person alone; and there the
    maps are enlarged to the image before the maximum is taken.
    """

    side: int = 368
    sigma: float = 7 / 8  # heatmap px
    skeleton: Skeleton = LSP
    peak: float = 1.0
    tail: float = 0.01  # a Gaussian below it is background
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

    def boxes(self, people: People) -> np.ndarray:
        """(N, 3) the square to crop, image px."""
        return square_boxes(people, self.margin, self.shift)

    def encode(self, joints: torch.Tensor, state: torch.Tensor, side: int | None = None, others: torch.Tensor | None = None) -> Targets:
        """Targets (B, J + 1, H, W) of joints (B, J, 2) in crop px with states (B, J), every pixel with
        weight one. Of a joint outside the crop the part of its Gaussian that lies inside is drawn."""
        side = side or self.side // self.stride
        affine = torch.as_tensor(heatmap_affine(self.side / side)).to(joints)
        offset = torch.arange(side).to(joints) - transform(joints, affine)[..., None]  # (B, J, 2, side)
        profile = torch.exp(-(offset**2) / (2 * self.sigma**2))
        maps = profile[..., 1, :, None] * profile[..., 0, None, :]  # (B, J, side, side)
        maps = torch.where((state == ABSENT)[..., None, None] | (maps < self.tail), 0, maps)
        maps = torch.cat([maps, 1 - maps.amax(dim=1, keepdim=True)], dim=1)
        return Targets(maps, torch.ones_like(maps))

    def decode(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, J, 2) in crop px at the arg-max, a quarter heatmap pixel towards its higher neighbour as in H, and their maxima (B, J)."""
        return HourglassCodec(skeleton=self.skeleton, stride=self.stride).decode(maps)


@dataclass(frozen=True)
class ErrorFeedbackCodec:
    """IEF: no heatmaps, the points themselves in crop px.

    Its released code finds a person's scale with a network of its own; here a crop of 300 px x scale stands in.
    """

    side: int = 224
    skeleton: Skeleton = MPII
    margin: float = 1.5
    shift: float = 0.0

    def boxes(self, people: People) -> np.ndarray:
        """(N, 3) the square to crop, image px."""
        return square_boxes(people, self.margin, self.shift)

    def encode(self, joints: torch.Tensor, state: torch.Tensor, side: int | None = None, others: torch.Tensor | None = None) -> Targets:
        """The joints (B, J, 2) in crop px, zero where absent, and weights (B, J, 1) that leave absent joints out."""
        return Targets(torch.nan_to_num(joints), (state != ABSENT)[..., None].to(joints))

    def decode(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The points (B, J, 2) as they are; IEF has no confidence: ones (B, J)."""
        return points, torch.ones_like(points[..., 0])


def error_feedback_loss(poses: list[torch.Tensor], targets: Encode) -> torch.Tensor:
    """Squared error, px, of each step's move against the bounded correction that was due, mean over annotated joints, summed over the steps.

    `poses` are the first guess and the pose after each step, (B, J, 2) px. The steps are trained together along the network's own path; the
    published system trains them one after the other along a fixed one.
    """
    truth = targets(poses[-1].shape[-1])
    annotated = truth.weights.sum().clamp(min=1)
    total = 0
    for before, after in zip(poses[:-1], poses[1:], strict=True):
        due = bounded(truth.maps - before.detach(), LARGEST_STEP)
        total = total + (truth.weights * ((after - before) - due) ** 2).sum() / annotated
    return total
