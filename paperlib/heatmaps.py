"""Heatmaps: how Gaussians and limbs are drawn, how fore- and background are weighed, and where the
maxima are."""

import torch


def balance(foreground: torch.Tensor) -> torch.Tensor:
    """Weights (..., H, W) with which fore- and background pixels contribute equally (R sec. III,
    FACTS A.4).

    With F foreground pixels of N: 1 - F/N on them and F/N elsewhere; 1 everywhere if F > N/2; 0
    everywhere if F = 0.
    """
    share = foreground.float().mean(dim=(-2, -1), keepdim=True)
    weights = torch.where(foreground, 1 - share, share)
    return torch.where(share > 0.5, torch.ones_like(weights), weights)


def argmax(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells (B, J, 2) of the maxima of maps (B, J, H, W), x before y, and the maxima (B, J)."""
    # first the row: on a CPU three times as fast as one search over all pixels
    row = maps.amax(dim=-1).argmax(dim=-1)
    score, column = maps.take_along_dim(row[..., None, None], dim=-2).squeeze(-2).max(dim=-1)
    return torch.stack([column, row], dim=-1), score


def quarter_pixel(maps: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """(B, J, 2) a quarter pixel towards the higher neighbour in x and in y, none at the border
    (FACTS C.6)."""
    height, width = maps.shape[-2:]
    x, y = cells[..., 0], cells[..., 1]
    flat = maps.flatten(-2)

    def at(column, row):
        cell = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        return flat.gather(-1, cell[..., None])[..., 0]

    slope = torch.stack([at(x + 1, y) - at(x - 1, y), at(x, y + 1) - at(x, y - 1)], dim=-1)
    last = torch.tensor([width - 1, height - 1], device=cells.device)
    inside = ((cells > 0) & (cells < last)).all(dim=-1, keepdim=True)
    return torch.where(inside, 0.25 * torch.sign(slope), 0).float()


def gaussians(centres: torch.Tensor, sigma: float, side: int, patch: int = 0) -> torch.Tensor:
    """(B, J, H, W) isotropic Gaussians of mode 1: a product of one in y and one in x; zero outside
    a square of `patch` px, if given."""
    steps = torch.arange(side, dtype=centres.dtype, device=centres.device)
    offset = steps - centres[..., None]  # (B, J, 2, side)
    profile = torch.exp(-(offset**2) / (2 * sigma**2))
    if patch:
        profile = torch.where(offset.abs() <= patch / 2, profile, 0)
    return profile[..., 1, :, None] * profile[..., 0, None, :]


def limbs(ends: torch.Tensor, along: float, across: float, side: int) -> torch.Tensor:
    """(B, P, H, W) Gaussians of mode 1 along limbs with `ends` (B, P, 2, 2); zero for a limb
    without length."""
    steps = torch.arange(side, dtype=ends.dtype, device=ends.device)
    # (B, P, 1, 1, 2)
    middle = ends.mean(dim=-2)[..., None, None, :]
    limb = (ends[..., 1, :] - ends[..., 0, :])[..., None, None, :]
    # (B, P, H, W, 2)
    offset = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1) - middle
    # of the limb's length; both coordinates below are in limb lengths
    squared = (limb**2).sum(dim=-1).clamp(min=1e-12)
    forward = (offset * limb).sum(dim=-1) / squared
    aside = (offset[..., 0] * limb[..., 1] - offset[..., 1] * limb[..., 0]) / squared
    drawn = torch.exp(-0.5 * ((forward / along) ** 2 + (aside / across) ** 2))
    return torch.where(squared > 1e-6, drawn, 0)
