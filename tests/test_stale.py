"""Stale runs: shown by name with what has changed since, never gone on with unnoticed, and kept on request."""

import json
import shutil
from dataclasses import replace

import pytest

from paperlib import PaperlibError, cli
from paperlib.data.files import files_sha256
from paperlib.reproduce import plan as plans
from paperlib.reproduce import runs
from paperlib.reproduce.folders import Folders
from paperlib.reproduce.stale import describe, keep, stale
from paperlib.reproduce.study import Study

RUN = "recurrent-t1-parts"
TUNED = "recurrent-t2-parts-finetuned"
OLD = "0" * 64  # another mathematics


@pytest.fixture
def fresh(tiny, tmp_path):
    """A study of the same drawn people in which nothing is trained."""
    tiny.root  # noqa: B018 - drawn on first use
    shutil.copytree(tiny.folders.runs / "drawn", tmp_path / "runs" / "drawn")
    return Study("tiny", "synthetic", "cpu", progress=False, folders=Folders(tiny.folders.data, tmp_path / "runs", tmp_path / "results"))


def older(tiny, fresh, name=RUN, mathematics=OLD, data="", spec="", start=""):
    """The folder of run `name` as an older version has left it: trained here, with a record of that version."""
    trained, run = tiny.trained(name), tiny.runs[name]
    record = trained.record | {"mathematics_sha256": mathematics, "spec": spec or run.spec()}
    seen = data or files_sha256(fresh.training_people(run)) + start
    record["identity"] = f"{name}-{runs.identity_of(record['spec'], seen, mathematics)}"
    folder = fresh.folder_of(name).with_name(record["identity"])
    shutil.copytree(trained.folder, folder)
    (folder / "record.json").write_text(json.dumps(record))
    return folder


def row_of(study, name):
    return next(row for row in plans.plan(study) if row["run"] == name)


def test_a_run_of_older_mathematics_is_shown_and_kept_on_request(tiny, fresh, monkeypatch):
    folder = older(tiny, fresh)
    row = row_of(fresh, RUN)
    assert not row["cached"] and [(old["folder"], old["changed"]) for old in row["stale"]] == [(folder.name, ["mathematics"])]
    assert row["stale"][0]["steps"] == fresh.runs[RUN].recipe.steps and row_of(fresh, "recurrent-t1")["stale"] == []
    monkeypatch.setattr(runs, "train", lambda *_: pytest.fail("trained"))
    assert keep(fresh, RUN, folder.name) == fresh.folder_of(RUN) != folder
    kept = fresh.trained(RUN)
    assert kept.record["weights_sha256"] == tiny.trained(RUN).record["weights_sha256"] and len(kept.log) == len(tiny.trained(RUN).log)
    assert fresh.records(RUN)[0]["identity"] == folder.name, "what is made of it names the run that it is"
    assert row_of(fresh, RUN)["cached"] and folder.exists()
    with pytest.raises(PaperlibError, match=rf"{RUN} is trained already; delete it to keep {folder.name}"):
        keep(fresh, RUN, folder.name)


@pytest.mark.parametrize(
    ("how", "changed"),
    [
        ({"data": "other people"}, "mathematics, data"),
        ({"data": "other people", "mathematics": ""}, "data"),
        ({"spec": "Run(of another catalogue)"}, "settings, mathematics"),
    ],
    ids=["mathematics and data", "data", "settings and mathematics"],
)
def test_other_data_and_other_settings_cannot_be_kept(tiny, fresh, how, changed):
    how = how | ({} if how.get("mathematics", OLD) else {"mathematics": runs.mathematics_sha256()})
    folder = older(tiny, fresh, **how)
    (row,) = stale(fresh, RUN)
    assert ", ".join(row["changed"]) == changed and describe(RUN, row).endswith(f"changed since: {changed}")
    with pytest.raises(PaperlibError, match=f"--keep {folder.name}: only a run whose mathematics alone is older.*train {RUN} anew"):
        keep(fresh, RUN, folder.name)
    assert not fresh.folder_of(RUN).exists()


def test_what_is_no_stale_run_of_that_name_is_not_kept(tiny, fresh):
    folder = older(tiny, fresh)
    with pytest.raises(PaperlibError, match=rf"--keep elsewhere: not a stale run of {RUN}; there are: {folder.name}"):
        keep(fresh, RUN, "elsewhere")
    with pytest.raises(PaperlibError, match="not a stale run of recurrent-t1; there are: none"):
        keep(fresh, "recurrent-t1", folder.name)
    assert stale(fresh, "recurrent") == [], "a name that begins alike is another run"


def test_a_run_that_goes_on_from_a_kept_one_can_be_kept(tiny, fresh):
    start = fresh.runs[TUNED].start.name
    first = older(tiny, fresh, start)
    second = older(tiny, fresh, TUNED, start=first.name)
    assert stale(fresh, TUNED)[0]["changed"] == ["mathematics", "data"], "its start would be trained anew"
    keep(fresh, start, first.name)
    assert stale(fresh, TUNED)[0]["changed"] == ["mathematics"]
    assert runs.is_cached(keep(fresh, TUNED, second.name))


def test_a_checkpoint_of_another_version_is_shown_and_not_gone_on_with(fresh):
    run, now = fresh.runs[RUN], fresh.folder_of(RUN)
    other = now.with_name(f"{RUN}-{'a' * 16}")
    crops = fresh.crops(fresh.training_people(run), run.codec)
    long = replace(run, recipe=replace(run.recipe, steps=9))
    with pytest.raises(PaperlibError, match="minutes are over at step 1 of 9"):
        runs.train_or_load(long, crops, other, progress=False, minutes=0)
    (row,) = row_of(fresh, RUN)["stale"]
    assert row["changed"] == [] and describe(RUN, row) == f"stale: {other.name} stopped at step 1 of another version of {RUN} and is not gone on with"
    with pytest.raises(PaperlibError, match="it was not finished"):
        keep(fresh, RUN, other.name)
    assert len(fresh.trained(RUN).log) == run.recipe.steps and (other / "checkpoint.pt").exists()


def test_plan_and_train_say_so_at_the_door(tiny, fresh, monkeypatch, capsys):
    folder = older(tiny, fresh)
    for name in ("data", "runs", "results"):
        monkeypatch.setenv(f"PAPERLIB_{name.upper()}", str(getattr(fresh.folders, name)))

    def door(*words):
        monkeypatch.setattr(cli.sys, "argv", ["paperlib", *words, "--size", "tiny", "--device", "cpu"])
        with pytest.raises(SystemExit) as done:
            cli.main()
        assert not done.value.code
        return capsys.readouterr()

    assert f"stale: {folder.name}, finished {tiny.trained(RUN).record['finished'][:10]}; changed since: mathematics; " in door("plan").out
    done = door("train", RUN)
    assert f"--keep {folder.name} takes it all the same" in done.err and done.out.splitlines()[-1] == str(fresh.folder_of(RUN))
    shutil.rmtree(fresh.folder_of(RUN))
    kept = door("train", RUN, "--keep", folder.name)
    assert kept.out.splitlines()[-1] == str(fresh.folder_of(RUN)) and "stale" not in kept.err
    assert json.loads((fresh.folder_of(RUN) / "record.json").read_text())["identity"] == folder.name
