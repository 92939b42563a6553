"""The numbers behind notebook 01's pictures and table: who is shown, how much is hidden, and how crops and augmentations look."""

import numpy as np
import pandas as pd

from paperlib.data.mpii import load_mpii
from paperlib.geometry import draw_augmentation
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.reproduce.study import Study
from paperlib.show.pictures import crop_images, thumbnails

SIDE = 72  # px of a stored picture


def contact_sheet(study: Study, people: People, count: int) -> dict[str, np.ndarray]:
    """`count` people in hourglass crops with their annotations."""
    return _pictures([_look(study, people, "hourglass", np.arange(count), "none")])


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
    """Percent of joints that are occluded (of the annotated) and absent (of all): the papers' figures, MPII's own labels if at hand, this study's."""
    rows = [
        {"what": "annotated joints occluded", "papers": 23.0},
        {"what": "knees absent", "papers": 16.1},
        {"what": "ankles absent", "papers": 28.4},
        {"what": "annotated elbows and wrists visible", "papers": 75.0},
    ]
    tables = {"this study": study.test_people("mpii")}
    if (study.folders.data / "mpii").is_dir():
        tables["MPII validation"] = load_mpii(study.folders.data / "mpii", "valid", need_images=False)
    for name, people in tables.items():
        for row, share in zip(rows, _shares(people), strict=True):
            row[name] = share
    return pd.DataFrame(rows)


def _shares(people: People) -> list[float]:
    def states(*parts: str) -> np.ndarray:
        return people.state[:, [people.skeleton.index(f"{side}_{part}") for part in parts for side in ("left", "right")]]

    annotated = people.state[people.state != ABSENT]
    arms = states("elbow", "wrist")
    shares = [
        (annotated == OCCLUDED).mean(),
        *((states(part) == ABSENT).mean() for part in ("knee", "ankle")),
        (arms[arms != ABSENT] == VISIBLE).mean(),
    ]
    return [100 * float(share) for share in shares]
