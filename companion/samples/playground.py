"""The person of the target playground."""

import numpy as np

from companion.figures.playground import PAPER
from companion.runs.study import Study
from paperlib.data.thumbnails import crop_images, thumbnails
from paperlib.people import OCCLUDED, VISIBLE
from paperlib.skeleton import MPII


def person_to_play_with(study: Study) -> dict[str, np.ndarray]:
    """The numbers of `playground`: of the test people with an occluded wrist, elbow, knee or ankle
    the first with the most visible joints.

    `image` (S, S, 3) uint8; `joints` (16, 2) in crop px of R's 248 px input; `state` (16,).
    """
    people = study.test_people("mpii")
    hard = [
        MPII.index(f"{side}_{part}")
        for part in ("wrist", "elbow", "knee", "ankle")
        for side in ("left", "right")
    ]
    fit = (people.state[:, hard] == OCCLUDED).any(axis=1) * (people.state == VISIBLE).sum(axis=1)
    batch = study.crops(people, PAPER).batch(np.array([fit.argmax()]))
    image, _ = thumbnails(crop_images(batch), batch.joints.cpu().numpy(), 160)
    return {
        "image": image[0],
        "joints": batch.joints[0].cpu().numpy(),
        "state": batch.state[0].cpu().numpy(),
    }
