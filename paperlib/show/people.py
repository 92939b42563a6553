"""Notebook 01's pictures and table: who is shown, how much of people is hidden, what each knob of difficulty does, how crops and augmentations look.

A measuring function returns arrays, a drawing function draws these and nothing else. Points are crop px.
"""

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paperlib.codecs import HourglassCodec
from paperlib.data.mpii import load_mpii
from paperlib.data.scenes import Difficulty, draw, mpii_scene
from paperlib.geometry import draw_augmentation
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.reproduce.study import Study
from paperlib.show.pictures import crop_images, draw_pose, fit_picture, panel_grid, thumbnails
from paperlib.skeleton import SKELETONS

SIDE = 72  # px of a stored picture
MARKS = {
    VISIBLE: ("visible", {"facecolors": "white", "edgecolors": "black", "s": 16, "linewidths": 0.7}),
    OCCLUDED: ("occluded", {"facecolors": "black", "edgecolors": "#F0E442", "s": 26, "linewidths": 1.4}),
}
KNOBS = {
    "as MPII": Difficulty(),
    'yaw="uniform"': Difficulty(yaw="uniform"),
    "occlusion=4": Difficulty(occlusion=4),
    "crowd=4": Difficulty(crowd=4),
}
PAPERS = (23.0, 16.1, 28.4, 75.0, np.nan, np.nan)  # R sec. IV-B; H sec. 5.2
MPII_VALIDATION = (23.15, 16.11, 28.43, 76.77, 10.0, 44.0)  # of the 2958 people, measured as `hidden` does; FACTS A.5, C.9, D.5


def contact_sheet(study: Study, people: People, count: int, side: int = 88) -> dict[str, np.ndarray]:
    """`count` people in hourglass crops with their annotations: `images` (N, S, S, 3), `points` (N, J, 2), `state` (N, J), `skeleton`, its name."""
    rows = np.arange(count)
    batch = study.crops(people, study.runs["hourglass"].codec).batch(rows)
    images, points = thumbnails(crop_images(batch), batch.joints.cpu().numpy(), side)
    return {"images": images, "points": points.astype(np.float32), "state": batch.state.cpu().numpy(), "skeleton": np.array("mpii")}


