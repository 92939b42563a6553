"""The authors' own networks, Torch7's graphs of modules, as weights of a StackedHourglass."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from paperlib import PaperlibError
from paperlib.models import StackedHourglass
from paperlib.weights.torch7 import Table, read_torch7

CONTAINERS = ("Sequential", "ConcatTable")
CONVOLUTIONS = ("SpatialConvolution", "SpatialConvolutionMM")
NORM, POOL = "SpatialBatchNormalization", "SpatialMaxPooling"
WITHOUT_WEIGHTS = (POOL, "ReLU", "Identity", "CAddTable", "SpatialUpSamplingNearest")


def read_graph(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """Options of the StackedHourglass in a Torch7 file, and its weights under our names.

    Raises PaperlibError for a file that holds anything else.
    """
    network = read_torch7(path)
    kind = getattr(network, "kind", "") or type(network).__name__
    if kind != "nn.gModule":
        held = ", ".join(sorted(map(str, network))[:6]) if isinstance(network, Table) else network
        raise PaperlibError(f"{path}: a {kind} of Torch7 ({held}), not a network (nn.gModule)")
    try:
        outputs, layers = _walk(network)
        return _matched(outputs, layers)
    except (LookupError, AttributeError, TypeError, ValueError) as error:
        raise PaperlibError(
            f"{path}: a graph of Torch7, but not the stacked hourglass ({error}); understood are "
            "the networks of models/hg.lua of June 2016 and since (FACTS C.1)"
        ) from error


def _walk(network: Table) -> tuple[int, list[Table]]:
    """The number of outputs, and all layers in the order in which an image passes them.

    Where a layer has several inputs, these come in the layer's own order.
    """
    seen, layers = set(), []

    def visit(data: Table) -> None:
        if id(data) in seen:
            return
        seen.add(id(data))
        for before in data["mapindex"].in_order():
            visit(before)
        if "module" in data:
            layers.extend(_leaves(data["module"]))

    end = network["outnode"]["data"]
    visit(end)
    return len(end["mapindex"].in_order()), layers


def _leaves(module: Table) -> list[Table]:
    if _kind(module) in CONTAINERS:
        return [leaf for part in module["modules"].in_order() for leaf in _leaves(part)]
    if _kind(module) not in (*CONVOLUTIONS, NORM, *WITHOUT_WEIGHTS):
        raise ValueError(f"it has a {module.kind}")
    return [module]


def _kind(module: Table) -> str:
    return module.kind.rpartition(".")[2]  # nn.ReLU and cudnn.ReLU are the same


def _matched(stacks: int, layers: list[Table]) -> tuple[dict, dict[str, Tensor]]:
    """The first of the possible networks that has these layers in this order."""
    convs = [layer for layer in layers if _kind(layer) in CONVOLUTIONS]
    pools = sum(_kind(layer) == POOL for layer in layers)
    depth = (pools - 1) // stacks
    residuals = (sum(conv["kW"] == 3 for conv in convs) - 3) // stacks  # of each, but for the stem
    joints, features = int(convs[-1]["nOutputPlane"]), int(convs[-1]["nInputPlane"])
    weighty = [layer for layer in layers if _kind(layer) not in WITHOUT_WEIGHTS]
    theirs = [_shape(layer) for layer in weighty]
    for head, steps in (("released", 3 * depth + 2), ("paper", 3 * depth + 1)):
        size = {"stacks": stacks, "modules": residuals // steps, "depth": depth, "head": head}
        options = size | {"joints": joints, "features": features}
        fits = min(size["modules"], depth) > 0 and features % 4 == 0
        if fits and theirs == [tuple(m.weight.shape) for _, m in _in_order(options)]:
            return options, _named(options, weighty)
    raise ValueError(
        f"{stacks} outputs of {joints} heatmaps, {pools} poolings and {len(convs)} convolutions"
    )


def _in_order(options: dict) -> list[tuple[str, nn.Module]]:
    """Names and layers with weights of ours, as an image passes them; of no memory."""
    with torch.device("meta"):
        model = StackedHourglass(**options)
    names = {module: name for name, module in model.named_modules()}
    parts = [model.stem]
    for i, (hourglass, rounds) in enumerate(zip(model.hourglasses, model.rounds, strict=True)):
        parts += [hourglass, rounds]
        if i < len(model.junctions):
            junction = model.junctions[i]
            parts += [junction.heatmaps, junction.from_features, junction.from_heatmaps]
    layers = [layer for part in (*parts, model.heatmaps) for layer in part.modules()]
    return [(names[m], m) for m in layers if isinstance(m, (nn.Conv2d, nn.BatchNorm2d))]


def _shape(layer: Table) -> tuple[int, ...]:
    if _kind(layer) == NORM:
        return layer["weight"].shape
    return tuple(int(layer[key]) for key in ("nOutputPlane", "nInputPlane", "kH", "kW"))


def _named(options: dict, layers: list[Table]) -> dict[str, Tensor]:
    tensors = {}
    for (name, _), layer in zip(_in_order(options), layers, strict=True):
        values = {"weight": layer["weight"].reshape(_shape(layer)), "bias": layer["bias"]}
        if _kind(layer) == NORM:
            values |= {"running_mean": layer["running_mean"], "running_var": _variance(layer)}
        for key, value in values.items():
            tensors[f"{name}.{key}"] = torch.from_numpy(value.astype(np.float32))
    return tensors


def _variance(norm: Table) -> np.ndarray:
    """Layers of 2015 keep 1 / sqrt(variance + eps) instead, as running_std."""
    if abs(norm["eps"] - 1e-5) > 1e-9:
        raise ValueError(f"a batch norm with eps {norm['eps']:g} instead of 1e-05")
    return norm["running_var"] if "running_var" in norm else norm["running_std"] ** -2.0 - 1e-5
