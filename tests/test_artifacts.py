"""Figures and tables beside their numbers: the same numbers give the same bytes, and whatever was
changed afterwards is named."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from companion.artifacts import artifacts
from companion.artifacts.artifacts import (
    csv_bytes,
    light_copy,
    png_bytes,
    read_csv,
    save_figure,
    save_table,
)
from companion.artifacts.front_page import summary
from companion.artifacts.verify import verify
from companion.figures.pictures import gallery
from companion.figures.style import RIGHT, house_style
from companion.runs.catalogue import catalogue
from companion.runs.study import Study
from companion.settings import Folders
from paperlib import PaperlibError

RUN = "recurrent-t1-parts"
PEOPLE = {
    "images": np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8),
    "points": np.random.default_rng(1).random((2, 16, 2)) * 24,
    "truth": np.random.default_rng(2).random((2, 16, 2)) * 24,
    "skeleton": np.array("mpii"),
}
TABLE = pd.DataFrame(
    {
        "method": ["paper", "ours & co"],
        "total": [82.84, np.nan],
        "people": [2958, 24],
        "note": ["", "not measured: 100 %"],
    }
)


def study_in(folder: Path, tiny: Study) -> Study:
    return Study(
        "tiny", "synthetic", "cpu", progress=False, folders=replace(tiny.folders, results=folder)
    )


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    """One figure from a run and one table without, in a folder of results."""
    study = study_in(tmp_path_factory.mktemp("results"), tiny)
    save_figure(study, "R-fig6", gallery, PEOPLE, runs=(RUN,), columns=2)
    save_table(study, "R-tab1", TABLE, "PCKh@0.5 in %", notes=("drawn people",))
    return study


@pytest.fixture
def results(made, tmp_path):
    return Path(shutil.copytree(made.results, tmp_path / "results"))


def test_what_is_made_follows_from_its_numbers(results):
    assert verify(results) == (2, [])
    files = {
        path.relative_to(results).as_posix()
        for path in results.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    tables = {f"tables/r-tab1.{end}" for end in ("csv", "md", "tex", "html")}
    assert files == {"manifest.json", "figures/r-fig6.png", "figures/r-fig6.npz", *tables}


def test_the_same_numbers_give_the_same_bytes(made, tiny, tmp_path):
    again = study_in(tmp_path, tiny)
    save_table(again, "R-tab1", TABLE.copy(), "PCKh@0.5 in %", notes=("drawn people",))
    save_figure(
        again,
        "R-fig6",
        gallery,
        {name: value.copy() for name, value in PEOPLE.items()},
        runs=(RUN,),
        columns=2,
    )
    for path in (
        path
        for path in made.results.rglob("*.*")
        if path.is_file() and path.name != ".manifest.lock"
    ):
        if path.suffix != ".npz":
            assert (
                again.results / path.relative_to(made.results)
            ).read_bytes() == path.read_bytes(), path.name
    save_figure(again, "R-fig6", gallery, PEOPLE | {"points": PEOPLE["points"] + 1}, runs=(RUN,))
    assert (again.results / "figures" / "r-fig6.png").read_bytes() != (
        made.results / "figures" / "r-fig6.png"
    ).read_bytes()


def test_numbers_are_stored_the_same_on_another_day(made, tiny, tmp_path, monkeypatch):
    """An npz is a zip, and a zip has clocks."""
    import time

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 4e6)
    again = study_in(tmp_path, tiny)
    save_figure(again, "R-fig6", gallery, PEOPLE, runs=(RUN,), columns=2)
    assert (again.results / "figures" / "r-fig6.npz").read_bytes() == (
        made.results / "figures" / "r-fig6.npz"
    ).read_bytes()
    assert (again.results / "figures" / "r-fig6.png").read_bytes() == (
        made.results / "figures" / "r-fig6.png"
    ).read_bytes()


def test_provenance_is_in_each_file_and_in_the_manifest(made, tiny):
    stored = json.loads(Image.open(made.results / "figures" / "r-fig6.png").text["Description"])
    manifest = json.loads((made.results / "manifest.json").read_text())
    assert stored == manifest["R-fig6"]["provenance"]
    record = tiny.trained(RUN).record
    assert stored["runs"] == {RUN: tiny.folder_of(RUN).name.rsplit("-", 1)[1]} and stored[
        "data_sha256"
    ] == [record["data_sha256"][:16]]
    assert stored["weights_sha256"] == {RUN: record["weights_sha256"][:16]} and stored[
        "parameters"
    ] == {"columns": 2}
    assert {
        "id": "R-fig6",
        "data": "synthetic",
        "size": "tiny",
        "seeds": [0],
    }.items() <= stored.items()
    assert stored["clean"] in (True, False, None) and "+" not in stored["commit"]
    assert {"commit", "device", "versions"} <= set(stored) and {
        "python",
        "torch",
        "numpy",
        "matplotlib",
    } <= set(stored["versions"])
    first = (made.results / "tables" / "r-tab1.csv").read_text().splitlines()[0]
    assert json.loads(first.removeprefix("# ")) == manifest["R-tab1"]["provenance"]


def test_a_table_keeps_its_numbers(made):
    table = read_csv((made.results / "tables" / "r-tab1.csv").read_bytes())
    assert table.method.tolist() == ["paper", "ours & co"] and table.people.tolist() == [2958, 24]
    assert table.total[0] == pytest.approx(82.84) and np.isnan(table.total[1])
    stored = (made.results / "tables" / "r-tab1.csv").read_text()
    assert (
        ",," not in stored.split("\n", 1)[1]
        and "ours & co,not measured,24,not measured: 100 %" in stored
    )
    markdown, tex, page = (
        (made.results / "tables" / f"r-tab1.{end}").read_text() for end in ("md", "tex", "html")
    )
    assert (
        "| paper | 82.8 | 2,958 | - |" in markdown
        and "PCKh@0.5" in markdown
        and "* drawn people" in markdown
    )
    assert (
        "* Data: drawn people, size tiny. Seeds: none. Runs: none. Commit" in markdown
        and "\n* D9." in markdown
    )
    assert (
        r"ours \& co & not measured" in tex
        and r"100 \%" in tex
        and "label{tab:r-tab1}" in tex
        and "% D9." in tex
    )
    assert (
        '<td class="n">82.8</td>' in page
        and "ours &amp; co" in page
        and "<li>drawn people</li>" in page
        and '"id": "R-tab1"' in page
    )


def test_rows_of_another_study_are_refused_by_name(tiny, tmp_path):
    study = study_in(tmp_path, tiny)
    mixed = TABLE.assign(study=["", "real-smoke"])
    with pytest.raises(
        PaperlibError,
        match="R-tab1: the row 'ours & co' is of real-smoke, the table of synthetic-tiny; one size",
    ):
        save_table(study, "R-tab1", mixed, "PCKh")
    assert not (study.results / "tables").exists()
    save_table(study, "R-tab1", TABLE.assign(study=["", "synthetic-tiny"]), "PCKh")


def test_a_run_of_another_size_is_refused_by_name(tiny, tmp_path):
    """Its folder copied under this study's name: the record says what was trained."""
    runs = tmp_path / "runs"
    shutil.copytree(tiny.trained(RUN).folder, runs / "synthetic-tiny" / tiny.folder_of(RUN).name)
    shutil.copytree(tiny.root, runs / "drawn" / "tiny")
    study = Study(
        "tiny",
        "synthetic",
        "cpu",
        progress=False,
        folders=replace(tiny.folders, runs=runs, results=tmp_path),
    )
    record = study.folder_of(RUN) / "record.json"
    record.write_text(
        json.dumps(json.loads(record.read_text()) | {"spec": catalogue("smoke")[RUN].spec()})
    )
    with pytest.raises(
        PaperlibError,
        match=rf"record.json: {RUN} was trained otherwise than at size tiny on synthetic data; "
        r".*not mixed",
    ):
        save_table(study, "R-tab1", TABLE, "PCKh", runs=(RUN,))
    assert not (study.results / "tables").exists()


