"""Crops as small pictures, with their points."""

import cv2
import numpy as np
import torch

from paperlib.data.crops import Batch


def crop_images(batch: Batch) -> np.ndarray:
    """(B, S, S, 3) uint8, the crops of a batch as pictures."""
    grey = (256 * batch.images + 128).round().clamp(0, 255).to(torch.uint8)
    return grey.permute(0, 2, 3, 1).cpu().numpy()


def thumbnails(images: np.ndarray, points: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, S, S, 3) uint8 shrunk to at most `side` px, and their points (N, ..., 2) with
    them: what is stored beside a figure stays small."""
    zoom = min(1, side / images.shape[1])
    if zoom == 1:
        return images, points
    small = np.stack(
        [cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) for image in images]
    )
    return small, (points + 0.5) * zoom - 0.5
