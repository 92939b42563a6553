"""The training loop: it learns; and a kill, a NaN, a full disk or a damaged file ends in the same
bits or in one clear error."""

import errno
import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from paperlib import PaperlibError
from paperlib import train as module
from paperlib.models import Recurrent
from paperlib.recipe import Recipe, make_optimizer
from paperlib.train import Session, train

RUN = "recurrent-t1-parts"


@pytest.fixture(scope="module")
def crops(tiny):
    return tiny.crops(tiny.training_people(tiny.runs[RUN]), tiny.runs[RUN].codec)


@pytest.fixture
def fit(tiny, crops, tmp_path):
    """Train the run's network with a changed recipe in tmp_path; returns the model and the log."""

    def fit(watch=None, seed=0, **changes):
        torch.manual_seed(0)
        model = tiny.runs[RUN].network.build()
        log = train(
            model,
            crops,
            replace(tiny.runs[RUN].recipe, **changes),
            seed,
            tmp_path,
            Session(watch, progress=False, title="fit"),
        )
        return model, log

    return fit


def saved_step(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)["step"]


# ---------------------------------------------------------------- it trains


def test_the_loss_falls(fit):
    _, log = fit(steps=40, rate=1e-2, log_every=4, augmentation="none")
    losses = [row["loss"] for row in log]
    assert losses[-1] < 0.7 * losses[0], losses


def test_the_log_has_a_row_a_logged_step(fit, crops, tmp_path):
    model, log = fit(steps=7, log_every=3)
    table = pd.read_csv(tmp_path / "log.csv")
    assert table.step.tolist() == [3, 6, 7] == [row["step"] for row in log]
    np.testing.assert_allclose(table.epoch, table.step * 16 / len(crops))
    np.testing.assert_allclose(table.loss, [row["loss"] for row in log])
    assert (
        (table.seconds.diff().dropna() >= 0).all()
        and not model.training
        and saved_step(tmp_path) == 7
    )


def test_a_logged_loss_is_the_mean_since_the_last_row(fit, tmp_path):
    _, each = fit(steps=5, log_every=1)
    (tmp_path / "checkpoint.pt").unlink()
    _, some = fit(steps=5, log_every=2)
    loss = [row["loss"] for row in each]
    np.testing.assert_allclose(
        [row["loss"] for row in some], [np.mean(loss[:2]), np.mean(loss[2:4]), loss[4]], rtol=1e-5
    )


def test_a_watch_sees_the_network_as_it_predicts_and_changes_nothing(fit, tmp_path):
    seen = []

    def watch(model):
        seen.append(model.training)
        return {"accuracy": len(seen) / 4}

    watched, log = fit(watch, steps=6, log_every=1, watch_every=2)
    assert seen == [False] * 3 and [row.get("accuracy") for row in log] == [
        None,
        0.25,
        None,
        0.5,
        None,
        0.75,
    ]
    (tmp_path / "checkpoint.pt").unlink()
    plain, _ = fit(steps=6, log_every=1)
    assert all(
        torch.equal(a, b)
        for a, b in zip(watched.state_dict().values(), plain.state_dict().values(), strict=True)
    )


def test_the_seed_decides_the_order(fit, tmp_path):
    _, first = fit(steps=3, log_every=1)
    (tmp_path / "checkpoint.pt").unlink()
    _, other = fit(steps=3, log_every=1, seed=1)
    assert first[0]["loss"] != other[0]["loss"]


# ---------------------------------------------------------------- schedules and optimisers


def rates(schedule, steps=1000):
    recipe = Recipe(steps, 1, 1e-5, schedule=schedule)
    return np.array([recipe.rate * recipe.factor(step) for step in range(steps)])


def test_the_schedule_of_the_recurrent_paper():
    """FACTS A.7: 30 epochs at 1e-5, 5 at 5e-6, 15 at 1e-6."""
    np.testing.assert_allclose(rates("recurrent", 50), [1e-5] * 30 + [5e-6] * 5 + [1e-6] * 15)


def test_the_schedule_of_the_hourglass_paper_drops_once_by_five():
    rate = rates("plateau")
    assert (
        set(np.round(rate / 1e-5, 9)) == {1, 0.2}
        and (np.diff(rate) <= 0).all()
        and rate[-1] == pytest.approx(2e-6)
    )


