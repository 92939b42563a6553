"""A study: one size on one kind of data, from data to artifacts. It is what a notebook opens."""

import copy
import difflib
import functools
import math
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from companion.drawn.synthetic import make_synthetic
from companion.runs.catalogue import Run, catalogue, seeds_of
from companion.runs.prediction_cache import as_kept, file_name, prediction_bytes, read_prediction
from companion.runs.provenance import OutOfMemory
from companion.runs.sizes import SCALES
from companion.runs.train_or_load import (
    Trained,
    identity,
    is_cached,
    load,
    read_record,
    train_or_load,
)
from companion.settings import Folders, seeds_wanted
from paperlib import PaperlibError
from paperlib.codecs import Codec, RecurrentCodec
from paperlib.compared import ErrorFeedbackCodec
from paperlib.data.canvases import load_canvases
from paperlib.data.crops import Crops
from paperlib.data.datasets import DATASETS
from paperlib.data.files import files_sha256, labels_in
from paperlib.device import choose_device, choose_precision
from paperlib.people import People, concatenate
from paperlib.predict import Prediction, predict
from paperlib.train import Session, Watch
from paperlib.validation import watch_accuracy
from paperlib.writing import write_whole

FEWEST = 16  # a data set of which fewer people have an image is as good as absent
WATCHED = 128  # validation people looked at while a run trains


class NotMeasured(PaperlibError):
    """An artifact cannot be had here, and the message says why: 'FLIC images absent'."""


