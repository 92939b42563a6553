"""Convolutional Pose Machines (Wei et al., CVPR 2016), a compared system: in R tables II and III and in H tables 1 and 2.

Six stages of large convolutions; each after the first sees image features, the beliefs of the stage before, and where the person is.
The layers are those whose count FACTS B gives: 31,215,232 conv weights, which fixes 32 + 15 + 1 = 48 input channels of a refining stage.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paperlib import PaperlibError


def conv_relu(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.ReLU(inplace=True))


def image_features() -> nn.Sequential:
    """Three 9x9 convolutions, each followed by pooling: (B, 3, H, W) -> (B, 128, H/8, W/8)."""
    pooled = (nn.Sequential(conv_relu(inputs, 128, 9), nn.MaxPool2d(3, 2, ceil_mode=True)) for inputs in (3, 128, 128))
    return nn.Sequential(*pooled)


class Refinement(nn.Module):
    """Stages 2 to 6: (B, 128, h, w) features, (B, maps, h, w) beliefs, (B, 1, h, w) centre -> (B, maps, h, w) beliefs."""

    def __init__(self, maps: int):
        super().__init__()
        self.look = conv_relu(128, 32, 5)
        self.refine = nn.Sequential(
            conv_relu(32 + maps + 1, 128, 11), conv_relu(128, 128, 11), conv_relu(128, 128, 11), conv_relu(128, 128, 1), nn.Conv2d(128, maps, 1)
        )

    def forward(self, features: Tensor, beliefs: Tensor, centre: Tensor) -> Tensor:
        return self.refine(torch.cat([self.look(features), beliefs, centre], dim=1))


class PoseMachine(nn.Module):
    """CPM. `forward` gives each stage's beliefs, (B, joints + 1, H/8, W/8), the background's map last; the last stage is the output.

    `centre` (B, 1, H, W) marks the person; by default a Gaussian of sigma 21 px at the middle of the image.
    Raises PaperlibError for images whose sides are not multiples of 8, or smaller than 16.
    """

    def __init__(self, joints: int = 14, stages: int = 6):
        super().__init__()
        maps = joints + 1
        self.first_features = image_features()
        self.first = nn.Sequential(conv_relu(128, 32, 5), conv_relu(32, 512, 9), conv_relu(512, 512, 1), nn.Conv2d(512, maps, 1))
        self.features = image_features()  # shared by stages 2 to 6
        self.refinements = nn.ModuleList(Refinement(maps) for _ in range(stages - 1))

    def forward(self, images: Tensor, centre: Tensor | None = None) -> list[Tensor]:
        height, width = images.shape[-2:]
        if height % 8 or width % 8 or min(height, width) < 16:
            raise PaperlibError(f"images of {height} x {width} px: PoseMachine needs sides that are multiples of 8, 16 or more")
        centre = middle(images) if centre is None else centre
        centre = F.avg_pool2d(centre, 9, 8, ceil_mode=True)  # (B, 1, H/8, W/8)
        features = self.features(images)
        sites = [self.first(self.first_features(images))]
        for refinement in self.refinements:
            sites.append(refinement(features, sites[-1], centre))
        return sites


def middle(images: Tensor, sigma: float = 21.0) -> Tensor:
    """(B, 1, H, W) a Gaussian of `sigma` px at the middle of the image."""
    y, x = (torch.arange(side, device=images.device, dtype=images.dtype) - (side - 1) / 2 for side in images.shape[-2:])
    gaussian = torch.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2))  # (H, W)
    return gaussian.expand(len(images), 1, -1, -1)
