"""Training: one loop for every model. A run killed at any step goes on at its last checkpoint and ends, on a CPU, with the same bits."""

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
from paperlib.codecs import HourglassCodec, RecurrentCodec
from paperlib.compared import ErrorFeedbackCodec, PoseMachineCodec, begin_at_mean_pose, error_feedback_loss
from paperlib.data.crops import Crops, TrainingOrder
from paperlib.economy import spare_memory
from paperlib.losses import hourglass_loss, recurrent_loss
from paperlib.ranks import ALONE, Ranks

LOSS = {
    RecurrentCodec: recurrent_loss,
    HourglassCodec: hourglass_loss,
    PoseMachineCodec: recurrent_loss,  # Caffe's Euclidean loss is the same sum, every pixel with weight one
    ErrorFeedbackCodec: error_feedback_loss,
}
CHECKPOINT_SECONDS = 20


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. `rate` is the highest learning rate; `schedule` says how it changes over the steps."""

    steps: int
    batch: int
    rate: float
    optimizer: str = "adam"  # "adam", "rmsprop" (H) or "sgd" (R, with the released code's factors)
    schedule: str = "one-cycle"  # "one-cycle", "recurrent" (R, FACTS A.7) or "plateau" (H sec. 3.4)
    augmentation: str = "small"
    precision: str = "bf16"
    log_every: int = 20
    watch_every: int = 0  # steps between looks at validation people; 0: never

    def factor(self, step: int, plateau: bool = False) -> float:
        """The learning rate at `step` in parts of `rate`; `plateau`: the accuracy has stopped rising."""
        done = step / self.steps
        match self.schedule:
            case "one-cycle":  # a tenth of linear warm-up, then linear to zero
                return max(min(done / 0.1, (1 - done) / 0.9), 1e-3)
            case "recurrent":  # 30 epochs at 1e-5, 5 at 5e-6, 15 at 1e-6 (FACTS A.7)
                return 1 if done < 0.6 else 0.5 if done < 0.7 else 0.1
            case "plateau":  # dropped once, by 5, when the accuracy stops rising (H sec. 3.4), at the latest for the last twentieth
                return 0.2 if plateau or done >= 0.95 else 1
        raise ValueError(f"schedule {self.schedule!r}: it is one-cycle, recurrent or plateau")


class OutOfTime(PaperlibError):
    """The minutes given are over; the checkpoint holds everything."""


def plateaued(log: list[dict], looks: int = 5) -> bool:
    """Whether the accuracy watched while training has ever gone `looks` looks without a new best one."""
    best, since = -math.inf, 0
    for row in log:
        if "accuracy" in row:
            best, since = (row["accuracy"], 0) if row["accuracy"] > best else (best, since + 1)
            if since == looks:
                return True
    return False


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser. "sgd" has the released code's factors: biases and batch-norm gains twice the rate, decay on filters (FACTS A.7)."""
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(model.parameters(), lr=recipe.rate, betas=(0.9, 0.99), fused=True)
        case "rmsprop":
            return torch.optim.RMSprop(model.parameters(), lr=recipe.rate, alpha=0.99, eps=1e-8)
        case "sgd":
            norms = {id(p) for m in model.modules() if isinstance(m, nn.BatchNorm2d) for p in (m.weight, m.bias)}
            filters, doubled, single = [], [], []
            for name, parameter in model.named_parameters():
                is_norm, is_bias = id(parameter) in norms, name.endswith("bias")
                (filters if not (is_norm or is_bias) else single if is_norm and is_bias else doubled).append(parameter)
            groups = [
                {"params": filters, "weight_decay": 5e-4},
                {"params": doubled, "lr": 2 * recipe.rate},
                {"params": single},
            ]
            return torch.optim.SGD(groups, lr=recipe.rate, momentum=0.95, fused=True)
    raise ValueError(f"optimizer {recipe.optimizer!r}: it is adam, rmsprop or sgd")


Watch = Callable[[nn.Module], dict[str, float]]


