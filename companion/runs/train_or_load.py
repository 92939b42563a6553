"""Runs: a run is trained once and then loaded. Its identity is the hash of its settings, of its
data and of the number of the mathematics."""

import contextlib
import csv
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from companion.runs.catalogue import Run
from companion.runs.provenance import clear_out_of_memory, surroundings
from paperlib import PaperlibError
from paperlib.data.crops import Crops
from paperlib.device import choose_precision
from paperlib.mathematics import TRAINING
from paperlib.train import QUIET, Session, train
from paperlib.writing import make_folder, write_whole


@dataclass(frozen=True)
class Trained:
    """A run's model, ready to predict, and what is known of how it came to be."""

    run: Run
    model: nn.Module
    record: dict
    folder: Path

    @property
    def log(self) -> pd.DataFrame:
        """One row a logged step: step, epoch, loss, rate, seconds, and what was watched."""
        return pd.read_csv(self.folder / "log.csv")


def identity(run: Run, data_sha256: str) -> str:
    """The run's name in the cache: 16 digits over its settings, its data and the mathematics."""
    return hashlib.sha256(f"{run.spec()}\n{data_sha256}\n{TRAINING}".encode()).hexdigest()[:16]


def is_cached(folder: Path) -> bool:
    return (folder / "record.json").exists() and (folder / "weights.safetensors").exists()


def train_or_load(
    run: Run, crops: Crops, folder: Path, start: Trained | None = None, session: Session = QUIET
) -> Trained:
    """The run's model from `folder`, trained first if it is not there. A second process that wants
    the same run waits for the first; where several GPUs train it together (`fabric`), the first of
    them waits for all.

    Raises OutOfTime where it is not trained within `minutes`; called again it goes on."""
    make_folder(folder)
    first = not session.fabric or session.fabric.global_rank == 0
    with lock(folder, run.name) if first else contextlib.nullcontext():
        cached = is_cached(folder)
        if not (session.fabric.broadcast(cached) if session.fabric else cached):
            _train(run, crops, folder, start, session)
    if session.fabric:
        session.fabric.barrier()  # the first has written it by then
    return load(run, folder, crops.device)


def load(run: Run, folder: Path, device: torch.device | str = "cpu") -> Trained:
    """A trained run. Raises PaperlibError where weights and record do not belong together."""
    record, weights = read_record(folder), folder / "weights.safetensors"
    model = run.network.build()
    try:
        if sha256(weights) != record["weights_sha256"]:
            raise PaperlibError(
                f"{weights}: not the weights that record.json speaks of; delete {folder} to "
                f"train {run.name} anew"
            )
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        why = str(error).splitlines()[0]  # torch goes on with every key
        raise PaperlibError(
            f"{weights}: not the weights of {run.name} ({why}); delete {folder} to train it anew"
        ) from error
    return Trained(run, model.to(device, memory_format=torch.channels_last).eval(), record, folder)


def read_record(folder: Path) -> dict:
    """A run's record.json. Raises PaperlibError where it is damaged."""
    try:
        return json.loads((folder / "record.json").read_text())
    except ValueError as error:
        raise PaperlibError(
            f"{folder / 'record.json'}: not JSON ({error}); delete {folder} to train the run anew"
        ) from error


def _train(run: Run, crops: Crops, folder: Path, start: Trained | None, session: Session) -> None:
    torch.manual_seed(run.seed)
    model = run.network.build()
    if start:
        model.load_state_dict(start.model.state_dict())
    with clear_out_of_memory(run, crops.device):
        log = train(model, crops, run.recipe, run.seed, folder, replace(session, title=run.name))
    if session.fabric and session.fabric.global_rank > 0:
        return
    weights = folder / "weights.safetensors"
    write_whole(
        weights, save({name: value.contiguous() for name, value in model.state_dict().items()})
    )
    people = crops.people
    record = {
        "name": run.name,
        "identity": folder.name,
        "spec": run.spec(),
        "weights_sha256": sha256(weights),
        "data_sha256": crops.sha256,
        "mathematics": TRAINING,
        "people": len(people),
        "left_out": people.left_out,
        "seed": run.seed,
        "steps": run.recipe.steps,
        "loss": log[-1]["loss"],
        "seconds": log[-1]["seconds"],
        "devices": log[-1]["devices"],
        **surroundings(crops.device, choose_precision(crops.device, session.precision)),
    }
    write_whole(folder / "record.json", json.dumps(record, indent=1))
    # the second by a killed process
    for left in (folder / "checkpoint.pt", *folder.glob(".*.part")):
        left.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def progress_of(folder: Path) -> int:
    """The last logged step of a run in training."""
    try:
        with (folder / "log.csv").open() as file:
            return max((int(row["step"]) for row in csv.DictReader(file)), default=0)
    except FileNotFoundError:
        return 0


def lock(folder: Path, name: str) -> FileLock:
    """A run's lock, free or not; says so where another process holds it. Raises PaperlibError for a
    folder that cannot be written."""
    held = FileLock(folder / "lock")
    try:
        held.acquire(timeout=0)
        held.release()
    except Timeout:
        print(f"{name}: another process is training it; waiting for that one")
    except OSError as error:
        raise PaperlibError(
            f"{folder}: cannot be written ({error.strerror}); set PAPERLIB_RUNS to a folder "
            "that can"
        ) from error
    return held
