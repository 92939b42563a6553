"""Training: one loop for every model. A run killed at any step goes on at its last checkpoint and
ends, on a CPU, with the same bits."""

import csv
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from tqdm.auto import tqdm

from paperlib import PaperlibError
from paperlib.codecs import Codec, HourglassCodec, RecurrentCodec
from paperlib.compared import (
    ErrorFeedbackCodec,
    PoseMachineCodec,
    begin_at_mean_pose,
    error_feedback_loss,
)
from paperlib.data.crops import Batch, Crops, TrainingOrder
from paperlib.device import autocast, choose_precision, loss_scaler
from paperlib.losses import hourglass_loss, recurrent_loss
from paperlib.recipe import Recipe, make_optimizer, plateaued

LOSS = {
    RecurrentCodec: recurrent_loss,
    HourglassCodec: hourglass_loss,
    # Caffe's Euclidean loss is the same sum, every pixel with weight one
    PoseMachineCodec: recurrent_loss,
    ErrorFeedbackCodec: error_feedback_loss,
}
CHECKPOINT_SECONDS = 20


class OutOfTime(PaperlibError):
    """The minutes given are over; the checkpoint holds everything."""

    exit_code = 75  # of the command: EX_TEMPFAIL, "call me again"


def loss_on(network: nn.Module, codec: Codec, batch: Batch, precision: str) -> torch.Tensor:
    """The loss of `network` on one batch, the network computing in `precision` and the loss in
    fp32."""
    with autocast(batch.images.device, precision):
        sites = network(batch.images.to(memory_format=torch.channels_last))
    return LOSS[type(codec)](
        sites, lambda side: codec.encode(batch.joints, batch.state, side, batch.others)
    )


def descend(
    loss: torch.Tensor, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler
) -> None:
    """One step down the gradient of `loss`; in fp16 none where the gradient overflows."""
    optimizer.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()


Watch = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True)
class Session:
    """Options of a training that do not change its weights, except by the rounding of
    `precision`.

    `fabric` is lightning-fabric's, launched, where several GPUs train together: each takes its
    share of every batch, torch's SyncBatchNorm sees the whole batch, and the first GPU alone
    watches, writes and shows.
    """

    watch: Watch | None = None  # measures on validation people
    progress: bool = True
    minutes: float = math.inf  # it stops at a checkpoint once they are over
    precision: str = "auto"  # the network's arithmetic (paperlib.device)
    fabric: object = None
    title: str = "train"


QUIET = Session(progress=False)


