"""The doors from outside: what they print, how they exit, and one line for whatever is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from official_files import SCORED
from typer.testing import CliRunner

from companion.app import cli
from companion.execute import notebooks
from companion.execute.plan import in_words

DOORS = (
    "reproduce",
    "plan",
    "train",
    "score",
    "sizes",
    "predict",
    "export",
    "verify",
    "claims",
    "data list",
    "data fetch",
    "data check",
)
GROUPS = {"head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"}


@pytest.fixture
def paperlib(tiny, monkeypatch, capsys):
    """Call a door in this process as the script does; returns (exit code, stdout, stderr)."""
    for name in ("data", "runs", "results"):
        monkeypatch.setenv(f"PAPERLIB_{name.upper()}", str(getattr(tiny.folders, name)))
    monkeypatch.setenv("PAPERLIB_SIZE", "tiny")

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["paperlib", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as done:
            cli.main()
        code, (out, err) = done.value.code, capsys.readouterr()
        return (0 if code is None else code if isinstance(code, int) else 1), out, err

    return call


def one_line(err):
    return err.count("\n") == 1 and err.startswith("paperlib: ") and "Traceback" not in err


# ---------------------------------------------------------------- as a process


def run(*words, **environment):
    command = [sys.executable, "-m", "paperlib", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=120
    )


def test_as_a_module_it_prints_json_and_nothing_else(tiny):
    done = run("plan", "--json", PAPERLIB_SIZE="tiny", PAPERLIB_RUNS=str(tiny.folders.runs))
    rows = json.loads(done.stdout)
    assert done.returncode == 0 and [row["run"] for row in rows] == list(tiny.runs), done.stderr
    assert all(
        {"run", "artifacts", "cached", "seconds", "disk_mb", "memory_mb"} <= set(row)
        for row in rows
    )


def test_as_a_module_an_error_is_one_line_and_a_code():
    done = run("train", "hourgalss", "--size", "tiny")
    assert (
        done.returncode != 0
        and done.stdout == ""
        and one_line(done.stderr)
        and "the nearest are hourglass" in done.stderr
    )


def test_debug_shows_where():
    done = run("--debug", "train", "hourglass", "--size", "huge")
    assert done.returncode != 0 and "Traceback" in done.stderr and "size 'huge'" in done.stderr


# ---------------------------------------------------------------- every door


@pytest.mark.parametrize("door", DOORS)
def test_every_door_says_what_it_does(door):
    result = CliRunner().invoke(
        cli.app,
        [*door.split(), "--help"],
        prog_name="paperlib",
        env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
    )
    assert (
        result.exit_code == 0
        and f"paperlib {door}" in result.output
        and len(result.output.splitlines()) > 3
    )


# The options that the doors promise; a door may have more.
OPTIONS = {
    "reproduce": "--size --data --only --jobs --force",
    "plan": "--size --data --only --jobs --force --json",
    "score": "--truth --convention --labels --json",
    "sizes": "--json",
    "predict": "--weights --out --json",
    "export": "--onnx",
    "claims": "--json",
    "data check": "--json",
}


@pytest.mark.parametrize("door", OPTIONS)
def test_every_promised_option_is_there(door):
    command = typer.main.get_command(cli.app)
    for word in door.split():
        command = command.commands[word]
    assert set(OPTIONS[door].split()) <= {name for option in command.params for name in option.opts}


def test_the_plan_takes_what_reproduce_takes(paperlib, monkeypatch):
    """More jobs are less time; --force counts the notebooks that are done."""
    code, out, _ = paperlib("plan", "--only", "02,03", "--jobs", "4", "--force")
    assert (
        code == 0
        and "4 at a time" in out
        and out.splitlines()[-1] == "notebooks to execute: 02_targets, 03_recurrent"
    )
    monkeypatch.setattr(notebooks, "is_current", lambda *_: True)
    assert (
        paperlib("plan", "--only", "02")[1].splitlines()[-1]
        == "notebooks to execute: none, nothing changed"
    )
    assert (
        paperlib("plan", "--only", "02", "--force")[1].splitlines()[-1]
        == "notebooks to execute: 02_targets"
    )
    left = {"run": "a", "missing": "", "cached": False, "seconds": 600, "artifacts": []}
    assert (
        in_words([left | {"disk_mb": 1, "memory_mb": 1}], "cpu", 2)[-1]
        == "5.0 minutes of training left on cpu, 2 at a time"
    )


def test_there_are_no_other_doors():
    names = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    data = {f"data {command.name}" for command in cli.data_app.registered_commands}
    assert names | data == set(DOORS)


def test_sizes(paperlib):
    code, out, err = paperlib("sizes", "--json")
    rows = {row["model"]: row for row in json.loads(out)}
    assert code == 0 and err == ""
    assert all(
        {"model", "parameters", "conv_weights", "paper_rule", "printed", "gmacs", "input"}
        <= set(row)
        for row in rows.values()
    )
    june = next(row for name, row in rows.items() if "June" in name)
    assert (june["parameters"], june["printed"]) == (23_717_888, 23.7e6)
    assert {342_042, 48_528, 103_806} <= {row["paper_rule"] for row in rows.values()}  # FACTS B


@pytest.mark.parametrize(
    ("words", "total"),
    [
        (("mpii", "mpii/preds/newell.h5"), 88.43),
        (("mpii", "mpii/preds/newell.h5", "--convention", "unweighted14"), 87.98),
        (("lsp", "predictions/lsp_pc/BelagiannisZissermanARXIV16.mat"), 85.2),
    ],
)
def test_score(paperlib, real_data, words, total):
    code, out, err = paperlib("score", words[0], real_data / words[1], *words[2:], "--json")
    found = json.loads(out)
    assert code == 0 and err == "" and found["total"] == pytest.approx(total, abs=0.05)
    assert SCORED <= set(found)
    assert (
        set(found["groups"]) == GROUPS
        and set(found["visible"]) >= GROUPS - {"head"}
        and len(found["joints"]) >= 14
    )


def test_score_in_words(paperlib, real_data):
    code, out, _ = paperlib(
        "score", "flic", real_data / "predictions/flic/WeiCVPR16.mat", "--labels", "oc"
    )
    assert (
        code == 0
        and "1016 people of flic, PCK@0.2" in out
        and "elbow 97.59" in out
        and "wrist 95.03" in out
    )  # H table 1
    assert "knee" not in out and "within 0.1 " in out


def test_train_prints_the_folder_last(paperlib, tiny):
    code, out, _ = paperlib("train", "recurrent-t1-parts")
    folder = Path(out.splitlines()[-1])
    assert code == 0 and folder == tiny.folder_of("recurrent-t1-parts")
    record = json.loads((folder / "record.json").read_text())
    assert {"weights_sha256", "spec", "data_sha256", "seconds", "device"} <= set(record) and (
        folder / "log.csv"
    ).exists()


def test_train_without_the_data_says_where_they_were_looked_for(paperlib, tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    code, out, err = paperlib("train", "recurrent", "--data", "real")
    assert (
        code == 1
        and out == ""
        and one_line(err)
        and f"recurrent: MPII labels absent in {tmp_path}; set PAPERLIB_DATA" in err
    )


@pytest.mark.parametrize("name", ["RUNS", "RESULTS"])
def test_a_folder_that_cannot_be_is_told_before_any_work(name, paperlib, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(f"PAPERLIB_{name}", str(tmp_path / "file"))
    code, out, err = paperlib("reproduce", "--only", "02")
    assert (
        code == 1
        and out == ""
        and err
        == f"paperlib: {tmp_path / 'file'}: a file, not a folder; PAPERLIB_{name} names "
        "another folder\n"
    )


def test_predict(paperlib, tiny, tmp_path):
    photo = tiny.people("lsp", "test").image[0]
    weights = tiny.trained("recurrent-t1-parts").folder / "weights.safetensors"
    code, out, err = paperlib(
        "predict", photo, "--weights", weights, "--device", "cpu", "--out", tmp_path, "--json"
    )
    (found,) = json.loads(out)
    assert code == 0 and found["image"] == str(photo) and err == ""
    (person,) = found["people"]
    assert all(len(joint) == 3 for joint in person["joints"].values()) and len(person["box"]) == 4
    assert (
        set(person["visible"]) == set(person["joints"]) and len(list(tmp_path.glob("*.png"))) == 1
    )
    code, out, _ = paperlib("predict", photo, "--weights", weights, "--device", "cpu")
    assert code == 0 and out.startswith(
        "weights: recurrent-t1-parts, run of synthetic-tiny, 32 people"
    )
    code, _, err = paperlib("predict", photo, "--weights", photo)
    assert code == 1 and one_line(err) and f"{photo}: not a checkpoint of torch" in err


def test_a_run_is_exported(paperlib, tiny, tmp_path):
    weights = tiny.trained("recurrent-t1-parts").folder / "weights.safetensors"
    code, out, err = paperlib("export", weights, "--safetensors", tmp_path / "mine.safetensors")
    assert code == 0 and err == "" and str(tmp_path / "mine.json") in out
    code, out, _ = paperlib(
        "predict", tiny.people("lsp", "test").image[0], "--weights", tmp_path / "mine.safetensors"
    )
    assert code == 0 and out.startswith("weights: mine, run of synthetic-tiny, 32 people")


def test_data_list_names_every_source(paperlib):
    code, out, _ = paperlib("data", "list")
    assert (
        code == 0
        and all(f"{name}:" in out for name in ("mpii", "lsp", "lspet", "flic", "coco"))
        and "licence" in out
    )


def test_data_check_as_json_is_one_value_though_there_are_problems(paperlib, tmp_path, monkeypatch):
    monkeypatch.setenv("PAPERLIB_DATA", str(tmp_path))
    code, out, err = paperlib("data", "check", "lsp", "--json")
    if out:
        report = json.loads(out)
        assert {"dataset", "people", "images", "problems"} <= set(report) and report["problems"]
    assert code != 0 and one_line(err) and "lsp" in err


# ---------------------------------------------------------------- what is wrong is one line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("plan", "--size", "huge"), "size 'huge': it is tiny, smoke, night, short, paper"),
        (("plan", "--data", "reel"), "data 'reel': it is synthetic or real"),
        (("plan", "--data", "real", "--device", "tpu"), "device 'tpu'"),
        (("plan", "--only", "08"), "notebook '08': it is one of 01_data"),
        (("reproduce", "--only", "recurent"), "notebook 'recurent'"),
        (("reproduce", "--set", "person"), "--set person: it is NAME=VALUE"),
        (("reproduce", "--jobs", "0"), "--jobs"),
        (
            ("train", "recurrent-t9"),
            "run 'recurrent-t9' is not in the catalogue; the nearest are recurrent-t",
        ),
        (("train",), "Missing argument"),
        (
            ("train", "recurrent", "--devices", "0", "--device", "cpu"),
            "Invalid value for '--devices'",
        ),
        (("train", "recurrent", "--nodes", "0", "--device", "cpu"), "Invalid value for '--nodes'"),
        (
            ("train", "recurrent", "--devices", "2", "--device", "cpu"),
            "--devices 2 --nodes 1: on a CPU one process trains a run",
        ),
        (("score", "coco", "x.h5"), "coco"),
        (("score", "mpii", "/nowhere/x.h5"), "/nowhere/x.h5"),
        (("predict", "/nowhere/me.jpg"), "/nowhere/me.jpg: no such image file"),
        (("predict", __file__), "test_cli.py: not a whole picture"),
        (("verify", "/nowhere"), "/nowhere/manifest.json: no such file"),
        (("verify", __file__), "test_cli.py/manifest.json: no such file"),
        (("claims", "/nowhere"), "/nowhere/claims.csv"),
        (("data", "fetch", "imagenet"), "imagenet"),
        (("data", "check", "imagenet"), "imagenet"),
        (("frobnicate",), "frobnicate"),
        (("plan", "--frob"), "--frob"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line(paperlib, words, expected):
    code, out, err = paperlib(*words)
    assert code != 0 and one_line(err) and expected in err, (code, out, err)


@pytest.mark.parametrize("words", [(), ("data",)])
def test_without_a_command_it_lists_them_and_says_so(paperlib, words):
    code, out, err = paperlib(*words)
    assert (
        code != 0
        and "Usage: paperlib" in out
        and err == "paperlib: no command given; --help lists them\n"
    )


def test_an_error_of_ours_is_one_line_too_and_says_how_to_see_more(paperlib, monkeypatch):
    def broken():
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("paperlib.models.complexity.model_sizes", broken)
    code, _, err = paperlib("sizes")
    assert (
        code == 1 and err == "paperlib: ZeroDivisionError: division by zero (--debug shows where)\n"
    )


def test_control_c_says_that_nothing_is_lost(paperlib, monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("paperlib.models.complexity.model_sizes", stopped)
    code, _, err = paperlib("sizes")
    assert code == 130 and one_line(err) and "stopped; what is done is kept" in err
