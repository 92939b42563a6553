"""Reading trains nothing: what a run gave is kept with the results, and a study that is only read
takes exactly that run's from there."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from companion.artifacts import artifacts
from companion.artifacts.artifacts import provenance_of, save_figure, save_run, sha256
from companion.artifacts.verify import verify
from companion.execute import schedule
from companion.execute.notebooks import check_parameters
from companion.execute.plan import plan
from companion.figures import training
from companion.measure.scores import measure_run
from companion.runs import train_or_load
from companion.runs.notebook_index import ORDER, runs_of
from companion.runs.prediction_cache import as_kept, prediction_bytes, read_prediction
from companion.runs.study import NotMeasured, Study
from companion.runs.train_or_load import is_cached
from companion.samples import training as samples_training
from companion.samples.training import watch_it_learn
from companion.settings import Folders
from paperlib import PaperlibError
from paperlib.predict import Prediction

RUN = "recurrent-t1-parts"


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory) -> Study:
    """A study that has trained RUN, predicted with it, and kept both with its results."""
    study = Study(
        "tiny",
        device="cpu",
        progress=False,
        folders=replace(tiny.folders, results=tmp_path_factory.mktemp("results")),
    )
    study.predict(RUN)
    save_run(study, RUN)
    return study


@pytest.fixture
def reader(made, tmp_path):
    """The same people, nothing trained, and the results beside."""
    shutil.copytree(made.folders.runs / "drawn", tmp_path / "runs" / "drawn")
    shutil.copytree(made.results, tmp_path / "results" / made.results.name)
    folders = Folders(made.folders.data, tmp_path / "runs", tmp_path / "results")
    return lambda reuse=True: Study(
        "tiny", device="cpu", progress=False, folders=folders, reuse=reuse
    )


@pytest.fixture
def untrained(monkeypatch):
    """Whoever trains fails."""

    def train(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(train_or_load, "train", train)


def test_a_reader_gets_the_same_numbers_and_trains_nothing(made, reader, untrained):
    study = reader()
    found, theirs = study.predict(RUN), made.predict(RUN)
    for name in ("points", "peak", "mean"):
        np.testing.assert_array_equal(getattr(found, name), getattr(theirs, name))
    assert measure_run(study, RUN).scores == measure_run(made, RUN).scores
    assert study.log(RUN).equals(made.trained(RUN).log) and not is_cached(study.folder_of(RUN))


def test_what_was_not_computed_here_says_so(made, reader, untrained):
    assert f"1 of {len(made.runs)} runs come from results/synthetic-tiny" in reader().sources()
    assert (
        provenance_of(reader(), "R-tab1", (RUN,))["reused"] == [RUN]
        and provenance_of(made, "R-tab1", (RUN,))["reused"] == []
    )
    ours, theirs = (provenance_of(study, "R-tab1", (RUN,)) for study in (reader(), made))
    assert ours["runs"] == theirs["runs"] and ours["weights_sha256"] == theirs["weights_sha256"]
    assert reader(reuse=False).sources() == "Every run is trained here."


def test_it_is_only_taken_where_that_is_asked_for(reader, untrained):
    for ask in (
        lambda study: study.predict(RUN),
        lambda study: study.log(RUN),
        lambda study: study.records(RUN),
    ):
        with pytest.raises(AssertionError, match="trained"):
            ask(reader(reuse=False))


def test_a_reproduction_that_may_reuse_it_does_not_plan_it(reader, untrained, monkeypatch):
    monkeypatch.setattr("companion.execute.plan.seconds_ahead", lambda study, names: {})
    for reuse in (True, False):
        rows = {row["run"]: row["cached"] for row in plan(reader(reuse=reuse))}
        assert rows[RUN] is reuse and not rows["recurrent-t0"]


def test_another_training_is_never_taken(reader, untrained):
    study = reader()
    kept = study.results / "runs" / study.folder_of(RUN).name
    kept.rename(kept.with_name(f"{RUN}-{'0' * 16}"))
    with pytest.raises(AssertionError, match="trained"):
        study.predict(RUN)
    assert study.sources().startswith("Every run is trained here: 0 of ")


def test_a_run_whose_heatmaps_are_shown_is_kept_with_its_weights(made, reader, untrained):
    """Its network is that of the training, to the last bit; what it is asked anew is computed, and
    what is kept stays as it is."""
    study = reader()
    ours, theirs = study.trained(RUN).model.state_dict(), made.trained(RUN).model.state_dict()
    assert (
        all(torch.equal(ours[name], theirs[name]) for name in theirs)
        and study.records(RUN)[0]["reused"] is True
    )
    before = sorted(study.trained(RUN).folder.iterdir())
    np.testing.assert_array_equal(
        study.predict(RUN, flip=False).points, made.predict(RUN, flip=False).points
    )
    assert (
        sorted(study.trained(RUN).folder.iterdir()) == before and not study.folder_of(RUN).exists()
    )


def test_with_paperlib_train_no_what_is_kept_is_there(reader, untrained, monkeypatch):
    monkeypatch.setenv("PAPERLIB_TRAIN", "no")
    study = reader()
    assert study.missing(RUN) == "" and study.trained(RUN).model is not None
    assert study.missing("recurrent-t0") == "recurrent-t0 not trained"
    with pytest.raises(NotMeasured, match="recurrent-t0 not trained"):
        study.trained("recurrent-t0")
    assert reader(reuse=False).missing(RUN) == f"{RUN} not trained"


@pytest.mark.parametrize(
    "ask",
    [lambda study: study.trained(RUN), lambda study: study.predict(RUN, flip=False)],
    ids=["model", "prediction"],
)
def test_whatever_needs_a_model_that_is_not_kept_trains_it(reader, ask):
    study = reader()
    (study.results / "runs" / study.folder_of(RUN).name / "weights.safetensors").unlink()
    ask(study)
    assert is_cached(study.folder_of(RUN)) and study.records(RUN)[0]["reused"] is False


def test_kept_weights_of_another_training_are_one_clear_error(reader):
    study = reader()
    weights = study.results / "runs" / study.folder_of(RUN).name / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(
        PaperlibError,
        match=r"weights\.safetensors: not the weights that record\.json speaks of; delete",
    ):
        study.trained(RUN)


def test_what_is_trained_here_comes_first(made, reader, untrained):
    study = reader()
    shutil.copytree(made.folder_of(RUN), study.folder_of(RUN))
    kept = study.results / "runs" / study.folder_of(RUN).name
    wrong = replace(made.predict(RUN), peak=np.zeros_like(made.predict(RUN).peak))
    (kept / "predictions-mpii-flip-1.npz").write_bytes(
        prediction_bytes(wrong, study.test_crops(RUN).people.sha256())
    )
    np.testing.assert_array_equal(study.predict(RUN).peak, made.predict(RUN).peak)


def test_a_published_copy_serves_as_well(made, reader, untrained):
    study = reader()
    study.results.rename(study.results.with_name("synthetic-tiny-public"))
    np.testing.assert_array_equal(study.predict(RUN).points, made.predict(RUN).points)
    assert "results/synthetic-tiny-public" in study.sources()


def test_a_training_that_was_watched_is_kept_in_its_figure(made, reader, monkeypatch):
    """The numbers that the figure was drawn from, where they are of this very run: nothing is
    trained to move the slider."""
    monkeypatch.setattr(samples_training, "STEPS", 20)
    monkeypatch.setattr(samples_training, "LOOKS", 4)
    learned, study = watch_it_learn(made), reader()
    monkeypatch.setattr(samples_training, "train", lambda *_, **__: pytest.fail("trained"))
    save_figure(study, "03-learning", training.learning, learned)
    again = watch_it_learn(study)
    assert again.keys() == learned.keys() and all(
        (again[name] == learned[name]).all() for name in learned
    )
    save_figure(
        study,
        "03-learning",
        training.learning,
        learned | {"of": np.array("recurrent-0123456789abcdef")},
    )
    for other in (study, reader(reuse=False)):
        with pytest.raises(pytest.fail.Exception, match="trained"):
            watch_it_learn(other)


# ---------------------------------------------------------------- what is kept


def test_what_is_kept_is_what_every_number_is_made_of(made):
    """Read back it is the same to the last bit, and as precise as the heatmaps themselves."""
    path = made.folder_of(RUN) / "predictions-mpii-flip-1.npz"
    path.unlink()
    found = made.predict(RUN)  # not read, but predicted
    stored = np.load(path)
    assert {stored[name].dtype for name in ("points", "peak", "mean")} == {
        np.dtype(np.float32)
    } and stored["points"].shape[:2] == (24, 3)
    again = read_prediction(path, made.test_crops(RUN).people.sha256())
    for name in ("points", "peak", "mean"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        np.testing.assert_array_equal(getattr(as_kept(found), name), getattr(found, name))
    # small ones lose no more than large ones; of the heatmaps the last site is kept
    values = np.random.default_rng(0).normal(size=(2, 3, 4)) * 1e-6
    points = np.random.default_rng(1).uniform(-9, 2000, size=(2, 3, 4, 2))
    kept = as_kept(Prediction(points, values, values))
    np.testing.assert_allclose(kept.mean, values[-1:], rtol=2.0**-11)
    np.testing.assert_allclose(kept.points, points, rtol=0, atol=0.5 / 64 + 1e-9)
    written = prediction_bytes(kept, "people")
    assert written == prediction_bytes(kept, "people")
    pixels = [(place * 64) % 1 for place in np.load(io.BytesIO(written))["points"].ravel()]
    assert not any(pixels)


def test_predictions_of_other_people_are_not_read(made, tmp_path):
    path = tmp_path / "predictions-mpii-flip-1.npz"
    assert read_prediction(path) is None
    path.write_bytes(prediction_bytes(made.predict(RUN), "somebody"))
    assert (
        read_prediction(path, "somebody else") is None
        and read_prediction(path, "somebody") is not None
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a file", b"not a zip"])
def test_predictions_that_cannot_be_read_are_one_clear_error(made, reader, content):
    study = reader()
    path = study.results / "runs" / study.folder_of(RUN).name / "predictions-mpii-flip-1.npz"
    path.write_bytes(content)
    with pytest.raises(
        PaperlibError,
        match=r"predictions-mpii-flip-1\.npz: cannot be read as predictions .*delete it",
    ):
        study.predict(RUN)


def test_only_a_run_whose_heatmaps_are_shown_has_weights(made, tmp_path, monkeypatch):
    """No run but those whose heatmaps a notebook shows, and no large network."""
    study = Study(
        "tiny", device="cpu", progress=False, folders=replace(made.folders, results=tmp_path)
    )
    study.predict("recurrent-t1")
    assert not (save_run(study, "recurrent-t1") / "weights.safetensors").exists()
    monkeypatch.setattr(artifacts, "SMALL", 1000)
    assert not (save_run(study, RUN) / "weights.safetensors").exists()


def test_a_kept_run_is_in_the_manifest_and_replaces_the_older(made, reader):
    study = reader()
    shutil.copytree(made.folder_of(RUN), study.folder_of(RUN))
    older, other = (
        study.results / "runs" / f"{name}-{'0' * 16}" for name in (RUN, f"{RUN}-ignore")
    )
    older.mkdir(), other.mkdir()
    home = save_run(study, RUN)
    predictions = {path.name for path in study.folder_of(RUN).glob("predictions-*.npz")}
    assert (
        predictions
        and {path.name for path in home.iterdir()}
        == {"record.json", "log.csv", "weights.safetensors"} | predictions
    )
    assert not older.exists() and other.exists()
    assert verify(study.results) == (1, [])
    entry = json.loads((study.results / "manifest.json").read_text())[f"run {RUN}"]
    assert set(entry["files"]) == {
        path.relative_to(study.results).as_posix() for path in home.iterdir()
    }


def change_prediction(home: Path, found: Prediction) -> str:
    (home / "predictions-mpii-flip-1.npz").write_bytes(
        prediction_bytes(replace(found, points=found.points + 1), "people")
    )
    return "predictions-mpii-flip-1.npz was changed after it was made"


def hide_an_array(home: Path, found: Prediction) -> str:
    np.savez(
        home / "predictions-mpii-flip-1.npz",
        points=found.points,
        peak=found.peak,
        mean=found.mean,
        people="people",
        photo=np.zeros(9),
    )
    return "predictions-mpii-flip-1.npz holds points, peak, mean, people, photo"


def hide_a_text(home: Path, found: Prediction) -> str:
    (home / "predictions-mpii-flip-1.npz").write_bytes(
        prediction_bytes(found, "a picture as a text " * 4)
    )
    return "holds more than numbers of float32 and one SHA-256"


def mix_up_shapes(home: Path, found: Prediction) -> str:
    np.savez(
        home / "predictions-mpii-flip-1.npz",
        points=found.points,
        peak=found.peak[:, :1],
        mean=found.mean,
        people="people",
    )
    return "are not of the same joints"


def shorten_log(home: Path, found: Prediction) -> str:
    (home / "log.csv").write_text("\n".join((home / "log.csv").read_text().splitlines()[:-1]))
    return "its log does not end as its record says"


def change_weights(home: Path, found: Prediction) -> str:
    (home / "weights.safetensors").write_bytes(
        (home / "weights.safetensors").read_bytes()[:-1] + b"?"
    )
    return "its weights are not those that its record speaks of"


def retrain(home: Path, found: Prediction) -> str:
    change_weights(home, found)
    record = json.loads((home / "record.json").read_text())
    (home / "record.json").write_text(
        json.dumps(record | {"weights_sha256": sha256(home / "weights.safetensors")})
    )
    return "R-tab1 is made of another training of it"


@pytest.mark.parametrize(
    "change",
    [
        change_prediction,
        hide_an_array,
        hide_a_text,
        mix_up_shapes,
        shorten_log,
        change_weights,
        retrain,
    ],
)
def test_verify_names_what_does_not_belong_together(made, reader, change):
    study = reader()
    home, path = study.results / "runs" / study.folder_of(RUN).name, study.results / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["R-tab1"] = {
        "kind": "withheld",
        "files": {},
        "provenance": provenance_of(made, "R-tab1", (RUN,)) | {"numbers": "r-tab1.npz"},
    }
    path.write_text(json.dumps(manifest))
    assert verify(study.results) == (2, [])
    message = change(home, made.predict(RUN))
    if "was changed" not in message:  # with its hash made right, as one would who wants it to pass
        files = manifest[f"run {RUN}"]["files"]
        path.write_text(
            json.dumps(
                manifest
                | {
                    f"run {RUN}": {
                        "kind": "run",
                        "files": {file: sha256(study.results / file) for file in files},
                    }
                }
            )
        )
    (problem,) = verify(study.results)[1]
    assert problem.startswith(f"run {RUN}: ") and message in problem


# ---------------------------------------------------------------- side by side, and in notebooks


def test_runs_are_trained_together_where_it_is_worth_it(reader, monkeypatch):
    study, names = reader(), ("recurrent-t0", "recurrent-t2-parts-finetuned")
    # a second or two each: left to be trained one by one
    schedule.train_side_by_side(study, *names)
    assert not any(is_cached(study.folder_of(name)) for name in names)
    monkeypatch.setattr(schedule, "WORTH", 0)
    schedule.train_side_by_side(study, *names)
    both = [*names, "recurrent-t2-parts-coco"]  # with what the second goes on from
    assert all(is_cached(study.folder_of(name)) for name in both)
    monkeypatch.setattr(schedule, "_work", lambda *_: pytest.fail("trained again"))
    # the first has done its work: one is left to train, and not two
    for name in ("recurrent-t2-parts-coco", "recurrent-t0"):
        shutil.rmtree(study.folder_of(name))
    schedule.train_side_by_side(study, *names)


@pytest.mark.parametrize("name", [name for name in ORDER if name > "03"])
def test_a_notebook_of_runs_can_be_read_and_reproduce_reuses_nothing(made, name, monkeypatch):
    assert check_parameters(name, {"reuse": False}) == {"reuse": False} and runs_of(name, made.runs)

    class Pool:
        def submit(self, execute, notebook, results, parameters, *_):
            return parameters

    task = schedule.Task(name, "notebook", 1, ())
    # nothing needs to be trained to ask with what it would be executed
    monkeypatch.setattr(made, "records", lambda *names: [])
    given = schedule._start(Pool(), task, made, {"size": "tiny"}, {name: "key"})
    assert given == {"size": "tiny", "reuse": False}
