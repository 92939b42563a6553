"""paperlib plan: what would run, what is cached, and the time, disk and memory it will need."""

import functools
from pathlib import Path

import torch
from torch import nn

from paperlib.models.sizes import gmacs, parameters
from paperlib.reproduce.catalogue import Network, Run, catalogue
from paperlib.reproduce.machine import device_name
from paperlib.reproduce.runs import is_cached, read_record
from paperlib.reproduce.scales import SIZES
from paperlib.reproduce.study import Study

# What a training step takes on one process: multiply-adds at this rate (GFLOP/s), and so many seconds for each convolution's forward and backward.
RATE = {"cpu": 155.0, "cuda": 60_000.0}
CALL = {"cpu": 0.55e-3, "cuda": 0.06e-3}
PROCESS = 600  # MB that a process takes before the first network


def plan(study: Study) -> list[dict]:
    """One row a run: run, start (the run that it goes on from, or ''), artifacts, notebooks (that need it), missing,
    folder, cached, seconds, basis (how they are known), disk_mb, memory_mb. Nothing is trained; people are drawn on
    first use."""
    from paperlib.reproduce import notebooks  # not above: a machine that only trains has no papermill

    finished, rows = finished_trainings(study), []
    needed = {notebook: notebooks.runs_of(notebook, study.runs) for notebook in notebooks.ORDER}
    for name, run in study.runs.items():
        missing = study.missing(name)
        folder = None if missing else study.folder_of(name)
        row = {"run": name, "start": run.start.name if run.start else "", "artifacts": list(run.artifacts)}
        row |= {"notebooks": [notebook for notebook, runs in needed.items() if name in runs]}
        row |= {"missing": missing, "folder": folder, "cached": bool(folder and is_cached(folder))}
        row["seconds"], row["basis"] = expected(run, finished, study)
        weights = _size(run.network, run.codec.side)[0]
        rows.append(row | {"disk_mb": 4 * weights, "memory_mb": memory(run)})
    return rows


def in_words(rows: list[dict], device: str, jobs: int) -> list[str]:
    """A line a run of `plan`, and one for what is left to train with `jobs` processes."""
    lines = []
    for row in rows:
        state = row["missing"] or ("cached" if row["cached"] else f"{row['seconds']:.0f} s")
        need = f"{row['disk_mb']:6.0f} MB disk {row['memory_mb']:7.0f} MB memory"
        lines.append(f"{row['run']:30} {state:24} {need}  {' '.join(row['artifacts'])}")
    left = [row for row in rows if not row["cached"] and not row["missing"]]
    bases = ", ".join(sorted({row["basis"] for row in left}))
    minutes = sum(row["seconds"] for row in left) / 60 / jobs
    return [*lines, f"{minutes:.1f} minutes of training left on {device}, {jobs} at a time{f' ({bases})' if bases else ''}"]


def seconds(run: Run, device: str) -> float:
    """Of a whole training by rule of thumb: its arithmetic, and the calls."""
    _, _, calls, _ = _size(run.network, run.codec.side)
    return compute(run) / RATE[device] + run.recipe.steps * calls * CALL[device]


def compute(run: Run) -> float:
    """GFLOP of a whole training: three forward passes' worth of multiply-adds a crop, two FLOP each."""
    _, cost, _, _ = _size(run.network, run.codec.side)
    return 6 * cost * run.recipe.batch * run.recipe.steps


def memory(run: Run) -> float:
    """MB at the peak of training: weights, gradients and the optimiser's two moments, and for each crop what the backward pass needs again; in bf16
    half of that, but for the places of maxima, and a copy of the weights."""
    weights, _, _, (kept, places) = _size(run.network, run.codec.side)
    copies, width = (weights / 2, 2) if run.recipe.precision == "bf16" else (0, 4)
    return PROCESS + 4 * weights + copies + (width * kept + 8 * places) * run.recipe.batch


@functools.cache
def _size(network: Network, side: int) -> tuple[float, float, int, tuple[float, float]]:
    """MB of weights, GMACs of one image, convolutions, and millions of numbers, and of places of maxima, that one image's forward pass keeps for its
    backward pass. Counted at 64 px, for they grow with the area."""
    with torch.device("meta"):
        model, image = network.build(), torch.zeros(1, 3, 64, 64)
    kept, area = {}, (side / 64) ** 2

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model.eval()(image)
    of_image = [tensor for tensor in kept.values() if tensor.dim() == 4]  # not a batch norm's moments
    numbers, places = (area / 1e6 * sum(t.numel() for t in of_image if t.is_floating_point() == floating) for floating in (True, False))
    convolutions = sum(isinstance(module, nn.Conv2d) for module in model.modules())
    return 4e-6 * parameters(model), gmacs(model, 64) * area, convolutions, (numbers, places)


def expected(run: Run, finished: list[tuple[str, Run, float]], study: Study) -> tuple[float, str]:
    """Seconds of a training: measured, else the rule's as runs of this size, or of others, have kept to it on this device."""
    if same := [took for _, other, took in finished if other.spec() == run.spec()]:
        return same[-1], "measured"
    here = [(other, took) for size, other, took in finished if size == study.size] or [(other, took) for _, other, took in finished]
    rule = seconds(run, study.device.type)
    if not here:
        return rule, "rule of thumb"
    pace = sum(took for _, took in here) / sum(seconds(other, study.device.type) for other, _ in here)
    return pace * rule, f"extrapolated from {len(here)} runs"


def finished_trainings(study: Study) -> list[tuple[str, Run, float]]:
    """Size, run and seconds of every training that one device of this name has finished, the oldest first, but those that the catalogue has
    changed since."""
    name, found = device_name(study.device), []
    for size in SIZES:
        for data in ("synthetic", "real"):
            known = study.runs if (size, data) == (study.size, study.data) else catalogue(size, data)
            for path in Path(study.folders.runs, f"{data}-{size}").glob("*/record.json"):
                record = read_record(path.parent)
                run = known.get(record["name"])
                if run and run.spec() == record["spec"] and record["device"] == name and record.get("devices", 1) == 1:
                    found.append((record["finished"], size, run, record["seconds"]))
    return [rest for _, *rest in sorted(found, key=lambda row: row[0])]
