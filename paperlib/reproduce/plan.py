"""paperlib plan: what would run, what is cached, and the time, disk and memory it will need."""

import functools
import json
from pathlib import Path

from paperlib.models.sizes import gmacs, parameters
from paperlib.reproduce.catalogue import Network, Run
from paperlib.reproduce.runs import is_cached
from paperlib.reproduce.study import Study

# Effective rate of a training step, GFLOP/s; until a run of this size has been measured on the device at hand.
RATE = {"cpu": 55.0, "cuda": 60_000.0}


def plan(study: Study) -> list[dict]:
    """One row a run: run, artifacts, missing, folder, cached, seconds, disk_mb, memory_mb. Nothing is trained; people are drawn on first use."""
    rate, rows = _measured_rate(study), []
    for name, run in study.runs.items():
        missing = study.missing(name)
        folder = None if missing else study.folder_of(name)
        row = {"run": name, "artifacts": list(run.artifacts), "missing": missing, "folder": folder, "cached": bool(folder and is_cached(folder))}
        rows.append(row | _needs(run, rate))
    return rows


def work(run: Run) -> float:
    """GFLOP of a whole training: three forward passes' worth a crop, two FLOP a multiply-add."""
    return 6 * _size(run.network, run.codec.side)[1] * run.recipe.batch * run.recipe.steps


def _needs(run: Run, rate: float) -> dict:
    weights, cost = _size(run.network, run.codec.side)
    activations = 60 * cost * run.recipe.batch  # MB, a rule of thumb measured on the CPU
    return {"seconds": work(run) / rate, "disk_mb": 4 * weights, "memory_mb": 600 + 4 * weights + activations}


@functools.cache
def _size(network: Network, side: int) -> tuple[float, float]:
    """MB of weights, and GMACs of one image: counted at 64 px, for both grow with the image's area."""
    model = network.build()
    return 4e-6 * parameters(model), gmacs(model, 64) * (side / 64) ** 2


def _measured_rate(study: Study) -> float:
    """GFLOP/s over the runs of this size that are already trained on this kind of device, else the rule of thumb."""
    records = [json.loads(path.read_text()) for path in Path(study.folders.runs, f"{study.data}-{study.size}").glob("*/record.json")]
    kind = study.device.type
    known = [r for r in records if r["name"] in study.runs and ("CPU" in r["device"]) == (kind == "cpu")]
    if not known:
        return RATE[kind]
    return sum(work(study.runs[r["name"]]) for r in known) / max(1e-9, sum(r["seconds"] for r in known))
