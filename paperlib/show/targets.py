"""The numbers behind notebook 02: one person's targets and weights."""

import numpy as np

from paperlib.codecs import Codec
from paperlib.reproduce.study import Study
from paperlib.show.pictures import crop_images, thumbnails
from paperlib.skeleton import MPII

# R's fifteen parts by the names that people use.
PARTS = {"right_forearm": 8, "left_forearm": 13, "right_thigh": 1, "left_thigh": 3, "right_shin": 0, "left_shin": 4, "torso": 14}


def targets_of(study: Study, codec: Codec, person: int, joints: tuple[str, ...], parts: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Targets and weights of one test person at the paper's full resolution, for `pictures.targets_and_weights`."""
    batch = study.crops(study.test_people("mpii"), codec).batch(np.array([person]))
    targets = codec.encode(batch.joints, batch.state)
    channels = [MPII.index(joint) for joint in joints] + [len(MPII) + PARTS[part] for part in parts]
    image, _ = thumbnails(crop_images(batch), batch.joints.cpu().numpy(), 128)
    maps, weights = (maps[0, channels].cpu().numpy().astype(np.float16) for maps in (targets.maps, targets.weights))
    return {"image": image[0], "maps": maps, "weights": weights, "names": np.array([name.replace("_", " ") for name in (*joints, *parts)])}
