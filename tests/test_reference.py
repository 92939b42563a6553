"""The reference runs: done in pieces, killed in between, packed and unpacked, they end with the bits of one that was never interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from paperlib import PaperlibError
from paperlib.reproduce import reference
from paperlib.reproduce.catalogue import catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.parcels import read_manifest
from paperlib.reproduce.reference import keep_half, next_item, unpack
from paperlib.reproduce.reference_queue import END, START, Item, is_done, left, minutes, read_queue, read_state, table, write_table
from paperlib.reproduce.runs import is_cached, progress_of, read_record
from paperlib.reproduce.study import Study

RESULTS = Path(__file__).parents[1] / "results"
RUNS = ("hourglass-flic", "recurrent-t0")
QUEUE = """
[[item]]
id = "first"
what = "two networks"
size = "tiny"
data = "synthetic"
runs = ["hourglass-flic", "recurrent-t0"]

[[item]]
id = "command"
what = "something else"
commands = ["python -c 'print(6 * 7)'", "python -c 'raise SystemExit(3)'"]
brings = ["pyproject.toml"]
minutes = 1
"""


@pytest.fixture
def place(tiny, tmp_path, monkeypatch):
    """A queue of its own, and a function that goes to a machine of its own: its runs, empty, and the people that `tiny` has drawn."""
    tiny.root  # noqa: B018 - draws them
    (tiny.folders.runs / "canvases").mkdir(exist_ok=True)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "reference.toml").write_text(QUEUE)
    (tmp_path / "results" / "REFERENCE.md").write_text(f"Words.\n{START}\n{END}\nMore words.\n")

    def go(name):
        home = tmp_path / name
        if not home.exists():
            home.mkdir()
            (home / "drawn").symlink_to(tiny.folders.runs / "drawn")
            (home / "canvases").symlink_to(tiny.folders.runs / "canvases")
        monkeypatch.setenv("PAPERLIB_RUNS", str(home))
        monkeypatch.setenv("PAPERLIB_RESULTS", str(tmp_path / "results"))
        return home

    return go


def study_of(home):
    return Study("tiny", "synthetic", "cpu", progress=False, folders=Folders(home, home, home))


def test_in_pieces_killed_and_unpacked_it_ends_with_the_same_bits(place, tmp_path, capsys):
    whole = place("whole")
    next_item(tmp_path / "out-whole", minutes=9, item="first", device="cpu")
    there = place("there")
    command = [sys.executable, "-m", "paperlib.reproduce.reference", "next", "--out", str(tmp_path / "out"), "--device", "cpu", "--minutes"]
    killed = subprocess.Popen([*command, "9"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while killed.poll() is None and not list(there.glob("synthetic-tiny/*/lock")):
            time.sleep(0.002)
    finally:
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()
    calls, steps = 0, []
    while not (tmp_path / "out" / "manifest.json").exists() or len(list(there.glob("synthetic-tiny/*/scores.json"))) < 2:
        next_item(tmp_path / "out", minutes=1e-6, item="first", device="cpu")
        steps.append(sum(progress_of(folder) for folder in there.glob("synthetic-tiny/*-*")))
        calls += 1
    assert calls > 3 and steps == sorted(steps) and "goes on from there" in capsys.readouterr().out

    here = place("here")
    unpack(tmp_path / "out")
    for name in RUNS:
        (mine,), (theirs,) = here.glob(f"synthetic-tiny/{name}-*"), whole.glob(f"synthetic-tiny/{name}-*")
        assert mine.name == theirs.name and (mine / "weights.safetensors").read_bytes() == (theirs / "weights.safetensors").read_bytes()
        assert {str(value.dtype) for value in load_file(mine / "weights.safetensors").values() if value.ndim > 1} == {"torch.float16"}
        assert [path.name for path in mine.glob("predictions-*")]
        for path in theirs.glob("predictions-*"):
            a, b = np.load(path), np.load(mine / path.name)
            assert all(np.array_equal(a[key], b[key]) for key in a), path.name
        assert study_of(here).trained(name).record["weights_sha256"] == read_record(theirs)["weights_sha256"]
    state = read_state(tmp_path / "results" / "reference.json")
    queue = read_queue(tmp_path / "results" / "reference.toml")
    assert is_done(queue[0], state) and not is_done(queue[1], state)
    page = (tmp_path / "results" / "REFERENCE.md").read_text()
    assert table(queue, state) in page and page.startswith("Words.") and page.endswith("More words.\n") and "| done | hourglass-flic FLIC" in page


def test_a_checkpoint_survives_the_machine(place, tmp_path):
    """Trained a little on one machine, packed with its checkpoint, unpacked on another, which ends with the bits of one that did it all."""
    one = place("one")
    next_item(tmp_path / "out", minutes=1e-6, item="first", checkpoint=True, device="cpu")
    (begun,) = one.glob("synthetic-tiny/*/checkpoint.pt")
    other = place("other")
    unpack(tmp_path / "out")
    arrived = other / begun.relative_to(one)
    assert arrived.read_bytes() == begun.read_bytes() and 0 < progress_of(arrived.parent) < 4
    weights = study_of(other).trained("hourglass-flic").model.state_dict()
    for name, value in study_of(place("whole")).trained("hourglass-flic").model.state_dict().items():
        assert np.array_equal(value, weights[name]), name


def test_what_is_further_or_other_is_not_overwritten(place, tmp_path):
    place("one")
    next_item(tmp_path / "begun", minutes=1e-6, item="first", checkpoint=True, device="cpu")
    next_item(tmp_path / "out", minutes=9, item="first", device="cpu")
    here = place("here")
    unpack(tmp_path / "out")
    (folder,) = here.glob("synthetic-tiny/hourglass-flic-*")
    unpack(tmp_path / "begun")
    assert is_cached(folder) and not (folder / "checkpoint.pt").exists()
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"weights_sha256": "0"}))
    (other,) = here.glob("synthetic-tiny/recurrent-t0-*")
    (other / "record.json").unlink()
    with pytest.raises(PaperlibError, match="other weights than those that arrived.*Nothing was unpacked"):
        unpack(tmp_path / "out")
    assert not (other / "record.json").exists()  # whole or not at all


def test_what_does_not_fit_comes_with_the_next_call(place, tmp_path, monkeypatch, capsys):
    place("there")
    monkeypatch.setattr(reference.parcels, "PART_MB", 0.03)
    monkeypatch.setattr(reference.parcels.pack, "__defaults__", (0.03,))
    next_item(tmp_path / "out", minutes=9, item="first", device="cpu")
    said = capsys.readouterr().out
    assert "call again with --from-part 5" in said and len(list((tmp_path / "out").iterdir())) == 5
    next_part, call = 5, 0
    here = place("here")
    unpack(tmp_path / "out")
    assert "still missing" in capsys.readouterr().out and not list(here.glob("synthetic-tiny/*"))
    while next_part:
        place("there")
        call += 1
        next_item(tmp_path / f"out-{call}", from_part=next_part)
        said = capsys.readouterr().out
        next_part = int(said.rpartition("--from-part ")[2]) if "--from-part" in said else 0
        place("here")
        unpack(tmp_path / f"out-{call}")
    assert len(list(here.glob("synthetic-tiny/*/scores.json"))) == 2 and not list((here / "arriving").iterdir())


def test_what_has_come_back_is_neither_done_nor_packed_again(place, tmp_path, capsys):
    place("there")
    next_item(tmp_path / "out", minutes=9, item="first", device="cpu")
    place("here")
    unpack(tmp_path / "out")
    place("fresh")
    next_item(tmp_path / "again", minutes=9, device="cpu")  # the next item: commands
    files = read_manifest(tmp_path / "again")["files"]
    assert set(files) == {"news.json", "commands/command/log.txt", "commands/command/pyproject.toml"}
    home = place("here")
    unpack(tmp_path / "again")
    assert "42" in (home / "commands" / "command" / "log.txt").read_text()
    assert "| exit 0, 3 |" in (tmp_path / "results" / "REFERENCE.md").read_text()
    with pytest.raises(PaperlibError, match="all is done"):
        next_item(tmp_path / "none", device="cpu")


def test_commands_that_run_out_of_time_are_not_done(place, tmp_path):
    place("there")
    (tmp_path / "results" / "reference.toml").write_text(QUEUE.replace("print(6 * 7)", "import time; time.sleep(60)"))
    next_item(tmp_path / "out", minutes=0.02, item="command", device="cpu")
    unpack(tmp_path / "out")
    state = read_state(tmp_path / "results" / "reference.json")
    assert state["commands"]["command"]["exit"][0] == 124
    assert not is_done(read_queue(tmp_path / "results" / "reference.toml")[1], state)


@pytest.mark.parametrize("when", ["before the weights", "after the weights"])
def test_killed_while_rounding_it_is_rounded_at_the_next_call(place, tmp_path, monkeypatch, when):
    place("there")
    folder = study_of(place("there")).trained("hourglass-flic").folder
    before, replace = load_file(folder / "weights.safetensors"), os.replace
    (folder / "predictions-flic-flip-1.npz").write_text("of the weights in 32 bits")

    def killed(source, target):
        if str(target) == str(folder / ("weights.safetensors" if when == "before the weights" else "record.json")):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        keep_half(folder)
    monkeypatch.setattr(os, "replace", replace)
    assert keep_half(folder) and not keep_half(folder)
    assert not list(folder.glob("predictions-*"))
    after = load_file(folder / "weights.safetensors")
    assert all(np.array_equal(after[name].float(), value.half().float() if value.ndim > 1 else value.float()) for name, value in before.items())
    study_of(place("there")).trained("hourglass-flic")  # weights and record belong together


# ---------------------------------------------------------------- the queue


def test_the_page_shows_the_queue():
    """If it does not: python -m paperlib.reproduce.reference table."""
    page = (RESULTS / "REFERENCE.md").read_text()
    assert f"{START}\n{table(read_queue(RESULTS / 'reference.toml'), read_state(RESULTS / 'reference.json'))}\n{END}" in page


def test_a_run_with_another_recipe_is_to_do_again(place, tmp_path):
    place("there")
    next_item(tmp_path / "out", minutes=9, item="first", device="cpu")
    unpack(tmp_path / "out")
    state = read_state(tmp_path / "results" / "reference.json")
    item = read_queue(tmp_path / "results" / "reference.toml")[0]
    state["runs"]["synthetic-tiny/recurrent-t0"]["spec_sha256"] = "another"
    assert [run.name for run in left(item, state)] == ["recurrent-t0"]


def test_an_item_holds_its_seeds_and_what_its_runs_start_from():
    item = Item("x", "x", "tiny", "synthetic", ("recurrent-t2-parts-finetuned", "recurrent-t0"), seeds=2)
    first = ["recurrent-t2-parts-coco", "recurrent-t2-parts-finetuned", "recurrent-t0"]
    assert list(item.wanted) == [*first, *(f"{name}-seed1" for name in first)]


def test_minutes_grow_with_steps_and_runs():
    one, two = (Item("x", "x", "short", "real", runs) for runs in (("hourglass-1x8",), ("hourglass-1x8", "hourglass-lsp")))
    assert 0 < minutes(one)[0] < minutes(one)[1] and minutes(two)[0] > 2 * minutes(one)[0]
    recipe = catalogue("short", "real")["hourglass-1x8"].recipe
    assert minutes(one)[0] == pytest.approx(3 * 2 * 23.4e9 * recipe.steps * recipe.batch / 0.4 / 790e12 / 60, rel=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[item]]\nid = 'a'\nwhat = 'b'\nsize = 'tiny'\ndata = 'real'\nruns = ['hourgalss']", "hourgalss"),
        ("[[item]]\nid = 'a'\nwhat = 'b'\ncolour = 'c'", "colour"),
        ("[[item]]\nid = 'a'\nwhat = 'b'\n[[item]]\nid = 'a'\nwhat = 'b'", "same id"),
        ("[[item", "TOMLDecodeError"),
    ],
)
def test_a_queue_that_is_none_is_one_clear_error(tmp_path, text, message):
    (tmp_path / "reference.toml").write_text(text)
    with pytest.raises(PaperlibError, match=message):
        read_queue(tmp_path / "reference.toml")


def test_a_page_without_its_marks_is_one_clear_error(tmp_path):
    (tmp_path / "REFERENCE.md").write_text("no marks")
    with pytest.raises(PaperlibError, match="REFERENCE.md.*should stand in it"):
        write_table(tmp_path / "REFERENCE.md", [], {"runs": {}, "commands": {}})


def test_the_runner_needs_no_jupyter():
    """The GPU's machine may have none of it."""
    code = "import sys, paperlib.reproduce.reference; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"IPython", "papermill", "nbformat", "pooch", "ipywidgets"} & set(loaded)
