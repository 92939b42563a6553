"""Side by side: the minutes given, a worker that is killed, and a run changed in the study."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from multiprocessing import get_context

import pytest
import torch

from companion.execute import schedule
from companion.runs.study import Study
from companion.runs.train_or_load import is_cached
from paperlib import PaperlibError
from paperlib.train import OutOfTime

RUN, OTHER = "recurrent-t0", "recurrent-t1"


@pytest.fixture(autouse=True)
def forked(monkeypatch):
    """Workers that have everything imported: the same as spawned ones, and there at once."""
    monkeypatch.setattr(schedule, "get_context", lambda _: get_context("fork"))


def task(study: Study, name: str) -> schedule.Task:
    return schedule.Task(name, "run", 1, (), study.folder_of(name), study.runs[name].recipe.steps)


# ---------------------------------------------------------------- the minutes are over


@pytest.fixture
def executed(monkeypatch):
    """Names of the notebooks executed; each needs two runs. The environment is put back."""
    names, start = [], schedule._start

    def stand_in(pool, task, *rest):
        return (
            start(pool, task, *rest)
            if task.kind == "run"
            else names.append(task.name) or pool.submit(os.getpid)
        )

    monkeypatch.setattr(schedule, "runs_of", lambda name, runs: (RUN, OTHER))
    monkeypatch.setattr(schedule, "_start", stand_in)
    for name in ("DATA", "RUNS", "RESULTS"):
        monkeypatch.setenv(f"PAPERLIB_{name}", os.environ.get(f"PAPERLIB_{name}", ""))
    return names


def test_out_of_minutes_reproduce_stops_at_a_checkpoint_and_the_same_call_goes_on(
    fresh, tiny, executed, monkeypatch
):
    """The workers' time is over at once: each training stops after a step; then the parent's is."""
    checkpoints, parent = (
        [fresh.folder_of(name) / "checkpoint.pt" for name in (RUN, OTHER)],
        os.getpid(),
    )

    def minutes_left(study):
        return 0.0 if os.getpid() != parent or all(path.exists() for path in checkpoints) else 1.0

    with monkeypatch.context() as patch:
        patch.setattr(Study, "minutes_left", minutes_left)
        with pytest.raises(
            OutOfTime, match="0 of 2 runs are trained and 0 of 1 notebooks made; .*goes on"
        ):
            schedule.reproduce(fresh, "01", jobs=2)
    assert [torch.load(path, weights_only=True)["step"] for path in checkpoints] == [1, 1]
    assert not executed
    assert schedule.reproduce(fresh, "01", jobs=2) == {"01_data": "made"} and executed == [
        "01_data"
    ]
    for name in (RUN, OTHER):
        kept = json.loads((fresh.folder_of(name) / "record.json").read_text())
        assert kept["weights_sha256"] == tiny.trained(name).record["weights_sha256"]


def test_what_is_done_when_the_minutes_are_over_is_kept(fresh, executed):
    """One of two runs is trained: it is kept with the results, and the notebook is not started."""
    fresh.trained(RUN)
    fresh.deadline = -math.inf
    with pytest.raises(OutOfTime, match=r"0 of 1 runs are trained and 0 of 1 notebooks made"):
        schedule.reproduce(fresh, "01", jobs=1)
    assert [path.name for path in (fresh.results / "runs").iterdir()] == [fresh.folder_of(RUN).name]
    assert not fresh.folder_of(OTHER).exists() and not executed


def paperlib(study: Study, *words) -> subprocess.CompletedProcess:
    """The command as a process of its own."""
    paths = {
        f"PAPERLIB_{name.upper()}": str(getattr(study.folders, name))
        for name in ("data", "runs", "results")
    }
    command = [sys.executable, "-m", "paperlib", *words, "--size", "tiny", "--device", "cpu"]
    return subprocess.run(
        command, env=os.environ | paths, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("words", [("train", RUN), ("reproduce", "--only", "05")])
def test_the_commands_stop_with_one_line_and_a_code_of_their_own(fresh, words):
    done = paperlib(fresh, *words, "--minutes", "0")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("paperlib: ")]
    assert (
        done.returncode == 75
        and "minutes are over" in line
        and line.rstrip().endswith(("goes on from there", "goes on from here"))
    )
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- a killed worker, a changed run


def test_a_killed_worker_is_one_clear_line(fresh, monkeypatch):
    """The first worker that trains is killed; what had been trained before is kept."""
    fresh.runs[RUN] = replace(
        fresh.runs[RUN], recipe=replace(fresh.runs[RUN].recipe, steps=1_000_000)
    )
    waits, killed = schedule.wait, []

    def kill_then_wait(running, timeout, return_when):
        if not killed and (fresh.folder_of(RUN) / "lock").exists():
            killed.extend(pool[0]._processes)
            os.kill(killed[0], signal.SIGKILL)
        return waits(running, timeout=timeout / 10, return_when=return_when)

    made, pool = schedule.ProcessPoolExecutor, []
    monkeypatch.setattr(
        schedule, "ProcessPoolExecutor", lambda *a, **k: pool.append(made(*a, **k)) or pool[0]
    )
    monkeypatch.setattr(schedule, "wait", kill_then_wait)
    told = rf"^a worker process was killed by SIGKILL .*--jobs 1.* under way: {RUN}; .* goes on"
    with pytest.raises(PaperlibError, match=told) as error:
        schedule._work([task(fresh, RUN)], fresh, 1)
    assert "\n" not in str(error.value)


def test_a_run_changed_in_the_study_is_the_one_that_a_worker_trains(fresh):
    """Not the catalogue's of that name."""
    before = fresh.folder_of(RUN)
    fresh.runs[RUN] = replace(fresh.runs[RUN], recipe=replace(fresh.runs[RUN].recipe, steps=6))
    fresh.folder_of.cache_clear()
    assert fresh.folder_of(RUN) != before
    schedule._work([task(fresh, RUN)], fresh, 1)
    assert is_cached(fresh.folder_of(RUN)) and not before.exists()
    assert json.loads((fresh.folder_of(RUN) / "record.json").read_text())["steps"] == 6


