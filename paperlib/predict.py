"""Prediction: crops through the network with the mirrored image and several scales averaged,
decoded to image points."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from tqdm.auto import tqdm

from paperlib.codecs import Codec
from paperlib.data.crops import Batch, Crops
from paperlib.device import autocast, choose_precision
from paperlib.geometry import Augmentation, heatmap_affine, transform, warp

# of the images in a bf16 batch on a CPU: beyond 32 MB a layer's output is memory that the system
# clears anew each time
PIXELS = 4 * 256**2


@dataclass(frozen=True)
class Prediction:
    """The predictions for N people at each of the S supervised sites; the last site is the
    output."""

    points: np.ndarray  # (S, N, J, 2) image px
    peak: np.ndarray  # (S, N, J) the heatmap's maximum
    mean: np.ndarray  # (S, N, J) the heatmap's mean


def zoomed(n: int, zoom: float) -> Augmentation:
    """n crops of the same centre in which the person is `zoom` times as large."""
    nothing, still = np.zeros(n), np.zeros((n, 2))
    same, play = np.ones((n, 3)), np.zeros((n, 2, 2))
    return Augmentation(nothing, np.full(n, zoom), still, np.zeros(n, bool), same, play)


def folded(model: nn.Module) -> nn.Module:
    """A copy of `model` to predict with: each batch norm that follows a convolution is folded into
    its filters. The same numbers but for rounding."""
    model = copy.deepcopy(model).eval()
    for block in [module for module in model.modules() if isinstance(module, nn.Sequential)]:
        for i, (layer, norm) in enumerate(zip(block[:-1], block[1:], strict=True)):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[i], block[i + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
    return model


@torch.inference_mode()
def heatmaps(
    model: nn.Module, codec: Codec, images: torch.Tensor, flip: bool = True, precision: str = "auto"
) -> list[torch.Tensor]:
    """Heatmaps (B, K, H, W) float of every site; with `flip` the average with the mirrored image's
    (H sec. 3.4)."""
    both = torch.cat([images, images.flip(-1)]) if flip else images
    with autocast(images.device, choose_precision(images.device, precision)):
        sites = [site.float() for site in model(both.to(memory_format=torch.channels_last))]
    if not flip:
        return sites
    return [(site[: len(images)] + unmirror(codec, site[len(images) :])) / 2 for site in sites]


def unmirror(codec: Codec, site: torch.Tensor) -> torch.Tensor:
    """Heatmaps or points of the mirrored image, mirrored back."""
    swap = torch.as_tensor(codec.mirror, device=site.device)
    if is_points(site):
        return site[:, swap] * site.new_tensor([-1, 1])
    return site.flip(-1)[:, swap]


def is_points(site: torch.Tensor) -> bool:
    """Whether a site holds points (B, J, 2), as IEF's do, and not heatmaps (B, K, H, W)."""
    return site.ndim == 3


@torch.inference_mode()
def predict_batch(
    model: nn.Module,
    crops: Crops,
    rows: np.ndarray,
    flip: bool = True,
    scales: tuple[float, ...] = (1.0,),
    precision: str = "auto",
) -> tuple[list[torch.Tensor], Batch]:
    """Heatmaps of every site for the people `rows`, averaged over the mirrored image and over
    `scales` of the crop, and the crops at scale 1."""
    codec, batch = crops.codec, crops.batch(rows)
    total = None
    for scale in scales:
        scaled = batch if scale == 1 else crops.batch(rows, zoomed(len(rows), scale))
        sites = heatmaps(model, codec, scaled.images, flip, precision)
        if scale != 1:
            sites = [unzoom(site, scale) for site in sites]
        total = sites if total is None else [a + b for a, b in zip(total, sites, strict=True)]
    return [site / len(scales) for site in total], batch


def unzoom(maps: torch.Tensor, zoom: float) -> torch.Tensor:
    """Heatmaps of a zoomed crop, resampled on the grid of the crop as it was; so are points."""
    if is_points(maps):
        return maps / zoom
    side = maps.shape[-1]
    affine = torch.from_numpy(zoomed(len(maps), zoom).affine(side)).to(maps.device, maps.dtype)
    return warp(maps, affine, side)


def decode(
    codec: Codec, maps: torch.Tensor, to_image: torch.Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image points (B, J, 2), maxima (B, J) and means (B, J) of the keypoint heatmaps of one site,
    whatever its stride; where a site holds points there are no heatmaps, and these two are NaN.
    """
    points, peak = codec.decode(maps)
    if is_points(maps):
        nothing = peak.cpu().numpy()
        return transform(points.cpu().double(), to_image).numpy(), nothing, nothing
    points = points.cpu().double()  # a Mac's GPU has no double precision
    stride = codec.side / maps.shape[-1]
    if stride != codec.stride:  # a site of lower resolution: its cells are wider
        cells = transform(points, torch.from_numpy(heatmap_affine(codec.stride)))
        points = transform(cells, torch.from_numpy(np.linalg.inv(heatmap_affine(stride))))
    image = transform(points, to_image)
    mean = maps[:, : len(codec.skeleton)].mean(dim=(-2, -1))
    return image.numpy(), peak.cpu().numpy(), mean.cpu().numpy()


def people_at_once(side: int, flip: bool, precision: str, device: torch.device) -> int:
    """How many people with crops of `side` px a batch holds where it is fastest."""
    if device.type != "cpu":
        return 64
    wide = 2 if choose_precision(device, precision) == "fp32" else 1
    return max(1, PIXELS // wide // side**2 // (1 + flip))


def predict(
    model: nn.Module,
    crops: Crops,
    flip: bool = True,
    scales: tuple[float, ...] = (1.0,),
    precision: str = "auto",
    progress: bool = True,
) -> Prediction:
    """The predictions of `model` for everybody in `crops`, read by the crops' `decoder`."""
    model, found = folded(model), []
    at_once = people_at_once(crops.codec.side, flip, precision, crops.device)
    starts = range(0, len(crops), at_once)
    for start in tqdm(starts, "predict", unit="batch", disable=not progress, mininterval=2):
        rows = np.arange(start, min(start + at_once, len(crops)))
        maps, crop = predict_batch(model, crops, rows, flip, scales, precision)
        found.append([decode(crops.decoder, site, crop.to_image) for site in maps])
    columns = [
        [np.concatenate([part[s][k] for part in found]) for s in range(len(found[0]))]
        for k in range(3)
    ]
    return Prediction(*[np.stack(column) for column in columns])
