"""Shipping: a cached run becomes weights of the package, with a record of how good they are and of
what their peaks mean.

    paperlib train hourglass-lsp-clean --size night --data real   trains what is shipped
    python -m tools.ship_weights hourglass-lsp-clean              ships it as hourglass-lsp
    python -m tools.ship_weights                                  measures all shipped weights anew

Everything in the record is measured as `paperlib predict` works, on the 16-bit weights: three
scales and the mirrored image averaged, fp32.
"""

import json
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from scipy.optimize import minimize
from tqdm.auto import tqdm

from companion.drawn.backdrop import develop, new_canvas
from companion.measure.scores import measure
from companion.runs.catalogue import Run
from companion.runs.study import Study
from companion.runs.train_or_load import Trained
from paperlib import PaperlibError
from paperlib.data.images import read_image
from paperlib.models import parameters
from paperlib.people import ABSENT, VISIBLE, People
from paperlib.photograph import SCALES, people_in, see
from paperlib.skeleton import joint_map
from paperlib.weights import SHIPPED, Weights, load_weights, save_weights, shipped
from paperlib.writing import write_whole

LICENCE = (
    "The training data (MPII, Leeds Sports Pose and its extension) are for research "
    "use; these weights, numbers learnt from them, "
    "are offered for research and teaching only. The code is MIT."
)
INTENDED = (
    "To show what the two papers' networks do on a photograph. Trained mostly on "
    "people in sports, photographed before 2014; "
    "not to be used to judge, identify or watch people."
)
WHOLE = "official convention, person-centric labels, the whole image as crop"
MEASURES = {
    "lsp": ("PCK@0.2", "LSP test", WHOLE),
    "mpii": ("PCKh@0.5", "MPII validation", "official convention, labelled centre and scale"),
}


def ship(
    study: Study, trained: Trained, kind: str, hours: float = 0, folder: Path = SHIPPED
) -> Path:
    """Write the weights of `trained` and their record into `folder`, measured on `study`'s test
    people. `hours` of a processor went into them (0: as long as the training took). The record
    remembers what its predecessor in `folder` reached. Returns the record's path."""
    run, known = trained.run, dict(trained.record)
    name = shipped_as(run)
    for key in ("name", "left_out", "mathematics"):
        known.pop(key, None)
    record = {
        "name": name,
        "kind": kind,
        **learnt_from(study, run),
        # the record of the last training, in 32 bits; people count as often as they occur
        "run": known,
        "hours": round(hours or known["seconds"] / 3600, 2),
        "earlier": earlier(folder / f"{name}.json"),
        "licence": LICENCE,
        "intended_use": INTENDED,
    }
    options = dict(run.network.options)
    with tempfile.TemporaryDirectory() as aside:  # measuring takes minutes and may be stopped
        made = assess(study, save_weights(record, trained.model, run.codec, options, Path(aside)))
        for file in sorted(Path(aside).iterdir(), key=lambda file: file == made):
            write_whole(folder / file.name, file.read_bytes())
    return folder / made.name


def trainings(run: Run) -> list[Run]:
    """`run` and those that it goes on from, the first one first."""
    return [*trainings(run.start), run] if run.start else [run]


def shipped_as(run: Run) -> str:
    """The name of the weights: of the first of their trainings, without "-longer"."""
    return trainings(run)[0].name.removesuffix("-longer")


def learnt_from(study: Study, run: Run) -> dict:
    """Of all its trainings: `people` and, a training each, the steps and how often an epoch has
    each person of a data set."""
    stages = [
        {"train_on": dict(Counter(one.train_on)), "steps": one.recipe.steps}
        for one in trainings(run)
    ]
    sets = tuple(dict.fromkeys(name for stage in stages for name in stage["train_on"]))
    return {"stages": stages, "people": len(study.training_people(replace(run, train_on=sets)))}


def earlier(path: Path) -> list[dict]:
    """What the weights before those to come reached, the oldest first, from the record that is
    replaced."""
    if not path.exists():
        return []
    record = json.loads(path.read_text())
    scores = [
        {key: one[key] for key in ("measure", "total", "interval")} for one in record["scores"]
    ]
    reached = {
        "parameters": parameters(load_weights(path).model),
        "side": record["codec"]["options"]["side"],
        "hours": record["hours"],
        "precision": record["run"]["precision"],
        "scores": scores,
    }
    return [*record["earlier"], reached]


def assess(study: Study, path: Path) -> Path:
    """Measure the weights of record `path` on `study`'s test people, and write into the record how
    good they are and what a peak means."""
    weights = load_weights(path, study.device)
    looks = {name: _look(weights, study.test_people(name), study.progress) for name in MEASURES}
    state = study.test_people("mpii").to(weights.codec.skeleton).state
    means = np.concatenate([confidence.mean(axis=1) for _, confidence in looks.values()])
    record = json.loads(path.read_text()) | {
        "scores": [_score(study, weights, name, points) for name, (points, _) in looks.items()],
        "visibility": fit_visibility(looks["mpii"][1], state),
        "no_person": no_person(weights, means),
    }
    write_whole(path, json.dumps(record, indent=1) + "\n")
    return path


