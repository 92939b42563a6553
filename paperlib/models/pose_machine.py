"""Convolutional Pose Machines (Wei et al., CVPR 2016), in R tables II and III and H tables 1 and 2.

Six stages of large convolutions; each after the first sees image features, the beliefs of the stage
before, and where the person is. The layers are those whose count FACTS B gives: 31,215,232 conv
weights, which fixes 32 + 15 + 1 = 48 input channels of a refining stage.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paperlib import PaperlibError

# image px per cell of the beliefs: as many of the three convolutions are pooled
STRIDES = (2, 4, 8)


class PoseMachine(nn.Module):
    """CPM. `forward`: images (B, 3, H, W) -> each stage's beliefs, (B, joints + 1, H/8, W/8).

    The last map is the background's; the last stage is the output. `centre` (B, 1, H, W) marks the
    person; by default a Gaussian at the middle of the image, of sigma 21 px on the paper's 368.
    The options after `stages` make smaller networks; their defaults are the paper's. `width`: all
    channels scale with it. `kernels`: those of the image features, of the convolution after them,
    of the first stage, and of the refining stages. `stride`: px per cell, 2, 4 or 8. `norm`: batch
    norm after every convolution but the last of a stage, which the paper does not have.
    Raises PaperlibError for an even kernel, a width that is not a multiple of 4, another stride,
    and images whose sides are not multiples of the stride, or smaller than twice the stride.
    """

    def __init__(
        self,
        joints: int = 14,
        stages: int = 6,
        width: int = 128,
        kernels: tuple[int, int, int, int] = (9, 5, 9, 11),
        stride: int = 8,
        norm: bool = False,
    ):
        super().__init__()
        _check_options(stages, width, kernels, stride)
        maps, (features, look, first, refine) = joints + 1, kernels
        self.stride = stride
        self.first_features = image_features(width, features, stride, norm)
        self.first = nn.Sequential(
            conv_relu(width, width // 4, look, norm),
            conv_relu(width // 4, 4 * width, first, norm),
            conv_relu(4 * width, 4 * width, 1, norm),
            nn.Conv2d(4 * width, maps, 1),
        )
        self.features = image_features(width, features, stride, norm)  # shared by stages 2 to 6
        refining = (Refinement(maps, width, look, refine, norm) for _ in range(stages - 1))
        self.refinements = nn.ModuleList(refining)

    def forward(self, images: Tensor, centre: Tensor | None = None) -> list[Tensor]:
        height, width = images.shape[-2:]
        stride = self.stride
        if height % stride or width % stride or min(height, width) < 2 * stride:
            raise PaperlibError(
                f"images of {height} x {width} px: this PoseMachine needs sides that are multiples "
                f"of {stride}, {2 * stride} or more"
            )
        centre = middle(images) if centre is None else centre
        centre = F.avg_pool2d(centre, stride + 1, stride, ceil_mode=True)  # (B, 1, H/8, W/8)
        features = self.features(images)
        sites = [self.first(self.first_features(images))]
        for refinement in self.refinements:
            sites.append(refinement(features, sites[-1], centre))
        return sites


class Refinement(nn.Module):
    """Stages 2 to 6: features (B, width, h, w), beliefs (B, maps, h, w), centre (B, 1, h, w)
    -> beliefs (B, maps, h, w)."""

    def __init__(self, maps: int, width: int, look: int, kernel: int, norm: bool):
        super().__init__()
        self.look = conv_relu(width, width // 4, look, norm)
        self.refine = nn.Sequential(
            conv_relu(width // 4 + maps + 1, width, kernel, norm),
            conv_relu(width, width, kernel, norm),
            conv_relu(width, width, kernel, norm),
            conv_relu(width, width, 1, norm),
            nn.Conv2d(width, maps, 1),
        )

    def forward(self, features: Tensor, beliefs: Tensor, centre: Tensor) -> Tensor:
        return self.refine(torch.cat([self.look(features), beliefs, centre], dim=1))


def image_features(width: int, kernel: int, stride: int, norm: bool) -> nn.Sequential:
    """Three convolutions, each followed by pooling until a cell has `stride` px:
    (B, 3, H, W) -> (B, width, H/stride, W/stride)."""
    convolutions = [conv_relu(inputs, width, kernel, norm) for inputs in (3, width, width)]
    pooled = [nn.MaxPool2d(3, 2, ceil_mode=True) for _ in range(stride.bit_length() - 1)]
    layers = [nn.Sequential(*pair) for pair in zip(convolutions, pooled, strict=False)]
    return nn.Sequential(*layers, *convolutions[len(pooled) :])


def conv_relu(inputs: int, outputs: int, kernel: int, norm: bool) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return nn.Sequential(conv, *[nn.BatchNorm2d(outputs)] * norm, nn.ReLU(inplace=True))


def middle(images: Tensor) -> Tensor:
    """(B, 1, H, W) a Gaussian at the middle of the image, of sigma 21/368 of its width."""
    steps = [torch.arange(n, device=images.device, dtype=images.dtype) for n in images.shape[-2:]]
    y, x = (step - (len(step) - 1) / 2 for step in steps)
    sigma = 21 / 368 * images.shape[-1]
    gaussian = torch.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2))  # (H, W)
    return gaussian.expand(len(images), 1, -1, -1)


def _check_options(stages: int, width: int, kernels: tuple[int, ...], stride: int) -> None:
    if stages < 1 or width < 4 or width % 4:
        raise PaperlibError(f"{stages=}, {width=}: give one stage or more, and a multiple of 4")
    if len(kernels) != 4 or any(kernel % 2 == 0 for kernel in kernels):
        raise PaperlibError(
            f"kernels={kernels}: give four odd sizes, of the image features, of the convolution "
            "after them, of the first stage and of the refining stages"
        )
    if stride not in STRIDES:
        raise PaperlibError(f"{stride=}: choose one of {STRIDES}, px per cell of the beliefs")
