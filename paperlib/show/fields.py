"""How far each layer sees: receptive fields, measured by the gradient, layer by layer and pass by pass."""

import copy

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from paperlib.data.crops import Crops
from paperlib.models.sizes import receptive_field
from paperlib.show.pictures import crop_images, thumbnails
from paperlib.show.positions import within
from paperlib.show.style import COLOURS

# Where the network is tapped, and what the tap is called: {0} is the number of the call, {1} R's letter of the prediction layer.
RECURRENT = {
    **{f"layer{number}": f"layer {number}" for number in range(1, 5)},
    "layer8a": "8A, after layer 5",
    "fusion.layer6.0": "pass {0}, first of layer 6",
    "fusion.layer6.1": "pass {0}, second",
    "layer8": "8{1}, after pass {0}",
}


def hourglass_taps(depth: int) -> dict[str, str]:
    """The taps of a StackedHourglass of one stack: the stem, the steps down, the bottom, the steps up, and the heatmaps."""
    inner = ["hourglasses.0" + ".inner" * level for level in range(depth + 1)]
    shares = [f"1/{4 * 2 ** (level + 1)}" for level in range(depth)]
    down = {f"{name}.down": f"down to {share}" for name, share in zip(inner, shares, strict=False)}
    up = {f"{name}.up": f"up from {share}" for name, share in zip(inner, shares, strict=False)}
    return {"stem": "stem", **down, f"{inner[-1]}.keep": "bottom", **up, "heatmaps": "heatmaps"}


def fields(model: nn.Module, taps: dict[str, str], side: int) -> pd.DataFrame:
    """A row a call of every tapped module, in the order computed: `layer`, its name by `taps`, and `field`, px of the image that the middle cell of
    its output depends on, at most `side`. The measure is `sizes.receptive_field`, with the mean in place of the maximum in every pooling, so that no
    pixel of a window is passed over; give a narrow model, width does not matter."""
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

        hooks = [self.model.get_submodule(name).register_forward_hook(keep(name)) for name in self.taps]
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


def fields_on_person(table: pd.DataFrame, side: int, crops: Crops, person: int) -> dict[str, np.ndarray]:
    """The numbers of `receptive_fields`: `table` of `fields`, of a network whose input has `side` px, laid over the crop of one person."""
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


def receptive_fields(numbers: dict[str, np.ndarray], layer: int = -1, joint: int = 0) -> Figure:
    """What a layer sees of a person when it decides about a joint, as a square on the crop, beside the receptive fields of all layers in px.

    `image` (S, S, 3) uint8, a crop that the network sees with `side` px; `points` (J, 2) in px of the network's input and their `names` (J,);
    `layers` (L,), names in the order computed, and their `fields` (L,) px. Layer -1 is the last.
    """
    count = len(numbers["layers"])
    within("layer", layer, -1, count - 1)
    within("joint", joint, 0, len(numbers["names"]) - 1)
    layer, side = layer % count, int(numbers["side"])
    field, (x, y) = int(numbers["fields"][layer]), np.nan_to_num(numbers["points"][joint], nan=side / 2)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.35))
    edges = (-0.5, side - 0.5, side - 0.5, -0.5)
    left.imshow(0.45 * numbers["image"] / 255, extent=edges)
    seen = left.imshow(numbers["image"], extent=edges)
    square = {"xy": (x - field / 2, y - field / 2), "width": field, "height": field}
    seen.set_clip_path(Rectangle(**square, transform=left.transData))
    left.add_patch(Rectangle(**square, fill=False, ec=COLOURS[1], lw=2))
    left.plot(x, y, "+", color=COLOURS[1], markersize=11, markeredgewidth=2)
    left.set(xticks=[], yticks=[], xlim=edges[:2], ylim=edges[2:], title=f"{numbers['layers'][layer]} about the {numbers['names'][joint]}")
    left.set_xlabel(f"{field} px of the crop's {side} px")
    colours = [COLOURS[1] if row == layer else COLOURS[0] for row in range(count)]
    right.barh(np.arange(count), numbers["fields"], color=colours, height=0.7)
    right.axvline(side, color="#333333", linestyle="--", linewidth=1)
    right.text(side, -0.9, " the whole crop", va="bottom", fontsize=8)
    right.set_yticks(np.arange(count), numbers["layers"], fontsize=8)
    right.set(ylim=(count - 0.5, -1), xlabel="receptive field, px of the input, measured by the gradient")
    return figure