def test_the_plateau_is_the_fifth_look_without_a_new_best():
    def looks(*values):
        return [
            row for value in values for row in ({"loss": 1.0}, {"loss": 1.0, "accuracy": value})
        ]

    assert not module.plateaued(looks(1, 2, 3, 4, 5, 6, 7, 8)) and not module.plateaued(
        looks(5, 4, 4, 4, 4, 6, 1, 2, 3, 4)
    )
    assert module.plateaued(looks(1, 5, 4, 4, 4, 4, 5))  # an equal one is no new one
    assert module.plateaued(looks(1, 5, 4, 4, 4, 4, 5, 9, 10)), "once dropped, it stays dropped"


def test_the_rate_drops_at_the_plateau_and_stays_so_when_resumed(fit):
    def watch(model):
        looks.append(1)
        return {"accuracy": 50.0 - len(looks)}

    looks = []
    recipe = {
        "schedule": "plateau",
        "rate": 1e-4,
        "log_every": 1,
        "watch_every": 2,
        "optimizer": "rmsprop",
    }
    _, log = fit(watch, steps=20, **recipe)
    dropped = [row["rate"] < 1e-4 for row in log]
    # the sixth look, at step 12, is the fifth without a new best
    assert dropped == [False] * 12 + [True] * 8
    _, more = fit(watch, steps=24, **recipe)
    assert [round(row["rate"], 9) for row in more[20:]] == [2e-5] * 4


def test_one_cycle_warms_up_and_ends_near_zero():
    rate = rates("one-cycle")
    assert rate.argmax() == 100 and rate.max() == pytest.approx(1e-5)
    assert (
        (np.diff(rate[1:101]) > 0).all()
        and (np.diff(rate[100:]) < 0).all()
        and 0 < rate[-1] < 2e-8
        and rate[0] > 0
    )


def test_unknown_names_are_named():
    with pytest.raises(ValueError, match="'cosine'.*one-cycle, recurrent or plateau"):
        Recipe(1, 1, 1, schedule="cosine").factor(0)
    with pytest.raises(ValueError, match="'lion'.*adam, rmsprop or sgd"):
        make_optimizer(nn.Linear(1, 1), Recipe(1, 1, 1, "lion"))


def test_the_factors_of_the_recurrent_papers_code():
    """FACTS A.7: filters 1, biases 2, BN gain 2, BN bias 1; decay 5e-4 on filters only; momentum
    0.95."""
    model = Recurrent(width=4, kernels=(3, 3, 3, 3, 3))
    optimizer = make_optimizer(model, Recipe(10, 20, 1e-5, "sgd"))
    found = {
        id(p): (g["lr"] / 1e-5, g["weight_decay"], g["momentum"])
        for g in optimizer.param_groups
        for p in g["params"]
    }
    kinds = {"filter": [], "bias": [], "gain": [], "norm bias": []}
    for part in model.modules():
        if isinstance(part, nn.Conv2d):
            kinds["filter"].append(part.weight)
            kinds["bias"] += [part.bias] if part.bias is not None else []
        elif isinstance(part, nn.BatchNorm2d):
            kinds["gain"].append(part.weight)
            kinds["norm bias"].append(part.bias)
    expected = {
        "filter": (1, 5e-4, 0.95),
        "bias": (2, 0, 0.95),
        "gain": (2, 0, 0.95),
        "norm bias": (1, 0, 0.95),
    }
    for kind, parameters in kinds.items():
        assert parameters and {found[id(p)] for p in parameters} == {expected[kind]}, kind
    assert len(found) == len(list(model.parameters()))


def test_the_schedule_keeps_the_factors(fit, monkeypatch):
    """While it trains each group's rate is its own first rate x the schedule's factor."""
    made = []
    monkeypatch.setattr(
        module, "make_optimizer", lambda *args: made.append(make_optimizer(*args)) or made[-1]
    )
    fit(steps=10, optimizer="sgd", schedule="recurrent", rate=1e-7, log_every=10)
    np.testing.assert_allclose([group["lr"] for group in made[0].param_groups], [1e-8, 2e-8, 1e-8])


def test_the_hourglass_optimiser_is_rmsprop_as_released():
    """FACTS C.4."""
    (group,) = make_optimizer(nn.Linear(1, 1), Recipe(1, 6, 2.5e-4, "rmsprop")).param_groups
    assert (
        group["lr"],
        group["alpha"],
        group["eps"],
        group["momentum"],
        group["weight_decay"],
    ) == (2.5e-4, 0.99, 1e-8, 0, 0)


# ---------------------------------------------------------------- killed and resumed

