"""Poses in a photograph: people in boxes, through the network, to points with confidence."""

import numpy as np

from paperlib.data.canvases import GREY, Canvases, canvas_boxes, cut_canvas
from paperlib.data.crops import Crops
from paperlib.geometry import crop_affine
from paperlib.people import ABSENT, People
from paperlib.predict import decode, predict_batch
from paperlib.skeleton import Skeleton
from paperlib.weights import Weights

SCALES = (0.85, 1.0, 1.15)
CHUNK = 16  # people of one photograph who go through the network together
# px x scale by which MPII's rough position lies above the middle of the person's box
# (the median of 213 whole validation people is 9.6)
ABOVE = 10


def see(
    weights: Weights,
    photo: np.ndarray,
    people: People,
    scales: tuple[float, ...] = SCALES,
    flip: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, J, 2), px, and confidences (N, J), 0..1, of `people` in `photo` (H, W, 3) uint8.

    Of `people` only centre, scale and framed count. The way is that of training and measuring: a
    canvas, from it a crop at each of `scales`, and the heatmaps averaged over them and, with
    `flip`, over the mirrored image. Confidence is the heatmap's maximum / the target's mode. In
    fp32: the same answer on every machine.
    """
    points, peaks = [], []
    for start in range(0, len(people), CHUNK):
        crops = crops_in(weights, photo, people.select(slice(start, start + CHUNK)))
        rows = np.arange(len(crops))
        sites, batch = predict_batch(weights.model, crops, rows, flip, scales, precision="fp32")
        found, peak, _ = decode(weights.codec, sites[-1], batch.to_image)
        points.append(found)
        peaks.append(np.clip(peak / weights.codec.peak, 0, 1))
    return np.concatenate(points), np.concatenate(peaks)


def crops_in(weights: Weights, photo: np.ndarray, people: People) -> Crops:
    """`people` of `photo` (H, W, 3) uint8, cut out as the network of `weights` expects them.

    Of `people` only centre, scale and framed count. What lies outside the photo has the grey value
    that it had in training, the record's "outside".
    """
    side, outside = round(1.5 * weights.codec.side), weights.record.get("outside", GREY[0])
    boxes = canvas_boxes(people, side)
    pixels = np.stack([cut_canvas(photo, box, side, outside=outside) for box in boxes])
    canvases = Canvases(pixels, crop_affine(boxes, side), np.ones(len(people), bool), (), "")
    return Crops(people, canvases, weights.codec, next(weights.model.parameters()).device)


def people_in(skeleton: Skeleton, size: tuple[int, int], boxes=None) -> People:
    """The people to look for in an image of `size` (width, height) px.

    They are those of `boxes` (N, 4), x0, y0, x1, y1 px, or, without, one who fills the picture.
    The picture itself is a crop as LSP's are: `framed`, its longer side is the crop's. A box is
    read as MPII's labels are: the person's height is the box's longer side, 200 px x scale, and the
    rough position lies 10 px x scale above the box's middle. The codec decides how much wider and
    further down the crop is (margin and shift: 250 px x scale and 15 px x scale for H, 291 and 0
    for R).
    """
    framed = boxes is None
    corners = np.array([(0, 0, size[0] - 1, size[1] - 1)] if framed else boxes, float)  # (N, 4)
    longer = (corners[:, 2:] - corners[:, :2]).max(axis=1).clip(min=1)  # (N,)
    scale = (longer if not framed else np.array([max(size)])) / 200.0
    centre = (corners[:, :2] + corners[:, 2:]) / 2
    if not framed:
        centre[:, 1] -= ABOVE * scale
    n, j = len(corners), len(skeleton)
    return People(
        skeleton=skeleton,
        image=np.full(n, ""),
        joints=np.full((n, j, 2), np.nan),
        state=np.full((n, j), ABSENT, np.uint8),
        centre=centre,
        scale=scale,
        framed=np.full(n, framed),
        head_size=np.full(n, np.nan),
        others=(np.empty((0, j, 2)),) * n,
    )


def visibility(weights: Weights, confidence: np.ndarray) -> np.ndarray:
    """How visible joints of `confidence` are, 0..1.

    R sec. IV-B ranks visibility by the heatmap's maximum. Where the record holds a logistic fit on
    held-out people, that is the probability that an annotator would mark the joint as visible; else
    the confidence itself, which is only an order.
    """
    fit = weights.record.get("visibility")
    if fit is None:
        return confidence
    return 1 / (1 + np.exp(-(fit["intercept"] + fit["slope"] * confidence)))
