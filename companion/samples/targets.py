"""The numbers behind notebook 02: one person's targets and weights, and what becomes of the other
people of the image."""

import numpy as np
import torch

from companion.runs.study import Study
from companion.samples.sharp import sharp_crops
from paperlib import PaperlibError
from paperlib.codecs import Codec, RecurrentCodec
from paperlib.data.thumbnails import crop_images, thumbnails
from paperlib.skeleton import MPII, PARTS


def targets_of(
    study: Study, codec: Codec, person: int, joints: tuple[str, ...], parts: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Targets and weights of one test person at the paper's full resolution, for
    `pictures.targets_and_weights`."""
    crops = study.crops(study.test_people("mpii"), codec)
    batch = crops.batch(np.array([person]))
    targets = codec.encode(batch.joints, batch.state)
    channels = [MPII.index(joint) for joint in joints] + [len(MPII) + PARTS[part] for part in parts]
    image = sharp_crops(study, crops, np.array([person]), 192)
    maps, weights = (
        maps[0, channels].cpu().numpy().astype(np.float16)
        for maps in (targets.maps, targets.weights)
    )
    return {
        "image": image[0],
        "maps": maps,
        "weights": weights,
        "names": np.array([name.replace("_", " ") for name in (*joints, *parts)]),
    }


def other_people(study: Study, joint: str) -> dict[str, np.ndarray]:
    """One `joint` of a test person, beside whom somebody else has one, by R's two ways with other
    people; for `pictures.targets_and_weights`."""
    codecs = {
        "released code: background": RecurrentCodec(),
        "paper: ignored": RecurrentCodec(others="ignore"),
    }
    crops, k = study.crops(study.test_people("mpii"), RecurrentCodec()), MPII.index(joint)
    batch = crops.batch(np.arange(min(len(crops), 64)))
    theirs, mine = batch.others[:, :, k], batch.joints[:, None, k]  # (B, N, 2), (B, 1, 2)
    inside = ((theirs > 16) & (theirs < crops.codec.side - 16)).all(dim=-1) & (
        (theirs - mine).norm(dim=-1) > 48
    )
    if not inside.any():
        raise PaperlibError(
            f"no test person of this study has somebody else's {joint} beside it; choose "
            "another joint"
        )
    row = int(inside.any(dim=1).nonzero()[0])
    drawn = [
        codec.encode(batch.joints, batch.state, others=batch.others) for codec in codecs.values()
    ]
    image, _ = thumbnails(crop_images(batch)[[row]], batch.joints[[row]].cpu().numpy(), 128)
    maps, weights = (
        torch.stack([getattr(one, name)[row, k] for one in drawn]).cpu().numpy().astype(np.float16)
        for name in ("maps", "weights")
    )
    return {"image": image[0], "maps": maps, "weights": weights, "names": np.array(list(codecs))}
