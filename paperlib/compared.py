"""How two compared systems, Convolutional Pose Machines and Iterative Error Feedback, learn in the same loop: targets, decoding and loss.

Both are built in models/; here is what they are trained to say. Neither is tuned: the papers' rows of them are published figures.
"""

from dataclasses import dataclass

import numpy as np
import torch

from paperlib.codecs import HourglassCodec, Targets, square_boxes
from paperlib.losses import Encode
from paperlib.models.error_feedback import LARGEST_STEP, bounded
from paperlib.people import ABSENT, People
from paperlib.skeleton import LSP, MPII, Skeleton


@dataclass(frozen=True)
class PoseMachineCodec:
    """CPM (its released code): Gaussians of mode 1 and sigma 7 px of the crop on heatmaps of stride 8, and a map of the background, last.

    Its crop is 368 px in which a person of scale 1 would be 1.171 times as large as in the image: 314 px x scale.
    """

    side: int = 368
    sigma: float = 7 / 8  # heatmap px
    skeleton: Skeleton = LSP
    peak: float = 1.0
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
        """Targets (B, J + 1, H, W) of joints (B, J, 2) in crop px with states (B, J), every pixel with weight one."""
        maps = self._joints.encode(joints, state, side).maps
        maps = torch.cat([maps, 1 - maps.amax(dim=1, keepdim=True)], dim=1)
        return Targets(maps, torch.ones_like(maps))

    def decode(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Points (B, J, 2) in crop px at the arg-max, a quarter heatmap pixel towards its higher neighbour as in H, and their maxima (B, J)."""
        return self._joints.decode(maps)

    @property
    def _joints(self) -> HourglassCodec:
        return HourglassCodec(self.side, self.sigma, skeleton=self.skeleton, stride=self.stride)


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
