"""The numbers behind notebook 02: one person's targets and weights, and what a perfect network would score."""

import numpy as np
import pandas as pd
import torch

from paperlib.codecs import Codec, HourglassCodec, RecurrentCodec
from paperlib.data.mpii import load_mpii
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import convention, normalised_errors, pck
from paperlib.people import People
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


def ceiling(study: Study) -> pd.DataFrame:
    """PCKh@0.5 and @0.1 of decode(encode(truth)) for both codecs at full size; on MPII's own validation people if their labels are at hand."""
    people, whose = study.test_people("mpii"), "this study's people"
    if (study.folders.data / "mpii").is_dir():
        people, whose = load_mpii(study.folders.data / "mpii", "valid", need_images=False), "MPII validation"
    counted = [MPII.index(joint) for joint in convention("mpii").joints]
    rows = []
    for name, codec in {"recurrent": RecurrentCodec(parts=False), "hourglass": HourglassCodec()}.items():
        errors = normalised_errors(_round_trip(codec, people), people.joints, people.head_size)[:, counted]
        rows.append({"codec": name, "people": whose, "PCKh@0.5": pck(errors, 0.5), "PCKh@0.2": pck(errors, 0.2), "PCKh@0.1": pck(errors, 0.1)})
    return pd.DataFrame(rows)


def _round_trip(codec: Codec, people: People, batch: int = 200) -> np.ndarray:
    """(N, J, 2) image px: every joint drawn on its heatmap and decoded again."""
    to_crop = crop_affine(codec.boxes(people), codec.side)
    joints, state = torch.from_numpy(transform(people.joints, to_crop)).float(), torch.from_numpy(people.state)
    points = [codec.decode(codec.encode(joints[i : i + batch], state[i : i + batch]).maps)[0] for i in range(0, len(people), batch)]
    return transform(torch.cat(points).double().numpy(), np.linalg.inv(to_crop))
