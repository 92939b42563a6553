"""Activation checkpointing: the backward pass computes a part of the network again in place of what it would have kept of it."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import nn
from torch.utils.checkpoint import checkpoint


def spare_memory(model: nn.Module) -> None:
    """From now on keep of each part that `forward` calls (a layer, a stack, what follows it) only what it was given. The numbers stay the same."""
    for child in model.children():
        for part in child if isinstance(child, nn.ModuleList) else [child]:
            norms = [module for module in part.modules() if isinstance(module, nn.BatchNorm2d)]
            again = functools.partial(_contexts, norms)
            part.forward = functools.partial(checkpoint, part.forward, use_reentrant=False, preserve_rng_state=False, context_fn=again)


def _contexts(norms: list[nn.BatchNorm2d]):
    """What surrounds a part the first time and the second."""
    return nullcontext(), _counted_already(norms)


@contextmanager
def _counted_already(norms: list[nn.BatchNorm2d]) -> Iterator[None]:
    """A batch that is seen a second time does not move the running statistics a second time."""
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