def test_scored_files_are_in_the_provenance(tiny, tmp_path):
    study = Study(
        "tiny",
        "synthetic",
        "cpu",
        progress=False,
        folders=replace(tiny.folders, data=tmp_path, results=tmp_path),
    )
    (tmp_path / "newell.h5").write_bytes(b"points")
    save_table(study, "R-tab2", TABLE, "PCKh", predictions=("newell.h5", "absent.h5"))
    stored = json.loads(
        (study.results / "tables" / "r-tab2.csv").read_text().splitlines()[0].removeprefix("# ")
    )
    assert stored["predictions"] == {"newell.h5": artifacts.sha256(tmp_path / "newell.h5")[:16]}


def test_csv_goes_there_and_back():
    table = pd.DataFrame(
        {"x": [0.1234567, 1e-9, np.nan], "text": ["a,b", 'say "no"', "NA"], "n": [1, 2, 3]}
    )
    back = read_csv(csv_bytes(table, {"id": "x"}))
    np.testing.assert_allclose(back.x, table.x, rtol=1e-5)
    assert back.text.tolist() == table.text.tolist() and back.n.tolist() == [1, 2, 3]


def change_digit(results):
    path = results / "tables" / "r-tab1.csv"
    path.write_bytes(path.read_bytes().replace(b"82.84", b"82.94"))
    return "R-tab1: tables/r-tab1.csv was changed"