def _look(weights: Weights, people: People, progress: bool) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, J, 2) and confidences (N, J) of everybody, each in a photograph of its own."""
    mapped, found = people.to(weights.codec.skeleton), []
    told = f"{weights.name} looks at photographs"
    for i in tqdm(range(len(people)), desc=told, disable=not progress, mininterval=2):
        found.append(see(weights, read_image(people.image[i]), mapped.select(slice(i, i + 1))))
    points, confidence = map(np.concatenate, zip(*found, strict=True))
    return points, confidence


def _score(study: Study, weights: Weights, dataset: str, points: np.ndarray) -> dict:
    people = study.test_people(dataset)
    mapped = points[:, joint_map(weights.codec.skeleton, people.skeleton)]
    measured = measure(mapped, people, dataset)
    name, where, how = MEASURES[dataset]
    return {
        "measure": name,
        "on": f"{len(people)} people of {where}",
        "how": how,
        "averaged_over": f"scales {', '.join(map(str, SCALES))} and the mirrored image",
        "total": measured.scores.total,
        "interval": list(measured.interval()),
        "groups": measured.scores.groups,
        "people": len(people),
    }


def fit_visibility(confidence: np.ndarray, state: np.ndarray) -> dict:
    """A logistic fit of P(an annotator marked the joint as visible | confidence), both (N, J), over
    all joints; absent ones count as not visible.

    "brier" is the mean squared error on the odd people of a fit on the even ones, "brier_of_share"
    that of always saying the share of visible joints.
    """
    seen = (state == VISIBLE).astype(float)
    intercept, slope = _logistic(confidence[::2], seen[::2])
    held_out = 1 / (1 + np.exp(-(intercept + slope * confidence[1::2])))
    intercept, slope = _logistic(confidence, seen)
    return {
        "intercept": float(intercept),
        "slope": float(slope),
        "on": f"{len(state)} people of MPII validation, {int((state != ABSENT).sum())} "
        f"annotated joints of {state.size}",
        "share": float(seen.mean()),
        "brier": float(((held_out - seen[1::2]) ** 2).mean()),
        "brier_of_share": float(((seen[::2].mean() - seen[1::2]) ** 2).mean()),
    }


def _logistic(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    sign = 1 - 2 * y
    loss = lambda line: np.logaddexp(0, sign * (line[0] + line[1] * x)).mean()  # noqa: E731
    return minimize(loss, np.zeros(2)).x


def no_person(weights: Weights, people: np.ndarray) -> dict:
    """The mean confidence below which a picture is said to show nobody: all but 1 % of the held-out
    `people` (N,) have more.

    "empty_below" is how many of pictures without people, drawn here, are so recognised.
    """
    least = float(np.quantile(people, 0.01))
    shares = {}
    for kind, pictures in empty_pictures().items():
        nobody = people_in(weights.codec.skeleton, pictures[0].shape[1::-1])
        means = [see(weights, picture, nobody)[1].mean() for picture in pictures]
        shares[kind] = float((np.array(means) < least).mean())
    on = f"{len(people)} held-out people"
    return {"below": least, "people_below": 0.01, "empty_below": shares, "on": on}


def empty_pictures(count: int = 100) -> dict[str, list[np.ndarray]]:
    """Pictures without people (200, 150, 3) uint8: uniform, noise from fine to coarse, and the
    drawn people's backgrounds."""
    rng = np.random.default_rng(0)

    def uniform() -> np.ndarray:
        return np.full((200, 150, 3), rng.integers(0, 256, 3), np.uint8)

    def noise(cells: int) -> np.ndarray:
        coarse = rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8)
        return cv2.resize(coarse, (150, 200), interpolation=cv2.INTER_CUBIC)

    def backdrop() -> np.ndarray:
        horizon, feet = rng.uniform(60, 120), rng.uniform(160, 220)
        return develop(new_canvas(rng, 150, 200, horizon, feet), rng)

    return {
        "uniform": [uniform() for _ in range(count)],
        "noise": [noise(int(cells)) for cells in np.geomspace(4, 150, count)],
        "drawn background": [backdrop() for _ in range(count)],
    }


def main(
    run: Annotated[
        str, typer.Argument(help="a run of the catalogue; none: measure all shipped weights anew")
    ] = "",
    size: str = "night",
    hours: Annotated[float, typer.Option(help="of a processor; 0: as long as it took")] = 0,
) -> None:
    """Ship a cached run, or measure what is shipped anew; needs the official data
    (PAPERLIB_DATA)."""
    study = Study(size, "real")
    if not run:
        for path in shipped().values():
            print(assess(study, path))
        return
    trained = study.trained(run)
    kind = f"{size} run" if shipped_as(trained.run) == run else "trained longer than a night's run"
    print(ship(study, trained, f"{kind}, on photographs", hours))


if __name__ == "__main__":
    try:
        typer.run(main)
    except PaperlibError as error:
        sys.exit(f"paperlib: {error}")
