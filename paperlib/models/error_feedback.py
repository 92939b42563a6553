"""Iterative Error Feedback (Carreira et al., CVPR 2016), a compared system: in R tables II and III and in H table 2.

One GoogLeNet looks at the image together with a drawing of the current pose, says how each joint should move, and looks again.
The 20 input channels are the image, one Gaussian per joint and one for the point that marks the person (FACTS B; the authors' released code).
"""

import torch
from torch import Tensor, nn

LARGEST_STEP = 20.0  # px that a joint may move at once


def conv_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2), nn.ReLU(inplace=True))


def halve() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


class Inception(nn.Module):
    """Four branches side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5; pooling then 1x1. `reduce3` and `reduce5` are the widths of the inner 1x1s."""

    def __init__(self, inputs: int, one: int, reduce3: int, three: int, reduce5: int, five: int, pooled: int):
        super().__init__()
        self.branches = nn.ModuleList(
            [
                conv_relu(inputs, one, 1),
                nn.Sequential(conv_relu(inputs, reduce3, 1), conv_relu(reduce3, three, 3)),
                nn.Sequential(conv_relu(inputs, reduce5, 1), conv_relu(reduce5, five, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), conv_relu(inputs, pooled, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def googlenet(channels: int, outputs: int) -> nn.Sequential:
    """GoogLeNet v1 with biases, without batch norm and without its auxiliary classifiers: (B, channels, H, W) -> (B, outputs)."""
    return nn.Sequential(
        *(conv_relu(channels, 64, 7, stride=2), halve(), nn.LocalResponseNorm(5)),
        *(conv_relu(64, 64, 1), conv_relu(64, 192, 3), nn.LocalResponseNorm(5), halve()),
        *(Inception(192, 64, 96, 128, 16, 32, 32), Inception(256, 128, 128, 192, 32, 96, 64), halve()),
        *(Inception(480, 192, 96, 208, 16, 48, 64), Inception(512, 160, 112, 224, 24, 64, 64), Inception(512, 128, 128, 256, 24, 64, 64)),
        *(Inception(512, 112, 144, 288, 32, 64, 64), Inception(528, 256, 160, 320, 32, 128, 128), halve()),
        *(Inception(832, 256, 160, 320, 32, 128, 128), Inception(832, 384, 192, 384, 48, 128, 128)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1024, outputs)),
    )


class ErrorFeedback(nn.Module):
    """IEF. `forward` gives the first guess and the pose after each step, (B, joints, 2) points x, y in pixels of the image; the last is the output.

    `images` (B, 3, H, W) are (grey value - 128) / 256, 224 px in the paper; inside they are brought to the range of the drawing, -128..127.
    `start` (joints, 2) or (B, joints, 2) is the first guess, in the paper the mean pose; by default every joint begins at the middle of the image,
    where the point that marks the person is too. A joint moves by at most LARGEST_STEP pixels a step; the
    authors' code does not hold the network's answer to that (deviation D59). No gradient flows back through
    the drawing, as in their code.
    """

    def __init__(self, joints: int = 16, steps: int = 4):
        super().__init__()
        self.joints, self.steps = joints, steps
        self.network = googlenet(3 + joints + 1, 2 * joints)

    def forward(self, images: Tensor, start: Tensor | None = None) -> list[Tensor]:
        height, width = images.shape[-2:]
        marker = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=images.device).expand(len(images), 1, 2)
        points = (marker if start is None else start).expand(len(images), self.joints, 2)
        poses = [points]
        for _ in range(self.steps):
            drawing = draw(torch.cat([points.detach(), marker], dim=1), height, width)  # (B, J + 1, H, W)
            move = self.network(torch.cat([256 * images, drawing], dim=1)).view(-1, 2, self.joints).mT  # (B, J, 2), 1 is the largest step
            points = points + bounded(LARGEST_STEP * move.float(), LARGEST_STEP)
            poses.append(points)
        return poses


def bounded(move: Tensor, largest: float) -> Tensor:
    """(..., 2) moves, shortened where they are longer than `largest`."""
    return move * (largest / move.norm(dim=-1, keepdim=True).clamp(min=largest))


def draw(points: Tensor, height: int, width: int) -> Tensor:
    """(B, P, 2) points -> (B, P, H, W) maps 100 exp(-0.001 r^2) - 50, the range of an image less its mean.

    Height, width and offset are the authors'; they draw about the whole pixel round(x + 1), here the
    middle is the point itself (FACTS B.1, deviation D59).
    """
    x = torch.arange(width, device=points.device) - points[..., :1]  # (B, P, W)
    y = torch.arange(height, device=points.device) - points[..., 1:]  # (B, P, H)
    falloff = torch.exp(-0.001 * y**2)[..., :, None] * torch.exp(-0.001 * x**2)[..., None, :]
    return 100 * falloff - 50
