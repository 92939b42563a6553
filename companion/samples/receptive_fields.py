"""Receptive fields, measured by the gradient, layer by layer and pass by pass."""

import copy

import numpy as np
import pandas as pd
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from paperlib.data.crops import Crops
from paperlib.data.thumbnails import crop_images, thumbnails
from paperlib.models.complexity import receptive_field

# Where the network is tapped, and what the tap is called: {0} is the number of the call, {1} R's
# letter of the prediction layer.
RECURRENT = {
    **{f"layer{number}": f"layer {number}" for number in range(1, 5)},
    "layer8a": "8A, after layer 5",
    "fusion.layer6.0": "pass {0}, first of layer 6",
    "fusion.layer6.1": "pass {0}, second",
    "layer8": "8{1}, after pass {0}",
}


def hourglass_taps(depth: int) -> dict[str, str]:
    """The taps of a StackedHourglass of one stack: the stem, the steps down, the bottom, the steps
    up, and the heatmaps."""
    inner = ["hourglasses.0" + ".inner" * level for level in range(depth + 1)]
    shares = [f"1/{4 * 2 ** (level + 1)}" for level in range(depth)]
    down = {f"{name}.down": f"down to {share}" for name, share in zip(inner, shares, strict=False)}
    up = {f"{name}.up": f"up from {share}" for name, share in zip(inner, shares, strict=False)}
    return {"stem": "stem", **down, f"{inner[-1]}.keep": "bottom", **up, "heatmaps": "heatmaps"}


def fields(model: nn.Module, taps: dict[str, str], side: int) -> pd.DataFrame:
    """A row a call of every tapped module, in the order computed: `layer`, its name by `taps`, and
    `field`, px of the image that the middle cell of its output depends on, at most `side`. The
    measure is `sizes.receptive_field`, with the mean in place of the maximum in every pooling, so
    that no pixel of a window is passed over; give a narrow model, width does not matter."""
    tapped = _Tapped(model, taps)
    extents = receptive_field(tapped, side)
    return pd.DataFrame({"layer": tapped.layers, "field": extents})


class _Tapped(nn.Module):
    """A model whose sites are the outputs of chosen modules."""

    def __init__(self, model: nn.Module, taps: dict[str, str]):
        super().__init__()
        self.model, self.taps, self.layers = model, taps, []

    def forward(self, images: Tensor) -> list[Tensor]:
        outputs, calls = [], dict.fromkeys(self.taps, 0)
        self.layers.clear()

        def keep(name: str):
            def hook(module: nn.Module, args: tuple, output: Tensor | list[Tensor]) -> None:
                outputs.append(output[-1] if isinstance(output, list) else output)
                self.layers.append(self.taps[name].format(calls[name], "BCDEFGH"[calls[name]]))
                calls[name] += 1

            return hook

        hooks = [
            self.model.get_submodule(name).register_forward_hook(keep(name)) for name in self.taps
        ]
        with _MeanPooling():
            self.model(images)
        for hook in hooks:
            hook.remove()
        return outputs

    def __deepcopy__(self, memo: dict) -> "_Tapped":
        """The copy that is measured writes its layers where the original reads them."""
        copied = _Tapped(copy.deepcopy(self.model, memo), self.taps)
        copied.layers = self.layers
        return copied


class _MeanPooling(TorchFunctionMode):
    """While it is entered every max pooling averages."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") == "max_pool2d":
            return F.avg_pool2d(args[0], args[1])
        return function(*args, **(kwargs or {}))


def fields_on_person(
    table: pd.DataFrame, side: int, crops: Crops, person: int
) -> dict[str, np.ndarray]:
    """The numbers of `receptive_fields`: `table` of `fields`, of a network whose input has `side`
    px, laid over the crop of one person."""
    batch = crops.batch(np.array([person]))
    images, points = thumbnails(crop_images(batch), batch.joints.cpu().numpy(), 128)
    zoom = side / images.shape[1]
    return {
        "image": images[0],
        "points": (points[0] + 0.5) * zoom - 0.5,
        "names": np.array([joint.replace("_", " ") for joint in crops.codec.skeleton.joints]),
        "layers": table.layer.to_numpy(str),
        "fields": table.field.to_numpy(),
        "side": np.array(side),
    }
