"""The device and its arithmetic: where a network runs, and in which floating-point numbers.

One rule for training, prediction, photographs and benchmarks, `choose_precision`: bf16 where the
processor computes it natively, fp16 with loss scaling on CUDA GPUs that have no bf16, fp32
elsewhere. The identity of a run does not depend on it; its record says which it was.
"""

import os
import platform
import sys
import warnings
from contextlib import AbstractContextManager, nullcontext

import torch

from paperlib import PaperlibError

DEVICES = ("auto", "cuda", "mps", "cpu")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
DTYPE = {"bf16": torch.bfloat16, "fp16": torch.float16}
# where fp16's loss scaling starts: our losses are sums over pixels, so large already
SCALE = 2.0**10


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" prefers cuda, then mps, then the CPU.

    A GPU that is there but cannot compute (an old driver, no free memory) is passed over by "auto",
    with one line on stderr. Raises PaperlibError where a device asked for by name cannot be used.
    """
    if name not in DEVICES:
        raise PaperlibError(f"device {name!r}: it is {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
    for kind in ("cuda", "mps") if name == "auto" else (name,):
        why = unusable(kind)
        if not why:
            return torch.device(kind)
        if name != "auto":
            raise PaperlibError(f"device {name!r}: {why}; take --device cpu or auto")
        if why not in (NO_CUDA, NO_MPS):
            print(f"the GPU is not used: {why}; the CPU is", file=sys.stderr)
    return torch.device("cpu")


NO_CUDA = "this machine has no GPU that torch can use"
NO_MPS = "torch sees no GPU of a Mac here"


def unusable(kind: str) -> str:
    """Why the device `kind` cannot be used: "" if it can. A GPU has to multiply two matrices."""
    if kind == "cpu":
        return ""
    if kind == "mps":
        if not torch.backends.mps.is_available():
            return NO_MPS
        # an operation that Apple's library lacks runs on the CPU instead, and torch says so
        os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    else:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            there = torch.cuda.is_available()
        if not there:  # a driver that is too old is a warning of torch's, and no error
            return _first_line(said[0].message) if said else NO_CUDA
    try:
        square = torch.ones(64, 64, device=kind)
        (square @ square).sum().item()
    except (RuntimeError, AssertionError) as error:
        return _first_line(error)
    return ""


def _first_line(said: object) -> str:
    return str(said).strip().split("\n")[0].rstrip(".;")


def precisions(device: torch.device) -> tuple[str, ...]:
    """The arithmetics that `device` has, the one that pays best first."""
    if device.type == "cuda":
        capability = torch.cuda.get_device_capability(device)
        if capability >= (8, 0):
            return "bf16", "fp16", "fp32"
        return ("fp16", "fp32") if capability >= (7, 0) else ("fp32", "fp16")
    if device.type == "mps":
        return "fp32", "fp16"  # half precision was never measured on a Mac
    half = ("fp16",) if _cpu_has_fp16() else ()
    return ("bf16", "fp32", *half) if cpu_has_bf16() else ("fp32", "bf16", *half)


def choose_precision(device: torch.device | str, wanted: str = "auto") -> str:
    """ "fp32", "bf16" or "fp16": what networks compute in on `device`.

    Raises PaperlibError for another word, and for an arithmetic that the device does not have.
    """
    device = torch.device(device)
    if wanted not in PRECISIONS:
        raise PaperlibError(f"precision {wanted!r}: it is {', '.join(PRECISIONS)}")
    there = precisions(device)
    if wanted == "auto":
        return there[0]
    if wanted not in there:
        raise PaperlibError(
            f"precision {wanted!r}: {device_name(device)} computes {' and '.join(there)}; "
            f"take --precision {there[0]} or auto"
        )
    return wanted


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 natively (AVX-512 BF16 or AMX) and may use that here.

    Elsewhere oneDNN emulates it: right, and 7 to 9 times slower than fp32 on AVX2. ARM's bf16
    kernels were not measured, so fp32 is taken there.
    """
    native = any(
        getattr(torch.cpu, query, lambda: False)()
        for query in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )
    most = os.environ.get("ONEDNN_MAX_CPU_ISA", "ALL").upper()  # a user may forbid it
    allowed = most in ("ALL", "DEFAULT") or any(word in most for word in ("BF16", "FP16", "AMX"))
    return native and allowed and _vectors().startswith("AVX512")


def _cpu_has_fp16() -> bool:
    query = getattr(torch.ops.mkldnn, "_is_mkldnn_fp16_supported", lambda: False)
    return bool(query())


def _vectors() -> str:
    return torch.backends.cpu.get_cpu_capability()


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Inside it a network computes in `precision`; its parameters stay in single precision."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, DTYPE[precision])


def loss_scaler(device: torch.device, precision: str) -> torch.amp.GradScaler:
    """fp16's loss scaling: a step whose gradients overflow is skipped and the scale halved.

    Does nothing in the other arithmetics.
    """
    kind = device.type
    return torch.amp.GradScaler(kind, init_scale=SCALE, enabled=precision == "fp16")


def device_name(device: torch.device | str) -> str:
    """The device in words: the GPU's own name, or the CPU's kind, vectors and threads."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return f"{platform.processor() or platform.machine()} GPU (mps)"
    native = ", native bf16" if cpu_has_bf16() else ""
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {_vectors()}{native}, {threads} thread(s)"
