"""What notebook 01 shows of people: pictures, crops, augmentations, and how much of them is
hidden."""

import cv2
import numpy as np
import pandas as pd

from companion.drawn.scenes import Difficulty, draw, mpii_scene
from companion.runs.study import Study
from companion.samples.sharp import enlarged, sharp_crops
from paperlib.codecs import HourglassCodec
from paperlib.data.mpii import load_mpii
from paperlib.geometry import draw_augmentation
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People

FINE = 112  # px of a stored picture
KNOBS = {
    "as MPII": Difficulty(),
    'yaw="uniform"': Difficulty(yaw="uniform"),
    "occlusion=4": Difficulty(occlusion=4),
    "crowd=4": Difficulty(crowd=4),
}
PAPERS = (23.0, 16.1, 28.4, 75.0, np.nan, np.nan)  # R sec. IV-B; H sec. 5.2
MPII_VALIDATION = (
    23.15,
    16.11,
    28.43,
    76.77,
    10.0,
    44.0,
)  # of the 2958 people, measured as `hidden` does; FACTS A.5, C.9, D.5


def contact_sheet(
    study: Study, people: People, count: int, side: int = FINE
) -> dict[str, np.ndarray]:
    """`count` people in hourglass crops with their annotations: `images` (N, S, S, 3), `points` (N,
    J, 2), `state` (N, J), `skeleton`, its name."""
    rows, crops = np.arange(count), study.crops(people, study.runs["hourglass"].codec)
    batch = crops.batch(rows)
    return {
        "images": sharp_crops(study, crops, rows, side),
        "points": enlarged(batch.joints.cpu().numpy(), crops.codec.side, side).astype(np.float32),
        "state": batch.state.cpu().numpy(),
        "skeleton": np.array("mpii"),
    }


def difficulty_sheet(count: int, side: int = 84) -> dict[str, np.ndarray]:
    """The same `count` drawn people under each of KNOBS, drawn large and shrunk: `images` (K,
    count, H, W, 3), `names` (K,)."""
    pictures = [
        [draw(mpii_scene, 54, "difficulty", i, 2 * side, knob)[0].image for i in range(count)]
        for knob in KNOBS.values()
    ]
    small = [
        [cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image in row]
        for row in pictures
    ]
    return {"images": np.array(small), "names": np.array(list(KNOBS))}


def crops_of_both(study: Study, people: People, count: int) -> dict[str, np.ndarray]:
    """The same people as R and as H crop them, a row each."""
    rows, names = (
        np.arange(count),
        {"R: 290.6 px x scale": "recurrent", "H: 250 px x scale": "hourglass"},
    )
    return _pictures({name: _look(study, people, net, rows, "none") for name, net in names.items()})


def augmented(
    study: Study, people: People, laws: tuple[str, ...], count: int
) -> dict[str, np.ndarray]:
    """The same people under each augmentation law, one row a law."""
    rows = np.arange(count)
    return _pictures({law: _look(study, people, "hourglass", rows, law) for law in laws})


def _look(
    study: Study, people: People, network: str, rows: np.ndarray, law: str
) -> tuple[np.ndarray, np.ndarray]:
    crops = study.crops(people, study.runs[network].codec)
    drawn = draw_augmentation(law, len(rows), np.random.default_rng(0))
    joints = crops.batch(rows, drawn).joints.cpu().numpy()
    images = sharp_crops(study, crops, rows, FINE, drawn)
    return images, enlarged(joints, crops.codec.side, FINE)


def _pictures(looks: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    images, points = (np.concatenate(part) for part in zip(*looks.values(), strict=True))
    return {
        "images": images,
        "points": points.astype(np.float32),
        "rows": np.array(list(looks)),
        "skeleton": np.array("mpii"),
    }


def state_shares(study: Study) -> pd.DataFrame:
    """How much of people is hidden, percent: as the papers say, in MPII's own validation labels,
    and among this study's people to train on.

    MPII's are measured where the labels are at hand; else they are those that were measured before.
    """
    mpii, people = study.folders.data / "mpii", study.people("mpii", "train")
    measured = (
        hidden(load_mpii(mpii, "valid", need_images=False)).values()
        if mpii.is_dir()
        else MPII_VALIDATION
    )
    ours, own = hidden(people), f"this study, {len(people)} people"
    return pd.DataFrame(
        {
            "percent": ours.keys(),
            "papers": PAPERS,
            "MPII, 2958 people": measured,
            own: ours.values(),
        }
    )


def hidden(people: People) -> dict[str, float]:
    """Percent of MPII people's joints, and of the crops, that are hidden in one way or another."""

    def states(*parts: str) -> np.ndarray:
        return people.state[
            :,
            [
                people.skeleton.index(f"{side}_{part}")
                for part in parts
                for side in ("left", "right")
            ],
        ]

    annotated, arms = people.state[people.state != ABSENT], states("elbow", "wrist")
    head = (
        people.joints[:, people.skeleton.index("head_top")]
        - people.joints[:, people.skeleton.index("upper_neck")]
    )
    told = np.nan if "occlusion" in people.unstated else 1
    shares = {
        "annotated joints that are occluded": told * (annotated == OCCLUDED).mean(),
        "knees without annotation": (states("knee") == ABSENT).mean(),
        "ankles without annotation": (states("ankle") == ABSENT).mean(),
        "annotated elbows and wrists that are visible": told
        * (arms[arms != ABSENT] == VISIBLE).mean(),
        "head size / side of the crop, median": np.nanmedian(
            0.75 * np.linalg.norm(head, axis=-1) / (250 * people.scale)
        ),
        "people with another one in their crop": _in_company(people).mean(),
    }
    return {name: 100 * float(share) for name, share in shares.items()}


def _in_company(people: People) -> np.ndarray:
    """(N,) bool: whether at least four joints of another labelled person lie in the hourglass
    crop."""
    boxes = HourglassCodec().boxes(people)  # (N, 3) centre and side
    inside = [
        (np.abs(others - box[:2]) < box[2] / 2).all(-1)
        for box, others in zip(boxes, people.others, strict=True)
    ]  # N x (K, J)
    return np.array([(row.sum(-1) >= 4).any() for row in inside])