# ---------------------------------------------------------------- the time left


def tasks_of(*runs, notebooks=()):
    trainings = [schedule.Task(name, "run", seconds, ()) for name, seconds in runs]
    return trainings + [
        schedule.Task(name, "notebook", schedule.NOTEBOOK_SECONDS, needs)
        for name, needs in notebooks
    ]


def test_before_anything_has_gone_the_time_left_is_the_planned_one():
    tasks = tasks_of(("a", 100.0), ("b", 60.0), ("c", 40.0))
    # 200 s of work for two, of which one is 100 s long
    assert schedule.seconds_left(tasks, {}, 2) == 100
    assert schedule.seconds_left(tasks, {}, 1) == 200


def test_trainings_go_on_as_they_have_gone(monkeypatch):
    """A machine half as fast as its timed steps said: 60 s for half of a task of 60."""
    monkeypatch.setattr(schedule.time, "monotonic", lambda: 1060.0)
    tasks = tasks_of(("a", 60.0), ("b", 60.0))
    tasks[0].started = 1000.0
    assert schedule.seconds_left(tasks, {"a": 0.5}, 1) == pytest.approx(2 * (30 + 60))
    tasks[0].started = 1058.0  # too little to judge by: less than SURE seconds of planned work
    assert schedule.seconds_left(tasks, {"a": 0.1}, 1) == pytest.approx(54 + 60)


def test_notebooks_take_what_those_that_are_done_took(monkeypatch):
    monkeypatch.setattr(schedule.time, "monotonic", lambda: 1000.0)
    tasks = tasks_of(notebooks=[("01", ()), ("02", ()), ("03", ())])
    assert schedule.seconds_left(tasks, {}, 1) == 3 * schedule.NOTEBOOK_SECONDS
    tasks[0].took, tasks[1].started = 40.0, 990.0
    assert schedule.seconds_left(tasks, {"01": 1.0, "02": 0.0}, 1) == pytest.approx(30 + 40)


def test_a_notebook_waits_for_its_run():
    tasks = tasks_of(("a", 100.0), notebooks=[("03", ("a",))])
    assert schedule.seconds_left(tasks, {}, 4) == 100 + schedule.NOTEBOOK_SECONDS
