"""The reference runs: one command does the next item of the queue within so many minutes and packs what must come back.

    python -m paperlib.reproduce.reference next --minutes 9 --out OUT      where the GPU is
    python -m paperlib.reproduce.reference unpack OUT                      where the repository is: runs/, results/reference.json, REFERENCE.md
    python -m paperlib.reproduce.reference pack-data PARTS                 the data folder, in parts
    python -m paperlib.reproduce.reference join-data PARTS DATA            the same on the other side; PAPERLIB_DATA=DATA

A run's weights are kept in 16 bits, and measured so: a score belongs to the weights that come with it. Called again, whatever was interrupted
goes on from its last checkpoint.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file, save

from paperlib import PaperlibError
from paperlib.data.portable import write_portable
from paperlib.reproduce import parcels
from paperlib.reproduce.catalogue import Run, catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.measures import measure_run
from paperlib.reproduce.reference_queue import (
    TIMED_OUT,
    Item,
    is_done,
    key_of,
    left,
    read_queue,
    read_state,
    spec_sha256,
    write_state,
    write_table,
)
from paperlib.reproduce.runs import is_cached, progress_of, read_record, sha256, surroundings
from paperlib.reproduce.study import NotMeasured, Study
from paperlib.train import OutOfTime
from paperlib.writing import write_whole

RESERVE = 0.1  # of the minutes, for measuring and packing after the training has stopped
AVERAGED = ((False, (1.0,)), (True, (1.0,)), (True, (0.85, 1.0, 1.15)))  # the mirrored image, scales
ROOT = Path(__file__).parents[2]
app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Results = Annotated[Path | None, typer.Option(help="the folder of reference.toml, reference.json and REFERENCE.md; PAPERLIB_RESULTS, else results")]


@app.command("next")
def next_item(
    out: Annotated[Path, typer.Option(help="what must come back is put here")],
    minutes: Annotated[float, typer.Option(min=0, help="of the whole command; 0: only pack what is finished")] = 9,
    item: Annotated[str, typer.Option(help="an item's id; else the first that is not done")] = "",
    checkpoint: Annotated[bool, typer.Option(help="pack the unfinished run's checkpoint too: the machine will not be there next time")] = False,
    from_part: Annotated[int, typer.Option(min=1, help="of the last parcel, deliver the parts from this one on, and do nothing else")] = 1,
    device: str = "auto",
    results: Results = None,
) -> None:
    """Work on the next item until the minutes are over, and pack."""
    started, folders = time.monotonic(), Folders.here()
    parcel = folders.runs / "parcel"
    if from_part == 1:
        home = results or folders.results
        queue, state = read_queue(home / "reference.toml"), read_state(home / "reference.json")
        todo = [one for one in queue if one.id == item or not item and not is_done(one, state)]
        if not todo:
            raise PaperlibError(f"item {item!r}: it is one of {', '.join(one.id for one in queue)}" if item else "the queue is empty: all is done")
        files = _work(todo, state, folders, device, started + 60 * minutes * (1 - RESERVE) if minutes else 0, checkpoint)
        if not files:
            print("nothing to bring back")
            return
        parcels.pack(files, parcel)
    more = parcels.deliver(parcel, out, from_part)
    whole = parcels.read_manifest(parcel)
    print(f"parcel {whole['id']}: {len(whole['files'])} files, {whole['bytes'] / 1e6:.1f} MB in {len(whole['parts'])} parts")
    if more:
        print(f"not all of it fits: bring this home, then call again with --from-part {more}")


@app.command()
def unpack(parcel: Path, results: Results = None) -> None:
    """Put a parcel that came back into runs/, and what it says into reference.json and REFERENCE.md."""
    folders = Folders.here()
    home = results or folders.results
    queue, state = read_queue(home / "reference.toml"), read_state(home / "reference.json")
    waiting, missing = parcels.collect(parcel, folders.runs / "arriving")
    if missing:
        print(f"{len(missing)} parts are still missing, the first is {missing[0]}; what came is kept in {waiting}")
        return
    arrived = waiting / "files"
    shutil.rmtree(arrived, ignore_errors=True)
    parcels.unpack(waiting, arrived)
    news = json.loads((arrived / "news.json").read_text())
    for path in sorted(path.parent for path in arrived.glob("*/*/log.csv")):
        _check(path, folders.runs / path.relative_to(arrived))
    for path in sorted(path.parent for path in arrived.glob("*/*/log.csv")):
        print(_install(path, folders.runs / path.relative_to(arrived)))
    for path in sorted(arrived.glob("commands/**/*")):
        if path.is_file():
            write_whole(folders.runs / path.relative_to(arrived), path.read_bytes())
    write_state(home / "reference.json", {kind: state[kind] | news[kind] for kind in news})
    write_table(home / "REFERENCE.md", queue, read_state(home / "reference.json"))
    shutil.rmtree(waiting)


@app.command("pack-data")
def pack_data(
    folder: Path,
    part_mb: Annotated[float, typer.Option(min=1, help="10^6 bytes")] = 50,
    side: Annotated[int, typer.Option(min=0, help="cut images down to their people for an input of so many px; 0: leave them as they are")] = 0,
) -> None:
    """The data folder (PAPERLIB_DATA) as a parcel."""
    data = Folders.here().data
    if side:
        data = write_portable(data, folder.with_name(f"{folder.name}.data"), side)
    files = {path.relative_to(data).as_posix(): path for path in data.rglob("*") if path.is_file()}
    whole = parcels.read_manifest(parcels.pack(files, folder, part_mb).parent)
    print(f"{folder}: {len(whole['files'])} files, {whole['bytes'] / 1e6:.1f} MB in {len(whole['parts'])} parts")


@app.command("join-data")
def join_data(parts: Path, data: Path) -> None:
    """Take the parts that are here; once all have come, write the data folder."""
    waiting, missing = parcels.collect(parts, data.with_name(f"{data.name}.arriving"))
    if missing:
        print(f"{len(missing)} parts are still missing: {', '.join(missing)}")
        return
    print(f"{data}: {len(parcels.unpack(waiting, data))} files")
    shutil.rmtree(waiting.parent)


@app.command("table")
def show(results: Results = None) -> None:
    """Write the queue's table into REFERENCE.md."""
    home = results or Folders.here().results
    write_table(home / "REFERENCE.md", read_queue(home / "reference.toml"), read_state(home / "reference.json"))


