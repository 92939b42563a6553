"""paperlib plan: what would run, what is cached, and the time, disk and memory it will need."""

import functools
import json
from pathlib import Path

from torch import nn

from paperlib.models.sizes import gmacs, parameters
from paperlib.reproduce import notebooks
from paperlib.reproduce.catalogue import Network, Run
from paperlib.reproduce.runs import is_cached
from paperlib.reproduce.study import Study

# What a training step takes on one process: multiply-adds at this rate (GFLOP/s), and so many seconds for each convolution's forward and backward.
RATE = {"cpu": 155.0, "cuda": 60_000.0}
CALL = {"cpu": 0.55e-3, "cuda": 0.06e-3}


def plan(study: Study) -> list[dict]:
    """One row a run: run, start (the run that it goes on from, or ''), artifacts, notebooks (that need it), missing, folder, cached, seconds,
    disk_mb, memory_mb. Nothing is trained; people are drawn on first use."""
    pace, rows = _pace(study), []
    needed = {notebook: notebooks.runs_of(notebook, study.runs) for notebook in notebooks.ORDER}
    for name, run in study.runs.items():
        missing = study.missing(name)
        folder = None if missing else study.folder_of(name)
        row = {"run": name, "start": run.start.name if run.start else "", "artifacts": list(run.artifacts)}
        row |= {"notebooks": [notebook for notebook, runs in needed.items() if name in runs]}
        row |= {"missing": missing, "folder": folder, "cached": bool(folder and is_cached(folder))}
        weights, cost, _ = _size(run.network, run.codec.side)
        memory = 600 + 4 * weights + 60 * cost * run.recipe.batch  # MB; the last term a rule of thumb measured on the CPU
        rows.append(row | {"seconds": pace * seconds(run, study.device.type), "disk_mb": 4 * weights, "memory_mb": memory})
    return rows


def seconds(run: Run, device: str) -> float:
    """Of a whole training by rule of thumb: three forward passes' worth of multiply-adds a crop, two FLOP each, and the calls."""
    _, cost, calls = _size(run.network, run.codec.side)
    return run.recipe.steps * (6 * cost * run.recipe.batch / RATE[device] + calls * CALL[device])


@functools.cache
def _size(network: Network, side: int) -> tuple[float, float, int]:
    """MB of weights, GMACs of one image (counted at 64 px, for they grow with the area), and convolutions."""
    model = network.build()
    calls = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    return 4e-6 * parameters(model), gmacs(model, 64) * (side / 64) ** 2, calls


def _pace(study: Study) -> float:
    """Measured seconds / the rule's, over the runs of this size already trained on this kind of device; 1 until there is one."""
    device, measured, ruled = study.device.type, 0.0, 0.0
    for path in Path(study.folders.runs, f"{study.data}-{study.size}").glob("*/record.json"):
        record = json.loads(path.read_text())
        run = study.runs.get(record["name"])
        if run and run.spec() == record["spec"] and ("CPU" in record["device"]) == (device == "cpu"):
            measured, ruled = measured + record["seconds"], ruled + seconds(run, device)
    return measured / ruled if ruled else 1.0
