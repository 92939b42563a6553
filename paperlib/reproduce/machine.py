"""What a number's provenance says of the machine that made it, and a clear word where memory is short."""

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
from paperlib.device import device_name
from paperlib.reproduce.catalogue import Run


def surroundings(device: torch.device | str, precision: str) -> dict:
    """Device, arithmetic, versions and commit: what a number's provenance names besides its run."""
    return {
        "device": device_name(device),
        "precision": precision,
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
