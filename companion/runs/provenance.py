"""What a number's provenance says of the machine that made it, and a clear word where memory is
short."""

import contextlib
import functools
import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

import paperlib
from companion.runs.catalogue import Run
from paperlib import PaperlibError
from paperlib.device import device_name


def check_devices(device: torch.device, devices: int, nodes: int) -> None:
    """Raises PaperlibError where one run cannot be trained by `devices` GPUs of each of `nodes`
    machines."""
    if devices * nodes == 1:
        return
    if device.type == "cpu":
        raise PaperlibError(
            f"--devices {devices} --nodes {nodes}: on a CPU one process trains a run, for "
            "torch's SyncBatchNorm has no "
            "kernel there; leave both at 1, and train several runs side by side with "
            "paperlib reproduce --jobs"
        )
    if devices > torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise PaperlibError(
            f"--devices {devices}: this machine has {there} GPU(s); take --devices {there} or fewer"
        )
    if nodes > 1 and not {"SLURM_NTASKS", "MASTER_ADDR"} & os.environ.keys():
        raise PaperlibError(
            f"--nodes {nodes}: MASTER_ADDR is not set; call this on every machine with "
            "MASTER_ADDR and MASTER_PORT of "
            f"the first and NODE_RANK 0, 1, ..., or with Slurm's srun --nodes={nodes} "
            f"--ntasks-per-node={devices}"
        )


def launch(devices: int, nodes: int):
    """lightning-fabric's DDP, launched: this command once for each GPU. None where there is one."""
    if devices * nodes == 1:
        return None
    # not above: seconds, and only where several GPUs are asked for
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments import LightningEnvironment

    # one task of Slurm may have all GPUs of a machine
    here = [LightningEnvironment()] if nodes == 1 else None
    fabric = Fabric(
        accelerator="cuda", strategy="ddp", devices=devices, num_nodes=nodes, plugins=here
    )
    fabric.launch()
    return fabric


def surroundings(device: torch.device | str, precision: str) -> dict:
    """Device, arithmetic, versions and commit: what a number's provenance names besides its run."""
    return {
        "device": device_name(device),
        "precision": precision,
        "versions": {
            "paperlib": paperlib.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "commit": commit(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@functools.cache
def commit() -> str:
    """The commit of the checkout that runs, with '+changes' if the tree is not clean; 'unknown'
    outside one."""
    here = Path(paperlib.__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", *words], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        parts = [(here.parent / name).as_posix() for name in ("paperlib", "companion", "notebooks")]
        changed = git("status", "--porcelain", "--", *parts)
        return git("rev-parse", "HEAD")[:12] + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


class OutOfMemory(PaperlibError):
    """A training does not fit into the memory of its device."""


@contextlib.contextmanager
def clear_out_of_memory(run: Run, device: torch.device):
    """Raises OutOfMemory in place of torch's out of memory, on a GPU and on a CPU."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        # of torch on Linux, on Windows, of numpy
        known = ("allocate memory", "not enough memory", "Unable to allocate")
        if not isinstance(error, torch.OutOfMemoryError) and not any(
            words in str(error) for words in known
        ):
            raise
        other = (
            "--device cpu needs none of it"
            if device.type == "cuda"
            else "a smaller --size needs less"
        )
        raise OutOfMemory(
            f"{run.name}: out of memory on {device_name(device)} with {run.recipe.batch} "
            f"crops of {run.codec.side} px at once; paperlib plan says "
            f"what it needs: end what else runs there, take --jobs 1, {other}; the same "
            "command goes on at the last checkpoint"
        ) from error
