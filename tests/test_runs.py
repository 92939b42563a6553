"""Runs and studies: what a run's identity holds, that it is trained once, and one clear line for
whatever cannot be had."""

import json
import math
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.execute import pace
from companion.execute import plan as plans
from companion.measure.scores import baseline, measure_run
from companion.runs import prediction_cache, provenance, study, train_or_load
from companion.runs.catalogue import catalogue
from companion.runs.cost import cost_of, memory
from companion.runs.sizes import SCALES, SIZES
from companion.runs.study import NotMeasured, Study
from companion.settings import Folders
from paperlib import PaperlibError
from paperlib import predict as prediction
from paperlib.models.hourglass import Residual
from paperlib.predict import decode, folded, heatmaps, people_at_once, predict, predict_batch

RUN = "recurrent-t1-parts"
INVENTORY = {
    *(f"R-fig{i}" for i in range(1, 10)),
    *(f"R-tab{i}" for i in range(1, 5)),
    *(f"H-fig{i}" for i in range(1, 12)),
    "H-tab1",
    "H-tab2",
}


# ---------------------------------------------------------------- the catalogue


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("data", ["synthetic", "real"])
def test_the_catalogue_at_every_size(size, data):
    found = catalogue(size, data)
    assert all(name == run.name for name, run in found.items())
    assert {artifact for run in found.values() for artifact in run.artifacts} <= INVENTORY
    for run in found.values():
        assert (
            run.test_on in ("mpii", "lsp", "flic")
            and run.recipe.steps > 0
            and run.recipe.factor(0) > 0
        )
        if run.network.kind != "error_feedback":  # which takes any side
            assert (
                run.codec.side
                % (8 * run.codec.stride if run.network.kind == "hourglass" else run.codec.stride)
                == 0
            )
        assert hash(run) == hash(replace(run))


@pytest.mark.parametrize("size", SIZES)
def test_people_can_be_drawn_as_a_size_asks(size):
    """LSP's format has as many people to test on as to train on."""
    train, test = SCALES[size].drawn["lsp"]
    assert train == test and all(min(counts) > 0 for counts in SCALES[size].drawn.values())


def test_networks_say_what_their_codecs_read(tiny):
    for run in tiny.runs.values():
        with torch.device("meta"):
            sites = run.network.build()(torch.zeros(2, 3, run.codec.side, run.codec.side))
        if run.network.kind == "error_feedback":
            assert sites[-1].shape == (2, len(run.codec.skeleton), 2), run.name
        else:
            assert sites[-1].shape == (
                2,
                run.codec.channels,
                *[run.codec.side // run.codec.stride] * 2,
            ), run.name


def test_every_artifact_that_needs_training_has_its_run():
    """All but those drawn from the model (R-fig3, H-fig1, H-fig3, H-fig4) and the sizes
    (R-tab3)."""
    made = {artifact for run in catalogue("smoke").values() for artifact in run.artifacts}
    assert INVENTORY - made == {"R-fig3", "R-tab3", "H-fig1", "H-fig3", "H-fig4"}


def test_the_papers_recipes():
    """FACTS A.7, C.4."""
    found = catalogue("paper", "real")
    assert (
        found["recurrent"].recipe.steps == pytest.approx(50 * 22_246 / 20, abs=1)
        and found["hourglass"].recipe.steps == 100 * 8000
    )
    assert [found[name].codec.side for name in ("recurrent", "hourglass")] == [248, 256]
    assert (
        found["hourglass"].codec.sigma,
        found["hourglass"].codec.absent,
        found["recurrent"].codec.tail,
    ) == (1.0, "zero", 1e-18)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Study("smal"), "size 'smal'.*tiny, smoke, night, short, paper"),
        (lambda: Study("tiny", "reel"), "data 'reel'.*synthetic or real"),
        (lambda: Study("tiny", device="gpu"), "device 'gpu'.*auto, cuda, mps or cpu"),
        (
            lambda: Study(
                "tiny",
                "real",
                folders=Folders(Path("/nowhere/data"), Path("runs"), Path("results")),
            ),
            "/nowhere/data.*PAPERLIB_DATA",
        ),
    ],
    ids=["size", "data", "device", "folder"],
)
def test_a_study_that_cannot_be_is_one_clear_error(make, message):
    with pytest.raises(PaperlibError, match=message):
        make()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there():
    with pytest.raises(PaperlibError, match="'cuda'.*no GPU.*--device cpu"):
        Study("tiny", device="cuda")


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("hourgalss", "hourglass"), ("recurrent-t1-part", "recurrent-t1-parts"), ("zzz", "recurrent")],
)
def test_an_unknown_run_names_the_nearest(tiny, wrong, near):
    for ask in (tiny.trained, tiny.missing, tiny.predict, tiny.folder_of, tiny.test_crops):
        with pytest.raises(PaperlibError, match=f"'{wrong}' is not in the catalogue.*{near}"):
            ask(wrong)


