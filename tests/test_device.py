"""The choice of device and arithmetic, on devices that are faked, and the loss scaling of fp16."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from golden_trainings import CASES, crops_of

from paperlib import PaperlibError, device
from paperlib.device import choose_device, choose_precision, device_name, loss_scaler, precisions
from paperlib.recipe import Recipe
from paperlib.train import Session, descend, train

CPU, CUDA, MPS = map(torch.device, ("cpu", "cuda", "mps"))


@pytest.fixture
def fake(monkeypatch):
    """Makes this machine another: fake(vectors, bf16, amx), or fake(gpu=(name, capability))."""
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)

    def become(vectors="AVX2", bf16=False, amx=False, fp16=False, gpu=None, queries=True):
        monkeypatch.setattr(device, "_vectors", lambda: vectors)
        monkeypatch.setattr(device, "_cpu_has_fp16", lambda: fp16)
        for name, answer in (("_is_avx512_bf16_supported", bf16), ("_is_amx_tile_supported", amx)):
            if queries:
                monkeypatch.setattr(torch.cpu, name, lambda answer=answer: answer, raising=False)
            else:
                monkeypatch.delattr(torch.cpu, name, raising=False)
        if gpu:
            monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: gpu[0])
            monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: gpu[1])

    return become


@pytest.mark.parametrize(
    ("machine", "where", "chosen"),
    [
        ({"vectors": "AVX2"}, CPU, "fp32"),
        ({"vectors": "AVX512"}, CPU, "fp32"),  # without bf16: oneDNN would emulate it
        ({"vectors": "AVX512", "bf16": True}, CPU, "bf16"),
        ({"vectors": "AVX512_VNNI", "amx": True}, CPU, "bf16"),
        ({"vectors": "AVX2", "bf16": True}, CPU, "fp32"),  # ATEN_CPU_CAPABILITY=avx2 there
        ({"vectors": "NEON"}, CPU, "fp32"),
        ({"vectors": "AVX512", "queries": False}, CPU, "fp32"),  # a torch that cannot be asked
        ({"gpu": ("Tesla T4", (7, 5))}, CUDA, "fp16"),
        ({"gpu": ("NVIDIA A100-SXM4-40GB", (8, 0))}, CUDA, "bf16"),
        ({"gpu": ("NVIDIA H200", (9, 0))}, CUDA, "bf16"),
        ({"gpu": ("NVIDIA GeForce GTX 1080", (6, 1))}, CUDA, "fp32"),
        ({}, MPS, "fp32"),
    ],
    ids=lambda value: str(value.get("gpu", value)) if isinstance(value, dict) else str(value),
)
def test_the_arithmetic_is_the_devices(fake, machine, where, chosen):
    fake(**machine)
    assert choose_precision(where) == chosen == precisions(where)[0]
    for forced in precisions(where):
        assert choose_precision(where, forced) == forced


def test_a_user_may_forbid_native_bf16(fake, monkeypatch):
    fake("AVX512", bf16=True)
    for most, chosen in (("AVX2", "fp32"), ("AVX512_CORE_BF16", "bf16"), ("ALL", "bf16")):
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", most)
        assert choose_precision(CPU) == chosen


@pytest.mark.parametrize(
    ("machine", "where", "forced", "words"),
    [
        ({"gpu": ("Tesla T4", (7, 5))}, CUDA, "bf16", "'bf16': Tesla T4 computes fp16 and fp32"),
        ({}, MPS, "bf16", r"'bf16': .*\(mps\) computes fp32 and fp16; take --precision fp32"),
        ({}, CPU, "fp16", "'fp16': .*CPU, AVX2.* computes fp32 and bf16; take --precision fp32"),
        ({}, CPU, "fp64", "'fp64': it is auto, fp32, bf16, fp16"),
    ],
    ids=["T4", "mps", "AVX2", "no such"],
)
def test_an_arithmetic_that_is_not_there_is_one_clear_line(fake, machine, where, forced, words):
    fake(**machine)
    with pytest.raises(PaperlibError, match=words):
        choose_precision(where, forced)


def test_a_device_is_named_with_its_vectors(fake):
    fake("AVX512", bf16=True)
    assert ", AVX512, native bf16, " in device_name("cpu")
    fake("AVX2")
    assert ", AVX2, " in device_name("cpu")


@pytest.fixture
def gpus(monkeypatch):
    """Which of cuda and mps torch sees, and what the first arithmetic there does."""

    def there(cuda=False, mps=False, error=None):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        real = torch.ones

        def ones(*shape, device=None):
            if error:
                raise error
            return real(*shape)

        monkeypatch.setattr(torch, "ones", ones)

    return there


def test_auto_prefers_cuda_then_mps_then_the_cpu(gpus):
    for cuda, mps, kind in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        gpus(cuda, mps)
        assert choose_device("auto").type == kind


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB.\nSee the manual"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA"),
    ],
    ids=["full", "old"],
)
def test_a_gpu_that_cannot_compute_is_passed_over_with_one_line(gpus, capsys, error):
    gpus(cuda=True, error=error)
    assert choose_device("auto").type == "cpu"
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1 and str(error).split("\n")[0].rstrip(".") in said[0]
    with pytest.raises(PaperlibError, match="device 'cuda': CUDA.*; take --device cpu or auto"):
        choose_device("cuda")


def test_a_driver_that_is_too_old_is_one_line(monkeypatch, capsys):
    def warns():
        import warnings

        warnings.warn(
            "CUDA initialization: The NVIDIA driver on your system is too old", stacklevel=2
        )
        return False

    monkeypatch.setattr(torch.cuda, "is_available", warns)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    assert "driver on your system is too old; the CPU is" in capsys.readouterr().err


def test_a_machine_without_a_gpu_says_nothing(gpus, capsys):
    gpus()
    assert choose_device().type == "cpu" and capsys.readouterr() == ("", "")
    for name, words in (
        ("cuda", "has no GPU that torch can use"),
        ("mps", "no GPU of a Mac"),
        ("tpu", "it is"),
    ):
        with pytest.raises(PaperlibError, match=f"device '{name}': .*{words}"):
            choose_device(name)


# ---------------------------------------------------------------- loss scaling


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_a_step_with_an_overflow_is_skipped_and_the_next_is_made(optimizer):
    weight = torch.nn.Parameter(torch.ones(3))
    steps, scaler = optimizer([weight], lr=0.1), loss_scaler(CPU, "fp16")
    scale = scaler.get_scale()
    descend((weight * torch.tensor([1.0, math.inf, 1.0])).sum(), steps, scaler)
    assert weight.tolist() == [1, 1, 1] and scaler.get_scale() == scale / 2
    descend(weight.sum(), steps, scaler)
    assert weight.max() < 1 and torch.isfinite(weight).all()


def test_the_other_arithmetics_are_not_scaled():
    for precision in ("fp32", "bf16"):
        assert (
            not loss_scaler(CPU, precision).is_enabled()
            and loss_scaler(CPU, precision).state_dict() == {}
        )


def test_a_resumed_training_keeps_its_scale(tmp_path, monkeypatch):
    """Scaled in fp32, which every CPU has: the loss overflows once, and the halved scale is
    kept."""
    monkeypatch.setattr(device, "_cpu_has_fp16", lambda: True)
    monkeypatch.setattr("paperlib.train.autocast", lambda *_: torch.autocast("cpu", enabled=False))
    monkeypatch.setattr("paperlib.device.SCALE", 2.0**127)  # no gradient but zero survives that
    make, _ = CASES["recurrent"]
    recipe = Recipe(steps=2, batch=4, rate=1e-3, log_every=1)
    train_in(tmp_path / "whole", make, recipe)
    stopped = Recipe(steps=1, batch=4, rate=1e-3, log_every=1)
    train_in(tmp_path / "parts", make, stopped)
    first = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["scaler"]
    train_in(tmp_path / "parts", make, recipe)
    last = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["scaler"]
    assert first["scale"] == 2.0**126 and last["scale"] == 2.0**125
    assert last == torch.load(tmp_path / "whole" / "checkpoint.pt", weights_only=True)["scaler"]


def train_in(folder, make, recipe):
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    model, codec = make()
    return train(
        model, crops_of(codec), recipe, 0, folder, Session(progress=False, precision="fp16")
    )


def test_a_checkpoint_goes_on_in_another_arithmetic(tmp_path):
    make, _ = CASES["hourglass"]
    for steps, precision in ((1, "fp32"), (2, "bf16"), (3, "fp32")):
        torch.manual_seed(0)
        model, codec = make()
        recipe = Recipe(steps=steps, batch=4, rate=1e-3, log_every=1)
        log = train(
            model,
            crops_of(codec),
            recipe,
            0,
            tmp_path,
            Session(progress=False, precision=precision),
        )
        assert [row["step"] for row in log] == list(range(1, steps + 1))


def test_nothing_on_the_way_needs_double_precision_of_a_gpu():
    """A Mac's GPU has none: crops, targets, heatmaps and losses are made without it."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            if isinstance(found, torch.Tensor) and found.dtype == torch.float64 and found.dim():
                seen.append(str(function))  # but for what comes from the host, to be converted
            return found

    for name in ("recurrent", "hourglass"):
        model, codec = CASES[name][0]()
        batch = crops_of(codec).batch(np.arange(4))
        seen = []
        with Watching():
            sites = model(batch.images)
            targets = codec.encode(batch.joints, batch.state, sites[-1].shape[-1], batch.others)
            codec.decode(sites[-1])
        assert targets.maps.dtype == sites[-1].dtype == torch.float32 and set(seen) <= {
            "aten.lift_fresh.default"
        }


def test_the_choice_is_the_same_in_a_process_told_to_use_avx2():
    code = "from paperlib.device import *; print(choose_precision('cpu'), device_name('cpu'))"
    environment = {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "PATH": "",
        "OMP_NUM_THREADS": "1",
    }
    said = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert said.stdout.startswith("fp32 ") and "native bf16" not in said.stdout, said.stderr
