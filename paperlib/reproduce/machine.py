"""The machine that a run is trained on: its device and what that cannot do, and what a number's provenance says of it."""

import contextlib
import functools
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import torch

import paperlib
from paperlib import PaperlibError
from paperlib.reproduce.catalogue import Run


def choose_device(name: str) -> torch.device:
    """auto, cpu or cuda. Raises PaperlibError for another name, and for a GPU that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name not in ("cpu", "cuda"):
        raise PaperlibError(f"device {name!r}: it is auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise PaperlibError("device 'cuda': this machine has no GPU that torch can use; take device='cpu' or 'auto'")
    return torch.device(name)


def device_name(device: torch.device | str) -> str:
    device = torch.device(device)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"


def surroundings(device: torch.device | str) -> dict:
    """Device, versions and commit: what a number's provenance names besides its run."""
    return {
        "device": device_name(device),
        "versions": {"paperlib": paperlib.__version__, "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "commit": commit(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@functools.cache
def commit() -> str:
    """The commit of the checkout that runs, with '+changes' if the tree is not clean; 'unknown' outside one."""
    here = Path(paperlib.__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", here.as_posix(), (here.parent / "notebooks").as_posix())
        return git("rev-parse", "HEAD")[:12] + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def check_precision(run: Run, device: torch.device) -> None:
    """Raises PaperlibError where a run wants bf16 and the GPU has none."""
    if run.recipe.precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        capability = ".".join(map(str, torch.cuda.get_device_capability(device)))
        raise PaperlibError(
            f"{run.name}: it trains in bf16, which {torch.cuda.get_device_name(device)} (compute capability {capability}) has not; "
            "8.0 is the first that has: take --device cpu, or --size paper, which trains in fp32"
        )


@contextlib.contextmanager
def clear_out_of_memory(run: Run, device: torch.device):
    """Raises PaperlibError in place of torch's out of memory, on a GPU and on a CPU."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        known = ("allocate memory", "not enough memory", "Unable to allocate")  # of torch on Linux, on Windows, of numpy
        if not isinstance(error, torch.OutOfMemoryError) and not any(words in str(error) for words in known):
            raise
        other = "--device cpu needs none of it" if device.type == "cuda" else "a smaller --size needs less"
        raise PaperlibError(
            f"{run.name}: out of memory on {device_name(device)} with {run.recipe.batch} crops of {run.codec.side} px at once; paperlib plan says "
            f"what it needs: end what else runs there, take --jobs 1, {other}; the same command goes on at the last checkpoint"
        ) from error
