"""Trials of a recipe: short trainings that differ in one thing, scored on 200 people held out of
LSP train and never on LSP test.

    python benchmarks/recipes.py [TRIAL ...]     needs PAPERLIB_DATA; all trials if none is named

Each writes a row of recipes-DEVICE.csv, in the place of its row there; what it is compared with is
always run before it.

Each trial is night's `hourglass-lsp` for STEPS steps of 16, or for about as much of a processor
where its steps are dearer. An ending goes on from the first trial at a quarter of its rate.
"""

import argparse
import functools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from measuring import one_thread, write_rows
from torch import nn
from tqdm.auto import tqdm

from companion.measure.scores import Measured, measure
from companion.runs.catalogue import Run, catalogue
from companion.runs.study import Study
from paperlib.predict import predict
from paperlib.skeleton import joint_map
from paperlib.train import Session, loss_on, train

STEPS, ENDING = 700, 140
CLEAN = ("lsp-rest",) * 5 + ("mpii",) * 3
DROPPED = 0.2  # of LSP-extended's people: those whose labels the first trial believes least
HELD_OUT = "lsp-held-out"

Change = Callable[[Run], Run]


def first_run() -> Run:
    run = catalogue("night", "real")["hourglass-lsp"]
    short = replace(run.recipe, steps=STEPS, log_every=50, watch_every=0)
    return replace(run, recipe=short, train_on=(*CLEAN, "lspet"), test_on=HELD_OUT)


def recipe(**changes) -> Change:
    return lambda run: replace(run, recipe=replace(run.recipe, **changes))


def sets(*names: str) -> Change:
    return lambda run: replace(run, train_on=names)


def twice_as_wide(run: Run) -> Run:
    options = dict(run.network.options) | {"features": 128}
    network = replace(run.network, options=tuple(options.items()))
    return recipe(steps=STEPS // 2)(replace(run, network=network))


def at_192_px(run: Run) -> Run:
    fewer = recipe(steps=round(ENDING * (128 / 192) ** 2))
    return fewer(replace(run, codec=replace(run.codec, side=192)))


@dataclass(frozen=True)
class Trial:
    """What the first run becomes; an ending goes on from it, with another seed and averaged with
    that of the first seed where it is a `mean`."""

    change: Change = lambda run: run
    ending: bool = False
    drops: bool = False  # LSP-extended's people whose labels the first trial believes least
    mean: bool = False


FIRST, ENDS = "as night's", "ending: as before"  # what the others are compared with
TRIALS = {
    FIRST: Trial(),
    "each set once": Trial(sets("lsp-rest", "mpii", "lspet")),
    "clean sets alone": Trial(sets(*CLEAN)),
    "doubtful labels dropped": Trial(drops=True),
    "batches of 32": Trial(recipe(steps=STEPS // 2, batch=32)),
    "twice as wide": Trial(twice_as_wide),
    "H's augmentation": Trial(recipe(augmentation="hourglass")),
    ENDS: Trial(ending=True),
    "ending: clean sets": Trial(sets(*CLEAN), ending=True),
    "ending: 192 px": Trial(at_192_px, ending=True),
    "ending: mean of two": Trial(ending=True, mean=True),
}


class Trials:
    """The trainings of one call; the first is made once."""

    def __init__(self):
        self.study = Study("night", "real", "cpu")

    @functools.cached_property
    def first(self) -> nn.Module:
        return self.learn(first_run())

    def run(self, name: str) -> tuple[Run, nn.Module]:
        """The run of a trial and its network, trained now."""
        trial, run = TRIALS[name], first_run()
        if name == FIRST:
            return run, self.first
        if not trial.ending:
            run = trial.change(run)
            return run, self.learn(run, believed=trial.drops)
        run = trial.change(recipe(steps=ENDING, rate=run.recipe.rate / 4)(run))
        model = self.learn(run, self.first)
        if trial.mean:
            average(model, self.learn(replace(run, seed=1), self.first))
        return run, model

    def learn(self, run: Run, start: nn.Module | None = None, believed: bool = False) -> nn.Module:
        people = self.study.training_people(run)
        people = people.select(self.believed(run)) if believed else people
        torch.manual_seed(run.seed)
        model = run.network.build()
        if start:
            model.load_state_dict(start.state_dict())
        with tempfile.TemporaryDirectory() as folder:
            session = Session(precision=self.study.precision, title="trial")
            crops = self.study.crops(people, run.codec)
            train(model, crops, run.recipe, run.seed, Path(folder), session)
        return model

    def believed(self, run: Run) -> np.ndarray:
        """Which rows of the training people stay: the clean sets, and of LSP-extended those whose
        loss under the first trial's network is not among the highest DROPPED."""
        crops = self.study.crops(self.study.training_people(run), run.codec)
        extended, losses = len(self.study.people("lspet", "train")), []
        model = self.first.eval()
        with torch.inference_mode():
            for row in tqdm(range(len(crops) - extended, len(crops)), desc="labels", mininterval=2):
                loss = loss_on(model, run.codec, crops.batch(np.array([row])), self.study.precision)
                losses.append(float(loss))
        keep = np.ones(len(crops), bool)
        keep[-extended:] = losses <= np.quantile(losses, 1 - DROPPED)
        return keep

    def score(self, run: Run, model: nn.Module) -> Measured:
        people = self.study.test_people(HELD_OUT)
        crops = self.study.crops(people, run.codec)
        found = predict(model.eval(), crops, precision=self.study.precision, progress=False)
        points = found.points[-1][:, joint_map(run.codec.skeleton, people.skeleton)]
        return measure(points, crops.people.to(people.skeleton), HELD_OUT)


def average(model: nn.Module, other: nn.Module) -> None:
    """Give `model` the mean of its weights and another's."""
    theirs = other.state_dict()
    mean = lambda name, mine: mine.lerp(theirs[name].to(mine), 0.5)  # noqa: E731
    ours = model.state_dict()
    model.load_state_dict(
        {name: mean(name, one) if one.is_floating_point() else one for name, one in ours.items()}
    )


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("trials", nargs="*", metavar="TRIAL", help=", ".join(TRIALS))
    wanted = options.parse_args().trials or list(TRIALS)
    if unknown := set(wanted) - set(TRIALS):
        options.error(f"{', '.join(sorted(unknown))}: no such trial; there are {', '.join(TRIALS)}")
    against = {name: ENDS if trial.ending else FIRST for name, trial in TRIALS.items()}
    wanted = list(dict.fromkeys(one for name in wanted for one in (against[name], name)))
    one_thread()
    trials, measured, rows = Trials(), {}, []
    busy = time.process_time()
    _ = trials.first  # what goes on from it does not count its time
    for name in wanted:
        run, model = trials.run(name)
        minutes = (time.process_time() - busy) / 60
        found = measured[name] = trials.score(run, model)
        row = {"trial": name, "steps": run.recipe.steps, "cpu_minutes": f"{minutes:.1f}"}
        row |= {"pck": f"{found.scores.total:.1f}"}
        if name != against[name]:
            gain, low, high = found.gain_over(measured[against[name]])
            row |= {"over": against[name], "gain": f"{gain:+.1f}", "low": f"{low:+.1f}"}
            row |= {"high": f"{high:+.1f}"}
        rows.append(row)
        print(row, flush=True)
        print(write_rows(rows, "recipes", "cpu", Path(__file__).parent, key="trial"))
        busy = time.process_time()


if __name__ == "__main__":
    main()
