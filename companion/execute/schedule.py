"""paperlib reproduce: the notebooks in order, their runs trained side by side first, one thread
each, under one progress bar.

A notebook that is read trains its own runs side by side in the same way: `train_side_by_side`. It
executes no notebooks, so `companion.execute.notebooks`, which is slow to import, is imported in the
functions that do.
"""

import copy
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm.auto import tqdm

from companion.artifacts.artifacts import provenance_of, save_run
from companion.execute.plan import plan, seconds_ahead
from companion.runs.notebook_index import artifacts_of, choose, runs_of
from companion.runs.study import Study
from companion.runs.train_or_load import is_cached, progress_of
from paperlib import PaperlibError
from paperlib.train import OutOfTime
from paperlib.writing import check_writable

NOTEBOOK_SECONDS = 15  # what a notebook takes besides training, until the first one has been timed
SURE = 20  # seconds of training after which its own speed counts, and no longer the planned one
WORTH = 20  # seconds of training that are worth starting processes for
GOES_ON = "what is done is kept, and the same command goes on from here"


@dataclass
class Task:
    """A run to train or a notebook to execute, and what must be there first."""

    name: str
    kind: str  # "run" or "notebook"
    seconds: float
    needs: tuple[str, ...]
    folder: Path | None = None  # of a run, to read its progress from
    steps: int = 0
    first: int = 0  # the step that a training goes on from
    started: float = 0.0  # time.monotonic()
    took: float = 0.0  # s, once it is done

    @property
    def share(self) -> float:
        """How much of the work ahead a running training has done, 0..1."""
        if self.kind != "run":
            return 0.0
        return (progress_of(self.folder) - self.first) / max(1, self.steps - self.first)


def reproduce(
    study: Study, only: str = "", parameters: dict | None = None, jobs: int = 2, force: bool = False
) -> dict[str, str]:
    """Run the chosen notebooks and everything they need; returns what became of each: 'made' or
    'cached'.

    Whatever was finished before an interrupt stays, and the next call goes on from there. Raises
    OutOfTime once the study's deadline is over: trainings have stopped at a checkpoint, and a
    notebook whose runs are not trained has not been started.
    """
    from companion.execute import notebooks

    chosen = choose(only)
    parameters = _parameters(study) | (parameters or {})
    for name in chosen:
        notebooks.check_parameters(name, parameters)
    for name in ("runs", "results"):  # before an hour of training, not after it
        way_out = f"PAPERLIB_{name.upper()} names another folder"
        check_writable(getattr(study.folders, name), way_out)
    print(f"{study.data} people at size {study.size}; results go to {study.results}", flush=True)
    for name in ("data", "runs", "results"):  # a notebook's kernel runs in another folder
        os.environ[f"PAPERLIB_{name.upper()}"] = str(getattr(study.folders, name))
    os.environ["PAPERLIB_PRECISION"] = study.precision
    tasks, keys, fate = _tasks(study, plan(study), chosen, parameters, force)
    done = _work(tasks, study, jobs, parameters, keys) if tasks else set()
    needed = dict.fromkeys(run for name in chosen for run in runs_of(name, study.runs))
    for run in _with_starts(study, needed):
        if not study.missing(run) and is_cached(study.folder_of(run)):
            save_run(study, run)
    if len(done) < len(tasks):
        raise OutOfTime(_so_far(tasks, done))
    return fate | {task.name: "made" for task in tasks if task.kind == "notebook"}


def notebooks_left(
    study: Study, planned: list[dict], only: str = "", force: bool = False
) -> list[str]:
    """The notebooks that `reproduce` would execute; `planned` are the rows of `plan`."""
    tasks, _, _ = _tasks(study, planned, choose(only), _parameters(study), force)
    return [task.name for task in tasks if task.kind == "notebook"]


def _parameters(study: Study) -> dict[str, str]:
    """What a notebook is told of the study."""
    return {"size": study.size, "data": study.data, "device": str(study.device)}


def train_side_by_side(study: Study, *names: str) -> None:
    """Train the runs that are not trained yet side by side, one to a core; what takes seconds is
    left to be trained when it is asked for."""
    lacking = [name for name in names if not study.weights_of(name)]
    if not lacking:
        return
    chosen, rows = _with_starts(study, lacking), {}
    for name, seconds in seconds_ahead(study, chosen).items():
        cached = study.weights_of(name) is not None
        rows[name] = {"folder": study.folder_of(name), "seconds": seconds, "cached": cached}
    tasks = _trainings(study, chosen, rows, {})
    if len(tasks) > 1 and sum(task.seconds for task in tasks) > WORTH:
        _work(tasks, study, min(len(tasks), os.cpu_count() or 1))