AFTER = [
    ("checkpoint.pt", 8),
    ("checkpoint.pt", 16),
    ("log.csv", 14),
    ("weights.safetensors", 0),
    ("record.json", 0),
]
HALFWAY = [("checkpoint.pt.part", 2), ("checkpoint.pt.part", 8), ("checkpoint.pt.part", 16)]
# One process that has everything imported forks the trainings; SIGKILL falls on them at random
# moments, half-way through writing a checkpoint, and
# right after each of the last renames.
DRIVER = """
import json, os, random, signal, sys, time
from dataclasses import replace
from pathlib import Path

import torch
from paperlib import train as training
from companion.runs import train_or_load
from companion.settings import Folders
from companion.runs.study import Study

home, luck = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
folders = Folders(home / "data", home / "runs", home / "results")
study = Study("tiny", "synthetic", "cpu", progress=False, folders=folders)
run = study.runs["recurrent-t0"]
run = replace(run, recipe=replace(run.recipe, steps=16, batch=4, log_every=2))
crops = study.crops(study.training_people(run), run.codec)
training.CHECKPOINT_SECONDS = -1
rename, save = os.replace, torch.save

def reached(folder):
    checkpoint = folder / "checkpoint.pt"
    return torch.load(checkpoint)["step"] if checkpoint.exists() else 0

def child(folder, name="", step=0):
    # train in a forked process, which kills itself right after the rename of a file of that name,
    # of a checkpoint or log at that step, or half-way through writing it
    pid = os.fork()
    if pid:
        return pid
    def replace_and_die(part, path):
        rename(part, path)
        if path.name == name and (not step or reached(folder) == step):
            os.kill(os.getpid(), signal.SIGKILL)
    def save_half_and_die(state, path):
        save(state, path)
        if path.name == name and state["step"] == step:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)
    try:
        os.replace, torch.save = replace_and_die if name else rename, save_half_and_die
        train_or_load.train_or_load(run, crops, folder)
        os._exit(0)
    finally:
        os._exit(1)

def result(folder):
    record = json.loads((folder / "record.json").read_text())
    log = (folder / "log.csv").read_text().split() if (folder / "log.csv").exists() else []
    return [record["weights_sha256"], record["loss"], [line.split(",")[:3] for line in log]]

# What is set up once is set up here, and the children inherit it.
train_or_load.train_or_load(run, crops, home / "warm")
started = time.monotonic()
assert os.waitpid(child(home / "whole"), 0)[1] == 0
length = time.monotonic() - started
found = {"length": length, "whole": result(home / "whole"), "random": [], "renames": {}}
for repeat in range(int(sys.argv[3])):
    folder, kills = home / f"killed-{repeat}", []
    checkpoint = folder / "checkpoint.pt"
    for attempt in range(2):
        pid, done = child(folder), False
        # The second is killed after its first checkpoint.
        while attempt and not checkpoint.exists() and not done:
            time.sleep(0.01)
            done = os.waitpid(pid, os.WNOHANG)[0] == pid
        if done:
            break
        time.sleep(luck.uniform(0, 0.6) * length)
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1] == 0:
            break
        kills.append(reached(folder))
    assert os.waitpid(child(folder), 0)[1] == 0
    found["random"].append([kills, result(folder), sorted(path.name for path in folder.iterdir())])
for name, step in AFTER + HALFWAY:
    folder = home / f"{name}-{step}"
    assert os.waitpid(child(folder, name, step), 0)[1] == signal.SIGKILL
    assert os.waitpid(child(folder), 0)[1] == 0
    found["renames"][folder.name] = result(folder)
print(json.dumps(found))
"""


def kill_at_random(home, repeats):
    # other moments each time; printed where a test fails
    seed = int(np.random.default_rng().integers(1 << 31))
    driver = DRIVER.replace("AFTER + HALFWAY", repr(AFTER + HALFWAY))
    done = subprocess.run(
        [sys.executable, "-c", driver, str(home), str(seed), str(repeats)],
        capture_output=True,
        text=True,
        timeout=100 * repeats,
    )
    assert done.returncode == 0, f"seed {seed}\n{done.stderr}"
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"seed of the kills: {seed}, one training takes {found['length']:.2f} s")
    return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    return kill_at_random(tmp_path_factory.mktemp("killed"), 3)


def test_killed_at_any_moment_it_ends_with_the_same_bits(killed):
    assert_the_same_bits(killed)


@pytest.mark.kills
def test_killed_thirty_times_it_ends_with_the_same_bits(request, tmp_path):
    if "kills" not in request.config.getoption("markexpr"):
        pytest.skip("only with -m kills")
    assert_the_same_bits(kill_at_random(tmp_path, 30))


def assert_the_same_bits(killed):
    for kills, result, files in killed["random"]:
        assert result == killed["whole"], kills
        assert files == ["lock", "log.csv", "record.json", "weights.safetensors"], (kills, files)


