"""Weights that come with the package: rebuilt from their record alone, as good as they say, and one
clear line for whatever does not belong together.

`PYTHONPATH=. python tests/test_shipped_weights.py` writes the fixture anew: six drawn people and
what the shipped weights say of them.
"""

import json
import shutil
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.app.pretrained import best_weights, describe
from paperlib import PaperlibError, weights
from paperlib.codecs import HourglassCodec, RecurrentCodec
from paperlib.metrics import normalised_errors, pck
from paperlib.models import Recurrent, StackedHourglass
from paperlib.photograph import people_in, see
from paperlib.skeleton import LSP, MPII, joint_map
from paperlib.weights import load_weights, save_weights, shipped
from tools.ship_weights import empty_pictures, ship

ROOT = Path(__file__).parents[1]
FIXTURE = Path(__file__).parent / "fixtures" / "drawn_people.npz"
NAMES = sorted(shipped())
RUN = "recurrent-t1-parts"
NETWORKS = {
    "hourglass": (
        StackedHourglass,
        HourglassCodec(side=64),
        {"stacks": 2, "features": 16, "depth": 3},
    ),
    "recurrent": (
        Recurrent,
        RecurrentCodec(side=64, tail=0.01),
        {"width": 4, "kernels": (3, 3, 3, 3, 3), "iterations": 1, "init": "torch"},
    ),
}


def save(kind, folder, **record):
    torch.manual_seed(0)
    model_class, codec, options = NETWORKS[kind]
    model = model_class(**options).eval()
    return model, save_weights(
        {"name": "mine", "kind": "untrained"} | record, model, codec, options, folder
    )


# ---------------------------------------------------------------- what is shipped


def score(points, truth):
    """PCK@0.2 of points (N, 16, 2) against LSP's joints (N, 14, 2), percent."""
    torso = np.linalg.norm(
        truth[:, LSP.index("left_shoulder")] - truth[:, LSP.index("right_hip")], axis=-1
    )
    return pck(normalised_errors(points[:, joint_map(MPII, LSP)], truth, torso), 0.2)


