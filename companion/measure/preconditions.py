"""Whether a claim can be judged here at all: what its authors would insist on, checked against the
runs, and which of the paper's own conditions hold.

claims.toml names each claim's preconditions (`checks`) with the figure that is needed. Each is
measured here, from the networks, the logs and the people, and written into the ledger as
"epochs 0.43 (at least 2)", which `unmet` reads again.
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from companion.measure.finding import MEMBERS
from companion.measure.scores import baseline, measure_seeds
from companion.runs.catalogue import Network, Run, catalogue
from companion.runs.sizes import SCALES
from companion.runs.study import Study
from paperlib.models import StackedHourglass
from paperlib.models.complexity import parameters, receptive_field
from paperlib.people import ABSENT, OCCLUDED

CONDITIONS = ("network", "resolution", "recipe", "data")
ALL = "all"  # the paper's conditions, as a precondition
LSP_EXTENDED = 10_000  # people, of whom no size draws any
PAPER_SHARE = 0.95  # of the paper's training people, for its data to count as there

DEPTH = inspect.signature(StackedHourglass).parameters["depth"].default

Figure = float | str


def _epochs(study: Study, runs: list[str]) -> float:
    return min(float(study.log(run).epoch.iloc[-1]) for run in runs)


def _learned(study: Study, runs: list[str]) -> float:
    def above(run: str) -> float:
        totals = [one.scores.total for one in measure_seeds(study, run)]
        return float(np.mean(totals)) - baseline(study, run).scores.total

    return min(map(above, runs))


def _sight(study: Study, runs: list[str], passes: int) -> float:
    options = dict(study.runs[runs[0]].network.options) | {"iterations": passes, "width": 1}
    side = study.runs[runs[0]].codec.side
    return seen(tuple(options.items()), 2 * side // 4 * 4) / side


@functools.cache
def seen(options: tuple[tuple[str, object], ...], side: int) -> int:
    """Pixels that the answer of the recurrent network with these options depends on, at most
    `side`."""
    with torch.random.fork_rng():
        return receptive_field(Network("recurrent", options).build(), side)[-1]


def _cells(study: Study, runs: list[str]) -> float:
    return min(study.runs[run].codec.side // study.runs[run].codec.stride for run in runs)


def _bottom(study: Study, runs: list[str]) -> float:
    def cells(run: str) -> float:
        codec, options = study.runs[run].codec, dict(study.runs[run].network.options)
        return codec.side / codec.stride / 2 ** options.get("depth", DEPTH)

    return max(map(cells, runs))


def _capacity(study: Study, runs: list[str]) -> float:
    with torch.device("meta"):
        sizes = [parameters(study.runs[run].network.build()) for run in runs]
    return 100 * (max(sizes) / min(sizes) - 1)


def _occluded(study: Study, runs: list[str]) -> float:
    state = study.test_crops(runs[0]).people.state
    return 100 * float((state == OCCLUDED).sum() / max((state != ABSENT).sum(), 1))


def _absent(study: Study, runs: list[str]) -> float:
    state = study.test_crops(runs[0]).people.state
    return min(100 * float((state[:, MEMBERS[of]] == ABSENT).mean()) for of in ("knee", "ankle"))


def _easier(study: Study, runs: list[str]) -> float:
    def found(group: str) -> float:
        people = measure_seeds(study, runs[-1])
        return float(np.mean([one.scores.groups[group] for one in people]))

    return found("head") - found("ankle")


def _settled(study: Study, runs: list[str]) -> float:
    log = study.log(runs[0])
    watched = log.dropna(subset="pck")
    before = watched[watched.step <= 5 / 6 * log.step.iloc[-1]]
    return float(watched.pck.iloc[-1] - before.pck.iloc[-1]) if len(before) else np.inf


def _optimizer(study: Study, runs: list[str]) -> str:
    return study.runs[runs[0]].recipe.optimizer


def _heads(study: Study, runs: list[str]) -> str:
    with torch.device("meta"):
        return "ReLU" if study.runs[runs[0]].network.build().relu_heads else "linear"


class Check(NamedTuple):
    """A precondition: how the figure found is compared with the one needed, how it is measured of
    the runs, and what is said where it does not hold."""

    how: str  # at least, at most, is, not
    measure: Callable[[Study, list[str]], Figure]
    otherwise: str


CHECKS = {
    "size": Check(
        "not",
        lambda study, runs: study.size,
        "size {found} tests the machinery, its numbers mean nothing",
    ),
    "epochs": Check(
        "at least", _epochs, "the networks saw their people {found} times, not {needed}"
    ),
    "learned": Check(
        "at least",
        _learned,
        "the weakest network's PCKh is {found} points above the mean pose's, not {needed}",
    ),
    "context": Check(
        "at most",
        lambda study, runs: _sight(study, runs, 0),
        "without an iteration the answer sees {found} of the crop already, not at most {needed}: "
        "iterations cannot add context",
    ),
    "whole": Check(
        "at least",
        lambda study, runs: _sight(study, runs, 1),
        "after one iteration the answer sees {found} of the crop, not {needed}: a second still "
        "adds context",
    ),
    "cells": Check("at least", _cells, "heatmaps have {found} cells to a side, not {needed}"),
    "bottom": Check(
        "at most",
        _bottom,
        "an hourglass's smallest maps have {found} cells to a side, not at most {needed}: it does "
        "not see the whole",
    ),
    "capacity": Check(
        "at most", _capacity, "the networks' capacities are {found} % apart, not at most {needed}"
    ),
    "occluded": Check(
        "at least", _occluded, "{found} % of the joints measured are hidden, not {needed}"
    ),
    "absent": Check(
        "at least", _absent, "{found} % of the knees or ankles have no annotation, not {needed}"
    ),
    "easier": Check(
        "at least",
        _easier,
        "without iterations heads are found {found} points more often than ankles, not {needed}: "
        "they are not the easy joints here",
    ),
    "settled": Check(
        "at most",
        _settled,
        "PCKh rose by {found} points over the last sixth of the training, not at most {needed}: "
        "it had not settled",
    ),
    "optimizer": Check(
        "is",
        _optimizer,
        "trained by {found}, not by {needed}: the collapse is one of plain gradient steps",
    ),
    "heads": Check(
        "is",
        _heads,
        "prediction layers are {found}, not {needed}: only a head that is cut off at zero stays "
        "there",
    ),
    "paper": Check(
        "is",
        lambda study, runs: ALL if all_hold(conditions(study, runs)) else "some",
        "its figure is absolute: only the paper's own network, resolution, recipe and data can "
        "meet it",
    ),
}
EVERYWHERE = {"size": "tiny"}  # what every claim on trained networks must not be


def preconditions(study: Study, claim: dict, runs: list[str]) -> str:
    """Each precondition of a claim on `runs`, measured: "epochs 0.43 (at least 2); ..."."""
    asked = EVERYWHERE | claim.get("checks", {})
    return "; ".join(
        f"{name} {_figure(CHECKS[name].measure(study, runs))} "
        f"({CHECKS[name].how} {_figure(needed)})"
        for name, needed in asked.items()
    )


def unmet(written: str) -> list[str]:
    """What does not hold of written preconditions, a reason each."""
    return [
        CHECKS[name].otherwise.format(found=found, needed=needed)
        for name, found, how, needed in _read(written)
        if not _met(found, how, needed)
    ]


def checked_as_asked(written: str, claim: dict, trained: bool) -> bool:
    """Whether written preconditions are those that the claim asks for, with the figures that it
    needs; only claims on trained networks have any."""
    asked = EVERYWHERE | claim.get("checks", {}) if trained else {}
    wanted = [(name, CHECKS[name].how, _figure(needed)) for name, needed in asked.items()]
    return [(name, how, needed) for name, _, how, needed in _read(written)] == wanted


def _read(written: str) -> list[tuple[str, str, str, str]]:
    return re.findall(r"(\w+) (\S+) \((at least|at most|is|not) (\S+)\)", written)


def _met(found: str, how: str, needed: str) -> bool:
    if how in ("is", "not"):
        return (found == needed) == (how == "is")
    return float(found) >= float(needed) if how == "at least" else float(found) <= float(needed)


def _figure(value: Figure) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def conditions(study: Study, runs: list[str]) -> str:
    """Which of the paper's conditions hold for these runs: "network no, resolution no, ..."."""
    papers = catalogue("paper", "real")
    pairs = [(study.runs[run], papers.get(run.removesuffix("-fine"))) for run in runs]
    held = {
        "network": all(paper and run.network == paper.network for run, paper in pairs),
        "resolution": all(paper and run.codec.side == paper.codec.side for run, paper in pairs),
        "recipe": all(paper and _recipe(run) == _recipe(paper) for run, paper in pairs),
        "data": study.data == "real" and all(_whole(study, run) for run, _ in pairs),
    }
    return ", ".join(f"{name} {'yes' if held[name] else 'no'}" for name in CONDITIONS)


def all_hold(written: str) -> bool:
    return written == ", ".join(f"{name} yes" for name in CONDITIONS)


def _recipe(run: Run) -> tuple:
    """How a run is trained, and on what targets; not how often one looks."""
    return replace(run.recipe, log_every=1, watch_every=1), replace(run.codec, side=256)


def _whole(study: Study, run: Run) -> bool:
    """Whether a run trains on as many people as the paper's."""
    drawn = SCALES["paper"].drawn
    wanted = sum(drawn.get(name, (LSP_EXTENDED,))[0] for name in run.train_on)
    return len(study.training_people(run)) >= PAPER_SHARE * wanted