def labelled(numbers: dict[str, np.ndarray], columns: int = 6) -> Figure:
    """A `contact_sheet`: each row of crops, and under it the same crops as annotated, the person's left side blue, the right side red."""
    images, skeleton = numbers["images"], SKELETONS[str(numbers["skeleton"])]
    figure, panels = panel_grid(2 * -(-len(images) // columns), columns, extra=0.2)
    for i, image in enumerate(images):
        row, column = 2 * (i // columns), i % columns
        _picture(panels[row, column], image)
        axes = panels[row + 1, column]
        draw_pose(axes, numbers["points"][i], skeleton, width=1.3)
        for flag, (_, mark) in MARKS.items():
            axes.scatter(*numbers["points"][i][numbers["state"][i] == flag].T, zorder=4, **mark)
        _picture(axes, image)
    marks = [panels[0, 0].scatter([], [], **mark) for _, mark in MARKS.values()]
    figure.legend(marks, [name for name, _ in MARKS.values()], loc="outside lower center", ncols=2, facecolor="#9A9A9A", frameon=True)
    return figure


def difficulty_sheet(count: int, side: int = 84) -> dict[str, np.ndarray]:
    """The same `count` drawn people under each of KNOBS, drawn large and shrunk: `images` (K, count, H, W, 3), `names` (K,)."""
    pictures = [[draw(mpii_scene, 54, "difficulty", i, 2 * side, knob)[0].image for i in range(count)] for knob in KNOBS.values()]
    small = [[cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image in row] for row in pictures]
    return {"images": np.array(small), "names": np.array(list(KNOBS))}


def difficulties(numbers: dict[str, np.ndarray]) -> Figure:
    """A `difficulty_sheet`, one row a knob."""
    images = numbers["images"]
    figure, panels = panel_grid(*images.shape[:2], extra=0.2, shape=images.shape[2] / images.shape[3])
    for row, name, shown in zip(panels, numbers["names"], images, strict=True):
        row[0].set_ylabel(name)
        for axes, image in zip(row, shown, strict=True):
            _picture(axes, image)
    return figure


def _picture(axes: Axes, image: np.ndarray) -> None:
    """Only the picture: a limb that leaves it is cut."""
    axes.imshow(image)
    fit_picture(axes, image)


def crops_of_both(study: Study, people: People, count: int) -> dict[str, np.ndarray]:
    """The same people as R and as H crop them."""
    rows = np.arange(count)
    return _pictures([_look(study, people, network, rows, "none") for network in ("recurrent", "hourglass")])


def augmented(study: Study, people: People, laws: tuple[str, ...], count: int) -> dict[str, np.ndarray]:
    """The same people under each augmentation law, one row a law."""
    return _pictures([_look(study, people, "hourglass", np.arange(count), law) for law in laws])


def _look(study: Study, people: People, network: str, rows: np.ndarray, law: str) -> tuple[np.ndarray, np.ndarray]:
    batch = study.crops(people, study.runs[network].codec).batch(rows, draw_augmentation(law, len(rows), np.random.default_rng(0)))
    return thumbnails(crop_images(batch), batch.joints.cpu().numpy(), SIDE)


def _pictures(looks: list[tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    images, points = (np.concatenate(part) for part in zip(*looks, strict=True))
    return {"images": images, "points": points.astype(np.float32), "truth": points.astype(np.float32), "skeleton": np.array("mpii")}


def state_shares(study: Study) -> pd.DataFrame:
    """How much of people is hidden, percent: as the papers say, in MPII's own validation labels, and among this study's people to train on.

    MPII's are measured where the labels are at hand; else they are those that were measured before.
    """
    mpii, people = study.folders.data / "mpii", study.people("mpii", "train")
    measured = hidden(load_mpii(mpii, "valid", need_images=False)).values() if mpii.is_dir() else MPII_VALIDATION
    ours, own = hidden(people), f"this study, {len(people)} people"
    return pd.DataFrame({"percent": ours.keys(), "papers": PAPERS, "MPII, 2958 people": measured, own: ours.values()})


def hidden(people: People) -> dict[str, float]:
    """Percent of MPII people's joints, and of the crops, that are hidden in one way or another."""

    def states(*parts: str) -> np.ndarray:
        return people.state[:, [people.skeleton.index(f"{side}_{part}") for part in parts for side in ("left", "right")]]

    annotated, arms = people.state[people.state != ABSENT], states("elbow", "wrist")
    head = people.joints[:, people.skeleton.index("head_top")] - people.joints[:, people.skeleton.index("upper_neck")]
    told = np.nan if "occlusion" in people.unstated else 1
    shares = {
        "annotated joints that are occluded": told * (annotated == OCCLUDED).mean(),
        "knees without annotation": (states("knee") == ABSENT).mean(),
        "ankles without annotation": (states("ankle") == ABSENT).mean(),
        "annotated elbows and wrists that are visible": told * (arms[arms != ABSENT] == VISIBLE).mean(),
        "head size / side of the crop, median": np.nanmedian(0.75 * np.linalg.norm(head, axis=-1) / (250 * people.scale)),
        "people with another one in their crop": _in_company(people).mean(),
    }
    return {name: 100 * float(share) for name, share in shares.items()}


def _in_company(people: People) -> np.ndarray:
    """(N,) bool: whether at least four joints of another labelled person lie in the hourglass crop."""
    boxes = HourglassCodec().boxes(people)  # (N, 3) centre and side
    inside = [(np.abs(others - box[:2]) < box[2] / 2).all(-1) for box, others in zip(boxes, people.others, strict=True)]  # N x (K, J)
    return np.array([(row.sum(-1) >= 4).any() for row in inside])
