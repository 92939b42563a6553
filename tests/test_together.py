"""Several GPUs train one run: what one process computes, and what cannot be.

Two processes of a CPU stand in for two GPUs, with a network without batch norms: torch's
SyncBatchNorm, by which several GPUs see one batch, has no kernel for a CPU.
"""

import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from companion.runs import provenance
from companion.runs.study import Study
from companion.runs.train_or_load import train_or_load
from companion.settings import Folders
from paperlib import PaperlibError
from paperlib.train import Session, train

RUN = "recurrent-t1-parts"


class Plain(nn.Module):
    """A network without batch norms, whose one set of heatmaps is of the codec's size."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 8, 4, 2), nn.ReLU(), nn.Conv2d(8, channels, 3, 1, 1)
        )

    def forward(self, images):
        return [self.layers(images)]


@pytest.fixture
def crops(tiny):
    run = tiny.runs[RUN]
    assert run.codec.stride == 4
    return tiny.crops(tiny.training_people(run), run.codec)


def trained(tiny, crops, folder, minutes=math.inf, fabric=None, **changes):
    """Log and weights of the plain network, trained (on) in `folder`, and why it has stopped."""
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    model = Plain(crops.codec.channels)
    changes = {"steps": 6, "batch": 6, "log_every": 1, **changes}
    recipe = replace(tiny.runs[RUN].recipe, **changes)
    try:
        log, stopped = (
            train(
                model,
                crops,
                recipe,
                0,
                folder,
                Session(None, False, minutes, "fp32", fabric, "plain"),
            ),
            "",
        )
    except PaperlibError as why:
        log, stopped = (
            torch.load(folder / "checkpoint.pt")["log"]
            if (folder / "checkpoint.pt").exists()
            else [],
            str(why),
        )
    return log, {name: value.numpy() for name, value in model.state_dict().items()}, stopped


def both(tiny, crops, folder, **how):
    """The same by two processes; what the first of them gives."""
    fabric = pytest.importorskip("lightning_fabric").Fabric(
        accelerator="cpu", devices=2, strategy="ddp_fork"
    )
    return fabric.launch(lambda fabric: trained(tiny, crops, folder, fabric=fabric, **how))


def losses(log):
    return [row["loss"] for row in log]


def test_two_processes_compute_what_one_does(tiny, crops, tmp_path):
    one, weights, _ = trained(tiny, crops, tmp_path / "one")
    two, same, _ = both(tiny, crops, tmp_path / "two")
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-4)
    for name, value in weights.items():
        np.testing.assert_allclose(same[name], value, atol=1e-4)
    assert [row["devices"] for row in two] == [2] * 6 and [row["devices"] for row in one] == [1] * 6
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [
        "checkpoint.pt",
        "log.csv",
    ]


@pytest.mark.parametrize("first", [1, 2])
def test_a_changed_number_of_devices_goes_on_at_the_checkpoint(tiny, crops, tmp_path, first):
    whole = losses(trained(tiny, crops, tmp_path / "whole")[0])
    before, after = (trained, both) if first == 1 else (both, trained)
    _, _, stopped = before(tiny, crops, tmp_path / "parts", minutes=0)
    assert "minutes are over at step 1 of 6" in stopped
    log, _, stopped = after(tiny, crops, tmp_path / "parts")
    np.testing.assert_allclose(losses(log), whole, rtol=1e-4)
    assert stopped == "" and [row["devices"] for row in log] == [first] + [3 - first] * 5


def test_a_batch_that_is_not_shared_evenly_is_one_clear_error(tiny, crops, tmp_path):
    _, _, stopped = both(tiny, crops, tmp_path / "odd", batch=5)
    assert stopped == "plain: 5 crops a step are not shared evenly by 2 GPUs; take fewer --devices"


def test_batch_norms_become_those_of_torch_that_see_the_whole_batch(tiny, crops, tmp_path):
    """Which says so itself, where it has no kernel."""
    run = tiny.runs[RUN]
    fabric = pytest.importorskip("lightning_fabric").Fabric(
        accelerator="cpu", devices=2, strategy="ddp_fork"
    )

    def refused(fabric):
        with pytest.raises(ValueError, match="SyncBatchNorm layers only work with GPU modules"):
            train_or_load(run, crops, tmp_path, session=Session(progress=False, fabric=fabric))
        return True

    assert fabric.launch(refused)


def command(device, devices, runs):
    """`paperlib train` with so many devices."""
    words = ["train", RUN, "--size", "tiny", "--device", device, "--devices", devices]
    environment = os.environ | {"PAPERLIB_RUNS": str(runs)}
    run = [sys.executable, "-m", "paperlib", *words]
    return subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are not two GPUs")
def test_two_gpus_compute_what_one_does(tiny, tmp_path):
    found = []
    for devices in ("1", "2"):
        runs = tmp_path / devices
        shutil.copytree(tiny.root, runs / "drawn" / "tiny")
        done = command("cuda", devices, runs)
        assert done.returncode == 0, done.stderr
        folders = Folders(tmp_path, runs, tmp_path)
        found.append(
            Study("tiny", "synthetic", "cuda", progress=False, folders=folders).trained(RUN)
        )
        assert done.stdout.splitlines()[-1] == str(found[-1].folder)
    one, two = found
    np.testing.assert_allclose(two.log.loss, one.log.loss, rtol=0.05)  # in bf16
    assert two.folder.name == one.folder.name
    assert (one.record["devices"], two.record["devices"]) == (1, 2)


@pytest.mark.parametrize(
    ("device", "devices", "nodes", "message"),
    [
        (
            "cpu",
            2,
            1,
            "--devices 2 --nodes 1: on a CPU one process trains .*SyncBatchNorm.*reproduce --jobs",
        ),
        ("cpu", 1, 2, "--devices 1 --nodes 2: on a CPU one process trains a run"),
        ("cuda", 2, 1, r"--devices 2: this machine has 1 GPU\(s\); take --devices 1 or fewer"),
        (
            "cuda",
            1,
            2,
            r"--nodes 2: MASTER_ADDR is not set; .*NODE_RANK.*srun --nodes=2 --ntasks-per-node=1",
        ),
    ],
)
def test_devices_that_cannot_be_are_one_clear_error(monkeypatch, device, devices, nodes, message):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name in ("SLURM_NTASKS", "MASTER_ADDR"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PaperlibError, match=message):
        provenance.check_devices(torch.device(device), devices, nodes)


def test_devices_that_can_be_are_not_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("MASTER_ADDR", "gpu07")
    provenance.check_devices(torch.device("cpu"), 1, 1)
    provenance.check_devices(torch.device("cuda"), 2, 2)


@pytest.mark.parametrize(
    ("devices", "message"),
    [("0", "Invalid value for '--devices'"), ("2", "on a CPU one process trains")],
)
def test_devices_are_refused_before_people_are_drawn(tmp_path, devices, message):
    done = command("cpu", devices, tmp_path)
    assert done.returncode != 0 and message in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_one_process_needs_no_lightning():
    names = "[m for m in sys.modules if m.startswith('lightning')]"
    code = f"import sys, companion.app.cli, companion.runs.provenance; print({names})"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
        == "[]\n"
    )
