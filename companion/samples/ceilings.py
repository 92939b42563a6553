"""PCKh of a perfect network, whose answer is its target, by six ways from a point to a heatmap and
back (FACTS F.1)."""

import numpy as np
import pandas as pd
import torch

from companion.runs.study import Study
from paperlib.codecs import Codec, HourglassCodec, RecurrentCodec
from paperlib.conventions import convention
from paperlib.data.mpii import load_mpii
from paperlib.geometry import crop_affine, transform
from paperlib.metrics import normalised_errors, pck_curve
from paperlib.people import People
from paperlib.skeleton import MPII
from paperlib.truths import CELLS, heatmap_cells

THRESHOLDS = np.arange(51) / 100
R_CELLS = 62  # of R's heatmap, a side


def ceilings(study: Study) -> pd.DataFrame:
    """A row a decoder and threshold: decoder, people (whose), threshold, pck (percent of the joints
    of official PCKh). Of MPII's own validation people if their labels are at hand, else of this
    study's."""
    people, whose = study.test_people("mpii"), "this study's people"
    if (study.folders.data / "mpii").is_dir():
        people, whose = (
            load_mpii(study.folders.data / "mpii", "valid", need_images=False),
            "MPII validation",
        )
    frames = [
        pd.DataFrame(
            {
                "decoder": name,
                "people": whose,
                "threshold": THRESHOLDS,
                "pck": pck_curve(errors.reshape(-1, 1), THRESHOLDS)[0],
            }
        )
        for name, errors in decoder_errors(people).items()
    ]
    return pd.concat(frames, ignore_index=True)


def decoder_errors(people: People) -> dict[str, np.ndarray]:
    """(N, 14) PCKh errors of each way there and back. Ours go through the heatmaps; a joint outside
    the heatmap is lost."""
    whole = np.trunc(people.joints + 1)  # as valid.h5 stores them: from 1, the fraction dropped
    ways = {
        "H, as here": (round_trip(HourglassCodec(), people), people.joints),
        "H, released, fractions kept": (released_hourglass(whole, people), whole),
        "H, released, whole pixels": (released_hourglass(whole, people, whole=True), whole),
        "H, without the half pixel": (released_hourglass(whole, people, half=0), whole),
        "R, as here": (round_trip(RecurrentCodec(parts=False), people), people.joints),
        "R, released": (released_recurrent(whole, people), whole),
    }
    counted = [MPII.index(joint) for joint in convention("mpii").joints]
    return {
        name: normalised_errors(points, truth, people.head_size)[:, counted]
        for name, (points, truth) in ways.items()
    }


def round_trip(codec: Codec, people: People, batch: int = 200) -> np.ndarray:
    """(N, J, 2) image px: every joint drawn on its heatmap and decoded again; NaN where there is no
    such joint on the heatmap."""
    to_crop = crop_affine(codec.boxes(people), codec.side)
    joints, state = (
        torch.from_numpy(transform(people.joints, to_crop)).float(),
        torch.from_numpy(people.state),
    )
    found = []
    for start in range(0, len(people), batch):
        points, peak = codec.decode(
            codec.encode(joints[start : start + batch], state[start : start + batch]).maps
        )
        found.append(torch.where((peak > 0)[..., None], points, torch.nan))
    return transform(torch.cat(found).double().numpy(), np.linalg.inv(to_crop))


def released_hourglass(
    points: np.ndarray, people: People, half: float = 0.5, whole: bool = False
) -> np.ndarray:
    """Image px from 1 of `points`, likewise, through H's released arithmetic: truncated to a cell,
    back from the cell's middle (`half`) or from its corner (0), and cut to a whole pixel (FACTS
    C.5, C.6). Nothing is lost at the heatmap's border."""
    centre, side = people.centre + 1 + people.scale[:, None] * [0, 15], 250 * people.scale
    cells = heatmap_cells(points, np.column_stack([centre, side])) - 1
    back = (cells + half - CELLS / 2) * side[:, None, None] / CELLS + centre[:, None]
    return (np.trunc(back) if whole else back) + 1


def released_recurrent(points: np.ndarray, people: People) -> np.ndarray:
    """The same through R's: a quarter of the crop's pixel, rounded and held within the heatmap;
    four times the cell on the way back (FACTS A.3)."""
    side = 300 * 248 / 256 * people.scale[:, None, None]
    corner = people.centre[:, None] + 1 - side / 2
    cells = np.clip(np.round(0.25 * (points - corner) * 248 / side), 1, R_CELLS)
    return 4 * cells * side / 248 + corner