def test_the_size_comes_from_the_environment(monkeypatch, tiny):
    monkeypatch.setenv("PAPERLIB_SIZE", "tiny")
    assert (
        Study(folders=tiny.folders).size == "tiny"
        and Study("smoke", folders=tiny.folders).size == "smoke"
    )
    monkeypatch.delenv("PAPERLIB_SIZE")
    assert Study(folders=tiny.folders).size == "smoke"


def test_folders_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("PAPERLIB_RUNS", str(tmp_path / "r"))
    monkeypatch.delenv("PAPERLIB_DATA", raising=False)
    here = Folders.here()
    assert (
        here.runs == tmp_path / "r"
        and here.data.name == "data"
        and (here.data.parent / "pyproject.toml").exists()
    )


def test_a_reader_writes_elsewhere_than_reproduce(monkeypatch):
    """`git status` stays clean, and what is kept with the results is still found."""
    for name in ("RUNS", "RESULTS"):
        monkeypatch.delenv(f"PAPERLIB_{name}", raising=False)
    reading, writing = Folders.here(), Folders.of_results()
    assert reading.results == reading.runs / "results" and reading.kept == writing.results
    assert writing.results.name == "results" and writing.results.parent == reading.runs.parent
    study = Study("tiny", folders=reading, reuse=True)
    assert study.kept == writing.results / "synthetic-tiny" != study.results


def test_a_named_results_folder_is_read_and_written(monkeypatch, tmp_path):
    monkeypatch.setenv("PAPERLIB_RESULTS", str(tmp_path))
    here = Folders.here()
    assert here.results == here.kept == tmp_path == Folders.of_results().results


# ---------------------------------------------------------------- identity


def test_another_sigma_is_another_run_and_only_that(tiny):
    other = tiny.varied("recurrent", sigma=2.0)
    assert other.runs["recurrent"].codec.sigma == 2.0 != tiny.runs["recurrent"].codec.sigma
    changed = [name for name in tiny.runs if other.folder_of(name) != tiny.folder_of(name)]
    assert changed == ["recurrent"]


def test_an_identity_is_of_settings_data_and_the_number(tiny, monkeypatch):
    run = tiny.runs[RUN]
    mine = train_or_load.identity(run, "people")
    assert train_or_load.identity(replace(run, name="other", artifacts=()), "people") == mine
    assert train_or_load.identity(run, "other people") != mine
    assert (
        train_or_load.identity(replace(run, recipe=replace(run.recipe, steps=5)), "people") != mine
    )
    assert train_or_load.identity(replace(run, seed=1), "people") != mine
    monkeypatch.setattr(train_or_load, "TRAINING", train_or_load.TRAINING + 1)
    assert train_or_load.identity(run, "people") != mine


def test_an_identity_does_not_hang_on_the_arithmetic(tiny):
    other = Study(
        "tiny", "synthetic", "cpu", progress=False, folders=tiny.folders, precision="bf16"
    )
    assert other.precision == "bf16" and other.folder_of(RUN) == tiny.folder_of(RUN)


def test_a_new_option_whose_default_changes_nothing_trains_nothing_anew(tiny):
    """A spec names what differs from the defaults: fields that did not exist yet differ from
    none."""

    @dataclass(frozen=True)
    class Recipe(type(tiny.runs[RUN].recipe)):
        averaged: bool = False

    run = tiny.runs[RUN]
    newer = replace(run, recipe=Recipe(**vars(run.recipe)))
    assert newer.spec() == run.spec()
    assert replace(run, recipe=replace(newer.recipe, averaged=True)).spec() != run.spec()


