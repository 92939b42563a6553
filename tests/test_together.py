"""Several processes train one run: the numbers of one process, a changed number of devices, and a killed process."""

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from torch import nn

from paperlib import PaperlibError, ranks
from paperlib.ranks import Ranks, SharedBatchNorm
from paperlib.reproduce import launch
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.study import Study
from paperlib.train import OutOfTime

RUN, STACKED = "recurrent-t1-parts", "hourglass"
two_cores = pytest.mark.skipif(os.cpu_count() < 2, reason="needs two cores")


@pytest.fixture
def place(tiny, tmp_path):
    """A study with runs of its own, of the people that `tiny` has drawn; its recipes change as asked."""

    def place(name="runs", **changes):
        tiny.crops(tiny.training_people(tiny.runs[RUN]), tiny.runs[RUN].codec), tiny.trained(RUN)
        folders = Folders(tiny.folders.data, tmp_path / name, tmp_path / "results")
        folders.runs.mkdir(exist_ok=True)
        for shared in ("drawn", "canvases"):
            if not (folders.runs / shared).exists():
                (folders.runs / shared).symlink_to(tiny.folders.runs / shared)
        study = Study("tiny", "synthetic", "cpu", progress=False, folders=folders)
        study.runs = {run: replace(it, recipe=replace(it.recipe, **changes)) for run, it in study.runs.items()}
        return study

    return place


@pytest.fixture
def forked(monkeypatch):
    """Processes that have everything imported: the same as spawned ones, and there at once."""
    pytest.importorskip("lightning_fabric")
    monkeypatch.setattr(launch, "get_context", lambda _: get_context("fork"))


def curve(trained):
    return trained.log.loss.to_numpy()


# ---------------------------------------------------------------- the numbers of one process

EVERY_STEP = {"batch": 5, "log_every": 1, "precision": "fp32"}  # five crops: two for one process, three for the other


@two_cores
def test_two_processes_compute_what_one_does(place, forked):
    """The losses of eight steps within 0.1 %, of two within 0.001 %. One process that adds up in another order is as far off."""
    alone, both = place("alone", steps=8, **EVERY_STEP), place("both", steps=8, **EVERY_STEP)
    both.devices = 2
    one, two = alone.trained(RUN), both.trained(RUN)
    np.testing.assert_allclose(curve(two), curve(one), rtol=1e-3)
    np.testing.assert_allclose(curve(two)[:2], curve(one)[:2], rtol=1e-5)
    assert two.folder.name == one.folder.name and (one.record["devices"], two.record["devices"]) == (1, 2)
    assert (two.log.devices == 2).all() and two.log.pck.iloc[-1] == pytest.approx(one.log.pck.iloc[-1], abs=3)
    assert sorted(path.name for path in two.folder.iterdir()) == ["lock", "log.csv", "record.json", "weights.safetensors"]


@two_cores
def test_two_processes_compute_what_one_does_where_the_weights_of_the_loss_differ_between_them(place, forked):
    """Maps without annotation have no weight. From the third step on an hourglass so small is at the mercy of rounding."""
    alone, both = place("alone", steps=2, **EVERY_STEP), place("both", steps=2, **EVERY_STEP)
    both.devices = 2
    np.testing.assert_allclose(curve(both.trained(STACKED)), curve(alone.trained(STACKED)), rtol=1e-5)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1)])
@two_cores
def test_a_changed_number_of_devices_goes_on_at_the_checkpoint(place, forked, before, after):
    whole, parts = place("whole", steps=6, **EVERY_STEP), place("parts", steps=6, **EVERY_STEP)
    parts.devices, parts.deadline = before, -math.inf
    with pytest.raises(OutOfTime, match="minutes are over at step 1 of 6"):
        parts.trained(RUN)
    parts.devices, parts.deadline = after, math.inf
    resumed = parts.trained(RUN)
    np.testing.assert_allclose(curve(resumed), curve(whole.trained(RUN)), rtol=1e-3)
    assert resumed.log.devices.tolist() == [before] + [after] * 5 and resumed.record["devices"] == after