def train(
    model: nn.Module,
    crops: Crops,
    recipe: Recipe,
    seed: int,
    folder: Path,
    watch: Watch | None = None,
    title: str = "train",
    progress: bool = True,
    minutes: float = math.inf,
    sparing: bool = False,
    ranks: Ranks = ALONE,
) -> list[dict]:
    """Train `model` in place on `crops` and return the log; `folder` keeps the checkpoint and log.csv.

    `sparing` takes less memory and more time, and `ranks` are the processes that do it together, of which the first alone watches, writes and
    shows; neither changes what is computed.

    Raises PaperlibError for a checkpoint that cannot be read, for a loss or a weight that is not finite (the last good checkpoint stays), and for a
    full disk; OutOfTime once `minutes` are over, with a checkpoint from which the same call goes on.
    """
    device = crops.device
    torch.use_deterministic_algorithms(device.type == "cpu")
    torch.backends.cudnn.benchmark = device.type == "cuda"  # all batches have one shape
    model.to(device, memory_format=torch.channels_last).train()
    begin_at_mean_pose(model, crops.codec, crops.people)
    optimizer = make_optimizer(model, recipe)
    rates = [group["lr"] for group in optimizer.param_groups]
    checkpoint, log = folder / "checkpoint.pt", []
    step = _resume(checkpoint, model, optimizer, log)
    if sparing:
        spare_memory(model)
    network = ranks.wrapped(model)
    order, loss_of = TrainingOrder(len(crops), recipe.batch, recipe.augmentation, seed), LOSS[type(crops.codec)]
    saved, total, plateau = time.monotonic(), torch.zeros((), device=device), plateaued(log)
    before = log[-1]["seconds"] if log else 0.0
    with tqdm(total=recipe.steps, initial=step, desc=title, unit="step", disable=not (progress and ranks.first), mininterval=1) as bar:
        started = time.monotonic()
        while step < recipe.steps:
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * recipe.factor(step, plateau)
            rows, augmentation = order(step)
            mine = ranks.share(len(rows))
            batch = crops.batch(rows[mine], augmentation[mine])
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"):
                sites = network(batch.images.to(memory_format=torch.channels_last))
            loss = loss_of(sites, lambda side, b=batch: crops.codec.encode(b.joints, b.state, side, b.others))
            loss = loss * (len(batch.images) / len(rows))  # over all ranks these add up to the loss of the whole batch
            optimizer.zero_grad(set_to_none=True)
            (ranks.world * loss).backward()  # a gradient is the mean over the ranks
            optimizer.step()
            total += loss.detach()
            step += 1
            bar.update()
            if step % recipe.log_every == 0 or step == recipe.steps:
                whole = ranks.sum(total).item()
                row = {"step": step, "epoch": step * recipe.batch / len(crops), "loss": whole / ((step - 1) % recipe.log_every + 1)}
                if not math.isfinite(whole):
                    kept = f"{checkpoint} is the last good state" if checkpoint.exists() else "nothing was kept yet"
                    raise PaperlibError(f"{title}: the loss is {whole} at step {step}; lower the rate {recipe.rate:g}. {kept}")
                total.zero_()
                if watch and recipe.watch_every and (step % recipe.watch_every == 0 or step == recipe.steps):
                    row |= watch(model.eval())
                    model.train()
                now = time.monotonic()
                row |= {"rate": rates[0] * recipe.factor(step - 1, plateau), "seconds": before + now - started, "devices": ranks.world}
                row, over = ranks.of_the_first((row, now - started > 60 * minutes))
                log.append(row)
                plateau = plateau or plateaued(log)
                bar.set_postfix(loss=f"{row['loss']:.4g}", refresh=False)
                if ranks.first and (step == recipe.steps or over or now - saved > CHECKPOINT_SECONDS):
                    _save(checkpoint, model, optimizer, step, log)
                    saved = now
                if over and step < recipe.steps:
                    ranks.of_the_first(None)  # which has saved by then
                    raise OutOfTime(f"{title}: {minutes:.1f} minutes are over at step {step} of {recipe.steps}; the same command goes on from there")
    model.eval()
    return log


def _resume(checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer, log: list[dict]) -> int:
    """Put model, optimiser and log back as they were at the checkpoint; returns its step, 0 if there is none."""
    if not checkpoint.exists():
        return 0
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except Exception as error:
        raise PaperlibError(f"{checkpoint}: not a checkpoint of this run ({type(error).__name__}); delete the file to train anew") from error
    log.extend(state["log"])
    return state["step"]


def _save(checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, log: list[dict]) -> None:
    """Checkpoint and log.csv, each under a temporary name first, so that a kill leaves the last good ones."""
    part, table = checkpoint.with_suffix(".pt.part"), checkpoint.parent / "log.csv.part"
    if broken := [name for name, value in model.state_dict().items() if not torch.isfinite(value).all()]:
        kept = f"{checkpoint} is the last good state" if checkpoint.exists() else "nothing was kept yet"
        raise PaperlibError(f"{checkpoint.parent.name}: {broken[0]} is not finite after step {step}; lower the rate. {kept}")
    try:
        torch.save({"step": step, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "log": log}, part)
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in log for key in row)))
            writer.writeheader()
            writer.writerows(log)
    except (OSError, RuntimeError) as error:
        raise PaperlibError(
            f"{part}: cannot be written ({error}); free some disk space, then the same command goes on from step {step} or before"
        ) from error
    os.replace(table, checkpoint.parent / "log.csv")  # first: a log ahead of its checkpoint is written again, one behind it might stay so
    os.replace(part, checkpoint)
