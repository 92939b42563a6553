"""Published results: what is drawn from numbers stays, every picture that could be a photograph is
gone, wherever it hides, and the copy verifies."""

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from companion.artifacts.artifacts import hashes, keep, save_figure, save_run, save_table
from companion.artifacts.front_page import write_page
from companion.artifacts.verify import verify
from companion.figures.curves import precision_recall
from companion.figures.pictures import gallery
from companion.runs.study import Study
from paperlib import PaperlibError
from tools.strip_photographs import WITHHELD, could_be_picture, publish, unaccounted

RUN = "recurrent-t1-parts"  # with its weights
PHOTO = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
PEOPLE = {"images": PHOTO[None], "points": np.ones((1, 16, 2)), "skeleton": np.array("mpii")}
CURVE = pd.DataFrame(
    {
        "curve": "include",
        "recall": [0.0, 0.5, 1.0],
        "precision": [1.0, 0.9, 0.8],
        "ap": 0.9,
        "low": 0.85,
        "high": 0.95,
        "chance": 0.7,
    }
)
RESULTS = Path(__file__).parents[1] / "results"


def png(pixels=PHOTO) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return base64.b64encode(buffer.getvalue()).decode()


def executed(light: dict) -> nbformat.NotebookNode:
    """A notebook with a published figure, a withheld one, and photographs hidden in every kind of
    output."""
    new = nbformat.v4

    def cell(tag, *outputs):
        return new.new_code_cell(
            "x", metadata={"tags": [tag]} if tag else {}, outputs=list(outputs)
        )

    def result(**data):
        return new.new_output(
            "execute_result",
            {kind.replace("_", "/", 1): value for kind, value in data.items()},
            execution_count=1,
        )

    shown = result(
        image_png=light["R-fig7"].decode(), text_plain="<IPython.core.display.Image object>"
    )
    shown.metadata = nbformat.from_dict({"image/png": {"alt": "R-fig7: curves"}})
    uri = f"data:image/png;base64,{png()}"
    markdown = new.new_markdown_cell("![a](attachment:a.png)")
    markdown["attachments"] = {"a.png": {"image/png": png()}}
    return new.new_notebook(
        cells=[
            cell("figure:R-fig7", shown),
            cell("figure:R-fig6", result(image_png=png(), text_plain="a gallery")),
            cell("", result(image_png=png(), text_plain="no tag")),
            cell(
                "figure:R-fig7",
                result(
                    image_png=png(), text_plain="another picture under a published figure's tag"
                ),
            ),
            cell("", result(image_jpeg=png(), text_plain="a jpeg")),
            cell("", result(**{"image_svg+xml": f"<svg><image href='{uri}'/></svg>"})),
            cell("", result(text_html=f"<p>words <img src='{uri}'></p>", text_plain="html")),
            cell("", result(text_markdown=f"![photo]({uri})")),
            cell(
                "", result(text_html="<table><tr><td>42.0</td></tr></table>", text_plain="a table")
            ),
            cell("", new.new_output("stream", name="stdout", text=png())),
            cell("", new.new_output("stream", name="stdout", text="12 steps\n")),
            markdown,
        ]
    )


@pytest.fixture(scope="module")
def made(tiny, tmp_path_factory):
    study = Study(
        "tiny",
        "synthetic",
        "cpu",
        progress=False,
        folders=replace(tiny.folders, results=tmp_path_factory.mktemp("results")),
    )
    light = {
        "R-fig6": save_figure(study, "R-fig6", gallery, PEOPLE).data,
        "R-fig7": save_figure(study, "R-fig7", precision_recall, CURVE).data,
    }
    save_table(study, "R-tab1", pd.DataFrame({"method": ["a"], "total": [50.0]}), "PCKh@0.5 in %")
    study.predict(RUN)
    save_run(study, RUN)
    light = {name: base64.b64encode(content) for name, content in light.items()}
    notebook, path = executed(light), study.results / "notebooks" / "03_recurrent.ipynb"
    notebook.metadata["paperlib"] = {"id": "03_recurrent", "data": "synthetic", "size": "tiny"}
    entry = {"kind": "notebook", "provenance": notebook.metadata["paperlib"]}
    keep(study.results, path.stem, entry, {path: nbformat.writes(notebook)})
    write_page(study.results)
    return study.results


@pytest.fixture
def results(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "real-tiny"))