@pytest.mark.parametrize(("rows", "world"), [(5, 2), (16, 3), (6, 6), (7, 1)])
def test_shares_are_a_partition_into_nearly_equal_parts(rows, world):
    shares = [np.arange(rows)[Ranks(rank, world).share(rows)] for rank in range(world)]
    np.testing.assert_array_equal(np.concatenate(shares), np.arange(rows))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_batch_too_small_to_share_is_one_clear_error():
    with pytest.raises(PaperlibError, match="6 crops a step cannot be shared by 8 devices; take --devices 6 or fewer"):
        Ranks(0, 8).share(6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shared_batch_norm_is_batch_norm(monkeypatch, dtype):
    """Of two processes with the same crops each: the mean and gradients of one, the variance of twice as many."""
    monkeypatch.setattr(ranks, "all_reduce", lambda tensor: tensor.mul_(2))
    torch.manual_seed(0)
    x = (3 + torch.randn(4, 6, 5, 5)).to(dtype)
    results = []
    for kind, crops in ((nn.BatchNorm2d, torch.cat([x, x])), (SharedBatchNorm, x)):
        norm, crops = kind(6), crops.clone().requires_grad_()
        norm.weight.data, norm.bias.data = torch.arange(1.0, 7), torch.arange(6.0)
        out = norm(crops)
        (out.float() ** 3).sum().backward()
        results.append([out[:4], crops.grad[:4], norm.weight.grad * 4 / len(x), norm.bias.grad, norm.running_mean, norm.running_var])
        assert norm.num_batches_tracked == 1 and out.dtype == crops.grad.dtype == dtype
    whole, shared = results
    near = {"rtol": 1e-4, "atol": 1e-2} if dtype == torch.float32 else {"rtol": 2e-2, "atol": 2.0}
    torch.testing.assert_close(shared[:2], whole[:2], **near)
    torch.testing.assert_close([2 * shared[2], 2 * shared[3]], whole[2:4], **near)  # two processes' gradients add up
    torch.testing.assert_close(shared[4:], whole[4:], rtol=1e-5 if dtype == torch.float32 else 1e-2, atol=1e-6)


# ---------------------------------------------------------------- processes

# In process 1: every step leaves a checkpoint, and the fifth batch is its last.
KILLED = """
import os, signal
if os.environ.get("KILL"):
    from paperlib import train
    from paperlib.data.crops import Crops
    train.CHECKPOINT_SECONDS, batch, calls = -1, Crops.batch, []
    def last(self, *words):
        calls.append(1)
        if os.environ.get("LOCAL_RANK") == "1" and len(calls) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return batch(self, *words)
    Crops.batch = last
"""


def paperlib(study, *words, **environment):
    """The door as a process of its own."""
    paths = {f"PAPERLIB_{name.upper()}": str(getattr(study.folders, name)) for name in ("data", "runs", "results")}
    command = [sys.executable, "-m", "paperlib", "train", *map(str, words), "--size", "tiny", "--device", "cpu"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=os.environ | paths | environment, **streams)


def log_devices(study, name):
    return study.trained(name).log.devices.tolist()


@two_cores
def test_a_killed_process_ends_the_job_with_one_line_and_the_same_command_goes_on(place, tmp_path):
    pytest.importorskip("lightning_fabric")
    (tmp_path / "sitecustomize.py").write_text(KILLED)
    study, paths = place(), f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    job = paperlib(study, "recurrent", "--devices", 2, PYTHONPATH=paths, KILL="1")
    out, err = job.communicate(timeout=300)
    lines = [line for line in re.split(r"[\r\n]+", err) if line and not line.startswith("recurrent: ")]  # without the bar
    assert job.returncode == 1 and out == "" and len(lines) == 1, err
    assert re.fullmatch(r"paperlib: recurrent: one of its 2 processes was killed by SIGKILL; .* goes on at the last checkpoint", lines[0]), err
    folder = study.folder_of("recurrent")
    assert 3 <= torch.load(folder / "checkpoint.pt", weights_only=True)["step"] <= 5
    assert log_devices(study, "recurrent")[-1] == 1  # and it goes on, here in one process


@two_cores
def test_two_nodes_train_one_run(place):
    """Both on this machine. The first writes; the second waits for what it has written and names the same folder."""
    pytest.importorskip("lightning_fabric")
    study = place()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    nodes = [paperlib(study, RUN, "--nodes", 2, NODE_RANK=str(i), **meeting) for i in range(2)]
    said = [node.communicate(timeout=300) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    folder = study.folder_of(RUN)
    assert [out.splitlines()[-1] for out, _ in said] == [str(folder)] * 2
    assert json.loads((folder / "record.json").read_text())["devices"] == 2


def fail_or_wait(study, name, local_rank):
    if local_rank:
        raise PaperlibError("the disk is full")
    time.sleep(100)


@two_cores
def test_an_error_in_one_process_is_the_jobs_and_ends_the_others(place, forked, monkeypatch):
    """The second goes wrong while the first waits for it."""
    study = place()
    study.devices = 2

    monkeypatch.setattr(launch, "_part", fail_or_wait)
    started = time.monotonic()
    with pytest.raises(PaperlibError, match="^the disk is full$"):
        launch.train_together(study, RUN)
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("devices", "nodes", "message"),
    [
        (0, 1, r"--devices 0: this machine has \d+ CPU core\(s\); take --devices \d+ or fewer"),
        (9999, 1, r"--devices 9999: this machine has \d+ CPU core\(s\); take --devices \d+ or fewer"),
        (1, 0, "--nodes 0: give 1 or more"),
        (1, 2, r"--nodes 2: MASTER_ADDR is not set; call this on every node with MASTER_ADDR .* NODE_RANK 0, 1, \.\.\., or .*srun"),
    ],
)
def test_devices_that_cannot_be_are_one_clear_error(tiny, monkeypatch, devices, nodes, message):
    for name in [name for name in os.environ if name in launch.MEETING or name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    with pytest.raises(PaperlibError, match=message):
        launch.check_devices(tiny, devices, nodes)


def test_more_gpus_than_there_are_and_a_node_too_many(tiny, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(tiny, "device", torch.device("cuda"))
    with pytest.raises(PaperlibError, match=r"--devices 2: this machine has 1 GPU\(s\); take --devices 1"):
        launch.check_devices(tiny, 2, 1)
    for name, value in zip(launch.MEETING, ("host", "12345", "2"), strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(PaperlibError, match="--nodes 2: NODE_RANK is 2; it counts the nodes from 0 to 1"):
        launch.check_devices(tiny, 1, 2)


def test_slurm_says_where_nodes_meet(monkeypatch):
    pytest.importorskip("lightning_fabric")
    for name in launch.MEETING:
        monkeypatch.delenv(name, raising=False)
    slurm = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NAME": "pose", "SLURM_JOB_ID": "1234", "SLURM_NODEID": "1"}
    for name, value in (slurm | {"SLURM_NODELIST": "gpu[07-08]", "SLURM_PROCID": "1", "SLURM_LOCALID": "0"}).items():
        monkeypatch.setenv(name, value)
    assert launch.meeting_point(2) == {"MASTER_ADDR": "gpu07", "MASTER_PORT": "16234", "NODE_RANK": "1"}


def test_of_several_errors_the_cause_is_told(tiny):
    ours, gone, broken = PaperlibError("ours"), RuntimeError("Connection closed by peer\nmore"), launch.BrokenProcessPool()
    study = Study("tiny", device="cpu", folders=tiny.folders)
    study.devices = 2
    assert launch._first_cause([gone, ours], RUN, study, [None, None]) is ours
    assert "was killed by SIGSEGV; the others are stopped" in str(launch._first_cause([gone, broken], RUN, study, [-signal.SIGTERM, -signal.SIGSEGV]))
    assert launch._first_cause([gone], RUN, study, [None, None]) is gone
    study.nodes = 2
    assert "the other nodes do not answer (Connection closed by peer)" in str(launch._first_cause([gone], RUN, study, [None, None]))


def test_one_process_needs_no_lightning():
    code = "import sys, paperlib.cli, paperlib.reproduce.launch; print([m for m in sys.modules if m.startswith('lightning')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