def _tasks(
    study: Study, planned: list[dict], chosen: tuple[str, ...], parameters: dict, force: bool
) -> tuple[list[Task], dict[str, str], dict[str, str]]:
    """What is left to do, in the order in which it should start."""
    from companion.execute import notebooks

    rows = {row["run"]: row for row in planned}
    tasks, keys, fate = [], {}, {}
    seen = {}  # folder -> the task that fills it; two names of one training share it
    for name in chosen:
        needed = [run for run in runs_of(name, study.runs) if not rows[run]["missing"]]
        inputs = [f"{run} {rows[run]['folder'].name}" for run in needed]
        keys[name] = notebooks.stamp(name, parameters, inputs)
        there = not force and all(rows[run]["cached"] for run in needed)
        if there and notebooks.is_current(name, study.results, keys[name]):
            fate[name] = "cached"
            continue
        tasks += _trainings(study, _with_starts(study, needed), rows, seen)
        trained = [seen[rows[run]["folder"]] for run in needed if rows[run]["folder"] in seen]
        tasks.append(Task(name, "notebook", NOTEBOOK_SECONDS, tuple(dict.fromkeys(trained))))
    return tasks, keys, fate


def _trainings(
    study: Study, runs: list[str], rows: dict[str, dict], seen: dict[Path, str]
) -> list[Task]:
    """Of `runs` those still to be trained, with what `rows` say of their folder, cached and
    seconds, that are not in `seen`; notes them there."""
    tasks = []
    for run in runs:
        folder, start, needs = rows[run]["folder"], study.runs[run].start, ()
        if folder not in seen and not rows[run]["cached"]:
            if start and not rows[start.name]["cached"]:
                needs = (seen[rows[start.name]["folder"]],)
            steps = study.runs[run].recipe.steps, progress_of(folder)
            tasks.append(Task(run, "run", rows[run]["seconds"], needs, folder, *steps))
            seen[folder] = run
    return tasks


def _with_starts(study: Study, runs: Iterable[str]) -> list[str]:
    """`runs`, each once and after the run that its training goes on from."""
    chains = ((start.name, run) if (start := study.runs[run].start) else (run,) for run in runs)
    return list(dict.fromkeys(link for chain in chains for link in chain))


def _so_far(tasks: list[Task], done: set[str]) -> str:
    """What is made of `tasks` where the time was not enough for all of them."""
    told = []
    for kind, what in (("run", "runs are trained"), ("notebook", "notebooks made")):
        own = [task.name in done for task in tasks if task.kind == kind]
        told.append(f"{sum(own)} of {len(own)} {what}")
    return f"the minutes are over: {' and '.join(told)}; {GOES_ON}"