class Study:
    """Runs, people and predictions at one size on one kind of data; everything is made once and
    cached in `folders.runs`."""

    def __init__(
        self,
        size: str = "",
        data: str = "synthetic",
        device: str = "auto",
        jobs: int = 0,
        progress: bool = True,
        folders: Folders | None = None,
        reuse: bool = False,
        precision: str = "",
    ):
        """`size` empty means PAPERLIB_SIZE, else smoke; PAPERLIB_SEEDS is how many seeds compared
        runs have, else the size says it. With PAPERLIB_TRAIN=no nothing is trained: a run that is
        not in the runs folder is not measured. People are drawn, and cut out, by `jobs` processes
        (0: one to a core).

        With `reuse` a run that is not trained here is taken as kept with the results (predictions,
        log and record, and the weights if a figure shows its heatmaps), if it is exactly that run.
        `precision` is the arithmetic of training and prediction (empty: PAPERLIB_PRECISION, else
        auto, the device's own). Raises PaperlibError for an unknown size, data, device or
        precision, seeds that are no number, or an absent data folder.
        """
        self.size = size or os.environ.get("PAPERLIB_SIZE") or "smoke"
        self.data, self.jobs, self.progress, self.reuse = (
            data,
            jobs or os.cpu_count() or 1,
            progress,
            reuse,
        )
        # time.monotonic(), of the whole machine, at which a training stops at a checkpoint
        self.deadline = math.inf
        self.fabric = None  # lightning-fabric's, launched, where several GPUs train a run together
        self.folders = folders or Folders.here()
        self.runs = catalogue(self.size, data, seeds_wanted())
        self.trains = os.environ.get("PAPERLIB_TRAIN") != "no"
        self.wanted = device, precision or os.environ.get("PAPERLIB_PRECISION") or "auto"
        self.device = choose_device(device)
        self.precision = choose_precision(self.device, self.wanted[1])
        if self.device.type == "cpu":
            # one thread gives the same bits on every run; --jobs uses the other cores
            torch.set_num_threads(1)
        if data == "real" and not self.folders.data.is_dir():
            raise PaperlibError(
                f"{self.folders.data}: no such folder; set PAPERLIB_DATA to the folder of the "
                "data sets (paperlib data list names them)"
            )
        self.results = self.folders.results / f"{data}-{self.size}"
        self.kept = (self.folders.kept or self.folders.results) / self.results.name

    def __repr__(self) -> str:
        return f"Study(size={self.size!r}, data={self.data!r}, device={str(self.device)!r})"

    def varied(self, name: str, **codec) -> "Study":
        """This study with other settings of the codec of run `name`, such as sigma=2.0: what a
        parameter of a notebook asks for. Only that run is another one, and is trained."""
        other = copy.copy(self)
        run = self.runs[name]
        other.runs = self.runs | {name: replace(run, codec=replace(run.codec, **codec))}
        return other

    @functools.cached_property
    def root(self) -> Path:
        """The folder of the official files: the user's, or drawn people, written there first."""
        if self.data == "real":
            return self.folders.data
        scale = SCALES[self.size]
        folder = self.folders.runs / "drawn" / self.size
        silence = None if self.progress else lambda done, of: None
        side = max(scale.side, scale.fine_side)
        return make_synthetic(
            folder, scale.drawn, side=side, seed=0, jobs=self.jobs, progress=silence
        )

    @functools.cache  # noqa: B019 - a study lives as long as its process
    def people(self, dataset: str, split: str) -> People:
        """A data set's own people and joints: mpii train|valid, lsp train|test|rest|held-out, lspet
        train, flic train|valid, coco train|val."""
        home = self.root / dataset
        if dataset == "mpii" and self.data == "real" and not (home / "images").is_dir():
            home = self.root / "mpii-sports"
        if not labels_in(home, DATASETS[dataset].files, split):
            raise NotMeasured(f"{dataset.upper()} labels absent")
        people = DATASETS[dataset].load(home, split)
        if len(people) < FEWEST:
            raise NotMeasured(f"{dataset.upper()} images absent")
        return people

    def training_people(self, run: Run) -> People:
        """The people a run trains on, with its codec's joints: of "lsp-rest" LSP's split "rest",
        else the split "train". LSP-extended is taken where it is there; the others must be."""
        tables = []
        for name in run.train_on:
            dataset, _, split = name.partition("-")
            if dataset == "lspet" and not (self.root / "lspet").is_dir():
                continue
            tables.append(self.people(dataset, split or "train").to(run.codec.skeleton))
        people = concatenate(tables)
        if (
            "occlusion" in people.unstated
            and getattr(run.codec, "occluded", "include") != "include"
        ):
            raise NotMeasured("the labels do not say who is occluded")
        return people

    def test_people(self, dataset: str) -> People:
        """The people that a data set is measured on; of "lsp-held-out" LSP's split "held-out"."""
        dataset, _, split = dataset.partition("-")
        return self.people(dataset, split or DATASETS[dataset].test)

    def crops(self, people: People, codec: Codec) -> Crops:
        """Crops of people as the codec's network wants them; canvases are built on first use."""
        people = people.to(codec.skeleton)
        side = round(1.5 * max(codec.side, SCALES[self.size].side))
        return Crops(
            people,
            load_canvases(people, side, self.folders.runs / "canvases", self.jobs, self.progress),
            codec,
            self.device,
        )

    def test_crops(self, name: str, on: str = "") -> Crops:
        """The test people of `on` (default: the run's own test set) as run `name` sees them."""
        run = self._find(name)
        return self.crops(self.test_people(on or run.test_on), run.codec)

    def missing(self, name: str) -> str:
        """Why run `name` cannot be had on this data: '' if it can, else for example 'FLIC images
        absent'."""
        try:
            run = self._find(name)
            self.training_people(run), self.test_people(run.test_on)
            if not self.trains:
                return "" if self.found(name) else f"{name} not trained"
            return self.missing(run.start.name) if run.start else ""
        except NotMeasured as reason:
            return str(reason)

    @functools.cache  # noqa: B019
    def trained(self, name: str) -> Trained:
        """Run `name`, loaded from the cache or trained now with a progress bar. Raises NotMeasured
        if its data are absent.

        On a GPU that "auto" chose, and that has too little memory for the first steps, one line
        says so and the CPU trains it.
        """
        try:
            return self._trained(name)
        except OutOfMemory as error:
            begun = (self.folder_of(name) / "checkpoint.pt").exists()
            if self.wanted[0] != "auto" or self.device.type == "cpu" or begun:
                raise
            print(f"paperlib: {error}; the CPU trains it", file=sys.stderr)
            self.device = torch.device("cpu")
            self.precision = choose_precision(self.device, self.wanted[1])
            return self._trained(name)

    def _trained(self, name: str) -> Trained:
        run, folder = self._find(name), self.folder_of(name)
        if ready := self.weights_of(name):
            return load(run, ready, self.device)
        if not self.trains:
            raise NotMeasured(self.missing(name) or f"{name} not trained")
        crops = self.crops(self.training_people(run), run.codec)
        start = self.trained(run.start.name) if run.start else None
        session = Session(
            self.watch(run), self.progress, self.minutes_left(), self.precision, self.fabric
        )
        return train_or_load(run, crops, folder, start, session)

    def minutes_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic()) / 60

    def given(self, name: str) -> Path:
        """The folder of run `name`'s record, log and predictions: trained here, else, with `reuse`,
        kept with the results, else trained now.

        What is kept has the run's identity in its name, so it is never of another training.
        """
        return self.found(name) or self.trained(name).folder

    def weights_of(self, name: str) -> Path | None:
        """The folder of run `name`'s weights, if they are there without training: trained here,
        else kept with the results."""
        return next((home for home in self._homes(name) if is_cached(home)), None)

    def found(self, name: str) -> Path | None:
        """The folder of `given` if it is there without training, else None."""
        own, *kept = self._homes(name)
        there = [
            home
            for home in kept
            if (home / "record.json").is_file() and (home / "log.csv").is_file()
        ]
        return own if is_cached(own) else next(iter(there), None)

    def _homes(self, name: str) -> list[Path]:
        """Where run `name` may be, the runs folder first."""
        own = self.folder_of(name)
        kept = (self.kept, self.kept.with_name(f"{self.kept.name}-public")) if self.reuse else ()
        return [own, *(results / "runs" / own.name for results in kept)]

    def sources(self) -> str:
        """One line for a reader: which runs are trained here and which are as kept with the
        results."""
        if not self.reuse:
            return "Every run is trained here."
        names = {self.folder_of(name): name for name in self.runs if not self.missing(name)}
        kept = [
            home
            for folder, name in names.items()
            if (home := self.found(name)) not in (folder, None)
        ]
        if not kept:
            ready = sum(map(is_cached, names))
            return (
                f"Every run is trained here: {ready} of {len(names)} are, "
                "the others when they are asked for."
            )
        weighed = sum(map(is_cached, kept))
        return (
            f"{len(kept)} of {len(names)} runs come from results/{kept[0].parents[1].name}: "
            f"predictions, logs and records, and the weights of {weighed}. reuse=False, or "
            "`paperlib reproduce`, trains them all."
        )

    def log(self, name: str) -> pd.DataFrame:
        """How run `name` learned, a row a logged step: step, epoch, loss, rate, seconds, and what
        was watched."""
        return pd.read_csv(self.given(name) / "log.csv")

    def predict(
        self,
        name: str,
        on: str = "",
        flip: bool = True,
        scales: tuple[float, ...] = (1.0,),
        offset: bool = True,
    ) -> Prediction:
        """What run `name` says of the test people of `on` (default: the run's own test set), cached
        beside the run.

        Without `offset` the heatmaps are read at their arg-max alone, which is R's decoding,
        whatever the run's codec adds.
        """
        on = on or self._find(name).test_on
        cache, crops = file_name(on, flip, scales, offset), self.test_crops(name, on)
        people = crops.people.sha256()
        if found := read_prediction(self.given(name) / cache, people):
            return found
        trained, plain = (
            self.trained(name),
            RecurrentCodec(side=crops.codec.side, skeleton=crops.codec.skeleton, parts=False),
        )
        # points have no arg-max
        plain = crops.codec if isinstance(crops.codec, ErrorFeedbackCodec) else plain
        crops = crops if offset else crops.read_by(plain)
        found = as_kept(predict(trained.model, crops, flip, scales, self.precision, self.progress))
        if trained.folder == self.folder_of(name):  # what is kept with the results stays as it is
            write_whole(trained.folder / cache, prediction_bytes(found, people))
        return found

    def seeds(self, name: str) -> list[str]:
        """The names of run `name` and of its repeats with other seeds; where nothing is trained, of
        those that are there."""
        return [
            seed
            for seed in seeds_of(self.runs, self._find(name).name)
            if self.trains or not self.missing(seed)
        ]

    def records(self, *names: str) -> list[dict]:
        """The records of runs, for the provenance of what was made of them; runs that cannot be had
        are left out. `reused`: of a kept one.

        Raises PaperlibError for a record of another training: sizes and kinds of data are not
        mixed.
        """
        found = []
        for name in names:
            if self.missing(name):
                continue
            folder = self.given(name)
            record = read_record(folder)
            if record["spec"] != self.runs[name].spec():
                raise PaperlibError(
                    f"{folder / 'record.json'}: {name} was trained otherwise than at size "
                    f"{self.size} on {self.data} data; "
                    f"sizes and data are not mixed: delete {folder} to train it anew"
                )
            found.append(record | {"name": name, "reused": folder != self.folder_of(name)})
        return found

    def _find(self, name: str) -> Run:
        if name not in self.runs:
            near = difflib.get_close_matches(name, self.runs, n=3, cutoff=0.3)
            raise PaperlibError(
                f"run {name!r} is not in the catalogue; the nearest are "
                f"{', '.join(near) or ', '.join(self.runs)}"
            )
        return self.runs[name]

    @functools.cache  # noqa: B019
    def folder_of(self, name: str) -> Path:
        """Where run `name` is or will be: its name and its identity. Two names of one training
        share the first one's folder.

        Raises NotMeasured if its data are absent.
        """
        run = self._find(name)
        run = next(first for first in self.runs.values() if first.spec() == run.spec())
        made_of = files_sha256(self.training_people(run)) + (
            self.folder_of(run.start.name).name if run.start else ""
        )
        return (
            self.folders.runs / f"{self.data}-{self.size}" / f"{run.name}-{identity(run, made_of)}"
        )

    def watch(self, run: Run) -> Watch:
        """While a run trains: heatmap accuracy (FACTS C.7) and PCK of the first WATCHED test
        people, of a small set a fifth."""
        crops = self.test_crops(run.name)
        return watch_accuracy(crops, np.arange(min(WATCHED, max(FEWEST, len(crops) // 5))))
