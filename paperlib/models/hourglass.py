"""The stacked hourglass network of H: pool down to a few pixels, come back up, predict heatmaps,
and do it again.

Layers and widths are those of the authors' Torch7 code, FACTS C.1; H sec. 3.1 (hourglass), 3.2
(residual modules, stem), 3.3 (stacking and intermediate supervision) and 4.2 (the variants of H
fig. 8).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from paperlib import PaperlibError

HEADS = ("released", "paper")
SUPERVISIONS = ("every", "last", "upsampling")
STEMS = ("released", "wide")


class Residual(nn.Module):
    """H fig. 4, left: batch norm, ReLU, convolution, thrice, through a bottleneck of half the
    width. A bare 1x1 skips it where the widths differ."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.bottleneck = nn.Sequential(
            *(nn.BatchNorm2d(inputs), nn.ReLU(inplace=True), nn.Conv2d(inputs, half, 1)),
            *(nn.BatchNorm2d(half), nn.ReLU(inplace=True), nn.Conv2d(half, half, 3, padding=1)),
            *(nn.BatchNorm2d(half), nn.ReLU(inplace=True), nn.Conv2d(half, outputs, 1)),
        )
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bottleneck(x) + self.skip(x)


def residuals(features: int, modules: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(features, features) for _ in range(modules)))


def lin(features: int) -> nn.Sequential:
    """One round of 1x1 convolution, as after each hourglass."""
    return nn.Sequential(
        nn.Conv2d(features, features, 1), nn.BatchNorm2d(features), nn.ReLU(inplace=True)
    )


class Hourglass(nn.Module):
    """H fig. 3, by recursion: keep a copy at this resolution; pool, go one level down, upsample;
    add. Depth 0 is the bottom.

    `forward` gives the features at every resolution, coarsest first; the last is (B, features, h,
    w) like its input.
    """

    def __init__(self, depth: int, features: int, modules: int):
        super().__init__()
        self.depth = depth
        self.keep = residuals(features, modules)
        if depth:
            self.down = residuals(features, modules)
            self.inner = Hourglass(depth - 1, features, modules)
            self.up = residuals(features, modules)

    def forward(self, x: Tensor) -> list[Tensor]:
        if not self.depth:
            return [self.keep(x)]
        scales = self.inner(self.down(F.max_pool2d(x, 2)))
        return [*scales, self.keep(x) + F.interpolate(self.up(scales[-1]), scale_factor=2)]