@pytest.mark.parametrize(("name", "step"), AFTER + HALFWAY)
def test_killed_while_a_file_is_written_or_renamed_it_ends_with_the_same_bits(killed, name, step):
    assert killed["renames"][f"{name}-{step}"] == killed["whole"]


def test_out_of_time_it_stops_at_a_checkpoint_and_ends_with_the_same_bits(crops, tiny, tmp_path):
    def run(folder, minutes):
        torch.manual_seed(0)
        model = tiny.runs[RUN].network.build()
        train(
            model,
            crops,
            replace(tiny.runs[RUN].recipe, steps=6, log_every=2),
            0,
            folder,
            Session(progress=False, minutes=minutes),
        )
        return model.state_dict()

    (tmp_path / "whole").mkdir()
    whole = run(tmp_path / "whole", math.inf)
    with pytest.raises(
        module.OutOfTime,
        match=r"train: 0\.0 minutes are over at step 2 of 6; the same command goes on",
    ):
        run(tmp_path, 0)
    assert saved_step(tmp_path) == 2
    with pytest.raises(module.OutOfTime, match="step 4 of 6"):
        run(tmp_path, 0)
    parts = run(tmp_path, 0)  # the end is no interruption
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


# ---------------------------------------------------------------- what can go wrong


def test_a_weight_that_is_not_finite_is_not_saved(fit, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", -1)
    fit(steps=4, log_every=2)

    def spoil(model):
        next(model.parameters()).data[0] = math.inf
        return {}

    with pytest.raises(
        PaperlibError,
        match=r"is not finite after step 6; lower the rate\. .*checkpoint\.pt is the last good "
        r"state",
    ):
        fit(spoil, steps=8, log_every=2, watch_every=6)
    assert saved_step(tmp_path) == 4


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_state(fit, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", -1)
    honest, calls = module.LOSS[module.RecurrentCodec], []

    def broken(sites, targets):
        calls.append(1)
        return honest(sites, targets) * (math.nan if len(calls) == 8 else 1)

    monkeypatch.setitem(module.LOSS, module.RecurrentCodec, broken)
    with pytest.raises(
        PaperlibError,
        match=r"fit: the loss is nan at step 9; lower the rate 0\.003.*checkpoint\.pt is the "
        r"last good state",
    ):
        fit(steps=12, log_every=3)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["step"] == 6 and all(value.isfinite().all() for value in state["model"].values())
    assert [row["step"] for row in state["log"]] == [3, 6]
    monkeypatch.setitem(module.LOSS, module.RecurrentCodec, honest)
    assert [row["step"] for row in fit(steps=12, log_every=3)[1]] == [3, 6, 9, 12]


def test_a_loss_that_is_not_finite_before_the_first_checkpoint(fit, tmp_path, monkeypatch):
    monkeypatch.setitem(
        module.LOSS, module.RecurrentCodec, lambda sites, targets: sites[0].sum() * math.inf
    )
    with pytest.raises(
        PaperlibError, match=r"the loss is -?(inf|nan) at step 1; .* nothing was kept yet"
    ):
        fit(steps=3, log_every=1)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "another network"])
def test_a_checkpoint_that_cannot_be_read_is_one_clear_error(fit, tmp_path, damage):
    path = tmp_path / "checkpoint.pt"
    if damage == "another network":
        torch.save({"step": 1, "model": {"a": torch.zeros(1)}, "optimizer": {}, "log": []}, path)
    else:
        fit(steps=2)
        whole = path.read_bytes()
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "text": b"hello"}[damage])
    before = path.read_bytes()
    with pytest.raises(
        PaperlibError,
        match=r"checkpoint\.pt: not a checkpoint of this run.*delete the file to train anew",
    ):
        fit(steps=4)
    assert path.read_bytes() == before


@pytest.mark.parametrize("how", ["torch.save", "log.csv"])
def test_a_full_disk_is_one_clear_error_and_the_checkpoint_before_stays(
    fit, tmp_path, monkeypatch, how
):
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", -1)
    fit(steps=4, log_every=2)
    before = (tmp_path / "checkpoint.pt").read_bytes(), (tmp_path / "log.csv").read_bytes()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", full) if how == "torch.save" else patch.setattr(
            module.csv, "DictWriter", full
        )
        with pytest.raises(
            PaperlibError,
            match=r"checkpoint\.pt\.part: cannot be written.*No space left on device.*free some "
            r"disk space",
        ):
            fit(steps=8, log_every=2)
    assert (
        (tmp_path / "checkpoint.pt").read_bytes(),
        (tmp_path / "log.csv").read_bytes(),
    ) == before
    assert [row["step"] for row in fit(steps=8, log_every=2)[1]] == [2, 4, 6, 8]