def train(
    model: nn.Module,
    crops: Crops,
    recipe: Recipe,
    seed: int,
    folder: Path,
    session: Session = QUIET,
) -> list[dict]:
    """Train `model` in place on `crops` and return the log; `folder` keeps the checkpoint and
    log.csv.

    In fp16 the loss is scaled, and a step whose gradients overflow is skipped. Raises PaperlibError
    for a checkpoint that cannot be read, for a loss or a weight that is not finite (the last good
    checkpoint stays), and for a full disk; OutOfTime once `minutes` are over, with a checkpoint
    from which the same call goes on.
    """
    device, fabric, title = crops.device, session.fabric, session.title
    torch.use_deterministic_algorithms(device.type == "cpu")
    # a tenth of a step, to find reads that torch does not make
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = device.type == "cuda"  # all batches have one shape
    model.to(device, memory_format=torch.channels_last).train()
    begin_at_mean_pose(model, crops.codec, crops.people)
    precision = choose_precision(device, session.precision)
    optimizer, scaler = make_optimizer(model, recipe, precision), loss_scaler(device, precision)
    rates = [group["lr"] for group in optimizer.param_groups]
    checkpoint, log = folder / "checkpoint.pt", []
    parts = {"model": model, "optimizer": optimizer, "scaler": scaler}
    step = _resume(checkpoint, parts, log)
    network = (
        fabric.setup_module(nn.SyncBatchNorm.convert_sync_batchnorm(model)) if fabric else model
    )
    rank, world = (fabric.global_rank, fabric.world_size) if fabric else (0, 1)
    order = TrainingOrder(len(crops), recipe.batch, recipe.augmentation, seed)
    if order.size % world:
        raise PaperlibError(
            f"{title}: {order.size} crops a step are not shared evenly by {world} GPUs; take "
            "fewer --devices"
        )
    mine = slice(rank * order.size // world, (rank + 1) * order.size // world)
    saved, total, plateau = time.monotonic(), torch.zeros((), device=device), plateaued(log)
    before = log[-1]["seconds"] if log else 0.0
    with tqdm(
        total=recipe.steps,
        initial=step,
        desc=title,
        unit="step",
        disable=not session.progress or rank > 0,
        mininterval=1,
    ) as bar:
        started = time.monotonic()
        while step < recipe.steps:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * recipe.factor(step, plateau)
            rows, augmentation = order(step)
            batch = crops.batch(rows[mine], augmentation[mine])
            loss = loss_on(network, crops.codec, batch, precision)
            descend(loss, optimizer, scaler)  # with several GPUs a gradient is the mean over them
            total += loss.detach()
            step += 1
            bar.update()
            if step % recipe.log_every == 0 or step == recipe.steps:
                whole = (fabric.all_reduce(total, reduce_op="mean") if fabric else total).item()
                row = {
                    "step": step,
                    "epoch": step * recipe.batch / len(crops),
                    "loss": whole / ((step - 1) % recipe.log_every + 1),
                }
                if not math.isfinite(whole):
                    raise PaperlibError(
                        f"{title}: the loss is {whole} at step {step}; lower the rate "
                        f"{recipe.rate:g}. {_last_good(checkpoint)}"
                    )
                total.zero_()
                if (
                    rank == 0
                    and session.watch
                    and recipe.watch_every
                    and (step % recipe.watch_every == 0 or step == recipe.steps)
                ):
                    row |= session.watch(model.eval())
                    model.train()
                now = time.monotonic()
                row |= {
                    "rate": rates[0] * recipe.factor(step - 1, plateau),
                    "seconds": before + now - started,
                    "devices": world,
                }
                over = now - started > 60 * session.minutes
                row, over = fabric.broadcast((row, over)) if fabric else (row, over)
                log.append(row)
                plateau = plateau or plateaued(log)
                bar.set_postfix(loss=f"{row['loss']:.4g}", refresh=False)
                if rank == 0 and (step == recipe.steps or over or now - saved > CHECKPOINT_SECONDS):
                    _save(checkpoint, parts, step, log)
                    saved = now
                if over and step < recipe.steps:
                    if fabric:
                        fabric.barrier()  # the first has saved by then
                    where = f"step {step} of {recipe.steps}; the same command goes on from there"
                    raise OutOfTime(f"{title}: {session.minutes:.1f} minutes are over at {where}")
    model.eval()
    return log


def _resume(checkpoint: Path, parts: dict, log: list[dict]) -> int:
    """Put model, optimiser, loss scaling and log back as they were at the checkpoint; returns its
    step, 0 if there is none."""
    if not checkpoint.exists():
        return 0
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            # a checkpoint may go on in another arithmetic, with loss scaling or without
            if name != "scaler" or (part.is_enabled() and state[name]):
                part.load_state_dict(state[name])
    except Exception as error:
        raise PaperlibError(
            f"{checkpoint}: not a checkpoint of this run ({type(error).__name__}); delete the "
            "file to train anew"
        ) from error
    log.extend(state["log"])
    return state["step"]


def _save(checkpoint: Path, parts: dict, step: int, log: list[dict]) -> None:
    """Checkpoint and log.csv, each under a temporary name first, so that a kill leaves the last
    good ones."""
    part, table = checkpoint.with_suffix(".pt.part"), checkpoint.parent / "log.csv.part"
    state = {name: held.state_dict() for name, held in parts.items()}
    if broken := [n for n, value in state["model"].items() if not torch.isfinite(value).all()]:
        raise PaperlibError(
            f"{checkpoint.parent.name}: {broken[0]} is not finite after step {step}; lower the "
            f"rate. {_last_good(checkpoint)}"
        )
    try:
        torch.save({"step": step, "log": log} | state, part)
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in log for key in row)))
            writer.writeheader()
            writer.writerows(log)
    except (OSError, RuntimeError) as error:
        raise PaperlibError(
            f"{part}: cannot be written ({error}); free some disk space, then the same "
            f"command goes on from step {step} or before"
        ) from error
    # first: a log ahead of its checkpoint is written again, one behind it might stay so
    os.replace(table, checkpoint.parent / "log.csv")
    os.replace(part, checkpoint)


def _last_good(checkpoint: Path) -> str:
    there = checkpoint.exists()
    return f"{checkpoint} is the last good state" if there else "nothing was kept yet"
