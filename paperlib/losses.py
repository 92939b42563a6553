"""The losses of the two papers: over every supervised site, each site with weight one, one backward
pass."""

from collections.abc import Callable

import torch

from paperlib.codecs import Targets

Encode = Callable[[int], Targets]  # heatmap side in px -> targets of that size


def recurrent_loss(sites: list[torch.Tensor], targets: Encode) -> torch.Tensor:
    """R eq. 1 with the released code's weights (FACTS A.4): half the weighted squared error, summed
    over pixels and maps, divided by the batch."""
    return sum(
        0.5 * (t.weights * (site.float() - t.maps) ** 2).sum() / len(site)
        for site, t in _pairs(sites, targets)
    )


def hourglass_loss(sites: list[torch.Tensor], targets: Encode) -> torch.Tensor:
    """H sec. 3.4 (FACTS C.4): mean squared error of each stack's heatmaps, summed over the
    stacks."""
    return sum(
        (t.weights * (site.float() - t.maps) ** 2).mean() for site, t in _pairs(sites, targets)
    )


def _pairs(sites: list[torch.Tensor], targets: Encode) -> list[tuple[torch.Tensor, Targets]]:
    """Each site with the targets of its own size; the targets of one size are drawn once."""
    drawn = {side: targets(side) for side in {site.shape[-1] for site in sites}}
    return [(site, drawn[site.shape[-1]]) for site in sites]
