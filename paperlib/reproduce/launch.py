"""paperlib train --devices N --nodes M: the processes that train one run together, started on this machine, watched, and ended together."""

import logging
import os
import signal
import socket
import sys
import threading
import time
import warnings
from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm.auto import tqdm

from paperlib import PaperlibError
from paperlib.data.crops import Crops
from paperlib.ranks import Ranks
from paperlib.reproduce.catalogue import Run
from paperlib.reproduce.runs import Trained, fit, train_or_load

MEETING = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
PATIENCE = timedelta(minutes=10)  # for a process of another node that says nothing
GRACE = 5  # seconds in which a killed process is noticed, once the others miss it


def check_devices(study, devices: int, nodes: int) -> None:
    """Raises PaperlibError for more devices than this machine has, and for several nodes that do not know where to meet."""
    there = torch.cuda.device_count() if study.device.type == "cuda" else os.cpu_count()
    if not 1 <= devices <= there:
        what = "GPU(s)" if study.device.type == "cuda" else "CPU core(s)"
        raise PaperlibError(f"--devices {devices}: this machine has {there} {what}; take --devices {there} or fewer, or more --nodes")
    if nodes < 1:
        raise PaperlibError(f"--nodes {nodes}: give 1 or more")
    if nodes > 1:
        node = meeting_point(nodes)["NODE_RANK"]
        if not node.isdigit() or int(node) >= nodes:
            raise PaperlibError(f"--nodes {nodes}: NODE_RANK is {node}; it counts the nodes from 0 to {nodes - 1}")


def meeting_point(nodes: int) -> dict[str, str]:
    """MASTER_ADDR, MASTER_PORT and NODE_RANK: of this machine alone, else as Slurm or the environment has them."""
    if nodes == 1:
        with socket.create_server(("127.0.0.1", 0)) as free:
            return dict(zip(MEETING, ("127.0.0.1", str(free.getsockname()[1]), "0"), strict=True))
    if unset := [name for name in MEETING if not os.environ.get(name)]:
        from lightning_fabric.plugins.environments import SLURMEnvironment

        if SLURMEnvironment.detect():
            slurm = SLURMEnvironment()
            return dict(zip(MEETING, (slurm.main_address, str(slurm.main_port), str(slurm.node_rank())), strict=True))
        raise PaperlibError(
            f"--nodes {nodes}: {unset[0]} is not set; call this on every node with MASTER_ADDR and MASTER_PORT of the first and NODE_RANK 0, 1, ..., "
            "or through Slurm's srun with one task a node"
        )
    return {name: os.environ[name] for name in MEETING}


def train_or_load_together(study, run: Run, crops: Crops, folder: Path, start: Trained | None) -> Trained:
    """As `train_or_load`, by a process for each device. The first node holds the run's lock, and the others wait for what it writes."""

    def together():
        train_together(study, run.name)

    if int(meeting_point(study.nodes)["NODE_RANK"]):
        together()
        return train_or_load(run, crops, folder, start, progress=False)
    return train_or_load(run, crops, folder, start, progress=False, together=together)


def train_together(study, name: str) -> None:
    """Run `name` in one process for each of the study's devices on this node, up to its last checkpoint.

    Raises what one of them raised; PaperlibError where one was killed, or one of another node has gone. The others do not outlive it.
    """
    place = meeting_point(study.nodes)
    spawn = get_context("spawn")
    with ProcessPoolExecutor(study.devices, mp_context=spawn, initializer=_begin, initargs=(os.getpid(), place)) as pool:
        parts = [pool.submit(_part, study, name, i) for i in range(study.devices)]
        workers = list(pool._processes.values())
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
            errors = _errors(parts)
            if errors and not any(isinstance(error, PaperlibError) for error in errors):
                wait(parts, timeout=GRACE)
                errors = _errors(parts)
            if any(isinstance(error, BrokenProcessPool) for error in errors):
                pool.shutdown()  # it ends the others by SIGTERM, and then every code is known
            if errors:
                raise _first_cause(errors, name, study, [worker.exitcode for worker in workers])
        except BaseException:
            for worker in workers:
                worker.kill()
            if study.progress:
                print(file=sys.stderr)  # ends the line of the bar
            raise


def _errors(parts: list) -> list[BaseException]:
    return [part.exception() for part in parts if part.done() and part.exception()]


def _first_cause(errors: list[BaseException], name: str, study, codes: list[int | None]) -> BaseException:
    """Of what went wrong in several processes at once, what was the cause: our own errors, then a kill, then what came of it."""
    for error in errors:
        if isinstance(error, PaperlibError):
            return error
    after = "the others are stopped, and the same command goes on at the last checkpoint"
    if any(isinstance(error, BrokenProcessPool) for error in errors):
        killed = next((code for code in codes if code not in (None, 0, -signal.SIGTERM)), -signal.SIGTERM)
        how = f"was killed by {signal.Signals(-killed).name}" if killed < 0 else f"ended with code {killed}"
        return PaperlibError(f"{name}: one of its {study.devices * study.nodes} processes {how}; {after}")
    if study.nodes > 1:
        why = str(errors[0]).splitlines()[0][:200]
        return PaperlibError(f"{name}: the other nodes do not answer ({why}); the same command on every node goes on at the last checkpoint")
    return errors[0]


def _begin(parent: int, place: dict[str, str]) -> None:
    """A process that ends with its parent, leaves Ctrl-C to it, and knows where the others are."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())  # a lock between processes would be warned of when one is killed
    os.environ.update(place)


def _part(study, name: str, local_rank: int) -> None:
    """What one of the processes does."""
    os.environ["LOCAL_RANK"] = str(local_rank)
    if study.device.type == "cpu":
        torch.set_num_threads(1)
    ranks, run = join(study), study.runs[name]
    study.progress = study.progress and ranks.first
    crops = study.crops(study.training_people(run), run.codec)
    start = study.trained(run.start.name) if run.start else None
    watch = study.watch(run) if ranks.first else None
    fit(run, crops, study.folder_of(name), start, watch, study.progress, study.minutes_left(), ranks)
    torch.distributed.destroy_process_group()


def join(study) -> Ranks:
    """Meet the other processes, each with a device of its own."""
    from lightning_fabric import Fabric  # not above: seconds, and only where several devices are asked for
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")  # in torch 2.13; 2.11 has no other name for it
    together = DDPStrategy(broadcast_buffers=False, timeout=PATIENCE)
    fabric = Fabric(accelerator=study.device.type, strategy=together, devices=study.devices, num_nodes=study.nodes, plugins=[LightningEnvironment()])
    fabric.launch()
    return Ranks(fabric.global_rank, fabric.world_size, fabric)


def die_with_parent(parent: int) -> None:
    """A process of a killed parent stops too, so that nothing goes on unseen."""

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