def test_kept_predictions_are_of_the_number_too(tiny, monkeypatch, tmp_path):
    found = tiny.predict(RUN)
    (tmp_path / "kept.npz").write_bytes(prediction_cache.prediction_bytes(found, "people"))
    assert prediction_cache.read_prediction(tmp_path / "kept.npz", "people") is not None
    assert prediction_cache.read_prediction(tmp_path / "kept.npz", "others") is None
    monkeypatch.setattr(prediction_cache, "PREDICTION", prediction_cache.PREDICTION + 1)
    assert prediction_cache.read_prediction(tmp_path / "kept.npz", "people") is None


def test_outside_a_checkout_the_commit_is_unknown(monkeypatch, tmp_path):
    monkeypatch.setattr(provenance.paperlib, "__file__", str(tmp_path / "paperlib" / "__init__.py"))
    assert provenance.commit.__wrapped__() == "unknown"


def test_identity_holds_what_decides_the_weights_and_nothing_else(tiny):
    run = tiny.runs[RUN]
    same, base = (
        replace(run, name="other", artifacts=("R-fig1",)),
        train_or_load.identity(run, "data"),
    )
    assert train_or_load.identity(same, "data") == base and len(base) == 16
    changed = [
        replace(run, seed=1),
        replace(run, recipe=replace(run.recipe, steps=99)),
        replace(run, codec=replace(run.codec, sigma=2.0)),
        replace(run, train_on=("lsp",)),
        replace(run, start=tiny.runs["recurrent"]),
        replace(run, start=tiny.runs["recurrent-t2"]),
    ]
    identities = [
        base,
        train_or_load.identity(run, "other data"),
        *(train_or_load.identity(other, "data") for other in changed),
    ]
    assert len(set(identities)) == len(identities)


def test_names_that_share_a_spec_are_known(tiny):
    """Two names of one training would train it twice."""
    specs = [
        run.spec() for run in tiny.runs.values() if run.name not in ("hourglass", "hourglass-lsp")
    ]
    assert len(set(specs)) == len(specs)


def test_the_folder_says_which_people_a_run_saw(tiny, tmp_path):
    before = tiny.folder_of(RUN)
    assert (
        before.name == f"{RUN}-{before.name.rsplit('-', 1)[1]}"
        and before.parent.name == "synthetic-tiny"
    )
    folders = Folders(tiny.folders.data, tmp_path / "runs", tmp_path / "results")
    copy, later = (
        Study("tiny", "synthetic", "cpu", progress=False, folders=folders) for _ in range(2)
    )
    shutil.copytree(tiny.root, tmp_path / "runs" / "drawn" / "tiny")
    assert copy.folder_of(RUN).name == before.name  # where the images lie does not matter
    image = Path(copy.people("mpii", "train").image[0])
    image.write_bytes(image.read_bytes() + b"\0")
    assert later.folder_of(RUN).name != before.name


# ---------------------------------------------------------------- trained once


def test_a_run_and_its_record(tiny):
    trained = tiny.trained(RUN)
    record = json.loads((trained.folder / "record.json").read_text())
    assert record["weights_sha256"] == train_or_load.sha256(trained.folder / "weights.safetensors")
    assert (
        record["spec"] == trained.run.spec()
        and record["people"] == 32
        and record["seed"] == 0
        and "CPU" in record["device"]
    )
    assert (
        record["data_sha256"]
        == tiny.crops(tiny.training_people(trained.run), trained.run.codec).sha256
        and record["seconds"] > 0
    )
    assert len(trained.log) == trained.run.recipe.steps and not trained.model.training
    assert set(path.name for path in trained.folder.iterdir()) >= {
        "log.csv",
        "record.json",
        "weights.safetensors",
    }
    assert (
        not list(trained.folder.glob("*.part")) and not (trained.folder / "checkpoint.pt").exists()
    )


def test_the_same_bits_in_another_folder(tiny, tmp_path):
    run = tiny.runs[RUN]
    again = train_or_load.train_or_load(
        run, tiny.crops(tiny.training_people(run), run.codec), tmp_path
    )
    assert again.record["weights_sha256"] == tiny.trained(RUN).record["weights_sha256"]


def test_a_second_call_trains_nothing(tiny, monkeypatch):
    first = tiny.trained(RUN)
    monkeypatch.setattr(train_or_load, "train", lambda *_: pytest.fail("trained again"))
    other = Study("tiny", "synthetic", "cpu", progress=False, folders=tiny.folders)
    second = other.trained(RUN)
    assert second.record == first.record
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            first.model.state_dict().values(), second.model.state_dict().values(), strict=True
        )
    )