def _work(todo: list[Item], state: dict, folders: Folders, device: str, deadline: float, checkpoint: bool) -> dict[str, Path | bytes]:
    """Do what there is time for, of the first item that has anything left to do here. Returns what must come back, by its name."""
    files, news = {}, {"runs": {}, "commands": {}}
    for item in todo:
        if item.commands:
            if deadline and not files:
                news["commands"][item.id], brought = _call(item, folders, deadline)
                return brought | {"news.json": json.dumps(news).encode()}
            break
        study = Study(item.size, item.data, device, jobs=os.cpu_count() or 1, progress=sys.stderr.isatty(), folders=folders)
        study.runs, study.deadline = catalogue(item.size, item.data, item.seeds), deadline
        unfinished = ""
        for run in left(item, state):
            unfinished = _bring(study, run)
            if unfinished:
                break
            folder = study.folder_of(run.name)
            news["runs"][key_of(item, run.name)] = json.loads((folder / "scores.json").read_text())
            files |= _files(folder, folders.runs, ("record.json", "log.csv", "scores.json", "weights.safetensors", "predictions-*.npz"))
        if unfinished:
            print(unfinished)
            stopped = study.folder_of(run.name)
            if checkpoint and (stopped / "checkpoint.pt").exists():
                files |= _files(stopped, folders.runs, ("checkpoint.pt", "log.csv"))
            break
        if not deadline or time.monotonic() > deadline:
            break
    return files | {"news.json": json.dumps(news).encode()} if files else {}


def _bring(study: Study, run: Run) -> str:
    """Have the run trained, in 16 bits and measured; else why it is not."""
    try:
        folder = study.folder_of(run.name)
    except NotMeasured as reason:
        return f"{run.name}: {reason}"
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
        return f"{stopped} ({_pace(folder)})"
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
    """What is known of a finished run: which, how long it took where, and its scores on its own test people, and on real LSP and MPII."""
    record, scores = study.trained(run.name).record, []
    for on in dict.fromkeys((run.test_on, *(("lsp", "mpii") if study.data == "real" and run.test_on != "flic" else ()))):
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


def _pace(folder: Path) -> str:
    lines = (folder / "log.csv").read_text().splitlines() if (folder / "log.csv").exists() else []
    if len(lines) < 2:
        return "no step logged yet"
    last = dict(zip(lines[0].split(","), lines[-1].split(","), strict=True))
    return f"{float(last['step']) / float(last['seconds']):.2f} steps a second"


def _call(item: Item, folders: Folders, deadline: float) -> tuple[dict, dict[str, Path | bytes]]:
    """Run the item's commands one after the other, each in what time is left, whatever becomes of the one before."""
    log, codes, began = folders.runs / "commands" / item.id / "log.txt", [], time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        for command in item.commands:
            output.write(f"\n$ {command}\n")
            output.flush()
            words = command.replace("python ", f"{sys.executable} ", 1)
            try:
                wait = max(1.0, deadline - time.monotonic())
                done = subprocess.run(words, shell=True, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, timeout=wait)
                codes.append(done.returncode)
            except subprocess.TimeoutExpired:
                codes.append(TIMED_OUT)
    last = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1]
    print(f"{item.id}: exit {', '.join(map(str, codes))}; {last}")
    brought = {
        f"commands/{item.id}/{path.relative_to(ROOT).as_posix()}": path for pattern in item.brings for path in ROOT.glob(pattern) if path.is_file()
    }
    about = {"exit": codes, "seconds": time.monotonic() - began, "last": last[:200], **surroundings("cuda" if torch.cuda.is_available() else "cpu")}
    return about, brought | {f"commands/{item.id}/log.txt": log}


def _files(folder: Path, root: Path, patterns: tuple[str, ...]) -> dict[str, Path | bytes]:
    return {path.relative_to(root).as_posix(): path for pattern in patterns for path in folder.glob(pattern)}


def _check(arrived: Path, home: Path) -> None:
    """Before anything is put in place. Raises PaperlibError where the run is here with other weights."""
    if is_cached(home) and is_cached(arrived) and read_record(home)["weights_sha256"] != read_record(arrived)["weights_sha256"]:
        raise PaperlibError(f"{home}: here with other weights than those that arrived; move it away to have those instead. Nothing was unpacked")


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


if __name__ == "__main__":
    try:
        app(standalone_mode=True)
    except PaperlibError as error:
        sys.exit(f"paperlib: {error}")
