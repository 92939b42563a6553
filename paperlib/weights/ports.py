"""The public ports of the stacked hourglass: what their code does and their checkpoints lack.

COMMUNITY.md has the table; sources are the ports' repositories at the commits of FACTS.md.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from paperlib import PaperlibError
from paperlib.codecs import HourglassCodec
from paperlib.models import StackedHourglass
from paperlib.skeleton import COCO, FLIC, MPII, Skeleton

Colour = tuple[float, float, float]
BLACK = (0.0, 0.0, 0.0)


class PortedHourglass(StackedHourglass):
    """StackedHourglass for weights that were trained on grey / 255 - `mean` (of red, green, blue).

    `forward` takes images as `Crops` gives them, (grey - 128) / 256, and rescales them before
    the first convolution, so that its zero padding is what it was in training.
    """

    def __init__(self, mean: Colour = BLACK, **options):
        super().__init__(**options)
        shift = 128 / 255 - torch.tensor(mean, dtype=torch.float64)
        self.register_buffer("shift", shift.float()[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        return super().forward(images * (256 / 255) + self.shift)


@dataclass(frozen=True)
class Port:
    """One port: its repository, its stem (StackedHourglass's option), its targets and joints."""

    name: str
    stem: str
    sigma: float  # heatmap px, of the target's Gaussian
    patch: int  # heatmap px, the side of the square to which it is cut
    joints: dict[int, tuple[Skeleton, Colour]]  # by the number of heatmaps: skeleton, mean colour


PRINCETON = Port("princeton-vl/pytorch_stacked_hourglass", "released", 1.0, 9, {16: (MPII, BLACK)})
BEARPAW = Port(  # the files of the two do not differ
    "bearpaw/pytorch-pose or anibali/pytorch-stacked-hourglass",
    "wide",
    1.0,
    7,
    {16: (MPII, (0.4404, 0.4440, 0.4327)), 17: (COCO, (0.4566, 0.4369, 0.4061))},
)
NEWELL = Port(
    "princeton-vl/pose-hg-train", "released", 1.75, 7, {16: (MPII, BLACK), 11: (FLIC, BLACK)}
)


def build(
    path: Path, port: Port, options: dict, tensors: dict[str, Tensor], skeleton: Skeleton | None
) -> tuple[PortedHourglass, HourglassCodec, dict]:
    """The network of `options` with `tensors`, its codec, and a record of what `port` adds.

    `skeleton` names the joints where that is not the port's order. Raises PaperlibError where
    the tensors are not the network's, or are more heatmaps than the port has joints.
    """
    count = options["joints"]
    if count not in port.joints and (skeleton is None or len(skeleton) != count):
        known = ", ".join(f"{n} ({of.name})" for n, (of, _) in port.joints.items())
        raise PaperlibError(
            f"{path}: {count} heatmaps, and {port.name} has {known}; the file does not name its "
            f"joints: paperlib.weights.load(file, skeleton=...) takes a Skeleton of {count}"
        )
    usual, mean = port.joints.get(count) or next(iter(port.joints.values()))
    options = options | {"mean": mean}
    with torch.device("meta"):
        model = PortedHourglass(**options)
    _check(path, port, model.state_dict(), tensors)
    model = PortedHourglass(**options)
    model.load_state_dict(tensors, strict=False)  # files of old torch do not count batches
    codec = HourglassCodec(sigma=port.sigma, patch=port.patch, skeleton=skeleton or usual)
    return model, codec, _record(path, port, options, codec)


def _check(path: Path, port: Port, wanted: dict, given: dict) -> None:
    wanted = {k: tuple(v.shape) for k, v in wanted.items() if not k.endswith("batches_tracked")}
    given = {k: tuple(v.shape) for k, v in given.items() if not k.endswith("batches_tracked")}
    for name in sorted(wanted.keys() | given.keys()):
        if wanted.get(name) != given.get(name):
            ours, theirs = wanted.get(name, "absent"), given.get(name, "absent")
            raise PaperlibError(
                f"{path}: layers named as in {port.name}, but not its network: what is {name} "
                f"here should be {ours} and is {theirs}; another width or variant is not read"
            )


def _record(path: Path, port: Port, options: dict, codec: HourglassCodec) -> dict:
    name, mean = path.name.split(".")[0], options["mean"]
    return {
        "name": name,
        "kind": f"checkpoint of {port.name}, {options['stacks']} x {options['modules']}",
        "port": port.name,
        "input": f"grey / 255 - {mean}, RGB",
        "joints": list(codec.skeleton.joints),
        "crop": {"side": codec.side, "margin": codec.margin, "shift": codec.shift},
        "outside": 0,  # the grey value of what lies outside the image: black in all of them
        "model": {"class": PortedHourglass.__name__, "options": options},
    }