@pytest.fixture(scope="module")
def copy(made, tmp_path_factory):
    return publish(made, tmp_path_factory.mktemp("copy") / "real-tiny-public")


@pytest.fixture
def published(copy, tmp_path):
    return Path(shutil.copytree(copy, tmp_path / "real-tiny-public"))


def pictures_in(text: str) -> list[bytes]:
    """Whatever base64 in a text decodes to a picture."""
    found = []
    for blob in re.findall(r"[A-Za-z0-9+/]{80,}={0,2}", text):
        try:
            content = base64.b64decode(blob)
            Image.open(io.BytesIO(content)).load()
            found.append(content)
        except Exception:
            continue
    return found


def test_no_picture_is_left_that_is_not_a_published_figures(results, published):
    """Decoded, whatever it is called and wherever it lies: a png of the figure, its light copy, or
    the page's copy of it."""
    assert verify(published)[1] == [] and unaccounted(published) == []
    files = {
        path.relative_to(published).as_posix()
        for path in published.rglob("*")
        if path.is_file() and path.parents[1].name != "runs"
    }
    tables = {f"tables/r-tab1.{end}" for end in ("csv", "md", "tex", "html")}
    assert files == {
        "manifest.json",
        "index.html",
        "figures/r-fig7.png",
        "figures/r-fig7.csv",
        "notebooks/03_recurrent.ipynb",
        *tables,
    }
    assert (published / "figures/r-fig7.png").read_bytes() == (
        results / "figures/r-fig7.png"
    ).read_bytes()
    pictures = {
        file: pictures_in((published / file).read_text())
        for file in files
        if not file.endswith((".png", ".npz"))
    }
    assert {file: len(found) for file, found in pictures.items() if found} == {
        "index.html": 1,
        "notebooks/03_recurrent.ipynb": 2,
    }
    shown = [
        np.asarray(Image.open(io.BytesIO(content)).convert("RGB").resize((60, 30)))
        for found in pictures.values()
        for content in found
    ]
    figure = np.asarray(
        Image.open(published / "figures/r-fig7.png").convert("RGB").resize((60, 30))
    )
    for picture in shown:
        assert np.abs(picture.astype(int) - figure).mean() < 6


def test_words_and_tables_stay_and_the_gap_says_why(published):
    notebook = nbformat.read(published / "notebooks/03_recurrent.ipynb", 4)
    texts = [
        output.get("text") or output.data.get("text/html") or output.data.get("text/plain")
        for c in notebook.cells[:-1]
        for output in c.outputs
    ]
    assert "12 steps\n" in texts and "<table><tr><td>42.0</td></tr></table>" in texts
    assert texts.count(WITHHELD) >= 4 and not any(
        "photo" in text and text != WITHHELD for text in texts
    )
    page = (published / "index.html").read_text()
    assert "R-fig6" in page and page.count("which may not be redistributed") == 1
    assert json.loads((published / "manifest.json").read_text())["R-fig6"]["kind"] == "withheld"


def test_points_and_weights_of_a_run_are_published_and_nothing_in_their_place(results, published):
    run = next(published.glob("runs/*"))
    kept = {path.name for path in run.iterdir()}
    assert {"record.json", "log.csv", "predictions-mpii-flip-1.npz", "weights.safetensors"} <= kept
    assert kept == {path.name for path in (results / run.relative_to(published)).iterdir()}
    for path in run.iterdir():
        assert path.read_bytes() == (results / path.relative_to(published)).read_bytes()
    np.savez_compressed(
        run / "predictions-mpii-flip-1.npz", points=PHOTO, peak=PHOTO, mean=PHOTO, people="people"
    )
    save_file({"layer1": torch.from_numpy(PHOTO.copy())}, run / "weights.safetensors")
    manifest = json.loads((published / "manifest.json").read_text())
    # with their hashes made right
    manifest[f"run {RUN}"]["files"] = hashes(published, list(run.iterdir()))
    (published / "manifest.json").write_text(json.dumps(manifest))
    problems = unaccounted(published)
    for hidden in (
        "predictions-mpii-flip-1.npz points",
        "its weights are not those that its record speaks of",
    ):
        assert any(f"run {RUN}: {hidden}" in problem for problem in problems), problems


