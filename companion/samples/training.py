"""One network watched from its first step: what it answers for one person as it learns."""

import io
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from companion.runs.study import Study
from paperlib.data.thumbnails import crop_images
from paperlib.people import VISIBLE
from paperlib.predict import heatmaps
from paperlib.train import LOSS, Session, train
from paperlib.validation import LIMBS, watch_accuracy
from paperlib.writing import write_whole

STEPS, LOOKS, WATCHED = 100, 10, 48  # of the short training that a reader can watch


def watch_it_learn(
    study: Study, again: bool = False, looked: Callable[[dict], None] | None = None
) -> dict[str, np.ndarray]:
    """The numbers of `learning`: the network of run "recurrent" trained from nothing for STEPS
    steps, looked at LOOKS times on the way.

    Kept beside the run and trained once, unless `again`; a study that is only read takes those of
    the figure that came with the results, if they are `of` this very run. While it trains, `looked`
    is called with the numbers so far. The loss and PCKh are of the first WATCHED test people; the
    heatmap, of the last site, is of a visible wrist, elbow, knee or ankle of the one with the most
    visible joints.
    """
    if not again and (kept := _kept(study)):
        return kept
    run, seen = study.runs["recurrent"], _Seen(study, looked)
    torch.manual_seed(run.seed)
    model = run.network.build()
    seen(model.to(study.device).eval())
    recipe = replace(run.recipe, steps=STEPS, log_every=STEPS // LOOKS, watch_every=STEPS // LOOKS)
    with tempfile.TemporaryDirectory() as folder:
        train(
            model,
            study.crops(study.training_people(run), run.codec),
            recipe,
            run.seed,
            Path(folder),
            Session(seen, progress=False),
        )
    content = io.BytesIO()
    np.savez_compressed(content, **seen.numbers())
    write_whole(_beside_the_run(study), content.getvalue())
    return seen.numbers()


def _beside_the_run(study: Study) -> Path:
    return study.folder_of("recurrent") / f"learning-{STEPS}.npz"


def _kept(study: Study) -> dict[str, np.ndarray] | None:
    """What was seen of this very run before: beside it, or, for a study that is read, in the figure
    that came with the results."""
    for home in (
        _beside_the_run(study),
        *([study.kept / "figures" / "03-learning.npz"] if study.reuse else []),
    ):
        numbers = dict(np.load(home, allow_pickle=False)) if home.exists() else {}
        if (
            str(numbers.get("of")) == study.folder_of("recurrent").name
            and numbers["step"][-1] == STEPS
        ):
            return numbers
    return None


class _Seen:
    """What is seen of a network each time that it is looked at: a Watch of `paperlib.train`."""

    def __init__(self, study: Study, looked: Callable[[dict], None] | None):
        self.crops, self.looked, self.rows = study.test_crops("recurrent"), looked, []
        self.of = study.folder_of("recurrent").name
        people = np.arange(min(WATCHED, len(self.crops)))
        self.batch, self.accuracy = self.crops.batch(people), watch_accuracy(self.crops, people)
        limbs = [self.crops.codec.skeleton.index(joint) for joint in LIMBS]
        visible = self.crops.people.state[people] == VISIBLE
        self.person = int(visible.sum(axis=1).argmax())
        # the first that is visible
        self.joint = max(limbs, key=lambda joint: visible[self.person, joint])

    def __call__(self, model: nn.Module) -> dict[str, float]:
        codec, batch = self.crops.codec, self.batch
        sites = heatmaps(model, codec, batch.images, flip=False)
        loss = LOSS[type(codec)](
            sites, lambda side: codec.encode(batch.joints, batch.state, side)
        ).item()
        heat, found = (
            sites[-1][self.person, self.joint],
            codec.decode(sites[-1])[0][self.person, self.joint],
        )
        watched = self.accuracy(model)
        row = {
            "loss": loss,
            "pckh": watched["pck"],
            "maps": heat.cpu().numpy().astype(np.float16),
            "found": found.cpu().numpy(),
        }
        self.rows.append(row)
        if self.looked:
            self.looked(self.numbers())
        return watched

    def numbers(self) -> dict[str, np.ndarray]:
        image, points = (
            crop_images(self.batch)[self.person],
            self.batch.joints[self.person, self.joint].cpu().numpy(),
        )
        return {name: np.stack([row[name] for row in self.rows]) for name in self.rows[0]} | {
            "step": np.arange(len(self.rows)) * (STEPS // LOOKS),
            "image": image,
            "truth": points,
            "joint": np.array(self.crops.codec.skeleton.joints[self.joint].replace("_", " ")),
            "people": np.array(len(self.batch.images)),
            "of": np.array(self.of),
        }