def test_a_run_goes_on_from_another(tiny):
    run = tiny.runs["recurrent-t2-parts-finetuned"]
    assert run.start == tiny.runs["recurrent-t2-parts-coco"]
    tuned = tiny.trained(run.name)
    assert tiny.folder_of(run.start.name).exists() and train_or_load.is_cached(
        tiny.folder_of(run.start.name)
    )
    scratch = tiny.trained("recurrent-t2-parts")
    assert tuned.record["weights_sha256"] != scratch.record["weights_sha256"]
    assert tuned.log.loss[0] != scratch.log.loss[0]


WANTED = """
import sys
from pathlib import Path
from companion.runs import train_or_load
from companion.settings import Folders
from companion.runs.study import Study
study = Study("tiny", "synthetic", "cpu", progress=False, folders=Folders(*map(Path, sys.argv[1:])))
print(study.trained("recurrent-t0").record["finished"])
"""


def test_a_second_process_waits_for_the_one_that_trains(fresh, monkeypatch):
    """This process holds the run for a while; the other one says so, waits, and takes what was
    trained."""
    folder, run = fresh.folder_of("recurrent-t0"), fresh.runs["recurrent-t0"]
    crops, honest = fresh.crops(fresh.training_people(run), run.codec), train_or_load.train

    def slowly(*args):
        line.append(other.stdout.readline())  # until the other process has found the lock
        return honest(*args)

    line = []
    command = [sys.executable, "-u", "-c", WANTED, *map(str, vars(fresh.folders).values())]
    monkeypatch.setattr(train_or_load, "train", slowly)
    other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    here = train_or_load.train_or_load(run, crops, folder)
    out, _ = other.communicate(timeout=60)
    assert line == ["recurrent-t0: another process is training it; waiting for that one\n"]
    assert out.strip() == here.record["finished"] and other.returncode == 0


# ---------------------------------------------------------------- weights that are not right


@pytest.fixture
def copied(tiny, tmp_path):
    return Path(
        shutil.copytree(
            tiny.trained(RUN).folder, tmp_path / "synthetic-tiny" / tiny.trained(RUN).folder.name
        )
    )


