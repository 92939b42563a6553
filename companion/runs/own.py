"""Training on labels of one's own: a run of the catalogue with the skeleton and the people of any
COCO keypoints file.

    run = train_own("hourglass", "my.json")     # trained once, then loaded
    run.summary                                 # how good it is on images held out of my.json
    run.folder                                  # paperlib predict photo.jpg --weights FOLDER
"""

import json
import math
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from companion.runs.catalogue import Network, Run, catalogue
from companion.runs.train_or_load import Trained, identity, train_or_load
from companion.settings import Folders
from paperlib import PaperlibError
from paperlib.data.canvases import load_canvases
from paperlib.data.crops import Crops
from paperlib.data.files import files_sha256
from paperlib.data.own import Own, load_own, split_by_image
from paperlib.device import choose_device, choose_precision
from paperlib.metrics import Scores
from paperlib.own_data import coco_results, measure_own, own_convention
from paperlib.predict import predict
from paperlib.skeleton import Skeleton
from paperlib.train import Session
from paperlib.validation import watch_accuracy
from paperlib.weights import described
from paperlib.writing import write_whole

WATCHED = 128  # validation people looked at while a run trains


@dataclass(frozen=True)
class How:
    """How it is trained, which decides nothing: device, arithmetic, minutes after which it stops at
    a checkpoint, processes that cut the images, and whether it says what it does on stderr."""

    device: str = "auto"
    precision: str = "auto"
    minutes: float = math.inf
    jobs: int = 1
    progress: bool = True


@dataclass(frozen=True)
class OwnRun:
    """A trained run, who it was trained and measured on, and how good it is."""

    trained: Trained
    training: Own
    validation: Own
    scores: Scores
    summary: str  # the scores in one line

    @property
    def folder(self) -> Path:
        """Weights and their record, the log, and predictions.json of the validation people."""
        return self.trained.folder


def train_own(
    name: str,
    labels: str | Path,
    validate: str | Path | None = None,
    size: str = "smoke",
    steps: int = 0,
    how: How | None = None,
) -> OwnRun:
    """Run `name` of the catalogue (hourglass, recurrent, ...) at `size`, trained on the people of
    the COCO keypoints file `labels` for `steps` (0: as many as photographs get at that size), or
    loaded where it is trained already.

    It is measured on the people of the file `validate`; without, on a fifth of the images, which
    are held out of training (split_by_image). Raises PaperlibError for a run that there is not or
    that goes on from another one, labels that cannot be used, two files of different keypoints, and
    whatever train raises; OutOfTime once the minutes are over.
    """
    how = how or How()
    training, validation = read_labels(labels, validate)
    if how.progress:
        for what, own in {"to train on": training, "to measure on": validation}.items():
            print(f"paperlib: {what}: {own.in_words()}", file=sys.stderr)
    run = own_run(name, training, size, steps)
    device = choose_device(how.device)
    precision = choose_precision(device, how.precision or "auto")
    if device.type == "cpu":
        torch.set_num_threads(1)  # one thread gives the same bits on every run
    runs = Folders.here().runs
    folder = runs / f"own-{size}" / f"{run.name}-{identity(run, files_sha256(training.people))}"
    training, crops = _crops(training, run, runs, device, how)
    validation, test = _crops(validation, run, runs, device, how)
    rule, length = own_convention(validation)
    if not (length > 0).any():  # nobody's torso is labelled
        rule, length = own_convention(validation, "box")
    rows = np.arange(min(WATCHED, len(test)))
    watch = watch_accuracy(test, rows, (length, rule.threshold))
    session = Session(watch, how.progress, how.minutes, precision)
    trained = train_or_load(run, crops, folder, session=session)
    prediction = predict(trained.model, test, precision=precision, progress=how.progress)
    points, peak = prediction.points[-1], prediction.peak[-1]
    confidence = np.clip(peak / run.codec.peak, 0, 1)
    results = coco_results(validation, points, confidence)
    write_whole(folder / "predictions.json", json.dumps(results))
    scores, interval, rule = measure_own(validation, points, rule.name)
    where = f"{(length > 0).sum()} people of {validation.path.name}"
    where += "" if validate else " whose images were held out"
    score = {"measure": f"PCK@{rule.threshold:g} ({rule.name})", "total": scores.total, "on": where}
    _write_record(trained, labels, score | {"interval": interval, "groups": scores.groups})
    summary = "{measure} {total:.2f} [{0:.2f}, {1:.2f}] on {on}".format(*interval, **score)
    return OwnRun(trained, training, validation, scores, summary)


