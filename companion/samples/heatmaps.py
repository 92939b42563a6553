"""Which people and joints the pictures of notebooks 03, 04 and 06 show, by stated rules and not by
eye, and the numbers that they are drawn from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from companion.runs.study import Study
from companion.samples.sharp import enlarged, sharp_crops
from paperlib.data.crops import Crops
from paperlib.data.thumbnails import crop_images, thumbnails
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import average_precision, normalised_errors, pck, pck_curve, precision_recall
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.photograph import SCALES, crops_in, people_in
from paperlib.predict import Prediction, heatmaps, predict_batch, zoomed
from paperlib.score import read_arrays, read_points
from paperlib.skeleton import MPII
from paperlib.weights import Weights

FEW = 48  # cells of a heatmap, a side: with fewer a limb is no shape
SIDE = 128  # px of the pictures stored beside a figure
THRESHOLDS = np.arange(51) / 100  # of the curves: PCKh at 0, 0.01, ... 0.5


def reference(people: People) -> tuple[np.ndarray, float, str]:
    """(N,) px, the threshold and the unit by which a joint is right: half a head size (PCKh), or
    0.2 torsos where there are no heads (PCK)."""
    if np.isfinite(people.head_size).any():
        return people.head_size, 0.5, "heads"
    return people.torso, 0.2, "torsos"


def site_names(sites: int) -> list[str]:
    """R's names of the layers that answer: 8A on the feed-forward features, 8B after the first pass
    of the fusion layers, ..."""
    return [
        "8A feed-forward",
        "8B pass 0",
        *(f"8{chr(ord('C') + k)} iteration {k + 1}" for k in range(sites - 2)),
    ]


def site_errors(prediction: Prediction, people: People) -> np.ndarray:
    """(S, N, J) errors of every supervised site in reference lengths; NaN where a joint is not
    annotated."""
    return np.stack(
        [
            normalised_errors(points, people.joints, reference(people)[0])
            for points in prediction.points
        ]
    )


def turned(errors: np.ndarray, threshold: float) -> pd.DataFrame:
    """How many annotated joints of errors (S, N, J) each pass corrects and spoils: right where the
    site before was wrong, and the reverse."""
    known = ~np.isnan(errors[0])
    right = errors <= threshold
    rows = [
        {
            "site": name,
            "right, %": pck(errors[s], threshold),
            "corrected": int((right[s] & ~right[s - 1] & known).sum()) if s else 0,
            "spoilt": int((~right[s] & right[s - 1] & known).sum()) if s else 0,
        }
        for s, name in enumerate(site_names(len(errors)))
    ]
    return pd.DataFrame(rows)


def hard_joints(people: People) -> np.ndarray:
    """(J,) bool: elbows, wrists, knees and ankles, the joints that both papers' examples show."""
    groups = dict(people.skeleton.groups)
    return np.isin(
        np.arange(len(people.skeleton)),
        [joint for part in ("elbow", "wrist", "knee", "ankle") for joint in groups[part]],
    )