def change_png(results):
    path = results / "figures" / "r-fig6.png"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return "R-fig6: figures/r-fig6.png was changed"


def change_numbers(results):
    np.savez_compressed(
        results / "figures" / "r-fig6.npz", **(PEOPLE | {"truth": PEOPLE["truth"] + 1})
    )
    return "R-fig6: figures/r-fig6.npz was changed"


def remove(results):
    (results / "tables" / "r-tab1.tex").unlink()
    return "R-tab1: tables/r-tab1.tex is missing"


def rehash(results, artifact):
    """Change the manifest with the files, as one would who wants it to pass."""
    path = results / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest[artifact]["files"] = {
        file: artifacts.sha256(results / file) for file in manifest[artifact]["files"]
    }
    path.write_text(json.dumps(manifest))


def change_digit_and_manifest(results):
    change_digit(results)
    rehash(results, "R-tab1")
    return "R-tab1: r-tab1.md is not what r-tab1.csv says"


def change_numbers_and_manifest(results):
    change_numbers(results)
    rehash(results, "R-fig6")
    return "R-fig6: r-fig6.npz is not what the picture was drawn from"


def change_stamp_and_manifest(results):
    path = results / "tables" / "r-tab1.csv"
    path.write_text(path.read_text().replace('"size": "tiny"', '"size": "paper"'))
    rehash(results, "R-tab1")
    return "R-tab1: r-tab1.csv says another provenance than the manifest"


def repaint_and_manifest(results):
    path = results / "figures" / "r-fig6.png"
    picture = Image.open(path).convert("RGB")
    picture.putpixel((5, 5), (255, 0, 0))
    picture.save(path)
    rehash(results, "R-fig6")
    return "R-fig6: figures/r-fig6.png is not what r-fig6.npz draws"


@pytest.mark.parametrize(
    "change",
    [
        change_digit,
        change_png,
        change_numbers,
        remove,
        change_digit_and_manifest,
        change_numbers_and_manifest,
        change_stamp_and_manifest,
    ]
    + [repaint_and_manifest],
)
def test_what_was_changed_is_named(results, change):
    message = change(results)
    count, problems = verify(results)
    assert count == 2 and message in problems[0], problems


def test_what_is_of_another_study_is_named(results):
    path = results / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["R-tab2"] = json.loads(
        json.dumps(manifest["R-tab1"]).replace('"size": "tiny"', '"size": "smoke"')
    )
    path.write_text(json.dumps(manifest))
    assert (
        "R-tab2: it is of synthetic-smoke, the others are of synthetic-tiny" in verify(results)[1]
    )


