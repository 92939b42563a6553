"""Tiny trainings, predictions and drawings whose numbers are kept in golden.json.

The tests are in test_mathematics.py.

    python tests/golden_trainings.py        # writes golden.json anew, after raising the number

Everything that decides a run's weights takes part: crops and augmentation, all codecs with their
options, the losses, every network and option that the catalogue uses, optimisers and schedules.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from companion.drawn import scenes
from companion.drawn.synthetic import DRAWING
from paperlib.codecs import HourglassCodec, RecurrentCodec
from paperlib.compared import ErrorFeedbackCodec, PoseMachineCodec
from paperlib.data.canvases import Canvases, canvas_boxes
from paperlib.data.crops import Crops
from paperlib.geometry import crop_affine
from paperlib.mathematics import PREDICTION, TRAINING
from paperlib.models import ErrorFeedback, PoseMachine, Recurrent, StackedHourglass
from paperlib.people import ABSENT, OCCLUDED, VISIBLE, People
from paperlib.predict import predict
from paperlib.recipe import Recipe
from paperlib.skeleton import MPII
from paperlib.train import Session, train

FILE = Path(__file__).with_name("golden.json")
N, SIDE = 8, 64
SMALL = {"width": 4, "kernels": (3, 3, 3, 5, 5), "relu_heads": False, "init": "torch"}
THIN = {"features": 8, "depth": 2}
SHORT = Recipe(steps=6, batch=4, rate=2e-3, log_every=1)


def _recurrent(codec: dict | None = None, **options):
    codec = RecurrentCodec(side=SIDE, **{"tail": 1e-2} | (codec or {}))
    parts = 15 if codec.parts else 0
    return Recurrent(**{"parts": parts, "iterations": 1} | SMALL | options), codec


def _hourglass(codec: dict | None = None, **options):
    codec = HourglassCodec(side=SIDE, **codec or {})
    return StackedHourglass(**{"stacks": 2, "joints": 16} | THIN | options), codec


def _pose_machine(codec: dict | None = None, **options):
    codec = PoseMachineCodec(side=SIDE, skeleton=MPII, **codec or {})
    small = {"stages": 2, "width": 8, "kernels": (5, 3, 5, 5)}
    return PoseMachine(16, **small | {"stride": codec.stride} | options), codec


def _error_feedback(**options):
    small = {"steps": 2, "width": 8}
    return ErrorFeedback(**small | options), ErrorFeedbackCodec(side=SIDE)


OURS = {"sigma": 1.3, "peak": 12.0, "tail": 1e-2, "balanced": True, "absent": "ignore"}
# name -> what makes network and codec, and the recipe
CASES = {
    "recurrent": (lambda: _recurrent(), SHORT),
    "recurrent, exclude": (lambda: _recurrent({"occluded": "exclude", "parts": False}), SHORT),
    "recurrent, ignore": (lambda: _recurrent({"occluded": "ignore", "others": "ignore"}), SHORT),
    "recurrent, unweighted": (lambda: _recurrent({"balanced": False}, iterations=0), SHORT),
    "recurrent, as the paper": (
        lambda: _recurrent({"tail": 1e-18}, relu_heads=True, init="paper"),
        Recipe(6, 4, 1e-5, "sgd", "recurrent", "recurrent", log_every=1),
    ),
    "hourglass": (lambda: _hourglass(OURS), SHORT),
    "hourglass, as the paper": (
        lambda: _hourglass({}, head="paper"),
        Recipe(6, 4, 2.5e-4, "rmsprop", "plateau", "hourglass", log_every=1),
    ),
    "hourglass, end only": (
        lambda: _hourglass(OURS, stacks=1, modules=3, supervision="last"),
        SHORT,
    ),
    "hourglass, while upsampling": (
        lambda: _hourglass(OURS, stacks=1, modules=2, depth=3, supervision="upsampling"),
        SHORT,
    ),
    "pose machine": (lambda: _pose_machine(OURS | {"stride": 4}, norm=True), SHORT),
    "pose machine, as released": (lambda: _pose_machine(), SHORT),
    # eight people: its smallest maps are of one cell, which batch norm magnifies
    "error feedback": (lambda: _error_feedback(norm=True), Recipe(6, 8, 1e-4, log_every=1)),
    "error feedback, as the paper": (lambda: _error_feedback(), SHORT),
}


def people() -> People:
    """Eight people of 200 px with hidden, absent and neighbouring joints; no image is needed."""
    noise = np.random.default_rng(7)
    joints = noise.uniform(20, 180, (N, len(MPII), 2))
    state = noise.choice([ABSENT, OCCLUDED, VISIBLE], (N, len(MPII)), p=[0.1, 0.2, 0.7])
    joints[state == ABSENT] = np.nan
    return People(
        skeleton=MPII,
        image=np.array([f"{i}.png" for i in range(N)]),
        joints=joints,
        state=state.astype(np.uint8),
        centre=np.full((N, 2), 100.0) + noise.uniform(-5, 5, (N, 2)),
        scale=noise.uniform(0.8, 1.0, N),
        framed=np.zeros(N, bool),
        head_size=np.full(N, 20.0),
        others=tuple(noise.uniform(0, 200, (i % 2, len(MPII), 2)) for i in range(N)),
    )


def crops_of(codec) -> Crops:
    """The people in smooth coloured noise."""
    everybody, side = people(), round(1.5 * SIDE)
    noise = np.random.default_rng(8)
    coarse = torch.from_numpy(noise.uniform(0, 255, (N, 3, 9, 9)))
    smooth = torch.nn.functional.interpolate(coarse, side, mode="bicubic").clamp(0, 255)
    pixels = smooth.permute(0, 2, 3, 1).contiguous().numpy().astype(np.uint8)
    affine = crop_affine(canvas_boxes(everybody, side), side)
    return Crops(everybody, Canvases(pixels, affine, np.ones(N, bool), (), "noise"), codec)


def trained(name: str, precision: str = "fp32") -> dict:
    """The loss of each step of a training."""
    make, recipe = CASES[name]
    torch.manual_seed(0)
    model, codec = make()
    with tempfile.TemporaryDirectory() as folder:
        log = train(
            model,
            crops_of(codec),
            recipe,
            1,
            Path(folder),
            Session(progress=False, precision=precision),
        )
    return {"recipe": asdict(recipe), "loss": [row["loss"] for row in log]}


def predicted(name: str, precision: str = "fp32") -> dict:
    """What an untrained network of filters drawn from seed 0 says: of each site the mean over the
    people and joints of the heatmaps' maxima and means, and the answer's middle point, image px."""
    make, _ = CASES[name]
    torch.manual_seed(0)
    model, codec = make()
    for module in model.modules():  # spread the maxima, so that no rounding moves one
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
    found = predict(model, crops_of(codec), scales=(0.9, 1.0), precision=precision, progress=False)
    return {
        "peak": found.peak.mean(axis=(1, 2)).tolist(),
        "mean": found.mean.mean(axis=(1, 2)).tolist(),
        "points": found.points[-1].mean(axis=(0, 1)).tolist(),
    }


def drawn() -> dict[str, list]:
    """Of one picture of each kind: the people's joints, and the mean colours of 16 fields."""
    found = {}
    for kind in (scenes.mpii_scene, scenes.lsp_scene, scenes.flic_scene, scenes.pair_scene):
        scene, _ = scenes.draw(kind, 3, "golden", 0, 64)
        h, w = (size // 4 * 4 for size in scene.image.shape[:2])
        fields = scene.image[:h, :w].reshape(4, h // 4, 4, w // 4, 3).mean(axis=(1, 3))
        joints = np.nan_to_num(np.stack([person.joints for person in scene.people]), nan=-1)
        found[kind.__name__] = {
            "colours": fields.round(1).ravel().tolist(),
            "joints": joints.round(2).ravel().tolist(),
        }
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    kept = {
        "TRAINING": TRAINING,
        "PREDICTION": PREDICTION,
        "DRAWING": DRAWING,
        "trained": {name: trained(name) for name in CASES},
        "predicted": {name: predicted(name) for name in CASES},
        "drawn": drawn(),
    }
    FILE.write_text(json.dumps(kept, indent=1) + "\n")