class Junction(nn.Module):
    """H fig. 4, right: predict heatmaps, and hand them on with the features and with what came
    before the hourglass.

    Without supervision there are no heatmaps to predict or to hand on: the next input is the last
    one plus the remapped features.
    """

    def __init__(self, features: int, joints: int, supervised: bool):
        super().__init__()
        self.from_features = nn.Conv2d(features, features, 1)
        self.heatmaps = nn.Conv2d(features, joints, 1) if supervised else None
        self.from_heatmaps = nn.Conv2d(joints, features, 1) if supervised else None

    def forward(self, x: Tensor, features: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = x + self.from_features(features)
        if self.heatmaps is None:
            return x, []
        heatmaps = self.heatmaps(features)
        return x + self.from_heatmaps(heatmaps), [heatmaps]


class StackedHourglass(nn.Module):
    """H's network. `forward`: images (B, 3, H, W) -> the heatmaps of every supervised site, in the
    order computed.

    The last is the output, (B, joints, H/4, W/4); so are the others but with "upsampling" below.
    There are `stacks` hourglasses with `modules` residuals at each step, pooling `depth` times.
    `head` is what stands between an hourglass and its heatmaps (FACTS C.1):
      "released"    `modules` residuals and one 1x1 round, the authors' code since September 2016;
      "paper"       `modules` 1x1 rounds, their code in June 2016 and the text of the paper.
    `supervision` names the curves of H fig. 8 (FACTS C.3):
      "every"       a loss after every hourglass, its heatmaps re-injected (HG-Stacked-Int, and the
                    network of the paper);
      "last"        a loss at the end only (HG; HG-Stacked). Earlier hourglasses predict nothing and
                    only their features are handed on;
      "upsampling"  one hourglass, with losses after upsampling at the two resolutions below the
                    output's, H/16 first, then H/8 (HG-Int). No code of it is public; here each is
                    one 1x1 round and the heatmap convolution, and nothing is re-injected.
    `stem` says where the stem becomes as wide as the hourglasses:
      "released"    in its last residual, as in the authors' code;
      "wide"        in the last but one, right after the pooling, as in two public ports (FACTS
                    C.2).
    Raises PaperlibError for an option it does not know and for images whose sides are not multiples
    of 4 * 2 ** depth.
    """

    def __init__(
        self,
        stacks: int = 8,
        modules: int = 1,
        joints: int = 16,
        features: int = 256,
        depth: int = 4,
        head: str = "released",
        supervision: str = "every",
        stem: str = "released",
    ):
        super().__init__()
        if head not in HEADS or supervision not in SUPERVISIONS:
            raise PaperlibError(
                f"head={head!r}, supervision={supervision!r}: choose head from {HEADS} and "
                f"supervision from {SUPERVISIONS}"
            )
        if stem not in STEMS:
            raise PaperlibError(f"stem={stem!r}: choose it from {STEMS}")
        if min(stacks, modules, depth) < 1 or features % 4 or features < 4:
            raise PaperlibError(
                f"{stacks=}, {modules=}, {depth=}, {features=}: give at least one of each, and "
                "features in multiples of 4"
            )
        if supervision == "upsampling" and (stacks != 1 or depth < 3):
            raise PaperlibError(
                f"supervision='upsampling' with {stacks=}, {depth=}: it is for one hourglass of "
                "depth 3 or more"
            )
        self.side_multiple = 4 * 2**depth
        pooled = features if stem == "wide" else features // 2
        self.stem = nn.Sequential(
            *(
                nn.Conv2d(3, features // 4, 7, stride=2, padding=3),
                nn.BatchNorm2d(features // 4),
                nn.ReLU(inplace=True),
            ),
            *(Residual(features // 4, features // 2), nn.MaxPool2d(2)),
            *(Residual(features // 2, pooled), Residual(pooled, features)),
        )
        self.hourglasses = nn.ModuleList(Hourglass(depth, features, modules) for _ in range(stacks))
        self.rounds = nn.ModuleList(_rounds(head, features, modules) for _ in range(stacks))
        self.junctions = nn.ModuleList(
            Junction(features, joints, supervision == "every") for _ in range(stacks - 1)
        )
        coarse = 2 if supervision == "upsampling" else 0
        self.coarse_heads = nn.ModuleList(
            nn.Sequential(lin(features), nn.Conv2d(features, joints, 1)) for _ in range(coarse)
        )
        self.heatmaps = nn.Conv2d(features, joints, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        if images.shape[-2] % self.side_multiple or images.shape[-1] % self.side_multiple:
            size = f"{images.shape[-2]} x {images.shape[-1]} px"
            raise PaperlibError(
                f"images of {size}: this StackedHourglass needs sides that are multiples of "
                f"{self.side_multiple}"
            )
        x = self.stem(images)  # (B, features, H/4, W/4)
        sites = []
        for hourglass, rounds, junction in zip(
            self.hourglasses[:-1], self.rounds[:-1], self.junctions, strict=True
        ):
            x, heatmaps = junction(x, rounds(hourglass(x)[-1]))
            sites += heatmaps
        *coarse, features = self.hourglasses[-1](x)
        sites += [head(scale) for head, scale in zip(self.coarse_heads, coarse[-2:], strict=False)]
        return [*sites, self.heatmaps(self.rounds[-1](features))]


def _rounds(head: str, features: int, modules: int) -> nn.Sequential:
    if head == "released":
        return nn.Sequential(*residuals(features, modules), lin(features))
    return nn.Sequential(*(lin(features) for _ in range(modules)))
