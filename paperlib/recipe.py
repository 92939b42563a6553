"""Recipes: how a network is trained. Steps, rates, schedules and optimisers."""

import math
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. `rate` is the highest learning rate; `schedule` says how it changes
    over the steps."""

    steps: int
    batch: int
    rate: float
    optimizer: str = "adam"  # "adam", "rmsprop" (H) or "sgd" (R, with the released code's factors)
    schedule: str = "one-cycle"  # "one-cycle", "recurrent" (R, FACTS A.7) or "plateau" (H sec. 3.4)
    augmentation: str = "small"
    log_every: int = 20
    watch_every: int = 0  # steps between looks at validation people; 0: never

    def factor(self, step: int, plateau: bool = False) -> float:
        """The learning rate at `step` in parts of `rate`; `plateau`: the accuracy has stopped
        rising."""
        done = step / self.steps
        match self.schedule:
            case "one-cycle":  # a tenth of linear warm-up, then linear to zero
                return max(min(done / 0.1, (1 - done) / 0.9), 1e-3)
            case "recurrent":  # 30 epochs at 1e-5, 5 at 5e-6, 15 at 1e-6 (FACTS A.7)
                return 1 if done < 0.6 else 0.5 if done < 0.7 else 0.1
            # dropped once, by 5, when the accuracy stops rising (H sec. 3.4), at the latest for the
            # last twentieth
            case "plateau":
                return 0.2 if plateau or done >= 0.95 else 1
        raise ValueError(f"schedule {self.schedule!r}: it is one-cycle, recurrent or plateau")


def plateaued(log: list[dict], looks: int = 5) -> bool:
    """Whether the accuracy watched while training has ever gone `looks` looks without a new best
    one."""
    best, since = -math.inf, 0
    for row in log:
        if "accuracy" in row:
            best, since = (row["accuracy"], 0) if row["accuracy"] > best else (best, since + 1)
            if since == looks:
                return True
    return False


def make_optimizer(
    model: nn.Module, recipe: Recipe, precision: str = "fp32"
) -> torch.optim.Optimizer:
    """The recipe's optimiser. "sgd" has the released code's factors: biases and batch-norm gains
    twice the rate, decay on filters (FACTS A.7).

    One kernel does a whole step, but not in fp16: fused SGD then reads a momentum that a skipped
    first step never wrote.
    """
    fused = precision != "fp16"
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(
                model.parameters(), lr=recipe.rate, betas=(0.9, 0.99), fused=fused
            )
        case "rmsprop":
            return torch.optim.RMSprop(model.parameters(), lr=recipe.rate, alpha=0.99, eps=1e-8)
        case "sgd":
            norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
            norms = {id(parameter) for norm in norms for parameter in norm.parameters()}
            kinds = [[], [], []]  # filters; biases or batch-norm gains; batch-norm biases
            for name, parameter in model.named_parameters():
                kinds[(id(parameter) in norms) + name.endswith("bias")].append(parameter)
            groups = [
                {"params": kinds[0], "weight_decay": 5e-4},
                {"params": kinds[1], "lr": 2 * recipe.rate},
                {"params": kinds[2]},
            ]
            return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.95, fused=fused)
    raise ValueError(f"optimizer {recipe.optimizer!r}: it is adam, rmsprop or sgd")