def _work(
    tasks: list[Task],
    study: Study,
    jobs: int,
    parameters: dict | None = None,
    keys: dict[str, str] | None = None,
) -> set[str]:
    """Start whatever can start, first things first, until all is done or the study's deadline is
    over; returns the names of what is done. The first failure stops what has not begun."""
    waiting, running, done, names = list(tasks), {}, set(), ""
    pool = ProcessPoolExecutor(
        jobs,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(), _for_workers(study)),
    )
    bar = tqdm(
        total=round(sum(task.seconds for task in tasks)),
        bar_format="{l_bar}{bar}| {elapsed}{postfix}",
        mininterval=1 if sys.stderr.isatty() else 20,
    )
    try:
        while running or (waiting and study.minutes_left() > 0):
            ready = [task for task in waiting if set(task.needs) <= done]
            # figures soon, and no long run alone at the end
            ready.sort(key=lambda task: (task.kind == "run", -task.seconds))
            free = jobs - len(running) if study.minutes_left() > 0 else 0
            for task in ready[:free]:
                waiting.remove(task)
                task.started = time.monotonic()
                running[_start(pool, task, study, parameters, keys)] = task
            names = ", ".join(task.name for task in running.values())
            finished, _ = wait(running, timeout=1, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                if isinstance(future.exception(), OutOfTime):  # it has stopped at a checkpoint
                    continue
                future.result()
                task.took = time.monotonic() - task.started
                done.add(task.name)
                if task.kind == "notebook":
                    after = _clock(bar.format_dict["elapsed"])
                    made = ", ".join(artifacts_of(task.name)) or "figures"
                    bar.write(f"{task.name} done after {after}: {made}")
            _show(bar, tasks, list(running.values()), done, jobs)
        return done
    except KeyboardInterrupt:
        raise PaperlibError(f"stopped; {GOES_ON}") from None
    except BrokenProcessPool:
        raise PaperlibError(_killed(pool, names)) from None
    finally:
        bar.close()
        for worker in list((pool._processes or {}).values()) if running else []:
            worker.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def _killed(pool: ProcessPoolExecutor, names: str) -> str:
    """What to say of a pool of which a worker process was killed while `names` were under way."""
    workers = list(pool._processes.values())
    pool.shutdown()  # it ends the others by SIGTERM, and then every exit code is known
    codes = [worker.exitcode for worker in workers]
    code = next((code for code in codes if code not in (None, 0, -signal.SIGTERM)), -signal.SIGTERM)
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return (
        f"a worker process {how} (for want of memory? --jobs 1 takes less) while these "
        f"were under way: {names}; "
        "what is done is kept, and the same command goes on from the last checkpoints"
    )


def _start(
    pool: ProcessPoolExecutor, task: Task, study: Study, parameters: dict, keys: dict[str, str]
) -> Future:
    if task.kind == "run":
        return pool.submit(_train_one, task.name)
    from companion.execute import notebooks

    name, runs = task.name, runs_of(task.name, study.runs)
    parameters = ({"reuse": study.reuse} if runs else {}) | parameters
    parameters = notebooks.check_parameters(name, parameters)
    made_of = provenance_of(study, name, runs, parameters)
    return pool.submit(notebooks.execute, name, study.results, parameters, keys[name], made_of)


_STUDY: Study | None = None  # of a worker process


def _for_workers(study: Study) -> Study:
    """The study with its runs as they are now, as a worker process trains them: silent, and drawing
    people alone."""
    silent = copy.copy(study)
    silent.jobs, silent.progress = 1, False
    return silent


def _begin(parent: int, study: Study) -> None:
    """Prepare a worker process: it ends with its parent, and its runs share one study's people."""
    global _STUDY
    die_with_parent(parent)
    _STUDY = study
    if study.device.type == "cpu":
        torch.set_num_threads(1)


def die_with_parent(parent: int) -> None:
    """A process of a killed parent stops too, so that nothing goes on unseen."""

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _train_one(name: str) -> None:
    """Train run `name`, and predict with it here, side by side with others, and not in a notebook
    one after the other."""
    _STUDY.trained(name)
    if not any(run.start and run.start.name == name for run in _STUDY.runs.values()):
        _STUDY.predict(name)


def _show(bar: tqdm, tasks: list[Task], running: list[Task], done: set[str], jobs: int) -> None:
    """How far everything is, and the time left."""
    share = dict.fromkeys(done, 1.0) | {task.name: task.share for task in running}
    bar.n = min(bar.total, sum(task.seconds * share.get(task.name, 0) for task in tasks))
    runs = (f" {share[task.name]:.0%}" if task.kind == "run" else "" for task in running)
    names = ", ".join(task.name + far for task, far in zip(running, runs, strict=True))
    bar.set_postfix_str(f"about {_clock(seconds_left(tasks, share, jobs))} left: {names}")


def seconds_left(tasks: list[Task], share: dict[str, float], jobs: int) -> float:
    """Until all `tasks` are done; `share` says how much of those that were begun is.

    Trainings go on as they have gone in this call, against what their timed steps promised;
    notebooks take what those that are done took.
    """
    now, begun = time.monotonic(), [task for task in tasks if task.name in share]
    spent = {task.name: task.took or now - task.started for task in begun}
    runs = [task for task in begun if task.kind == "run" and share[task.name] > 0]
    planned = sum(task.seconds * share[task.name] for task in runs)
    pace = sum(spent[task.name] for task in runs) / planned if planned > SURE else 1.0
    books = [task.took for task in begun if task.kind == "notebook" and task.took]
    book = sum(books) / len(books) if books else NOTEBOOK_SECONDS

    def left(task: Task) -> float:
        if task.kind == "run":
            return pace * task.seconds * (1 - share.get(task.name, 0))
        return 0.0 if task.took else max(0.0, book - spent.get(task.name, 0.0))

    ahead = {task.name: left(task) for task in tasks}
    before = {
        task.name: max((ahead.get(name, 0) for name in task.needs), default=0) for task in tasks
    }
    last = [ahead[name] + before[name] for name in ahead]
    return max(sum(ahead.values()) / jobs, *last)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
