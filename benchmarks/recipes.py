"""Trials of a recipe: short trainings that differ in one thing, scored on 200 people held out of
LSP train and never on LSP test.

    python benchmarks/recipes.py [TRIAL ...]     needs PAPERLIB_DATA; all trials if none is named

Each trial is night's `hourglass-lsp` for STEPS steps of 16, or for about as much of a processor
where its steps are dearer. An ending goes on from the first trial at a quarter of its rate.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from measuring import one_thread, write_rows
from torch import nn
from tqdm.auto import tqdm

from companion.measure.scores import Measured, measure
from companion.runs.catalogue import Run, catalogue
from companion.runs.study import Study
from paperlib.data.crops import Crops
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
    recipe = replace(run.recipe, steps=STEPS, log_every=50, watch_every=0)
    return replace(run, recipe=recipe, train_on=(*CLEAN, "lspet"), test_on=HELD_OUT)


def recipe(**changes) -> Change:
    return lambda run: replace(run, recipe=replace(run.recipe, **changes))


def sets(*names: str) -> Change:
    return lambda run: replace(run, train_on=names)


def side(px: int) -> Change:
    return lambda run: replace(run, codec=replace(run.codec, side=px))


def features(count: int) -> Change:
    def wider(run: Run) -> Run:
        options = dict(run.network.options) | {"features": count}
        return replace(run, network=replace(run.network, options=tuple(options.items())))

    return wider


def both(*changes: Change) -> Change:
    def changed(run: Run) -> Run:
        for change in changes:
            run = change(run)
        return run

    return changed


WHOLE: dict[str, Change] = {
    "as shipped": both(),
    "each set once": sets("lsp-rest", "mpii", "lspet"),
    "clean sets alone": sets(*CLEAN),
    "doubtful labels dropped": both(),
    "batches of 32": recipe(steps=STEPS // 2, batch=32),
    "twice as wide": both(features(128), recipe(steps=STEPS // 2)),
    "H's augmentation": recipe(augmentation="hourglass"),
}
ENDINGS: dict[str, Change] = {
    "ending: as before": both(),
    "ending: clean sets": sets(*CLEAN),
    "ending: 192 px": both(side(192), recipe(steps=round(ENDING * (128 / 192) ** 2))),
    "ending: mean of two": lambda run: replace(run, seed=1),
}


class Trials:
    """The trainings of one call; the first is made once."""

    def __init__(self):
        self.study = Study("night", "real", "cpu")
        self.begun: nn.Module | None = None

    def learn(self, run: Run, crops: Crops, start: nn.Module | None = None) -> nn.Module:
        torch.manual_seed(run.seed)
        model = run.network.build()
        if start:
            model.load_state_dict(start.state_dict())
        with tempfile.TemporaryDirectory() as folder:
            session = Session(precision=self.study.precision, title="trial")
            train(model, crops, run.recipe, run.seed, Path(folder), session)
        return model

    def first(self) -> nn.Module:
        if self.begun is None:
            self.begun = self.learn(run := first_run(), self.crops(run))
        return self.begun

    def crops(self, run: Run) -> Crops:
        return self.study.crops(self.study.training_people(run), run.codec)

    def whole(self, name: str) -> tuple[Run, nn.Module]:
        run = WHOLE[name](first_run())
        if name == "as shipped":
            return run, self.first()
        if name != "doubtful labels dropped":
            return run, self.learn(run, self.crops(run))
        people = self.study.training_people(run).select(self.believed(run))
        return run, self.learn(run, self.study.crops(people, run.codec))

    def ending(self, name: str) -> tuple[Run, nn.Module]:
        run = first_run()
        run = recipe(steps=ENDING, rate=run.recipe.rate / 4)(run)
        run = ENDINGS[name](run)
        model = self.learn(run, self.crops(run), self.first())
        if name == "ending: mean of two":
            other = replace(run, seed=0)
            average(model, self.learn(other, self.crops(other), self.first()))
        return run, model

    def believed(self, run: Run) -> np.ndarray:
        """Which rows of the training people stay: the clean sets, and of LSP-extended those whose
        loss under the first trial's network is not among the highest DROPPED."""
        crops, model, losses = self.crops(run), self.first().eval(), []
        with torch.inference_mode():
            extended = len(self.study.people("lspet", "train"))
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
    known = [*WHOLE, *ENDINGS]
    options.add_argument("trials", nargs="*", metavar="TRIAL", help=", ".join(known))
    wanted = options.parse_args().trials or known
    if unknown := set(wanted) - set(known):
        options.error(f"{', '.join(sorted(unknown))}: no such trial; there are {', '.join(known)}")
    one_thread()
    trials, measured, rows = Trials(), {}, []
    busy = time.process_time()
    trials.first()  # what goes on from it does not count its time
    for name in wanted:
        run, model = trials.whole(name) if name in WHOLE else trials.ending(name)
        minutes = (time.process_time() - busy) / 60
        found = measured[name] = trials.score(run, model)
        against = "ending: as before" if name in ENDINGS else "as shipped"
        row = {"trial": name, "steps": run.recipe.steps, "cpu_minutes": f"{minutes:.1f}"}
        row |= {"pck": f"{found.scores.total:.1f}"}
        if against in measured and name != against:
            gain, low, high = found.gain_over(measured[against])
            row |= {"over": against, "gain": f"{gain:+.1f}", "low": f"{low:+.1f}"}
            row |= {"high": f"{high:+.1f}"}
        rows.append(row)
        print(row, flush=True)
        busy = time.process_time()
    if len(wanted) == len(known):
        print(write_rows(rows, "recipes", "cpu", Path(__file__).parent))


if __name__ == "__main__":
    main()
