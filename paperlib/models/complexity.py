"""How large the models are, how much they compute and how far they see: R table III, on every scale
that it mixes (FACTS B).

R table III counts Newell's network in learnable parameters and the other three by another rule, the
sum of k * k * C_out over the layers, in which input channels do not appear. `model_sizes` gives
both for each.
"""

import copy
import math
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from paperlib.models.error_feedback import ErrorFeedback
from paperlib.models.hourglass import StackedHourglass
from paperlib.models.pose_machine import PoseMachine
from paperlib.models.recurrent import Recurrent


def parameters(model: nn.Module) -> int:
    """Learnable numbers: filters, biases, and batch norm's gains and biases; what is shared counts
    once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def conv_weights(model: nn.Module) -> int:
    """The filters alone, without biases and batch norm."""
    return sum(layer.weight.numel() for layer in _layers(model))


def paper_rule(model: nn.Module) -> int:
    """The count that R table III prints for all but the hourglass: k * k * C_out, summed over
    distinct convolutions and linear layers (FACTS B)."""
    return sum(
        layer.weight.shape[0] * math.prod(layer.weight.shape[2:]) for layer in _layers(model)
    )


def gmacs(model: nn.Module, side: int) -> float:
    """Billions of multiply-adds for one square image of `side` px. A model built on the meta device
    is counted without computing anything."""
    probe = norms_as(lambda maps: maps, copy.deepcopy(model).eval())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        probe(torch.zeros(1, 3, side, side, device=next(model.parameters()).device))
    return counter.get_total_flops() / 2 / 1e9


def norms_as(function: Callable[[torch.Tensor], torch.Tensor], model: nn.Module) -> nn.Module:
    """`model` with `function` in the place of every batch norm, which is in no count of arithmetic
    and takes most of the time on the meta device."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = function
    return model


def receptive_field(model: nn.Module, side: int = 512) -> list[int]:
    """Pixels of the image, in height, that the middle cell of each site depends on; at most `side`.
    Measured, by the gradient.

    In a copy every filter is an average and batch norm does nothing, so that no path cancels
    another. Give a narrow model: width does not matter.
    """
    probe = copy.deepcopy(model).double().eval()
    for module in probe.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.reset_parameters()
    # max pooling passes the gradient to one pixel of four: noise lets each row win somewhere
    noise = torch.Generator().manual_seed(0)
    images = torch.rand(1, 3, side, side, generator=noise, dtype=torch.float64).requires_grad_()
    extents = []
    for maps in probe(images):
        cell = maps[0, 0, maps.shape[2] // 2, maps.shape[3] // 2]
        (gradient,) = torch.autograd.grad(cell, images, retain_graph=True)
        rows = gradient[0].any(dim=0).any(dim=1).nonzero()
        extents.append(int(rows[-1] - rows[0]) + 1)
    return extents


def model_sizes() -> list[dict]:
    """R table III, then the smaller relatives: one row a model. `printed` is R's figure, None where
    the paper has none; `gmacs` is for one image of `input` px, all passes, stages and steps
    included. Takes about two seconds and no memory to speak of: the models are built on the meta
    device."""
    learnable = "printed is its learnable count, not the rule's"
    fusion = "103806 - 49*64 = 100670: the 7x7x64 fusion convolution is missing"
    exact, steps = "the rule, exactly", "the rule, exactly; gmacs are for 4 steps"
    with torch.device("meta"):
        june = StackedHourglass(8, head="paper")
        rows = [
            _row("hourglass, 8 stacks, June 2016", june, 256, 23.7e6, learnable),
            _row("hourglass, 8 stacks, released", StackedHourglass(8), 256),
            _row("convolutional pose machine", PoseMachine(), 368, 342042, exact),
            _row("recurrent, 2 iterations, parts", Recurrent(), 248, 100670, fusion),
            _row("iterative error feedback", ErrorFeedback(), 224, 48528, steps),
        ]
        # the two PyTorch ports widen the stem (FACTS C.2)
        for whose, stem, counts in (
            ("released", "released", (1, 2, 4)),
            ("bearpaw and anibali", "wide", (1, 2, 8)),
        ):
            for n in counts:
                name = f"hourglass, {n} stack{'s' * (n > 1)}, {whose}"
                rows.append(_row(name, StackedHourglass(n, stem=stem), 256))
        return [*rows, _row("recurrent, 1 iteration, parts", Recurrent(iterations=1), 248)]


def _row(
    name: str, model: nn.Module, side: int, printed: float | None = None, note: str = ""
) -> dict:
    return {
        "model": name,
        "parameters": parameters(model),
        "conv_weights": conv_weights(model),
        "paper_rule": paper_rule(model),
        "printed": printed,
        "gmacs": gmacs(model, side),
        "input": side,
        "note": note,
    }


def _layers(model: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
