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
from safetensors.torch import load_file, save_file

from paperlib import PaperlibError
from paperlib.reproduce import reference, reference_wheels
from paperlib.reproduce.catalogue import catalogue
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.parcels import read_manifest
from paperlib.reproduce.reference import next_item, pack_data, unpack
from paperlib.reproduce.reference_compare import compare
from paperlib.reproduce.reference_queue import END, KINDS, START, Item, is_done, left, minutes, read_queue, read_state, table, write_table
from paperlib.reproduce.reference_wheels import pack_wheels
from paperlib.reproduce.reference_work import keep_half
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


def test_commands_that_run_out_of_time_are_not_done_and_leave_nothing_running(place, tmp_path):
    place("there")
    sleeps = f'import subprocess, sys; subprocess.run([sys.executable, "-c", "import time; time.sleep(61)", "{tmp_path.name}"])'
    (tmp_path / "results" / "reference.toml").write_text(QUEUE.replace("\"python -c 'print(6 * 7)'\"", json.dumps(f"python -c '{sleeps}'")))
    next_item(tmp_path / "out", minutes=0.02, item="command", device="cpu")
    unpack(tmp_path / "out")
    left_over = [path for path in Path("/proc").glob("[0-9]*/cmdline") if tmp_path.name.encode() in _read(path) and b"sleep(61)" in _read(path)]
    assert not left_over
    state = read_state(tmp_path / "results" / "reference.json")
    assert state["commands"]["command"]["exit"][0] == 124
    assert not is_done(read_queue(tmp_path / "results" / "reference.toml")[1], state)


def _read(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended since
        return b""


def test_one_call_does_what_there_is_time_for_and_passes_over_what_has_no_data(place, tmp_path, monkeypatch, capsys):
    """Commands first, then an item whose photographs are not here, then drawn people."""
    place("there")
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path / "none"))
    first, command = QUEUE.split("[[item]]")[1:]
    photographs = first.replace('"synthetic"', '"real"').replace('"first"', '"photographs"')
    (tmp_path / "results" / "reference.toml").write_text("[[item]]".join(["", command, photographs, first]))
    next_item(tmp_path / "out", minutes=9, device="cpu")
    assert "photographs:" in (said := capsys.readouterr().out) and "no such folder" in said
    place("here")
    unpack(tmp_path / "out")
    state = read_state(tmp_path / "results" / "reference.json")
    done = [item.id for item in read_queue(tmp_path / "results" / "reference.toml") if is_done(item, state)]
    assert done == ["command", "first"]


def test_commands_that_would_not_end_in_time_wait_for_the_next_call(place, tmp_path):
    place("there")
    (tmp_path / "results" / "reference.toml").write_text(QUEUE.replace("minutes = 1", "minutes = 10"))
    next_item(tmp_path / "out", minutes=9, device="cpu")
    assert not any(name.startswith("commands/") for name in read_manifest(tmp_path / "out")["files"])


def test_the_pace_of_what_is_not_finished_comes_back(place, tmp_path):
    """And the minutes of runs of the same network follow it, once it was a GPU's."""
    place("there")
    for _ in range(2):  # a step a call
        next_item(tmp_path / "out", minutes=1e-6, item="first", device="cpu")
    place("here")
    unpack(tmp_path / "out")
    state = read_state(tmp_path / "results" / "reference.json")
    found = state["paces"]["synthetic-tiny/hourglass-flic"]
    assert found["steps_a_second"] > 0 and not state["runs"]
    item = read_queue(tmp_path / "results" / "reference.toml")[0]
    before = minutes(item, state)
    state["paces"]["synthetic-tiny/hourglass-flic"] = found | {"device": "NVIDIA H200", "steps_a_second": 0.5}
    flic, other = (Item("x", "x", "tiny", "synthetic", (name,)) for name in ("hourglass-flic", "hourglass-1x8"))
    assert before[0] < before[1] and minutes(flic, state) == (4 / 0.5 / 60,) * 2
    assert minutes(other, state)[0] == minutes(other, state)[1] > 0


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
    none = {kind: {} for kind in KINDS}
    one, two = (minutes(Item("x", "x", "short", "real", runs), none) for runs in (("hourglass-1x8",), ("hourglass-1x8", "hourglass-lsp")))
    assert 0 < one[0] < one[1] and two[0] > 2 * one[0]
    recipe = catalogue("short", "real")["hourglass-1x8"].recipe
    assert one[0] == pytest.approx(3 * 2 * 23.4e9 * recipe.steps * recipe.batch / 0.4 / 790e12 / 60, rel=0.01)


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
        write_table(tmp_path / "REFERENCE.md", [], {kind: {} for kind in KINDS})