HIDDEN = {
    "a run's folder": lambda home: Image.fromarray(PHOTO).save(
        next(home.glob("runs/*")) / "photo.png"
    ),
    "a run's record": lambda home: next(home.glob("runs/*/record.json")).write_text(
        json.dumps({"photo": png()})
    ),
    "a figure's png": lambda home: Image.fromarray(PHOTO).save(home / "figures" / "r-fig6.png"),
    "its numbers": lambda home: np.savez(home / "figures" / "r-fig6.npz", **PEOPLE),
    "another file": lambda home: Image.fromarray(PHOTO).save(home / "figures" / "more.webp"),
    "a published png": lambda home: Image.fromarray(PHOTO).save(home / "figures" / "r-fig7.png"),
    "a table": lambda home: (home / "tables" / "r-tab1.md").write_text(
        f"![](data:image/png;base64,{png()})"
    ),
    "a page": lambda home: (home / "index.html").write_text(
        (home / "index.html").read_text() + f"<img src='data:image/png;base64,{png()}'>"
    ),
    "a hidden file": lambda home: (home / ".cache").write_text(png()),
}


@pytest.mark.parametrize("place", HIDDEN)
def test_a_photograph_put_in_afterwards_is_found(published, place):
    HIDDEN[place](published)
    assert unaccounted(published)


@pytest.mark.parametrize(
    "where", ["output", "markdown", "html", "source", "attachment", "metadata", "stream"]
)
def test_a_photograph_put_into_a_notebook_is_found_even_with_its_hash_made_right(published, where):
    path = published / "notebooks" / "03_recurrent.ipynb"
    notebook, uri = nbformat.read(path, 4), f"data:image/png;base64,{png()}"
    cell = notebook.cells[0]
    match where:
        case "output":
            cell.outputs[0].data["image/png"] = png()
        case "markdown" | "html":
            cell.outputs[0].data[f"text/{where}"] = f"<img src='{uri}'>"
        case "source":
            cell.source = f"photo = '{png()}'"
        case "attachment":
            notebook.cells[-1]["attachments"] = {"a.png": {"image/png": png()}}
        case "metadata":
            cell.metadata["photo"] = png()
        case "stream":
            cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=png()))
    path.write_text(nbformat.writes(notebook))
    manifest = json.loads((published / "manifest.json").read_text())
    manifest["03_recurrent"]["files"] = hashes(published, [path])
    (published / "manifest.json").write_text(json.dumps(manifest))
    assert any("03_recurrent.ipynb" in problem for problem in unaccounted(published))


@pytest.mark.parametrize(
    ("arrays", "picture"),
    [
        ({"images": PHOTO[None]}, True),
        ({"share": PHOTO[..., 0] / 255}, True),  # grey and as floats
        ({"encoded": np.array(png())}, True),
        ({"bytes": np.frombuffer(base64.b64decode(png()), np.uint8)}, True),
        ({"raw": np.frombuffer(b"photo", "S1")}, True),
        ({"loss": np.zeros(100), "names": np.array(["right_ankle"] * 16)}, False),
    ],
    ids=["rgb", "grey", "text", "file", "bytes", "numbers"],
)
def test_what_could_be_a_picture_follows_from_the_numbers(tmp_path, arrays, picture):
    np.savez(tmp_path / "a.npz", **arrays)
    assert could_be_picture(tmp_path / "a.npz") == picture


def test_nothing_is_published_of_results_that_were_changed_or_into_a_folder_that_is_there(
    results, tmp_path
):
    (tmp_path / "there").mkdir()
    with pytest.raises(PaperlibError, match="is there already"):
        publish(results, tmp_path / "there")
    (results / "tables" / "r-tab1.csv").write_text("changed")
    with pytest.raises(PaperlibError, match="r-tab1.csv was changed"):
        publish(results, tmp_path / "new")
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".new*"))


@pytest.mark.parametrize(
    "folder", sorted(RESULTS.glob("real-*-public")), ids=lambda folder: folder.name
)
def test_the_committed_copies_hold_no_photograph(folder):
    assert unaccounted(folder) == []


def test_git_takes_published_results_and_no_others():
    def ignored(name):
        return not subprocess.run(
            ["git", "check-ignore", "-q", f"results/{name}/index.html"], cwd=RESULTS.parent
        ).returncode

    if subprocess.run(["git", "rev-parse"], cwd=RESULTS.parent, capture_output=True).returncode:
        pytest.skip("not a git checkout")
    assert (
        ignored("real-smoke")
        and ignored("real-short")
        and not ignored("real-smoke-public")
        and not ignored("synthetic-short")
    )
