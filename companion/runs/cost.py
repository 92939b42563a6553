"""What a run costs, counted from its network alone: arithmetic, layers, weights and memory."""

import functools
from dataclasses import dataclass

import torch
from torch import nn

from companion.runs.catalogue import Network, Run
from paperlib.models.complexity import gmacs, norms_as, parameters

PROCESS = 600  # MB that a process takes before the first network


@dataclass(frozen=True)
class Cost:
    """Of one network at one input size; the per-image figures are for one training image."""

    weights_mb: float  # in single precision
    gflop: float  # per image: three forward passes' worth of multiply-adds, two FLOP each
    layers: int  # convolutions
    kept: float  # per image: millions of numbers that the backward pass needs again
    places: float  # per image: millions of places of maxima, likewise


def cost_of(run: Run) -> Cost:
    """The cost of a run's network at the run's input size."""
    return _cost(run.network, run.codec.side)


def memory(run: Run, precision: str) -> float:
    """MB at the peak of training: weights, gradients, the optimiser's two moments, and what the
    backward pass needs again; half precision halves that, and adds a copy of the weights."""
    cost = cost_of(run)
    copies, width = (0, 4) if precision == "fp32" else (cost.weights_mb / 2, 2)
    of_batch = (width * cost.kept + 8 * cost.places) * run.recipe.batch
    return PROCESS + 4 * cost.weights_mb + copies + of_batch


@functools.cache
def _cost(network: Network, side: int) -> Cost:
    """Counted at 64 px on the meta device, for all of it grows with the area."""
    area = (side / 64) ** 2
    with torch.device("meta"):
        model, image = network.build(), torch.zeros(1, 3, 64, 64)
    flops = 6 * gmacs(model, 64) * area
    norms_as(lambda maps: maps * maps, model)  # which, like batch norm, needs its input again
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.eval()(image)
    of_image = [tensor for tensor in kept.values() if tensor.dim() == 4]  # no batch norm's moments
    numbers, places = (
        area / 1e6 * sum(t.numel() for t in of_image if t.is_floating_point() == floating)
        for floating in (True, False)
    )
    layers = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    return Cost(4e-6 * parameters(model), flops, layers, numbers, places)