@pytest.mark.parametrize("damage", ["one bit", "cut", "another run", "record of another run"])
def test_weights_that_are_not_the_records_are_one_clear_error(tiny, copied, damage):
    weights, record = copied / "weights.safetensors", copied / "record.json"
    content = bytearray(weights.read_bytes())
    if damage == "one bit":
        content[-5] ^= 1
        weights.write_bytes(content)
    elif damage == "cut":
        weights.write_bytes(content[: len(content) // 2])
    elif damage == "another run":
        shutil.copy(tiny.trained("hourglass").folder / "weights.safetensors", weights)
    else:
        for name in ("weights.safetensors", "record.json"):
            shutil.copy(tiny.trained("hourglass").folder / name, copied / name)
    with pytest.raises(
        PaperlibError, match=rf"weights\.safetensors: not the weights .*delete .*{RUN}"
    ) as error:
        train_or_load.load(tiny.runs[RUN], copied)
    assert record.exists() and "\n" not in str(error.value).splitlines()[0]


def test_a_full_disk_while_predictions_are_kept(tiny, monkeypatch):
    monkeypatch.setattr(
        prediction_cache.np,
        "save",
        lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")),
    )
    with pytest.raises((PaperlibError, OSError), match="No space left"):
        tiny.predict(RUN, scales=(1.0, 1.1))
    monkeypatch.undo()
    assert tiny.predict(RUN, scales=(1.0, 1.1)).points.shape[1:] == (24, 16, 2)


# ---------------------------------------------------------------- a machine that is not right


@pytest.fixture
def crops(tiny):
    return tiny.crops(tiny.training_people(tiny.runs[RUN]), tiny.runs[RUN].codec)


@pytest.mark.parametrize("where", ["GPU", "CPU", "CPU of Windows", "numpy"])
def test_out_of_memory_is_one_clear_error(tiny, crops, tmp_path, monkeypatch, where):
    def full(*_):
        if where == "CPU":
            torch.empty(1 << 60, dtype=torch.uint8)
        if where == "CPU of Windows":
            raise RuntimeError(
                "DefaultCPUAllocator: not enough memory: you tried to allocate 2147483648 bytes."
            )
        if where == "numpy":
            np.empty(1 << 60, dtype=np.uint8)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with monkeypatch.context() as patch:
        patch.setattr(train_or_load, "train", full)
        told = (
            rf"{RUN}: out of memory on .*CPU.* with 16 crops of 64 px.*"
            "--jobs 1, a smaller --size .*goes on at the last checkpoint"
        )
        with pytest.raises(PaperlibError, match=told):
            train_or_load.train_or_load(tiny.runs[RUN], crops, tmp_path)
    again = train_or_load.train_or_load(tiny.runs[RUN], crops, tmp_path)
    assert again.record["weights_sha256"] == tiny.trained(RUN).record["weights_sha256"]


@pytest.mark.parametrize("asked", ["auto", "cuda"])
def test_a_gpu_that_is_full_at_the_first_step_leaves_it_to_the_cpu(
    tiny, tmp_path, monkeypatch, capsys, asked
):
    """Where "auto" chose it; one that was asked for by name is one clear error."""
    folders = replace(tiny.folders, runs=tmp_path)
    (tmp_path / "drawn").symlink_to(tiny.folders.runs / "drawn")
    tiny.root  # noqa: B018 - draws the people
    there = Study("tiny", "synthetic", "cpu", progress=False, folders=folders)
    there.wanted, there.device, seen = (asked, "auto"), torch.device("cuda"), []

    def trained(name):
        seen.append(there.device.type)
        if there.device.type == "cuda":
            raise provenance.OutOfMemory("recurrent-t0: out of memory on Tesla T4")
        return "trained"

    monkeypatch.setattr(there, "_trained", trained)
    if asked == "auto":
        assert there.trained("recurrent-t0") == "trained" and seen == ["cuda", "cpu"]
        assert (
            capsys.readouterr().err
            == "paperlib: recurrent-t0: out of memory on Tesla T4; the CPU trains it\n"
        )
    else:
        with pytest.raises(PaperlibError, match="out of memory on Tesla T4"):
            there.trained("recurrent-t0")


def test_another_error_of_torch_is_not_out_of_memory(tiny, crops, tmp_path, monkeypatch):
    monkeypatch.setattr(train_or_load, "train", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        train_or_load.train_or_load(tiny.runs[RUN], crops, tmp_path)


@pytest.mark.parametrize("what", ["folder", "lock"])
def test_a_runs_folder_that_cannot_be_written_is_one_clear_error(tiny, crops, tmp_path, what):
    folder = tmp_path / "file" / "run" if what == "folder" else tmp_path
    (tmp_path / "file").touch()
    (tmp_path / "lock").mkdir()
    with pytest.raises(
        PaperlibError,
        match=rf"{folder}: cannot be (made|written) \(.*; (choose another|set PAPERLIB_RUNS to "
        r"a) folder",
    ):
        train_or_load.train_or_load(tiny.runs[RUN], crops, folder)


@pytest.mark.parametrize("file", ["weights.safetensors", "record.json"])
def test_a_full_disk_at_the_end_loses_nothing(tiny, crops, tmp_path, monkeypatch, file):
    honest = Path.write_bytes

    def full(path, content):
        if file in path.name:
            raise OSError(28, "No space left on device")
        return honest(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(
            PaperlibError,
            match=rf"{file}: cannot be written \(No space left on device\); free some disk space",
        ):
            train_or_load.train_or_load(tiny.runs[RUN], crops, tmp_path)
    assert not train_or_load.is_cached(tmp_path) and (tmp_path / "checkpoint.pt").exists()
    (tmp_path / f".{file}.1.part").touch()  # of a process that was killed while it wrote
    again = train_or_load.train_or_load(tiny.runs[RUN], crops, tmp_path)
    assert again.record["weights_sha256"] == tiny.trained(RUN).record["weights_sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "lock",
        "log.csv",
        "record.json",
        "weights.safetensors",
    ]


# ---------------------------------------------------------------- what a study gives


def test_predictions_are_image_points_of_every_site_and_kept(tiny, monkeypatch):
    found = tiny.predict(RUN)
    people = tiny.test_crops(RUN).people
    assert found.points.shape == (3, len(people), 16, 2)
    assert found.peak.shape == found.mean.shape == (1, len(people), 16)  # of the last site
    codec = tiny.runs[RUN].codec
    box = codec.boxes(people)
    # within the crops
    assert (np.abs(found.points - box[:, None, :2]) <= box[:, None, 2:] / 2).all()
    monkeypatch.setattr(study, "predict", lambda *_, **__: pytest.fail("predicted again"))
    again = Study("tiny", "synthetic", "cpu", progress=False, folders=tiny.folders).predict(RUN)
    np.testing.assert_array_equal(again.points, found.points)


def test_flipping_averages_the_mirrored_image(tiny):
    model, crops = tiny.trained(RUN).model, tiny.test_crops(RUN)
    images = crops.batch(np.arange(3)).images
    averaged = heatmaps(model, crops.codec, images, flip=True, precision="fp32")
    plain = heatmaps(model, crops.codec, images, flip=False, precision="fp32")
    mirrored = heatmaps(model, crops.codec, images.flip(-1), flip=False, precision="fp32")
    swap = torch.from_numpy(crops.codec.mirror)
    for site, one, other in zip(averaged, plain, mirrored, strict=True):
        torch.testing.assert_close(site, (one + other.flip(-1)[:, swap]) / 2, atol=1e-5, rtol=1e-4)
    of_the_mirror = heatmaps(model, crops.codec, images.flip(-1), flip=True, precision="fp32")
    torch.testing.assert_close(
        of_the_mirror[-1], averaged[-1].flip(-1)[:, swap], atol=1e-5, rtol=1e-4
    )


def test_predictions_are_those_of_the_network_as_it_was_trained_whatever_the_batch(
    tiny, monkeypatch
):
    """Folded batch norms and small batches are the fast way to the same points."""
    model, crops = tiny.trained(RUN).model, tiny.test_crops(RUN)
    found = predict(model, crops, precision="fp32", progress=False)
    sites, batch = predict_batch(model, crops, np.arange(len(crops)), precision="fp32")
    for s, site in enumerate(sites):
        points, peak, mean = decode(crops.codec, site, batch.to_image)
        np.testing.assert_allclose(found.points[s], points, atol=1e-3)
        np.testing.assert_allclose(found.peak[s], peak, atol=1e-4)
        np.testing.assert_allclose(found.mean[s], mean, atol=1e-5)
    alone = []
    monkeypatch.setattr(prediction, "PIXELS", 1)
    monkeypatch.setattr(
        prediction,
        "predict_batch",
        lambda *args: alone.append(len(args[2])) or predict_batch(*args),
    )
    np.testing.assert_array_equal(
        predict(model, crops, precision="fp32", progress=False).points, found.points
    )
    assert alone == [1] * len(crops)


def test_folding_takes_every_batch_norm_that_follows_a_convolution_and_leaves_the_network_alone(
    tiny,
):
    for name in (
        RUN,
        "hourglass",
        # what is left: R's two passes of three norms; of a residual's three, the one before its
        # first convolution
    ):
        network = tiny.runs[name].network.build().train()
        left = (
            6 if name == RUN else sum(isinstance(module, Residual) for module in network.modules())
        )
        before = {key: value.clone() for key, value in network.state_dict().items()}
        plain = folded(network)
        assert (
            sum(isinstance(module, torch.nn.BatchNorm2d) for module in plain.modules()) == left
        ), name
        assert network.training and all(
            torch.equal(value, before[key]) for key, value in network.state_dict().items()
        )


def test_on_a_cpu_a_batch_holds_as_many_people_as_its_memory_is_fastest_with():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    cases = (
        (256, True, "bf16"),
        (256, False, "bf16"),
        (256, True, "fp32"),
        (128, True, "bf16"),
        (999, True, "fp32"),
    )
    assert [people_at_once(*case, cpu) for case in cases] == [2, 4, 1, 8, 1] and people_at_once(
        256, True, "bf16", gpu
    ) == 64


def test_scales_are_laid_back_on_one_grid(tiny):
    """A network that shows the brightness of its image: zoomed crops agree where they overlap."""
    crops = tiny.test_crops(RUN)

    class Brightness(torch.nn.Module):
        def forward(self, images):
            return [
                torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True).float() + 1, 4).repeat(
                    1, 31, 1, 1
                )
            ]

    rows, inner = np.arange(8), (slice(None), slice(None), slice(3, -3), slice(3, -3))
    (one,), _ = predict_batch(Brightness(), crops, rows, flip=False, precision="fp32")
    for scale in (0.8, 1.25):
        (other,), _ = predict_batch(
            Brightness(), crops, rows, flip=False, scales=(scale,), precision="fp32"
        )
        correlation = np.corrcoef(one[inner].flatten(), other[inner].flatten())[0, 1]
        assert correlation > 0.93, (scale, correlation)
    (mean,), _ = predict_batch(
        Brightness(), crops, rows, flip=False, scales=(1.0, 1.25), precision="fp32"
    )
    torch.testing.assert_close(mean, (one + other) / 2)


def test_measures_of_a_run_and_of_the_mean_pose(tiny):
    measured, blind = measure_run(tiny, RUN), baseline(tiny, RUN)
    for found in (measured, blind):
        assert 0 <= found.scores.total <= 100 and found.errors.shape == (24, 16)
        low, high = found.interval()
        assert low <= found.scores.total <= high
        assert found.scores.total == pytest.approx(100 * found.hits[found.annotated].mean())
    gain, low, high = blind.gain_over(measured)
    assert gain == pytest.approx(blind.scores.total - measured.scores.total) and low <= gain <= high


def test_nobody_is_both_trained_and_tested_on(tiny):
    for run in tiny.runs.values():
        if not tiny.missing(run.name):
            assert not set(tiny.training_people(run).image) & set(
                tiny.test_people(run.test_on).image
            ), run.name


def test_a_recipe_is_chosen_by_people_that_it_has_not_seen(tiny, monkeypatch):
    """A trial run trains on LSP's split "rest" and is measured on "held-out": nobody of that split
    or of LSP test is trained on."""
    real = Study(
        "smoke",
        "real",
        "cpu",
        progress=False,
        folders=Folders(tiny.root, tiny.folders.runs, tiny.folders.results),
    )
    monkeypatch.setattr(study, "FEWEST", 1)
    trial = replace(
        real.runs["hourglass-lsp"], train_on=("lsp-rest", "mpii"), test_on="lsp-held-out"
    )
    held_out, tested = real.test_people(trial.test_on), real.people("lsp", "test")
    trained = real.training_people(trial)
    assert len(held_out) and not set(trained.image) & (set(held_out.image) | set(tested.image))
    assert set(real.people("lsp", "train").image) - set(held_out.image) < set(trained.image)


def test_with_training_forbidden_only_what_is_trained_is_measured(fresh, monkeypatch):
    there, absent = "recurrent-t0", "hourglass-4x2"
    fresh.trained(there)
    monkeypatch.setenv("PAPERLIB_TRAIN", "no")
    reader = Study("tiny", "synthetic", "cpu", progress=False, folders=fresh.folders)
    assert [name for name in reader.runs if not reader.missing(name)] == [there]
    assert reader.trained(there).record and reader.seeds(there) == [there]
    assert reader.missing(absent) == f"{absent} not trained" and not reader.seeds(absent)
    with pytest.raises(NotMeasured, match="not trained"):
        reader.predict(absent)
    assert not fresh.folder_of(absent).exists() and not fresh.missing(absent)


def test_a_data_root_without_images_says_which_are_absent(real_data, tmp_path):
    real = Study(
        "tiny",
        "real",
        "cpu",
        progress=False,
        folders=Folders(real_data, tmp_path / "runs", tmp_path / "results"),
    )
    assert real.missing("hourglass-flic") == "FLIC images absent"
    assert real.missing("recurrent-t2-parts-coco").startswith("COCO ") and real.missing(
        "recurrent-t2-parts-finetuned"
    ).startswith("COCO ")
    assert real.missing("hourglass-lsp") == ""
    with pytest.raises(NotMeasured, match="FLIC images absent"):
        real.trained("hourglass-flic")


def test_an_empty_data_root_has_nothing_and_says_so(tmp_path):
    (tmp_path / "data").mkdir()
    empty = Study(
        "tiny",
        "real",
        "cpu",
        progress=False,
        folders=Folders(tmp_path / "data", tmp_path / "runs", tmp_path / "results"),
    )
    reasons = {name: empty.missing(name) for name in empty.runs}
    assert set(reasons.values()) <= {
        "MPII labels absent",
        "LSP labels absent",
        "FLIC labels absent",
        "COCO labels absent",
    }
    assert all(row["missing"] and not row["cached"] for row in plans.plan(empty))


# ---------------------------------------------------------------- the plan


def test_the_plan_says_what_is_cached_and_trains_nothing(tiny, monkeypatch):
    tiny.trained(RUN)
    monkeypatch.setattr(train_or_load, "train", lambda *_: pytest.fail("trained"))
    rows = {
        row["run"]: row
        for row in plans.plan(
            Study("tiny", "synthetic", "cpu", progress=False, folders=tiny.folders)
        )
    }
    assert (
        list(rows) == list(tiny.runs)
        and rows[RUN]["cached"]
        and rows[RUN]["folder"] == tiny.folder_of(RUN)
    )
    assert all((row["seconds"] == 0) == row["cached"] for row in rows.values())
    assert all(row["disk_mb"] > 0 and row["memory_mb"] > 0 for row in rows.values())


def test_time_is_that_of_steps_timed_now(tiny, monkeypatch):
    """A machine on which a GFLOP takes 2 s and a layer 3: two networks of a kind tell both, and any
    run follows."""

    def slow(step, device):
        images, run = step
        return 2 * images * cost_of(run).gflop + 3 * cost_of(run).layers

    monkeypatch.setattr(pace, "LONG", math.inf)
    monkeypatch.setattr(pace, "training_step", lambda run, images, *_: (images, run))
    monkeypatch.setattr(pace, "_clock", slow)
    for name, seconds in plans.seconds_ahead(tiny, list(tiny.runs)).items():
        run = tiny.runs[name]
        step = 2 * run.recipe.batch * cost_of(run).gflop + 3 * cost_of(run).layers
        left = 1 - train_or_load.progress_of(tiny.folder_of(name)) / run.recipe.steps
        assert seconds == pytest.approx(left * run.recipe.steps * step)


def test_a_timed_step_is_a_step_of_the_training(tiny):
    """Within a factor of three of what the run's own steps took, on whatever else runs here."""
    run = tiny.runs["hourglass-8x1"]
    trained = tiny.trained(run.name)
    timed = pace.measure([run], tiny.device, tiny.precision)["hourglass"].of_step(run)
    assert timed * run.recipe.steps == pytest.approx(trained.record["seconds"], rel=2)


def test_memory_is_what_the_backward_pass_keeps():
    """Against what the forward pass of one image more really saved at 256 px on a CPU: 68.2 MB in
    bf16 and 129.3 MB in fp32 for one hourglass, 308.5 MB in bf16 for eight."""
    paper, short = (catalogue(size, "real")["hourglass"] for size in ("paper", "short"))

    def an_image(run, precision, stacks=1):
        one = replace(
            run,
            network=replace(run.network, options=(("stacks", stacks),)),
            recipe=replace(run.recipe, batch=1),
        )
        two = replace(one, recipe=replace(one.recipe, batch=2))
        return memory(two, precision) - memory(one, precision)

    assert an_image(paper, "fp32") == pytest.approx(129.3, rel=0.01)
    assert an_image(short, "bf16") == pytest.approx(68.2, rel=0.01)
    assert an_image(short, "bf16", 8) == pytest.approx(308.5, rel=0.01)


def test_the_plan_says_what_goes_on_from_what_and_which_notebook_needs_it(tiny):
    rows = {row["run"]: row for row in plans.plan(tiny)}
    assert {name: row["start"] for name, row in rows.items() if row["start"]} == {
        "recurrent-t2-parts-finetuned": "recurrent-t2-parts-coco"
    }
    # H-fig8, and a claim
    assert rows["hourglass-1x8"]["notebooks"] == ["05_ablations", "07_comparison"]
    assert rows["recurrent-t0-unweighted"]["notebooks"] == ["07_comparison"]  # a claim alone
    assert "01_data" not in {notebook for row in rows.values() for notebook in row["notebooks"]}


def test_time_grows_with_steps_and_with_the_batch(tiny):
    run = tiny.runs[RUN]
    more = [
        replace(run, recipe=replace(run.recipe, **{key: 2 * getattr(run.recipe, key)}))
        for key in ("steps", "batch")
    ]
    speed = pace.Pace(per_gflop=1.0, per_layer=1e-3)
    seconds = [speed.seconds(other) / speed.seconds(run) for other in more]
    assert seconds[0] == pytest.approx(2) and 1 < seconds[1] < 2
