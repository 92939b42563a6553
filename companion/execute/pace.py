"""How fast this machine trains: a few steps of each kind of network timed now, and what follows
for every run. Nothing is remembered, for the machine, its load and the arithmetic change."""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch

from companion.runs.catalogue import Run
from companion.runs.cost import cost_of
from paperlib.data.crops import Batch
from paperlib.device import loss_scaler
from paperlib.people import VISIBLE
from paperlib.recipe import make_optimizer
from paperlib.train import descend, loss_on

IMAGES = 16  # in a timed step, at most
LONG = 3.0  # s: where a step takes longer, no other network of its kind is timed


@dataclass(frozen=True)
class Pace:
    """Seconds of a training step: so many for each GFLOP, and for each layer's calls."""

    per_gflop: float
    per_layer: float

    def seconds(self, run: Run) -> float:
        """Of the whole training of `run`."""
        return run.recipe.steps * self.of_step(run)

    def of_step(self, run: Run) -> float:
        cost = cost_of(run)
        return run.recipe.batch * cost.gflop * self.per_gflop + cost.layers * self.per_layer


def measure(runs: list[Run], device: torch.device, precision: str) -> dict[str, Pace]:
    """The pace of each kind of network in `runs`, from its lightest and its heaviest there."""
    kinds = {}
    for run in runs:
        kinds.setdefault(run.network.kind, []).append(run)
    return {kind: _fit(alike, device, precision) for kind, alike in kinds.items()}


def _fit(runs: list[Run], device: torch.device, precision: str) -> Pace:
    light, heavy = (pick(runs, key=lambda run: cost_of(run).gflop) for pick in (min, max))
    timed = [_timed(light, device, precision)]
    if cost_of(heavy).gflop > cost_of(light).gflop and timed[0][2] < LONG:
        timed.append(_timed(heavy, device, precision))
    gflop, layers, seconds = np.array(timed).T
    if len(timed) == 2:
        per_gflop, per_layer = np.linalg.solve(np.stack([gflop, layers], 1), seconds)
        if min(per_gflop, per_layer) >= 0:
            return Pace(float(per_gflop), float(per_layer))
    return Pace(float(seconds.sum() / gflop.sum()), 0.0)  # one network, or noise


def _timed(run: Run, device: torch.device, precision: str) -> tuple[float, int, float]:
    """GFLOP, layers and seconds of one training step of `run`, the faster of two after a first.

    Where that first takes long it counts itself: what it had to prepare is little beside it.
    """
    images, cost = min(run.recipe.batch, IMAGES), cost_of(run)
    step = training_step(run, images, device, precision)
    seconds = _clock(step, device)
    if seconds < LONG:
        seconds = min(_clock(step, device) for _ in range(2))
    return images * cost.gflop, cost.layers, seconds


def training_step(run: Run, images: int, device: torch.device, precision: str):
    """A function that makes one step of `run`'s training on noise, the same people each time."""
    codec, noise = run.codec, np.random.default_rng(0)
    joints = len(codec.skeleton)
    batch = Batch(
        torch.rand(images, 3, codec.side, codec.side, device=device) - 0.5,
        torch.from_numpy(noise.uniform(0, codec.side, (images, joints, 2)).astype("f4")).to(device),
        torch.full((images, joints), VISIBLE, dtype=torch.uint8, device=device),
        torch.eye(3, dtype=torch.float64).expand(images, 3, 3),
        torch.full((images, 1, joints, 2), torch.nan, device=device),
    )
    model = run.network.build().to(device, memory_format=torch.channels_last).train()
    optimizer = make_optimizer(model, replace(run.recipe, rate=1e-9), precision)
    scaler = loss_scaler(device, precision)
    return lambda: descend(loss_on(model, codec, batch, precision), optimizer, scaler)


def _clock(step, device: torch.device) -> float:
    started = time.perf_counter()
    step()
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()
    return time.perf_counter() - started