def strongest(strength: np.ndarray, wanted: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """People (n,) and joints (n,): one joint of each of n people, `wanted` ones first, of those the
    largest `strength`; both tables are (N, J). A joint whose strength is NaN comes last of all."""
    value = np.where(np.isfinite(strength), strength, -np.inf)
    # the last key decides first
    order = np.lexsort((-value.ravel(), ~(wanted & np.isfinite(strength)).ravel()))
    person, joint = np.unravel_index(order, value.shape)
    first = np.sort(np.unique(person, return_index=True)[1])[:n]
    return person[first], joint[first]


def overview(study: Study, crops: Crops, person: int, model: nn.Module) -> dict[str, np.ndarray]:
    """The numbers of `pictures.heatmap_overview`: what the last site of a network with body parts
    says of one person; where heatmaps have few cells, asked between the cells too."""
    codec, side = crops.codec, 3 * SIDE // 2
    maps, _ = predict_batch(model, crops, np.array([person]))
    points = codec.decode(maps[-1])[0].cpu().numpy()
    heat = finer_heatmaps(model, crops, person, times=2 if maps[-1].shape[-1] < FEW else 1)
    heat, joints = heat.cpu().numpy().astype(np.float16), len(codec.skeleton)
    return {
        "image": sharp_crops(study, crops, np.array([person]), side)[0],
        "keypoints": heat[:joints],
        "parts": heat[joints:],
        "points": enlarged(points[0], codec.side, side),
        "skeleton": np.array(codec.skeleton.name),
    }


def finer_heatmaps(model: nn.Module, crops: Crops, person: int, times: int) -> torch.Tensor:
    """(K, times x H, times x W) the last site's heatmaps on a grid `times` as fine: the network
    answers times x times, the crop shifted by parts of a cell, and the answers interlace."""
    stride, side = crops.codec.stride, crops.codec.side
    shifts = (np.arange(times) - (times - 1) / 2) * stride / times  # px
    grid = np.stack(np.meshgrid(shifts, shifts), axis=-1).reshape(-1, 2)  # x varies fastest
    moved = replace(zoomed(len(grid), 1), shift=-grid / side)
    batch = crops.batch(np.full(len(grid), person), moved)
    maps = heatmaps(model, crops.codec, batch.images)[-1]  # (times^2, K, H, W)
    maps = maps.unflatten(0, (times, times)).permute(2, 3, 0, 4, 1)  # K, H, y, W, x
    return maps.flatten(3, 4).flatten(1, 2)


def every_joint(
    crops: Crops, people: np.ndarray, titles: list[str], *models: nn.Module, **how
) -> dict[str, np.ndarray]:
    """Heatmaps of all joints of `people` at every site of one model, or at the last site of each of
    several: the numbers of `heatmap_explorer`.

    Heatmaps are averaged with the mirrored image's, and over whatever else `how` tells
    `predict_batch`. `maps` (N, K, J, H, W), `found` and `error` (N, K, J, ...), `truth` (N, J, 2);
    see `pictures`.
    """
    found = [predict_batch(model, crops, people, **how)[0] for model in models]
    sites = found[0] if len(models) == 1 else [maps[-1] for maps in found]
    batch, skeleton = crops.batch(people), crops.codec.skeleton
    # (N, K, J, 2)
    points = torch.stack([crops.codec.decode(site)[0] for site in sites], dim=1).cpu().numpy()
    truth = batch.joints.cpu().numpy()
    length, _, unit = reference(crops.people)
    zoom = crops.codec.side / crops.codec.boxes(crops.people)[people, 2]  # crop px / image px
    images, both = thumbnails(
        crop_images(batch), np.concatenate([points, truth[:, None]], axis=1), SIDE
    )
    return {
        "images": images,
        "maps": torch.stack(sites, dim=1)[:, :, : len(skeleton)].cpu().numpy().astype(np.float16),
        "truth": both[:, -1],
        "found": both[:, :-1],
        "error": np.linalg.norm(points - truth[:, None], axis=-1)
        / (length[people] * zoom)[:, None, None],
        "unit": np.array(unit),
        "names": np.array([joint.replace("_", " ") for joint in skeleton.joints]),
        "titles": np.array(titles),
        "skeleton": np.array(skeleton.name),
    }


def heatmaps_on_photo(
    weights: Weights, photo: np.ndarray, boxes: list | None = None
) -> dict[str, np.ndarray]:
    """The numbers of `pictures.one_heatmap` and of `every_heatmap` for the people of `boxes` in a
    photograph (H, W, 3) uint8, or for the one who fills it: heatmaps of every joint at every site,
    those of which `paperlib predict` tells the maxima. Nobody has labelled the joints: `truth` and
    `error` are NaN."""
    people = people_in(weights.codec.skeleton, photo.shape[1::-1], boxes)
    numbers = every_joint(
        crops_in(weights, photo, people),
        np.arange(len(people)),
        [],
        weights.model,
        scales=SCALES,
        precision="fp32",
    )
    sites = numbers["maps"].shape[1]
    return numbers | {"titles": np.array([f"site {k + 1} of {sites}" for k in range(sites)])}


def one_joint(numbers: dict[str, np.ndarray], joints: np.ndarray) -> dict[str, np.ndarray]:
    """Of `every_joint`, joint joints[i] of person i: the numbers of
    `pictures.occluded_joint`, and a part of those of `looks.looked_again`."""
    rows = np.arange(len(joints))
    chosen = {name: numbers[name][rows, :, joints] for name in ("maps", "found", "error")}
    return (
        numbers
        | chosen
        | {
            "poses": numbers["found"][:, 0],
            "truth": numbers["truth"][rows, joints],
            "names": numbers["names"][joints],
        }
    )


def poses(
    study: Study, prediction: Prediction, crops: Crops, people: np.ndarray, side: int = 144
) -> dict[str, np.ndarray]:
    """The numbers of `pictures.truth_and_pose`: the labels of `people` and what the last site says,
    on crops of `side` px, with which joints are `right` and which are `labelled`."""
    to_crop = crop_affine(crops.codec.boxes(crops.people), side)[people]
    errors = site_errors(prediction, crops.people)[-1, people]
    return {
        "images": sharp_crops(study, crops, people, side),
        "points": transform(prediction.points[-1][people], to_crop),
        "truth": transform(crops.people.joints[people], to_crop),
        "right": errors <= reference(crops.people)[1],
        "labelled": ~np.isnan(errors),
        "skeleton": np.array(crops.codec.skeleton.name),
    }


def precision_recall_frame(
    curves: dict[str, tuple[np.ndarray, np.ndarray]], most: int = 300
) -> pd.DataFrame:
    """Tidy rows curve, recall, precision, ap and chance, in 0..1, of {name: (scores, positive)}; at
    most `most` points a curve."""
    frames = []
    for name, (scores, positive) in curves.items():
        precision, recall = precision_recall(scores, positive)
        kept = np.unique(np.linspace(0, len(recall) - 1, most).round().astype(int))
        frame = pd.DataFrame({"curve": name, "recall": recall[kept], "precision": precision[kept]})
        frames.append(frame.assign(ap=average_precision(scores, positive), chance=positive.mean()))
    return pd.concat(frames, ignore_index=True)


def visibility_frame(predictions: dict[str, Prediction], people: People) -> pd.DataFrame:
    """R-fig7: positives are the visible among the annotated joints, the score is the maximum of
    each joint's heatmap (R sec. IV-B). `low` and `high` are the 95 % interval of `ap` over people
    drawn with replacement."""
    known = people.state != ABSENT
    visible = people.state[known] == VISIBLE
    frame = precision_recall_frame(
        {name: (prediction.peak[-1][known], visible) for name, prediction in predictions.items()}
    )
    ends = {
        name: average_precision_interval(prediction.peak[-1], people.state)
        for name, prediction in predictions.items()
    }
    low, high = zip(*frame.curve.map(ends), strict=True)
    return frame.assign(low=low, high=high)


def average_precision_interval(
    peak: np.ndarray, state: np.ndarray, times: int = 400
) -> tuple[float, float]:
    """95 % interval, in 0..1, of the average precision of "visible" by peak (N, J) among the
    annotated joints, over N people drawn `times` times with replacement."""
    drawn = np.random.default_rng(0).integers(len(peak), size=(times, len(peak)))
    found = []
    for rows in drawn:
        known = state[rows] != ABSENT
        found.append(average_precision(peak[rows][known], state[rows][known] == VISIBLE))
    return tuple(np.percentile(found, [2.5, 97.5]).tolist())


def responses(predictions: dict[str, Prediction], people: People) -> pd.DataFrame:
    """A row a model: mean maximum of the heatmaps of visible and of occluded joints, and the
    percent of either that is found."""
    length, threshold, _ = reference(people)
    rows = []
    for name, prediction in predictions.items():
        errors, row = (
            normalised_errors(prediction.points[-1], people.joints, length),
            {"trained to": name},
        )
        for flag, kind in ((VISIBLE, "visible"), (OCCLUDED, "occluded")):
            row |= {
                f"peak, {kind}": prediction.peak[-1][people.state == flag].mean(),
                f"found, {kind}, %": pck(errors[people.state == flag], threshold),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def by_peak(prediction: Prediction, people: People, parts: int = 5) -> pd.DataFrame:
    """The annotated joints in `parts` equal shares by the maximum of their heatmap, lowest first; a
    row each: how high it is, and the percent that is found, that lies where the same joint of the
    other side is, and that is visible."""
    length, threshold, _ = reference(people)
    joints, peak, known = people.joints, prediction.peak[-1], people.state != ABSENT
    found, crossed = (
        normalised_errors(prediction.points[-1], truth, length) <= threshold
        for truth in (joints, joints[:, people.skeleton.mirror])
    )
    rows = []
    for own in np.array_split(np.argsort(peak[known], kind="stable"), parts):
        shares = {
            "found, %": found,
            "on the other side, %": crossed & ~found,
            "visible, %": people.state == VISIBLE,
        }
        row = {
            "peak": f"{peak[known][own[0]]:.2f} to {peak[known][own[-1]]:.2f}",
            "joints": len(own),
        }
        rows.append(row | {name: 100 * holds[known][own].mean() for name, holds in shares.items()})
    return pd.DataFrame(rows)


def states(state: np.ndarray, parts: tuple[str, ...] = ()) -> pd.DataFrame:
    """How many joints of MPII people, state (N, 16), are visible, occluded and absent: all of them,
    or a row for each joint group of `parts`."""
    groups = dict(MPII.groups)
    chosen = {part: state[:, list(groups[part])] for part in parts} or {"all joints": state}
    rows = []
    for part, own in chosen.items():
        visible, occluded, absent = ((own == flag).sum() for flag in (VISIBLE, OCCLUDED, ABSENT))
        shares = {
            "occluded, % of annotated": 100 * occluded / max(visible + occluded, 1),
            "absent, % of all": 100 * absent / own.size,
        }
        rows.append(
            {"joints": part, "visible": visible, "occluded": occluded, "absent": absent} | shares
        )
    return pd.DataFrame(rows)


def occlusion_curves(errors: np.ndarray, state: np.ndarray, source: str = "") -> pd.DataFrame:
    """H-fig11, left: rows of panel "pckh" for all, visible and occluded elbows and wrists of MPII
    people; errors and state (N, J)."""
    frames = []
    for part, joints in dict(MPII.groups).items():
        if part not in ("elbow", "wrist"):
            continue
        for kind, kept in (
            ("all", state != ABSENT),
            ("visible", state == VISIBLE),
            ("occluded", state == OCCLUDED),
        ):
            pooled = np.where(kept, errors, np.nan)[:, list(joints)].reshape(-1, 1)
            curve = f"{source}{part}, {kind}"
            frames.append(
                pd.DataFrame(
                    {
                        "panel": "pckh",
                        "curve": curve,
                        "x": THRESHOLDS,
                        "y": pck_curve(pooled, THRESHOLDS)[0],
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def presence_curves(prediction: Prediction, state: np.ndarray, absent: bool = True) -> pd.DataFrame:
    """H-fig11, right: rows of panel "presence" for knees and ankles of MPII people, from the
    heatmap's mean and from its maximum.

    With `absent` the positives are joints without annotation, found by a low activation, as in the
    released code; else annotated joints, found by a high one, as H words it (FACTS C.9). Left and
    right are pooled; a part that is absent for nobody, or for everybody, has no curve.
    """
    curves = {}
    for part in ("knee", "ankle"):
        joints = list(dict(MPII.groups)[part])
        positive = (state[:, joints] == ABSENT) == absent
        if positive.any() and not positive.all():
            for name, value in (("mean", prediction.mean), ("max", prediction.peak)):
                curves[f"{part}, {name}"] = (
                    (-1 if absent else 1) * value[-1][:, joints].ravel(),
                    positive.ravel(),
                )
    if not curves:
        return pd.DataFrame(columns=["panel", "curve", "x", "y", "area", "chance"])
    frame = precision_recall_frame(curves).rename(
        columns={"recall": "x", "precision": "y", "ap": "area"}
    )
    return frame.assign(panel="presence")


def published_errors(data: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """Errors and states (2958, 16) of the published hourglass predictions, mpii/preds/newell.h5, on
    MPII's validation people; None where absent."""
    labels, predictions = data / "mpii/annot/valid.h5", data / "mpii/preds/newell.h5"
    if not (labels.is_file() and predictions.is_file()):
        return None
    held = read_arrays(labels, MPII)
    absent = held["part"][..., 0] <= 0  # (0, 0) where there is no label (FACTS D.5)
    state = np.where(absent, ABSENT, np.where(held["visible"] > 0, VISIBLE, OCCLUDED))
    truth = np.where(absent[..., None], np.nan, held["part"])
    return normalised_errors(
        read_points(predictions, len(truth), MPII), truth, held["normalize"]
    ), state
