"""The reference runs' work: items of the queue done one after the other until the time is over, and what comes of them put in its place at home.

A run's weights are kept in 16 bits, and measured so: a score belongs to the weights that come with it.
"""

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save

from paperlib import PaperlibError
from paperlib.reproduce.catalogue import Run, catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.machine import device_name, surroundings
from paperlib.reproduce.measures import measure_run
from paperlib.reproduce.reference_queue import KINDS, TIMED_OUT, Item, key_of, left, spec_sha256
from paperlib.reproduce.runs import is_cached, progress_of, read_record, sha256
from paperlib.reproduce.study import NotMeasured, Study
from paperlib.train import OutOfTime
from paperlib.writing import write_whole

AVERAGED = ((False, (1.0,)), (True, (1.0,)), (True, (0.85, 1.0, 1.15)))  # the mirrored image, scales
FINISHED = ("record.json", "log.csv", "scores.json", "weights.safetensors", "predictions-*.npz")
ROOT = Path(__file__).parents[2]
Files = dict[str, Path | bytes]  # what comes back, by the name it has there


def work(todo: list[Item], state: dict, folders: Folders, device: str, deadline: float, checkpoint: bool) -> Files:
    """Do what there is time for, item by item, until time.monotonic() is `deadline`; 0: pack what is finished of the first that has anything.

    An item whose data are not here is passed over, commands that would not end in time wait for the next call unless they come first. With
    `checkpoint` the unfinished run's comes back too.
    """
    files, news = {}, {kind: {} for kind in KINDS}
    for item in todo:
        if files and time.monotonic() + 60 * item.minutes > deadline:
            break
        if item.commands and deadline:
            news["commands"][item.id], brought = _call(item, folders, deadline)
            files |= brought
        elif item.runs:
            try:
                study = Study(item.size, item.data, device, jobs=os.cpu_count() or 1, progress=sys.stderr.isatty(), folders=folders)
            except PaperlibError as reason:
                print(f"{item.id}: {reason}")
                continue
            study.runs, study.deadline = catalogue(item.size, item.data, item.seeds), deadline
            if _train(item, study, state, files, news, checkpoint):
                break
    return files | {"news.json": json.dumps(news).encode()} if files or any(news.values()) else {}


def _train(item: Item, study: Study, state: dict, files: Files, news: dict, checkpoint: bool) -> bool:
    """Add to `files` and `news` what comes of the item's runs. Returns whether the time is over."""
    for run in left(item, state):
        try:
            folder = study.folder_of(run.name)
        except NotMeasured as reason:
            print(f"{run.name}: {reason}")
            continue
        if stopped := _bring(study, run, folder):
            print(stopped)
            if pace := pace_of(folder):
                news["paces"][key_of(item, run.name)] = {
                    "spec_sha256": spec_sha256(run),
                    "steps_a_second": pace,
                    "device": device_name(study.device),
                }
            if checkpoint and (folder / "checkpoint.pt").exists():
                files |= _files(folder, study.folders.runs, ("checkpoint.pt", "log.csv"))
            if study.deadline:
                return True
            continue
        news["runs"][key_of(item, run.name)] = json.loads((folder / "scores.json").read_text())
        files |= _files(folder, study.folders.runs, FINISHED)
    return False


def _bring(study: Study, run: Run, folder: Path) -> str:
    """Have the run trained, in 16 bits and measured; else why it is not."""
    try:
        if not is_cached(folder):
            if not study.deadline:
                return f"{run.name}: step {progress_of(folder)} of {run.recipe.steps}"
            study.trained(run.name)
        if keep_half(folder):
            study.trained.cache_clear()
        if not (folder / "scores.json").exists():
            write_whole(folder / "scores.json", json.dumps(_scores(study, run)))
    except OutOfTime as stopped:
        pace = pace_of(folder)
        return f"{stopped} ({f'{pace:.2f} steps a second' if pace else 'too short for a pace'})"
    return ""


def keep_half(folder: Path) -> bool:
    """Keep a finished run's filters in 16 bits, and its short vectors, biases and statistics, as they are. Returns whether that was to be done.

    Killed at any moment, it can be called again: record-16.json, the record to be, says what the weights must be before it takes effect.
    """
    weights, record, coming = folder / "weights.safetensors", read_record(folder), folder / "record-16.json"
    if "rounded_from" in record:
        return False
    if not coming.exists() or json.loads(coming.read_text())["weights_sha256"] != sha256(weights):
        content = save({name: _half(value) for name, value in load_file(weights).items()})
        write_whole(weights.with_suffix(".half"), content)
        write_whole(coming, json.dumps(record | {"weights_sha256": sha256(weights.with_suffix(".half")), "rounded_from": sha256(weights)}, indent=1))
        os.replace(weights.with_suffix(".half"), weights)
    for stale in folder.glob("predictions-*.npz"):
        stale.unlink()
    os.replace(coming, folder / "record.json")
    return True