# ---------------------------------------------------------------- what goes along, and what is compared


def test_data_are_packed_by_the_folder(tmp_path):
    for name in ("lsp/joints.mat", "lspet/joints.mat", "flic/examples.mat"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_text(name)
    pack_data(tmp_path / "parts", only="lsp, lspet", data=tmp_path / "data")
    assert list(read_manifest(tmp_path / "parts")["files"]) == ["lsp/joints.mat", "lspet/joints.mat"]
    with pytest.raises(PaperlibError, match="mpii: no such folder"):
        pack_data(tmp_path / "parts", only="mpii", data=tmp_path / "data")


def test_what_a_machine_lacks_is_found_with_nothing_but_python():
    """Isolated, without any installed package: it must run where nothing is."""
    root = Path(reference.__file__).parents[2]
    code = f"import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [{str(root)!r}]; sys.argv = ['x']; "
    code += "from paperlib.reproduce.reference_wheels import main; main()"
    said = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    lacking = said.splitlines()[1].removeprefix("not here: ").split(", ")
    assert said.startswith("Python 3.") and {"torch", "papermill", "pytest"} <= set(lacking)
    assert all(reference_wheels.installed().values())  # here all is


def test_wheels_are_of_what_is_lacking_and_not_of_torch(tmp_path, monkeypatch):
    def pip(words, **_):
        (tmp_path / "numpy-2.4.6-cp312-cp312-x.whl").touch()
        (tmp_path / "papermill-2.7.0-py3-none-any.whl").touch()
        return subprocess.CompletedProcess(words, 0 if "papermill" in words else 1, "", "ERROR: No matching distribution found for nothing\n")

    monkeypatch.setattr(reference_wheels.subprocess, "run", pip)
    assert [path.name for path in pack_wheels(tmp_path)] == ["papermill-2.7.0-py3-none-any.whl"]
    with pytest.raises(PaperlibError, match="No matching distribution found for nothing.*needs the network"):
        pack_wheels(tmp_path, ("nothing",))


def test_the_same_runs_of_two_places_side_by_side(place, tmp_path):
    for name in ("one", "two"):
        there = place(name)
        next_item(tmp_path / f"out-{name}", minutes=9, item="first", device="cpu")
    first, *others = compare([tmp_path / "one", tmp_path / "two"])
    assert len(others) == 3 and first[0] == "synthetic-tiny/hourglass-flic" and "CPU" in first[1] and first[5:] == ("-", "-")
    assert others[0][:1] + others[0][5:] == ("synthetic-tiny/hourglass-flic", "the same bits", "yes")
    (folder,) = there.glob("synthetic-tiny/hourglass-flic-*")
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps(record | {"rounded_from": "other"}))
    weights = load_file(folder / "weights.safetensors")
    save_file({name: 1.5 * value for name, value in weights.items()}, folder / "weights.safetensors")
    scores = json.loads((folder / "scores.json").read_text())
    scores["scores"] = [one | {"total": one["high"] + 1} for one in scores["scores"]]
    (folder / "scores.json").write_text(json.dumps(scores))
    assert compare([tmp_path / "one", tmp_path / "two"])[1][5:] == ("0.5 apart", "no")


def test_the_runner_needs_no_jupyter():
    """The GPU's machine may have none of it."""
    code = "import sys, paperlib.reproduce.reference; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"IPython", "papermill", "nbformat", "pooch", "ipywidgets"} & set(loaded)
