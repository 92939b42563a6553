"""The recurrent pose network of R: a feed-forward part detector, then fusion layers that run again
and again on their own features.

    images (B, 3, H, W) -> layers 1-3 -> skip -> layers 4-5 -> features -+-> layer 8A -> heatmaps
                                           |                             v
                                           +-----------> layers 6-7 on [skip, features] -+-> layer
                                               8B, 8C, 8D, ... -> heatmaps
                                                             ^---------- features -------+

Layer names are R's (fig. 3); kernels, widths and what is shared between the passes are the released
code's (FACTS A.1).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paperlib import PaperlibError


def conv(inputs: int, outputs: int, kernel: int) -> nn.Conv2d:
    """A stride-1 convolution that keeps the size of the map."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


def conv_bn(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    """Batch norm follows 'every convolutional layer other than the layers with 1x1 filters and the
    output layers' (R sec. III)."""
    return nn.Sequential(
        conv(inputs, outputs, kernel), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Fusion(nn.Module):
    """Layers 6 and 7, the recurrent module (R sec. II-B). All passes share the filters; each pass
    has its own batch norm (FACTS A.1)."""

    def __init__(
        self, skip: int, features: int, width: int, kernels: tuple[int, int, int], passes: int
    ):
        super().__init__()
        widths = (width, width, 2 * width)
        self.layer6 = nn.ModuleList(map(conv, (skip + features, *widths), widths, kernels))
        self.norms = nn.ModuleList(
            nn.ModuleList(map(nn.BatchNorm2d, widths)) for _ in range(passes)
        )
        self.layer7 = conv(widths[-1], features, 1)

    def forward(self, skip: Tensor, features: Tensor, step: int) -> Tensor:
        x = torch.cat([skip, features], dim=1)  # (B, 2w + 4w, h, w)
        for fuse, norm in zip(self.layer6, self.norms[step], strict=True):
            x = F.relu(norm(fuse(x)))
        return F.relu(self.layer7(x))  # (B, 4w, h, w)


class Recurrent(nn.Module):
    """R's network. `forward` gives the maps of every supervised site, (B, joints + parts, H/4, W/4)
    each; the last one is the output.

    `iterations=T` makes T + 1 fusion passes and so T + 2 sites: 8A on the feed-forward features,
    then one after each pass (8B, 8C, 8D at R's T=2). The first `joints` maps are keypoints, the
    `parts` maps after them body parts (R sec. II-C). `width=64` is the paper's, every layer scales
    with it; `kernels` are the five large ones, of conv7, conv8 and the three fusion convolutions.
    `init="paper"` draws filters from N(0, 0.01^2) with zero biases (FACTS A.2); `init="torch"`
    keeps PyTorch's own, which short schedules at small widths need. Raises PaperlibError for an
    even kernel, a negative T, an unknown init, and images whose sides are not multiples of 4.
    """

    def __init__(
        self,
        joints: int = 16,
        parts: int = 15,
        iterations: int = 2,
        width: int = 64,
        kernels: tuple[int, int, int, int, int] = (9, 9, 7, 13, 13),
        relu_heads: bool = True,
        init: str = "paper",
    ):
        super().__init__()
        if len(kernels) != 5 or any(kernel % 2 == 0 for kernel in kernels):
            raise PaperlibError(
                f"kernels={kernels}: give five odd sizes, of conv7, conv8 and the three fusion "
                "convolutions"
            )
        if iterations < 0:
            raise PaperlibError(
                f"iterations={iterations}: give 0 (the feed-forward part and one fusion pass) or "
                "more"
            )
        if init not in ("paper", "torch"):
            raise PaperlibError(f"init={init!r}: choose 'paper' or 'torch'")
        w, maps = width, joints + parts
        self.relu_heads = relu_heads
        self.layer1 = nn.Sequential(conv_bn(3, w, 3), conv_bn(w, w, 3), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(conv_bn(w, w, 3), conv_bn(w, 2 * w, 3), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(conv_bn(2 * w, 2 * w, 3), conv_bn(2 * w, 2 * w, 3))
        self.layer4 = nn.Sequential(
            conv_bn(2 * w, 4 * w, kernels[0]), conv_bn(4 * w, 8 * w, kernels[1])
        )
        self.layer5 = nn.Sequential(
            conv(8 * w, 4 * w, 1),
            nn.ReLU(inplace=True),
            conv(4 * w, 4 * w, 1),
            nn.ReLU(inplace=True),
        )
        self.fusion = Fusion(2 * w, 4 * w, w, kernels[2:], passes=iterations + 1)
        self.layer8a = conv(4 * w, maps, 1)
        self.layer8 = conv(4 * w, maps, 1)  # 8B, 8C, 8D: shared by all passes
        if init == "paper":
            self.apply(_draw_small_filters)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.shape[-2] % 4 or images.shape[-1] % 4:
            raise PaperlibError(
                f"images of {images.shape[-2]} x {images.shape[-1]} px: Recurrent needs sides "
                "that are multiples of 4"
            )
        skip = self.layer3(self.layer2(self.layer1(images)))  # (B, 2w, H/4, W/4)
        features = self.layer5(self.layer4(skip))  # (B, 4w, H/4, W/4)
        sites = [self.layer8a(features)]
        for step in range(len(self.fusion.norms)):
            features = self.fusion(skip, features, step)
            sites.append(self.layer8(features))
        # (B, joints + parts, H/4, W/4) each
        return [F.relu(site) for site in sites] if self.relu_heads else sites


def _draw_small_filters(module: nn.Module) -> None:
    """Every filter from N(0, 0.01^2), every bias 0; batch norm starts at gain 1 and bias 0 by
    itself (FACTS A.2)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=0.01)
        nn.init.zeros_(module.bias)
