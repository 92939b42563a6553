"""Iterative Error Feedback (Carreira et al., CVPR 2016), in R tables II and III and H table 2.

One GoogLeNet looks at the image together with a drawing of the current pose, says how each joint
should move, and looks again. The 20 input channels are the image, one Gaussian per joint and one
for the point that marks the person (FACTS B; the authors' released code).

Points are x, y from the middle of the image in units of its width, so that a smaller image changes
nothing: the paper's numbers, of an image of 224 px, are divided by 224 here.
"""

import torch
from torch import Tensor, nn

from paperlib import PaperlibError

LARGEST_STEP = 20 / 224  # that a joint may move at once
FALLOFF = 0.001 * 224**2  # of a drawn joint: exp(-FALLOFF r^2)


class ErrorFeedback(nn.Module):
    """IEF. `forward`: images (B, 3, H, W) -> the first guess and the pose after each step, each
    (B, joints, 2) image widths from the middle; the last is the output.

    `images` are (grey value - 128) / 256; inside they are brought to the range of the drawing,
    -128..127. The first guess is the buffer `start` (joints, 2), the middle of the image unless
    training sets it; in the paper it is the mean pose. A joint moves by at most LARGEST_STEP a
    step; the authors' code does not hold the network's answer to that (deviation D59). No gradient
    flows back through the drawing, as in their code.
    `width=64` is the paper's; all channels scale with it. `norm`: batch norm after every
    convolution instead of GoogLeNet's local response normalisation; the paper begins at filters
    trained on ImageNet, and random ones need it.
    Raises PaperlibError for fewer than one step and a width below 4.
    """

    def __init__(self, joints: int = 16, steps: int = 4, width: int = 64, norm: bool = False):
        super().__init__()
        if steps < 1 or width < 4:
            raise PaperlibError(f"{steps=}, {width=}: give one step or more, and a width from 4")
        self.joints, self.steps = joints, steps
        self.network = googlenet(3 + joints + 1, 2 * joints, width, norm)
        self.register_buffer("start", torch.zeros(joints, 2))

    def forward(self, images: Tensor) -> list[Tensor]:
        batch, _, height, width = images.shape
        marker = self.start.new_zeros(batch, 1, 2)
        points = self.start.expand(batch, -1, -1)
        poses = [points]
        for _ in range(self.steps):
            drawing = draw(torch.cat([points.detach(), marker], dim=1), height, width)
            move = self.network(torch.cat([256 * images, drawing], dim=1))  # (B, 2 J)
            move = LARGEST_STEP * move.view(batch, 2, self.joints).mT.float()
            points = points + bounded(move)  # (B, J, 2)
            poses.append(points)
        return poses


def bounded(move: Tensor) -> Tensor:
    """(..., 2) moves, shortened where they are longer than LARGEST_STEP."""
    length = move.norm(dim=-1, keepdim=True)
    return move * (LARGEST_STEP / length.clamp(min=LARGEST_STEP))


def draw(points: Tensor, height: int, width: int) -> Tensor:
    """(B, P, 2) points -> (B, P, H, W) maps 100 exp(-FALLOFF r^2) - 50, the range of an image less
    its mean.

    Height, width and offset are the authors'; they draw about the whole pixel round(x + 1), here
    the middle is the point itself (FACTS B.1, deviation D59).
    """
    x, y = (
        (torch.arange(n, device=points.device) - (n - 1) / 2) / width - points[..., i, None]
        for i, n in enumerate((width, height))
    )  # (B, P, W), (B, P, H)
    falloff = torch.exp(-FALLOFF * y**2)[..., :, None] * torch.exp(-FALLOFF * x**2)[..., None, :]
    return 100 * falloff - 50


INCEPTIONS = (  # Inception's arguments after `inputs`; "pool" halves the resolution
    *((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), "pool"),
    *((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64)),
    *((112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), "pool"),
    *((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)


def googlenet(channels: int, outputs: int, width: int = 64, norm: bool = False) -> nn.Sequential:
    """GoogLeNet v1 with biases, without its auxiliary classifiers:
    (B, channels, H, W) -> (B, outputs)."""

    def wide(n: int) -> int:
        return max(1, n * width // 64)

    respond = [] if norm else [nn.LocalResponseNorm(5)]
    layers = [conv_relu(channels, wide(64), 7, norm, stride=2), halve(), *respond]
    layers += [conv_relu(wide(64), wide(64), 1, norm), conv_relu(wide(64), wide(192), 3, norm)]
    layers += [*respond, halve()]
    inputs = wide(192)
    for widths in INCEPTIONS:
        if widths == "pool":
            layers.append(halve())
        else:
            layers.append(Inception(inputs, *map(wide, widths), norm=norm))
            inputs = layers[-1].outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, outputs))


class Inception(nn.Module):
    """Four branches side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5; pooling then 1x1. `widths` are
    those of the layers in this order, the inner 1x1s among them."""

    def __init__(self, inputs: int, *widths: int, norm: bool = False):
        super().__init__()
        one, reduce3, three, reduce5, five, pooled = widths
        self.outputs = one + three + five + pooled
        self.branches = nn.ModuleList(
            [
                conv_relu(inputs, one, 1, norm),
                nn.Sequential(
                    conv_relu(inputs, reduce3, 1, norm), conv_relu(reduce3, three, 3, norm)
                ),
                nn.Sequential(
                    conv_relu(inputs, reduce5, 1, norm), conv_relu(reduce5, five, 5, norm)
                ),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv_relu(inputs, pooled, 1, norm)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def conv_relu(inputs: int, outputs: int, kernel: int, norm: bool, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2)
    return nn.Sequential(conv, *[nn.BatchNorm2d(outputs)] * norm, nn.ReLU(inplace=True))


def halve() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)