def answers(name, stored):
    """Points (N, 16, 2) and confidences (N, 16) of the fixture's people."""
    network = load_weights(shipped()[name])
    found = [
        see(network, picture[:h, :w], people_in(MPII, (w, h)))
        for picture, (w, h) in zip(stored["pictures"], stored["sizes"], strict=True)
    ]
    return [np.concatenate(part) for part in zip(*found, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_say_what_they_said_when_they_were_shipped(name):
    stored = np.load(FIXTURE)
    points, confidence = answers(name, stored)
    same = np.abs(points - stored[f"{name}_points"]).max(axis=-1) < 0.1
    assert same.mean() > 0.97  # of two equal maxima another machine may take the other
    np.testing.assert_allclose(confidence, stored[f"{name}_confidence"], atol=2e-3)
    assert (
        score(points, stored["truth"])
        == pytest.approx(score(stored[f"{name}_points"], stored["truth"]), abs=2)
        and score(points, stored["truth"]) > 25
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_record_says_what_they_are(name):
    record = json.loads(shipped()[name].read_text())
    assert {"name", "kind", "stages", "people", "run", "licence", "intended_use"} <= set(record)
    assert {"spec", "people", "steps", "seed", "data_sha256", "commit"} <= set(record["run"])
    assert record["name"] == name and "research" in record["licence"]
    lsp, mpii = record["scores"]
    assert (
        (lsp["measure"], mpii["measure"]) == ("PCK@0.2", "PCKh@0.5")
        and "1000 people of LSP test" in lsp["on"]
        and "264 people of MPII" in mpii["on"]
    )
    for measured in (lsp, mpii):
        assert measured["interval"][0] < measured["total"] < measured["interval"][1]
    line = describe(load_weights(shipped()[name]))
    assert f"PCK@0.2 {lsp['total']:.1f} on 1000 people" in line and record["kind"] in line
    assert (
        record["visibility"]["slope"] > 0
        and record["visibility"]["brier"] < record["visibility"]["brier_of_share"]
    )
    assert (
        record["no_person"]["people_below"] == 0.01
        and record["no_person"]["empty_below"]["uniform"] == 1
    )


def test_they_are_small_and_in_the_package():
    files = [path for path in weights.SHIPPED.iterdir() if path.suffix in (".safetensors", ".json")]
    assert (
        NAMES
        and sum(path.stat().st_size for path in files) <= 50e6
        and all(path.stat().st_size <= 16e6 for path in files)
    )
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "package-data"
    ]["paperlib.weights"]
    assert all(any(fnmatch(path.name, pattern) for pattern in patterns) for path in files)
    spoken_of = {
        file for path in shipped().values() for file in json.loads(path.read_text())["files"]
    }
    assert spoken_of == {path.name for path in files if path.suffix == ".safetensors"}


@pytest.mark.parametrize("name", NAMES)
def test_they_are_16_bits_wide(name):
    from safetensors.torch import load_file

    for file in json.loads(shipped()[name].read_text())["files"]:
        assert {value.dtype for value in load_file(weights.SHIPPED / file).values()} <= {
            torch.float16,
            torch.int64,
        }


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_record_alone_rebuilds_the_network(kind, tmp_path):
    model, path = save(kind, tmp_path)
    loaded = load_weights(path)
    assert loaded.codec == NETWORKS[kind][1] and loaded.name == "mine"
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        before, after = model.half().float()(images)[-1], loaded.model(images)[-1]
    torch.testing.assert_close(after, before)


def test_large_weights_come_in_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHARD", 6_000)
    model, path = save("hourglass", tmp_path)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert (
        len(files) > 2
        and all(file.stat().st_size <= 6_000 for file in files)
        and files[0].name == f"mine-1-of-{len(files)}.safetensors"
    )
    state = load_weights(path).model.state_dict()
    assert all(
        torch.equal(state[name], value.half().float() if value.is_floating_point() else value)
        for name, value in model.state_dict().items()
    )
    assert best_weights(str(files[1]), "cpu").name == "mine"


def test_a_shard_is_closed_before_it_is_too_large():
    nine_megabytes, small = (
        torch.empty(4_500_000, dtype=torch.float16),
        torch.empty(8, dtype=torch.float16),
    )
    tensors = {
        "a": nine_megabytes,
        "b": small,
        "c": nine_megabytes,
        "d": small,
        "e": nine_megabytes,
    }
    assert weights._shards(tensors) == [["a", "b"], ["c", "d"], ["e"]]


def test_a_number_beyond_16_bits_is_refused(tmp_path):
    model_class, codec, options = NETWORKS["hourglass"]
    model = model_class(**options)
    next(model.parameters()).data[0] = 1e6
    with pytest.raises(PaperlibError, match="mine: .* has numbers beyond 16 bits"):
        save_weights({"name": "mine", "kind": ""}, model, codec, options, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_is_shipped_with_what_was_measured(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tools.ship_weights.empty_pictures", lambda: {"uniform": [np.zeros((9, 9, 3), np.uint8)]}
    )
    path = ship(tiny, tiny.trained(RUN), "tiny run", 0.5, tmp_path)
    record, loaded = json.loads(path.read_text()), load_weights(path)
    assert (
        path.name == f"{RUN}.json"
        and record["run"]["identity"] == tiny.trained(RUN).folder.name
        and record["stages"] == [{"train_on": {"mpii": 1}, "steps": 4}]
    )
    assert loaded.codec == tiny.runs[RUN].codec and [
        entry["people"] for entry in record["scores"]
    ] == [24, 24]
    assert {"visibility", "no_person", "licence", "intended_use"} <= set(record)
    assert record["hours"] == 0.5 and record["earlier"] == []
    again = json.loads(ship(tiny, tiny.trained(RUN), "tiny run", 2, tmp_path).read_text())
    (before,) = again["earlier"]
    assert again["hours"] == 2 and before["hours"] == 0.5
    assert before["scores"][0]["total"] == record["scores"][0]["total"]


def test_a_shipping_that_is_stopped_leaves_what_was_there(tiny, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tools.ship_weights.assess", stopped)
    with pytest.raises(KeyboardInterrupt):
        ship(tiny, tiny.trained(RUN), "tiny run", 0.5, tmp_path)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- what does not belong together


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def other_weights(path):
    other = path.parent / "other"
    _, there = save("recurrent", other)
    shutil.copy(other / "mine.safetensors", path.parent)
    edit(path, files=json.loads(there.read_text())["files"])


DAMAGE = {
    "not JSON": (lambda path: path.write_text("{"), "mine.json: not the record of weights"),
    "no codec": (
        lambda path: path.write_text(json.dumps({"name": "mine"})),
        "mine.json: not the record of weights .KeyError: 'codec'",
    ),
    "an unknown class": (
        lambda path: edit(path, model={"class": "Transformer", "options": {}}),
        "not the record of weights .*Transformer",
    ),
    "an unknown option": (
        lambda path: edit(path, model={"class": "StackedHourglass", "options": {"heads": 3}}),
        "not the record of weights .*heads",
    ),
    "another shape": (
        lambda path: edit(
            path,
            model={
                "class": "StackedHourglass",
                "options": {"stacks": 2, "features": 8, "depth": 3},
            },
        ),
        "mine.json: its weights are those of another model",
    ),
    "weights of another model": (
        other_weights,
        "mine.json: its weights are those of another model",
    ),
    "one bit": (
        lambda path: path.with_suffix(".safetensors").write_bytes(
            path.with_suffix(".safetensors").read_bytes()[:-1] + b"\x7f"
        ),
        "mine.safetensors: not the weights that its record speaks of",
    ),
    "a shard lost": (
        lambda path: path.with_suffix(".safetensors").unlink(),
        "mine.safetensors: no such file",
    ),
    "no record": (
        lambda path: path.unlink(),
        "mine.safetensors: without its record, mine.json or record.json, nobody knows "
        "which network it is",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_does_not_belong_together_is_one_line(tmp_path, damage):
    _, path = save("hourglass", tmp_path)
    spoil, message = DAMAGE[damage]
    spoil(path)
    with pytest.raises(PaperlibError, match=message) as error:
        best_weights(
            str(tmp_path / "mine.safetensors"), "cpu"
        ) if damage != "a shard lost" else load_weights(path)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------- the best at hand


@pytest.fixture
def at_hand(tiny, tmp_path, monkeypatch):
    """A runs folder with one run, under any name of a study, and one shipped network,
    `hourglass-lsp`."""
    monkeypatch.setenv("PAPERLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(
        "companion.app.pretrained.shipped",
        lambda: {"hourglass-lsp": save("hourglass", tmp_path, people=0, run={"steps": 0})[1]},
    )
    monkeypatch.setattr("companion.app.pretrained.BEST_FIRST", ("hourglass-lsp", RUN))

    def cache(study):
        monkeypatch.setattr("companion.app.pretrained.catalogue", lambda *_: tiny.runs)
        shutil.copytree(
            tiny.trained(RUN).folder, tmp_path / "runs" / study / tiny.trained(RUN).folder.name
        )

    return cache


@pytest.mark.parametrize(
    ("study", "kind"),
    [("real-short", "run of real-short"), ("real-smoke", "untrained"), (None, "untrained")],
)
def test_large_runs_come_before_shipped_ones_and_those_before_smoke(at_hand, study, kind):
    if study:
        at_hand(study)
    assert best_weights("", "cpu").kind == kind


def test_a_run_that_is_not_shipped_is_taken_from_the_cache_and_says_how_good_it_was(at_hand):
    at_hand("synthetic-smoke")
    found = best_weights(RUN, "cpu")
    assert (
        found.kind == "run of synthetic-smoke"
        and "PCKh@0.5" in describe(found)
        and "watched in training" in describe(found)
    )


def test_a_file_of_a_run_needs_no_name(tiny):
    found = best_weights(str(tiny.trained(RUN).folder / "weights.safetensors"), "cpu")
    assert found.name == RUN and found.codec == tiny.runs[RUN].codec


@pytest.mark.parametrize("results", ["synthetic-tiny", "synthetic-tiny-public"])
def test_a_file_kept_with_the_results_is_of_its_run(tiny, tmp_path, results):
    folder = shutil.copytree(
        tiny.trained(RUN).folder,
        tmp_path / "results" / results / "runs" / tiny.trained(RUN).folder.name,
    )
    found = best_weights(str(folder / "weights.safetensors"), "cpu")
    assert (
        found.name == RUN
        and found.codec == tiny.runs[RUN].codec
        and found.kind == "run of synthetic-tiny"
    )


def test_a_run_of_another_version_is_refused(tiny, tmp_path):
    folder = shutil.copytree(tiny.trained(RUN).folder, tmp_path / "synthetic-tiny" / "copy")
    record = json.loads((folder / "record.json").read_text())
    edit(folder / "record.json", spec=record["spec"].replace('"steps": 4', '"steps": 5'))
    with pytest.raises(
        PaperlibError,
        match=f"another version of the catalogue; train it anew with .paperlib train {RUN}",
    ):
        best_weights(str(folder / "weights.safetensors"), "cpu")
    moved = shutil.copytree(tiny.trained(RUN).folder, tmp_path / "elsewhere" / "copy")
    with pytest.raises(
        PaperlibError, match=f"copy: run '{RUN}' of 'elsewhere' is not in the catalogue"
    ):
        best_weights(str(moved / "weights.safetensors"), "cpu")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (
            "resnet",
            "--weights resnet: neither a file nor a run of the catalogue; with the package "
            "come: hourglass-lsp",
        ),
        (
            "hourglass-8x1",
            "no weights of run 'hourglass-8x1' in .*runs; train some with 'paperlib train "
            "hourglass-8x1'",
        ),
        (
            "hourglass-lsp-longer",
            "no weights of run 'hourglass-lsp-longer' in .*; train some with 'paperlib train "
            "hourglass-lsp-longer --size night --data real'",
        ),
        ("recurrent-t0-seed2", "train some with 'paperlib train recurrent-t0-seed2 --size night'"),
        ("gone.safetensors", "gone.safetensors: no such file"),
        ("pyproject.toml", "pyproject.toml: not a checkpoint of torch; understood are"),
    ],
)
def test_weights_that_are_not_there_say_how_to_get_them(at_hand, monkeypatch, wanted, message):
    monkeypatch.chdir(ROOT)
    with pytest.raises(PaperlibError, match=message):
        best_weights(wanted, "cpu")


def test_no_weights_at_all(at_hand, monkeypatch):
    monkeypatch.setattr("companion.app.pretrained.shipped", dict)
    with pytest.raises(
        PaperlibError, match="no weights in .*runs; train some with 'paperlib train hourglass-lsp'"
    ):
        best_weights("", "cpu")


def write_fixture():
    """Keep the drawn people that are there; if there are none, draw six."""
    stored = dict(np.load(FIXTURE)) if FIXTURE.exists() else draw_people()
    stored = {key: stored[key] for key in ("pictures", "sizes", "truth")}
    for name in NAMES:
        points, confidence = answers(name, stored)
        stored |= {
            f"{name}_points": points.astype(np.float32),
            f"{name}_confidence": confidence.astype(np.float32),
        }
        print(name, score(points, stored["truth"]))
    FIXTURE.parent.mkdir(exist_ok=True)
    np.savez_compressed(FIXTURE, **stored)


def draw_people():
    from tempfile import TemporaryDirectory

    from companion.drawn.synthetic import make_synthetic
    from paperlib.data.images import read_image
    from paperlib.data.lsp import load_lsp

    with TemporaryDirectory() as folder:
        root = make_synthetic(Path(folder), {"lsp": (6, 6)}, side=128, seed=3)
        people = load_lsp(root / "lsp", "test")
        pictures = [read_image(path) for path in people.image]
    sizes = np.array([picture.shape[1::-1] for picture in pictures])
    padded = np.full((len(pictures), sizes[:, 1].max(), sizes[:, 0].max(), 3), 128, np.uint8)
    for room, picture in zip(padded, pictures, strict=True):
        room[: picture.shape[0], : picture.shape[1]] = picture
    return {"pictures": padded, "sizes": sizes, "truth": people.joints}


def test_the_pictures_without_people_are_pictures():
    pictures = empty_pictures(count=3)
    assert list(pictures) == ["uniform", "noise", "drawn background"]
    assert {picture.shape for some in pictures.values() for picture in some} == {(200, 150, 3)}
    assert all(
        picture.dtype == np.uint8 and picture.flags.c_contiguous
        for some in pictures.values()
        for picture in some
    )
    assert (
        pictures["uniform"][0].std(axis=(0, 1)).max() == 0 < pictures["drawn background"][0].std()
    )


if __name__ == "__main__":
    write_fixture()