def _half(value: torch.Tensor) -> torch.Tensor:
    half = value.half()
    return half if value.ndim >= 2 and torch.isfinite(half).all() else value


def _scores(study: Study, run: Run) -> dict:
    """What is known of a finished run: which, how long it took where, and its scores on its own test people, and on real LSP and MPII.

    A run that is measured on people held out of training is measured on nobody else: it is there to choose by.
    """
    record, scores = study.trained(run.name).record, []
    others = ("lsp", "mpii") if study.data == "real" and run.test_on in ("lsp", "mpii") else ()
    for on in dict.fromkeys((run.test_on, *others)):
        try:
            study.test_people(on)
        except NotMeasured:
            continue
        for flip, scales in AVERAGED:
            measured = measure_run(study, run.name, on, flip, scales)
            low, high = measured.interval()
            people = len(measured.errors)
            scores.append({"on": on, "flip": flip, "scales": scales, "total": measured.scores.total, "low": low, "high": high, "people": people})
    known = {key: record[key] for key in ("identity", "weights_sha256", "people", "seed", "steps", "seconds", "device", "versions", "commit")}
    return {"spec_sha256": spec_sha256(run)} | known | {"scores": scores}


def pace_of(folder: Path) -> float:
    """Steps a second since the first look at the clock, which has the start-up before it; 0.0 where there are not two."""
    if not (folder / "log.csv").exists():
        return 0.0
    with (folder / "log.csv").open() as file:
        rows = [(float(row["step"]), float(row["seconds"])) for row in csv.DictReader(file)]
    steps, seconds = (last - first for first, last in zip(rows[0], rows[-1], strict=True)) if rows else (0, 0)
    return steps / seconds if seconds > 0 else 0.0


def _call(item: Item, folders: Folders, deadline: float) -> tuple[dict, Files]:
    """Run the item's commands one after the other, each in what time is left, whatever becomes of the one before."""
    log, codes, began = folders.runs / "commands" / item.id / "log.txt", [], time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        for command in item.commands:
            output.write(f"\n$ {command}\n")
            output.flush()
            words = command.replace("python ", f"{sys.executable} ", 1)
            process = subprocess.Popen(words, shell=True, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, process_group=0)
            try:
                codes.append(process.wait(max(1.0, deadline - time.monotonic())))
            except subprocess.TimeoutExpired:
                codes.append(TIMED_OUT)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # it and whatever it has started
                process.wait()
    last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1]
    print(f"{item.id}: exit {', '.join(map(str, codes))}; {last}")
    brought = {
        f"commands/{item.id}/{path.relative_to(ROOT).as_posix()}": path for pattern in item.brings for path in ROOT.glob(pattern) if path.is_file()
    }
    about = {"exit": codes, "seconds": time.monotonic() - began, "last": last[:200], **surroundings("cuda" if torch.cuda.is_available() else "cpu")}
    return about, brought | {f"commands/{item.id}/log.txt": log}


def _files(folder: Path, root: Path, patterns: tuple[str, ...]) -> Files:
    return {path.relative_to(root).as_posix(): path for pattern in patterns for path in folder.glob(pattern)}


def put_in_place(arrived: Path, runs: Path) -> list[str]:
    """Everything that a parcel held, into the runs folder, a line for each run. Raises PaperlibError, and puts nothing, where a run is there with
    other weights."""
    folders = sorted(path.parent for path in arrived.glob("*/*/log.csv"))
    for folder in folders:
        home = runs / folder.relative_to(arrived)
        if is_cached(home) and is_cached(folder) and read_record(home)["weights_sha256"] != read_record(folder)["weights_sha256"]:
            raise PaperlibError(f"{home}: here with other weights than those that arrived; move it away to have those instead. Nothing was unpacked")
    lines = [_install(folder, runs / folder.relative_to(arrived)) for folder in folders]
    for path in sorted(arrived.glob("commands/**/*")):
        if path.is_file():
            write_whole(runs / path.relative_to(arrived), path.read_bytes())
    return lines


def _install(arrived: Path, home: Path) -> str:
    """One run's folder into its place: a finished one as a whole, a checkpoint unless what is here has come further."""
    if is_cached(home) or not is_cached(arrived) and progress_of(home) > progress_of(arrived):
        return f"{home.name}: is here"
    old = home.with_name(f".{home.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    home.parent.mkdir(parents=True, exist_ok=True)
    if home.exists():
        home.rename(old)
    arrived.rename(home)
    shutil.rmtree(old, ignore_errors=True)
    return f"{home.name}: {'finished' if is_cached(home) else f'step {progress_of(home)}'}"
