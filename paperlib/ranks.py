"""Several processes train one network as one would: each sees its share of every batch, and what is summed over a batch is summed over all.

In one process nothing here does anything. In several the numbers are those of one but for the order in which they are added.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributed import all_reduce
from torch.nn import functional as F

from paperlib import PaperlibError


@dataclass(frozen=True)
class Ranks:
    """This process among the `world` that train together. `fabric` is lightning-fabric's, launched; None in a process alone."""

    rank: int = 0
    world: int = 1
    fabric: object = None

    @property
    def first(self) -> bool:
        """Whether this is the one that watches, writes and shows."""
        return self.rank == 0

    def share(self, rows: int) -> slice:
        """This process's part of a batch of `rows`; the parts differ by at most one row. Raises PaperlibError where there is not one for each."""
        if rows < self.world:
            raise PaperlibError(f"{rows} crops a step cannot be shared by {self.world} devices; take --devices {rows} or fewer")
        return slice(self.rank * rows // self.world, (self.rank + 1) * rows // self.world)

    def wrapped(self, model: nn.Module) -> nn.Module:
        """What to call in place of `model` when training: its gradients become the mean over all processes, its batch norms see the whole batch."""
        if self.world == 1:
            return model
        for module in model.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = SharedBatchNorm  # the same parameters under the same names
        return self.fabric.setup_module(model)

    def sum(self, value: Tensor) -> Tensor:
        return value if self.world == 1 else self.fabric.all_reduce(value, reduce_op="sum")

    def of_the_first(self, value):
        """What the first process has for `value`, in each of them."""
        return value if self.world == 1 else self.fabric.broadcast(value)


ALONE = Ranks()


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the crops of all processes, so that the number of devices is no part of the mathematics.

    torch's SyncBatchNorm does the same, but has no kernel for a CPU, and on a GPU the host waits at every layer.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        y, mean, unbiased = _Shared.apply(x, self.weight, self.bias, self.eps)
        if self.num_batches_tracked is not None:  # else the batch is seen a second time
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(unbiased, self.momentum)
        return y


class _Shared(torch.autograd.Function):
    """(B, C, H, W) normalised by each channel's mean and variance over all processes; also gives that mean and the unbiased variance, (C,) each."""

    @staticmethod
    def forward(context, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        var, mean = (moment.double() for moment in torch.var_mean(x.float(), dim=(0, 2, 3), correction=0))
        sums = x.numel() / len(mean) * torch.stack([torch.ones_like(mean), mean, var + mean**2])  # (3, C)
        all_reduce(sums)
        count, mean, square = sums[0], *(sums[1:] / sums[0])
        var = square - mean**2
        mean, biased, unbiased = mean.float(), var.float(), (var * count / (count - 1)).float()
        context.save_for_backward(x, weight, mean, (biased + eps).rsqrt(), count.float())
        context.mark_non_differentiable(mean, unbiased)
        return F.batch_norm(x, mean, biased, weight, bias, eps=eps), mean, unbiased

    @staticmethod
    def backward(context, gradient: Tensor, *_) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, inverse, count = context.saved_tensors
        per_channel = (slice(None), None, None)
        normal, gradient_ = (x.float() - mean[per_channel]) * inverse[per_channel], gradient.float()
        own = torch.stack([gradient_.sum(dim=(0, 2, 3)), (gradient_ * normal).sum(dim=(0, 2, 3))])  # (2, C) of bias and gain
        whole = own.clone()
        all_reduce(whole)
        of_mean, of_scale = whole / count
        of_x = (weight * inverse)[per_channel] * (gradient_ - of_mean[per_channel] - normal * of_scale[per_channel])
        return of_x.to(gradient.dtype), own[1], own[0], None
