"""Validation while a network trains: the accuracy that H fig. 8 plots, and PCK."""

import numpy as np
import torch
from torch import nn

from paperlib.codecs import Codec
from paperlib.data.crops import Batch, Crops
from paperlib.metrics import heatmap_accuracy, normalised_errors, pck, point_accuracy
from paperlib.predict import decode, heatmaps, is_points
from paperlib.train import Watch

LIMBS = tuple(
    f"{side}_{part}" for part in ("wrist", "elbow", "knee", "ankle") for side in ("left", "right")
)  # the joints of H fig. 8


def watch_accuracy(
    crops: Crops, rows: np.ndarray, measure: tuple[np.ndarray, float] | None = None
) -> Watch:
    """Of the people `rows`: heatmap accuracy (FACTS C.7) over wrists, elbows, knees and ankles, or
    over all joints of a skeleton without them, at every site of full size; and the PCK of
    `measure`, reference length (N,) px and threshold (default: PCKh@0.5, else PCK@0.2)."""
    skeleton = crops.codec.skeleton
    limbs = [skeleton.index(joint) for joint in LIMBS if joint in skeleton.plain] or None
    if measure is None and np.isfinite(crops.people.head_size).any():
        measure = crops.people.head_size, 0.5
    reference, threshold = measure or (crops.people.torso, 0.2)
    batch = crops.batch(rows)

    def watch(model: nn.Module) -> dict[str, float]:
        with torch.inference_mode():
            sites = heatmaps(model, crops.codec, batch.images, flip=False)
        accuracies = _accuracies(sites, crops.codec, batch, limbs)
        points = decode(crops.codec, sites[-1], batch.to_image)[0]
        named = {f"accuracy_site{i}": accuracy for i, accuracy in enumerate(accuracies)}
        errors = normalised_errors(points, crops.people.joints[rows], reference[rows])
        return {"accuracy": accuracies[-1], **named, "pck": pck(errors, threshold)}

    return watch


def _accuracies(
    sites: list[torch.Tensor], codec: Codec, batch: Batch, limbs: list[int]
) -> list[float]:
    """Of every site of full size; a site that holds points is judged by the same distance."""
    side, joints = sites[-1].shape[-1], len(codec.skeleton)
    target = codec.encode(batch.joints, batch.state, side)
    if is_points(sites[-1]):
        known = target.weights[..., 0].cpu() > 0
        return [point_accuracy(site.cpu(), target.maps.cpu(), known, limbs) for site in sites]
    full = [site[:, :joints] for site in sites if site.shape[-1] == side]
    return [heatmap_accuracy(site, target.maps[:, :joints], limbs) for site in full]