def read_labels(labels: str | Path, validate: str | Path | None) -> tuple[Own, Own]:
    """The people to train on and those to measure on. Raises PaperlibError where the two files
    name different keypoints, or share an image."""
    own = load_own(labels)
    if not validate:
        return split_by_image(own)
    other = load_own(validate)
    skeleton, theirs = own.people.skeleton, other.people.skeleton
    if theirs.joints != skeleton.joints:
        raise PaperlibError(
            f"{validate}: its keypoints are {', '.join(theirs.joints[:4])}, ..., but those of "
            f"{labels} are {', '.join(skeleton.joints[:4])}, ...; both need the same, in one order"
        )
    if shared := sorted(set(own.people.image) & set(other.people.image)):
        raise PaperlibError(
            f"{validate}: {len(shared)} of its images are also in {labels}, the first {shared[0]}; "
            "it would be measured on what it was trained on: leave --validate out to hold some out"
        )
    return own, replace(other, people=replace(other.people, skeleton=skeleton))


def own_run(name: str, own: Own, size: str, steps: int = 0) -> Run:
    """Run `name` of the catalogue for the skeleton of `own`, with as many maps as it has joints and
    limbs; everything else, the recipe too, is the run's on photographs."""
    runs = catalogue(size, "real").values()
    known = {run.name: run for run in runs if not run.start and hasattr(run.codec, "peak")}
    if name not in known:
        first = [run for run in ("hourglass", "recurrent") if run in known]
        raise PaperlibError(
            f"run {name!r}: not to be trained on labels of one's own; {' and '.join(first)} can, "
            f"and {len(known) - len(first)} more that draw heatmaps and go on from no other run"
        )
    run, skeleton = known[name], own.people.skeleton
    recipe, every = run.recipe, max(1, steps // 36)
    if steps:
        recipe = replace(recipe, steps=steps, log_every=every, watch_every=6 * every)
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", own.path.stem).strip("-") or "labels"
    return replace(
        run,
        name=f"{name}-on-{stem}",
        network=Network(run.network.kind, _options(run, skeleton)),
        codec=replace(run.codec, **_codec_options(run, skeleton)),
        recipe=recipe,
        train_on=("own",),
        test_on="own",
        artifacts=(),
    )


def _options(run: Run, skeleton: Skeleton) -> tuple:
    options = dict(run.network.options) | {"joints": len(skeleton)}
    if options.get("parts"):
        options["parts"] = len(skeleton.limbs)
    return tuple(options.items())


def _codec_options(run: Run, skeleton: Skeleton) -> dict:
    parts = getattr(run.codec, "parts", False)
    return {"skeleton": skeleton} | ({"parts": bool(skeleton.limbs)} if parts else {})


def _crops(own: Own, run: Run, runs: Path, device: torch.device, how: How) -> tuple[Own, Crops]:
    """Those of `own` whose images can be read, and their crops."""
    side = round(1.5 * run.codec.side)
    canvases = load_canvases(own.people, side, runs / "canvases", how.jobs, how.progress)
    return own.select(canvases.readable), Crops(own.people, canvases, run.codec, device)


def _write_record(trained: Trained, labels: str | Path, score: dict) -> None:
    """weights.json, which with weights.safetensors is all that `paperlib predict` needs."""
    run, record = trained.run, trained.record
    built = described(trained.model, run.codec, dict(run.network.options))
    known = {
        "name": run.name,
        "kind": f"trained on {Path(labels).name}",
        "people": record["people"],
        "run": {key: value for key, value in record.items() if key != "spec"},
        "scores": [score],
        "files": {"weights.safetensors": record["weights_sha256"]},
    }
    write_whole(trained.folder / "weights.json", json.dumps(known | built, indent=1))
