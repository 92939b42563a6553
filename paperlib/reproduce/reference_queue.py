"""The reference runs: results/reference.toml is the queue, results/reference.json what came of it, and results/REFERENCE.md shows both."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from paperlib import PaperlibError
from paperlib.reproduce.catalogue import Run, catalogue, first_of
from paperlib.reproduce.plan import compute
from paperlib.reproduce.plan import seconds as by_plan
from paperlib.writing import write_whole

START, END = "<!-- the queue: paperlib.reproduce.reference writes it -->", "<!-- end of the queue -->"
FASTEST = 0.4 * 790_000  # GFLOP/s of an H200: 40 % of what its large bf16 matrix products reach
GPU = "H200"  # what the minutes are of
SEEDS = 3  # as many as an item has at most
TIMED_OUT = 124
KINDS = ("runs", "commands", "paces")
NAMES = {"lsp": "LSP", "mpii": "MPII", "flic": "FLIC", "lsp-held-out": "LSP held out"}


@dataclass(frozen=True)
class Item:
    """What is done at one go: runs of the catalogue with `seeds` seeds, or commands."""

    id: str
    what: str
    size: str = ""
    data: str = ""
    runs: tuple[str, ...] = ()
    seeds: int = 1
    commands: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()  # files that the commands leave, as patterns from the root of the checkout
    minutes: float = 0.0  # of the commands; those of runs are computed

    @property
    def wanted(self) -> dict[str, Run]:
        """The runs by name, each after the one it starts from; the first seed of all of them comes first."""
        known = catalogue(self.size, self.data, self.seeds) if self.runs else {}
        first = [run for name in self.runs for run in (known[name].start, known[name]) if run]
        every = [known[first_of(run.name) + (f"-seed{seed}" if seed else "")] for seed in range(self.seeds) for run in first]
        return {run.name: run for run in every}


def read_queue(path: Path) -> list[Item]:
    """The items of a .toml file, in order. Raises PaperlibError for a file that is no queue, and for a run that is not in the catalogue."""
    try:
        items = [
            Item(**{key: tuple(value) if isinstance(value, list) else value for key, value in row.items()})
            for row in tomllib.loads(path.read_text())["item"]
        ]
        for item in items:
            item.wanted  # noqa: B018 - its names are looked up
    except (OSError, KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise PaperlibError(f"{path}: not a queue of reference runs ({type(error).__name__}: {error}); mend the line it speaks of") from error
    if len({item.id for item in items}) < len(items):
        raise PaperlibError(f"{path}: two items have the same id; rename one")
    return items


def read_state(path: Path) -> dict:
    """{"runs": {"real-short/NAME": what is known of a finished run}, "commands": {id: what came of an item of commands}, "paces": {"real-short/NAME":
    steps a second of one that is not finished}}; empty without a file."""
    try:
        return {kind: {} for kind in KINDS} | (json.loads(path.read_text()) if path.exists() else {})
    except ValueError as error:
        raise PaperlibError(f"{path}: not JSON ({error}); take it from the last commit") from error


def write_state(path: Path, state: dict) -> None:
    write_whole(path, json.dumps({kind: dict(sorted(state[kind].items())) for kind in KINDS}, indent=1) + "\n")


def key_of(item: Item, name: str) -> str:
    return f"{item.data}-{item.size}/{name}"


def spec_sha256(run: Run) -> str:
    return hashlib.sha256(run.spec().encode()).hexdigest()[:16]


def is_known(item: Item, run: Run, state: dict) -> bool:
    """Whether the run, as the catalogue has it today, is among those that came back."""
    return state["runs"].get(key_of(item, run.name), {}).get("spec_sha256") == spec_sha256(run)


def left(item: Item, state: dict) -> list[Run]:
    return [run for run in item.wanted.values() if not is_known(item, run, state)]


def is_done(item: Item, state: dict) -> bool:
    """Commands that ran out of time are not; those that failed are, and the table says so."""
    return TIMED_OUT not in state["commands"].get(item.id, {"exit": [TIMED_OUT]})["exit"] if item.commands else not left(item, state)


def minutes(item: Item, state: dict) -> tuple[float, float]:
    """On an H200, at least and at most: of a run that was timed there, the same twice; else as runs of the same network have kept to the rule of
    `paperlib plan` there; with none of them FASTEST, and that rule. Both count three forward passes a step, two FLOP a multiply-add."""
    if item.commands:
        found = state["commands"].get(item.id, {"device": ""})
        return (found["seconds"] / 60,) * 2 if GPU in found["device"] and is_done(item, state) else (item.minutes, item.minutes)
    timed = _timed(state)
    times = [_seconds(item, run, timed) for run in item.wanted.values()]
    return sum(fast for fast, _ in times) / 60, sum(slow for _, slow in times) / 60


def _timed(state: dict) -> dict[str, tuple[Run, float]]:
    """Runs that were timed on the GPU, finished or not, by their keys, with the seconds that all their steps take."""
    timed = {}
    for key, found in (state["paces"] | state["runs"]).items():
        place, _, name = key.partition("/")
        data, _, size = place.partition("-")
        run = catalogue(size, data, SEEDS).get(name)
        if run and found["spec_sha256"] == spec_sha256(run) and GPU in found["device"]:
            timed[key] = run, found["seconds"] if "seconds" in found else run.recipe.steps / found["steps_a_second"]
    return timed


def _seconds(item: Item, run: Run, timed: dict[str, tuple[Run, float]]) -> tuple[float, float]:
    if (key := key_of(item, run.name)) in timed:
        return (timed[key][1],) * 2
    alike = [(other, took) for other, took in timed.values() if other.network.kind == run.network.kind and other.codec.side == run.codec.side]
    if alike:
        return (by_plan(run, "cuda") * sum(took for _, took in alike) / sum(by_plan(other, "cuda") for other, _ in alike),) * 2
    return compute(run) / FASTEST, by_plan(run, "cuda")


def table(items: list[Item], state: dict) -> str:
    """The queue in Markdown: a row an item, in order."""
    head = ["| # | item | what | minutes on an H200 | state | result |", "|---|---|---|---|---|---|"]
    rows = []
    for number, item in enumerate(items, 1):
        rows.append(f"| {number} | `{item.id}` | {item.what} | {_span(*minutes(item, state))} | {_state(item, state)} | {_result(item, state)} |")
    return "\n".join(head + rows)


def write_table(page: Path, items: list[Item], state: dict) -> None:
    """Put the table between its two marks in `page`. Raises PaperlibError where they are not there."""
    before, start, rest = page.read_text().partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise PaperlibError(f"{page}: '{START}' and '{END}' should stand in it; take it from the last commit")
    write_whole(page, f"{before}{START}\n{table(items, state)}\n{END}{after}")


def _span(fast: float, slow: float) -> str:
    """Minutes, '3 to 9'; '9' where both are, and 'under 1' instead of 0."""
    low, high = round(fast), round(slow)
    return f"{high or 'under 1'}" if low == high else f"{low or 'under 1'} to {high}"


def _state(item: Item, state: dict) -> str:
    if item.commands:
        found = state["commands"].get(item.id)
        return "to do" if found is None else "done" if not any(found["exit"]) else f"exit {', '.join(map(str, found['exit']))}"
    done = len(item.wanted) - len(left(item, state))
    return "done" if done == len(item.wanted) else f"{done} of {len(item.wanted)} runs" if done else "to do"


def _result(item: Item, state: dict) -> str:
    if item.commands:
        return state["commands"].get(item.id, {}).get("last", "").replace("|", "/")
    known = [run for run in item.wanted.values() if is_known(item, run, state)]
    return "; ".join(f"{run.name} {_scores(state['runs'][key_of(item, run.name)])}" for run in known)


def _scores(found: dict) -> str:
    best = {score["on"]: score for score in found["scores"]}  # the last way of averaging
    scores = [f"{NAMES[on]} {score['total']:.1f} [{score['low']:.1f}, {score['high']:.1f}]" for on, score in best.items()]
    return f"{', '.join(scores)} ({found['seconds'] / 60:.0f} min)"
