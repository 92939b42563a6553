"""What a second look gives: the joints that a later site of a network finds where the first was
wrong, and what becomes of the false peak there (R-fig2, R-fig5, 04-twice)."""

import numpy as np
from torch import nn

from companion.runs.study import Study
from companion.samples.heatmaps import (
    every_joint,
    hard_joints,
    one_joint,
    reference,
    site_errors,
    strongest,
)
from companion.samples.sharp import enlarged, sharp_crops
from paperlib.data.crops import Crops
from paperlib.predict import Prediction, predict_batch

AT_ONCE = 32  # people
PICTURE = 192  # px of the pictures stored beside a figure


def rescued(prediction: Prediction, crops: Crops) -> np.ndarray:
    """(N, J) bool: the elbows, wrists, knees and ankles that the first site puts beyond twice the
    threshold (a head size, or 0.4 torsos) and the last within it."""
    errors, threshold = site_errors(prediction, crops.people), reference(crops.people)[1]
    lost, found = errors[0] > 2 * threshold, errors[-1] <= threshold
    return lost & found & hard_joints(crops.people)


def false_peaks(model: nn.Module, crops: Crops, wanted: np.ndarray) -> np.ndarray:
    """(M, K) the height, at each of K sites, of the heatmap at the place where the first site has
    its maximum; a row a joint of `wanted` (N, J), in the order of np.nonzero."""
    people, joints = np.nonzero(wanted)
    heights = []
    for start in range(0, len(people), AT_ONCE):
        rows, own = people[start : start + AT_ONCE], joints[start : start + AT_ONCE]
        each, place = np.unique(rows, return_inverse=True)
        sites = predict_batch(model, crops, each)[0]
        maps = np.stack([site.cpu().numpy()[place, own] for site in sites], axis=1)  # (m, K, H, W)
        flat = maps.reshape(*maps.shape[:2], -1)
        cell = flat[:, 0].argmax(axis=-1)
        heights.append(np.take_along_axis(flat, cell[:, None, None], axis=2)[..., 0])
    return np.concatenate(heights) if heights else np.empty((0, 0))


def looked_again(
    study: Study,
    crops: Crops,
    model: nn.Module,
    prediction: Prediction,
    titles: list[str],
    count: int = 3,
) -> dict[str, np.ndarray]:
    """The numbers of `looks.looked_again`: of all rescued joints the `count` whose false peak falls
    most from the first site to the last, one of each person, and how far it does, `fall` (count,);
    `heights` (M, K) of the false peaks of all of them."""
    wanted = rescued(prediction, crops)
    heights = false_peaks(model, crops, wanted).reshape(-1, len(titles))
    fall = np.full(wanted.shape, np.nan)
    fall[wanted] = heights[:, 0] - heights[:, -1]
    shown, joints = strongest(fall, wanted, count)
    numbers = one_joint(every_joint(crops, shown, titles, model), joints)
    small = numbers["images"].shape[1]
    return numbers | {
        "images": sharp_crops(study, crops, shown, PICTURE),
        "truth": enlarged(numbers["truth"], small, PICTURE),
        "found": enlarged(numbers["found"], small, PICTURE),
        "poses": enlarged(numbers["poses"], small, PICTURE),
        "people": shown,
        "joints": joints,
        "heights": heights,
        "fall": fall[shown, joints],
    }