def test_a_folder_without_a_readable_manifest(tmp_path):
    with pytest.raises(PaperlibError, match="manifest.json: no such file"):
        verify(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(PaperlibError, match="manifest.json: not JSON"):
        verify(tmp_path)


def test_a_function_that_is_not_ours_is_not_called(results):
    path = results / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["R-fig6"]["draw"] = "os.path.join"
    path.write_text(json.dumps(manifest))
    _, (problem,) = verify(results)
    assert "os.path.join, which is not a function of companion.figures" in problem


def test_a_full_disk_leaves_the_artifact_before(made, tiny, results, monkeypatch):
    study = study_in(results.parent, tiny)
    study.results = results
    before = {path: path.read_bytes() for path in results.rglob("*.*") if path.is_file()}

    def full(self, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(
            PaperlibError,
            match="r-tab1.csv: cannot be written .No space left on device.*free some disk space",
        ):
            save_table(study, "R-tab1", TABLE.assign(total=1.0), "changed")
    assert all(path.read_bytes() == content for path, content in before.items()) and verify(
        results
    ) == (2, [])


def test_a_figure_looks_the_same_whatever_was_set_before(made):
    """The house style, not what another cell left in matplotlib's settings."""
    from matplotlib import pyplot as plt

    entry = json.loads((made.results / "manifest.json").read_text())["R-fig6"]
    theirs = {"font.size": 30, "savefig.dpi": 30, "axes.facecolor": "red"}
    theirs |= {"savefig.pad_inches": 0, "lines.linewidth": 9, "axes.formatter.use_locale": True}
    with plt.rc_context(theirs):
        drawn = png_bytes(
            artifacts.draw_figure(
                entry["draw"], made.results / "figures" / "r-fig6.npz", entry["options"]
            ),
            entry["provenance"],
        )
    assert drawn == (made.results / "figures" / "r-fig6.png").read_bytes()


@pytest.mark.parametrize(("noise", "kind"), [(0, "PNG"), (90, "JPEG")])
def test_a_notebook_shows_true_colours_at_150_dpi(noise, kind):
    """Diagrams exactly, pictures of people as a JPEG; the orange of a right limb stays orange."""
    figure = Figure(figsize=(4, 2))
    axes = figure.add_axes((0, 0, 1, 1))
    ground = np.random.default_rng(0).integers(0, noise + 1, (300, 600, 3))
    axes.set_axis_off()
    axes.imshow(ground.astype(np.uint8), aspect="auto")
    axes.axhline(150, color=RIGHT, linewidth=8)
    shown = light_copy(figure, "a limb")
    with Image.open(io.BytesIO(shown.data)) as picture:
        assert (picture.format, picture.mode) == (kind, "RGB")
        assert abs(picture.width - 4 * 150) < 40 and shown.width == picture.width * 100 // 150
        middle = picture.getpixel((picture.width // 2, picture.height // 2))
    assert np.abs(np.subtract(middle, (0xD5, 0x5E, 0x00))).max() < 24


def test_a_stored_figure_differs_from_what_is_drawn_by_less_than_an_eye_sees(made):
    entry = json.loads((made.results / "manifest.json").read_text())["R-fig6"]
    source = made.results / "figures" / "r-fig6.npz"
    figure, plain = artifacts.draw_figure(entry["draw"], source, entry["options"]), io.BytesIO()
    with house_style():
        figure.savefig(plain, format="png")
    with Image.open(plain) as drawn, Image.open(source.with_suffix(".png")) as stored:
        apart = np.abs(np.asarray(drawn.convert("RGB"), int) - np.asarray(stored, int))
    assert apart.max() <= 2 and source.with_suffix(".png").stat().st_size < len(plain.getvalue())


def test_the_summary_names_every_artifact(results):
    lines = [
        line
        for line in summary(results, {"03_recurrent": "made"}).splitlines()
        if line.split()[0] in {"R-fig6", "R-tab1"}
    ]
    assert len(lines) == 2 and all(str(results) in line for line in lines)


def test_results_of_another_study_are_elsewhere(tiny, tmp_path):
    folders = Folders(tmp_path, tmp_path / "runs", tmp_path / "results")
    assert {
        Study(size, "synthetic", "cpu", folders=folders).results.name for size in ("tiny", "smoke")
    } == {"synthetic-tiny", "synthetic-smoke"}
    assert tiny.results == tiny.folders.results / "synthetic-tiny"
