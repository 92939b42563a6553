"""The stored notebooks, without running them: clean, tagged, short cells, each artifact made in
exactly one place; and their parameters."""

import ast
import json
import re
import sys
import threading
import time

import nbformat
import pytest
from PIL import Image

import paperlib
from companion.execute import notebooks
from companion.execute.notebooks import check_parameters, clean, stamp
from companion.runs import notebook_index
from companion.runs.catalogue import catalogue
from companion.runs.notebook_index import FOLDER, ORDER, artifacts_of, choose, runs_of
from paperlib import PaperlibError
from paperlib.writing import write_whole

INVENTORY = [
    *(f"R-fig{i}" for i in range(1, 10)),
    *(f"R-tab{i}" for i in range(1, 5)),
    *(f"H-fig{i}" for i in range(1, 12)),
    "H-tab1",
    "H-tab2",
]
EVERY = pytest.mark.parametrize("name", ORDER)


@pytest.fixture
def notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", 4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def tags(cell):
    return cell.metadata.get("tags", [])


# ---------------------------------------------------------------- as they are stored


def test_there_are_seven_and_no_others():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(ORDER)


@EVERY
def test_it_is_valid_and_stored_without_outputs(notebook, name):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code_cells(notebook))
    assert notebook.metadata.kernelspec == {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    assert set(notebook.metadata) <= {"kernelspec", "language_info"} and set(
        notebook.metadata.language_info
    ) == {"name"}
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@EVERY
def test_it_begins_with_its_title_what_it_makes_and_its_parameters(notebook, name):
    first, second = notebook.cells[:2]
    assert first.cell_type == "markdown" and first.source.startswith("# ")
    assert all(artifact in first.source for artifact in artifacts_of(name))
    assert re.search(r"\bmin|\bseconds", first.source)
    assert [tags(cell).count("parameters") for cell in notebook.cells].count(
        1
    ) == 1 and "parameters" in tags(second)
    for line in (
        'size: str = ""  # one of: tiny, smoke, night, short, paper',
        'data: str = "synthetic"  # one of: synthetic, real',
        'device: str = "auto"  # one of: auto, cpu, cuda',
    ):
        assert line in second.source.splitlines()


@EVERY
def test_a_parameter_is_annotated_and_its_range_is_one_that_the_runner_reads(notebook, name):
    for line in notebook.cells[1].source.splitlines():
        if line.strip() and not line.startswith("#"):
            assert (
                re.match(r"\w+: (str|int|float|bool) = .+  # (one of: |from \S+ to \S+)", line)
                or ": bool" in line
                or ": str" in line
            ), line


@EVERY
def test_cells_are_short_and_have_prose_above(notebook, name):
    long = [
        cell.source.splitlines()[0]
        for cell in code_cells(notebook)
        if len(cell.source.splitlines()) > 20
    ]
    assert not long, long
    texts = sum(len(cell.source.split()) for cell in notebook.cells if cell.cell_type == "markdown")
    assert texts > 20 * len(code_cells(notebook)) / 2


@EVERY
def test_it_imports_in_at_most_six_lines_of_one_cell(notebook, name):
    """A reader meets the subject and not the house."""
    cells = [re.sub(r"^%.*", "", cell.source, flags=re.M) for cell in code_cells(notebook)]
    importing = [
        [
            node
            for node in ast.walk(ast.parse(cell))
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        for cell in cells
    ]
    lines = [sum(node.end_lineno - node.lineno + 1 for node in nodes) for nodes in importing]
    assert lines[1] <= 6 and sum(lines) == lines[1], lines


@pytest.mark.parametrize("name", ORDER[:4])
def test_it_opens_briefly_and_with_a_picture(notebook, name):
    """After the parameters and the imports the first cell that runs draws a figure."""
    opener = [line for line in notebook.cells[0].source.splitlines() if line[:1] not in "#|"]
    assert len(" ".join(opener).split()) <= 120
    first = code_cells(notebook)[2]
    assert any(tag.startswith("figure:") for tag in tags(first)), first.source


@EVERY
def test_a_tagged_cell_saves_that_artifact_and_a_cell_that_saves_is_tagged(notebook, name):
    for cell in code_cells(notebook):
        made = [
            (kind, artifact)
            for kind, _, artifact in (tag.partition(":") for tag in tags(cell))
            if kind in ("figure", "table")
        ]
        for kind, artifact in made:
            assert f"save_{kind}(" in cell.source and re.search(rf'"{artifact}"', cell.source), (
                kind,
                artifact,
                cell.source,
            )
        assert len(made) == len(re.findall(r"\bsave_(?:figure|table)\(", cell.source)), cell.source
        assert set(tag.partition(":")[0] for tag in tags(cell)) <= {
            "figure",
            "table",
            "claims",
            "parameters",
            "nbval-ignore-output",
            "nbval-skip",
        }, tags(cell)


# Each widget, and the function whose figure stands for it where there is no kernel.
TWINS = {
    "heatmap_explorer": "pictures.one_heatmap",
    "target_playground": "playground.playground",
    "metric_microscope": "microscope.microscope",
    "receptive_field_viewer": "receptive_fields.receptive_fields",
    "two_people_slider": "stacks.pairs",
    "learning_view": "training.learning",
}


@EVERY
def test_every_widget_has_a_static_twin(notebook, name):
    sources = [cell.source for cell in code_cells(notebook)]
    for cell in sources:
        for widget in re.findall(r"\bwidgets\.(\w+)\(", cell):
            before = sources[: sources.index(cell)]
            assert any(
                re.search(rf"save_figure\(study, \"[^\"]+\", figures\.{TWINS[widget]}\b", other)
                for other in before
            ), widget


@pytest.mark.parametrize("name", ORDER)
def test_it_has_contents_sections_that_begin_a_cell_and_exercises_with_answers(notebook, name):
    """A section that begins a cell can begin a slide."""
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    sections = [text.splitlines()[0] for text in texts if text.startswith("## ")]
    assert sum(line.startswith("## ") for text in texts for line in text.splitlines()) == len(
        sections
    )
    *numbered, last = sections
    assert [section.split()[1] for section in numbered] == [
        f"{int(name[:2])}.{n + 1}" for n in range(len(numbered))
    ]
    assert all(f"| {section.split()[1]} |" in texts[0] for section in numbered)
    exercises = next(text for text in texts if text.startswith(last))
    assert (
        last == "## Exercises"
        and exercises.count("<details><summary>Answer</summary>")
        == len(re.findall(r"^\d\. ", exercises, re.M))
        >= 3
    )


@pytest.mark.parametrize("name", ORDER)
def test_no_measure_becomes_a_mail_address(notebook, name):
    """JupyterLab makes a link of PCKh@0.5 unless it is set as code."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "@" not in re.sub(r"`[^`]*`|<code>.*?</code>", "", cell.source), cell.source


@EVERY
def test_no_path_of_a_machine_and_no_shell(notebook, name):
    for cell in code_cells(notebook):
        assert not re.search(
            r"^\s*(!|%(?!matplotlib inline$))|/(home|tmp|work|Users)/|[A-Z]:\\\\",
            cell.source,
            re.MULTILINE,
        ), cell.source


def test_every_artifact_of_the_inventory_is_made_in_exactly_one_cell():
    made = [artifact for name in ORDER for artifact in artifacts_of(name)]
    twice = sorted({artifact for artifact in made if made.count(artifact) > 1})
    assert not twice, f"made more than once: {twice}"
    assert set(INVENTORY) <= set(made), f"made nowhere: {sorted(set(INVENTORY) - set(made))}"


def test_every_artifact_of_the_catalogue_is_made_somewhere():
    made = {artifact for name in ORDER for artifact in artifacts_of(name)}
    wanted = {artifact for run in catalogue("smoke").values() for artifact in run.artifacts}
    assert wanted <= made, f"trained for but made nowhere: {sorted(wanted - made)}"
    assert {run for name in ORDER for run in runs_of(name, catalogue("smoke"))} == set(
        catalogue("smoke")
    )


@EVERY
def test_runs_that_a_notebook_names_are_in_the_catalogue(notebook, name):
    source = "\n".join(cell.source for cell in code_cells(notebook))
    named = set(re.findall(r'"((?:recurrent|hourglass)(?:-[a-z0-9]+)*)"', source)) - {
        "recurrent",
        "hourglass",
    }
    assert named <= set(catalogue("smoke")), named - set(catalogue("smoke"))


# ---------------------------------------------------------------- which and with what


def test_notebooks_are_chosen_by_number_or_name_in_order():
    assert choose("") == ORDER and choose("5,03_recurrent, 05") == ("03_recurrent", "05_ablations")
    with pytest.raises(PaperlibError, match="notebook '8': it is one of 01_data.*07_comparison"):
        choose("03,8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of one small notebook, 01_data, with every kind of parameter."""
    parameters = [
        'size: str = ""  # one of: tiny, smoke',
        "person: int = 3  # from 0 to 15",
        "zoom: float = 1.0  # from 0.5 to 2",
        "flip: bool = True",
    ]
    made = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# A"),
            nbformat.v4.new_code_cell("\n".join(parameters), metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell(
                "1 / 0", metadata={"tags": ["figure:R-fig1", "nbval-ignore-output"]}
            ),
            nbformat.v4.new_code_cell("2", metadata={"tags": ["table:R-tab2"]}),
        ]
    )
    made.metadata.kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(made, tmp_path / "01_data.ipynb")
    monkeypatch.setattr(notebook_index, "FOLDER", tmp_path)
    return tmp_path


def test_artifacts_are_read_from_the_tags(folder):
    assert artifacts_of("01_data") == ("R-fig1", "R-tab2")
    wanted = {
        name for name, run in catalogue("tiny").items() if {"R-fig1", "R-tab2"} & set(run.artifacts)
    }
    assert set(runs_of("01_data", catalogue("tiny"))) == wanted and wanted


def test_parameters_take_the_notebooks_types(folder):
    given = {"size": "tiny", "person": "7", "zoom": 2, "flip": "False"}
    assert check_parameters("01_data", given) == {
        "size": "tiny",
        "person": 7,
        "zoom": 2,
        "flip": False,
    }
    assert check_parameters("01_data", {"size": "", "zoom": "0.5"}) == {"size": "", "zoom": 0.5}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"persn": 3},
            "notebook 01_data has no parameter 'persn'; it has size, person, zoom, flip",
        ),
        ({"person": "three"}, "person is 'three', but must be of type int"),
        ({"person": 1.5}, "person is 1.5, but must be of type int"),
        ({"person": True}, "person is True, but must be of type int"),
        ({"person": 16}, "person is 16, but must be from 0 to 15"),
        ({"person": "-1"}, "person is -1, but must be from 0 to 15"),
        ({"zoom": 2.01}, "zoom is 2.01, but must be from 0.5 to 2"),
        ({"flip": "maybe"}, "flip is 'maybe', but must be of type bool"),
        ({"size": "smal"}, "size is 'smal', but must be one of tiny, smoke"),
        ({"size": 3}, "size is 3, but must be of type str"),
    ],
)
def test_a_wrong_parameter_is_refused_before_a_kernel_starts(folder, given, message):
    with pytest.raises(PaperlibError, match=re.escape(message)):
        check_parameters("01_data", given)


@EVERY
def test_every_notebook_takes_the_three_parameters(name):
    given = {"size": "tiny", "data": "real", "device": "cpu"}
    assert check_parameters(name, given) == given
    with pytest.raises(PaperlibError, match="must be one of synthetic, real"):
        check_parameters(name, {"data": "drawn"})


def with_a_photograph(folder):
    """The notebook of `folder` with a parameter that names a photograph."""
    notebook = nbformat.read(folder / "01_data.ipynb", 4)
    notebook.cells[1].source += '\nimage: str = ""  # a photograph of your own; empty: none'
    nbformat.write(notebook, folder / "01_data.ipynb")


def test_a_photograph_is_found_from_where_we_are_called(folder, tmp_path, monkeypatch):
    with_a_photograph(folder)
    here = tmp_path / "my pictures"
    here.mkdir()
    Image.new("RGB", (9, 7)).save(here / "me.png")
    monkeypatch.chdir(here)
    found = {"image": str(here / "me.png")}
    assert check_parameters("01_data", {"image": "me.png"}) == found
    assert check_parameters("01_data", {"image": "../my pictures/me.png"}) == found
    assert check_parameters("01_data", {"image": ""}) == {"image": ""}
    (here / "no.png").write_text("hello")
    for name, why in (("you.png", "no such image file"), ("no.png", "not a whole pict")):
        with pytest.raises(PaperlibError, match=f"--set image={name}: {here / name}: {why}"):
            check_parameters("01_data", {"image": name})


def test_the_stamp_is_of_the_photographs_pixels(folder, tmp_path):
    picture = tmp_path / "me.png"
    stamps = []
    for colour in ("red", "blue", "red"):
        Image.new("RGB", (9, 7), colour).save(picture)
        stamps.append(stamp("01_data", {"image": str(picture)}, []))
    assert stamps[0] == stamps[2] != stamps[1]


def test_the_stamp_is_of_source_parameters_and_inputs(folder):
    base = stamp("01_data", {"size": "tiny"}, ["run a"])
    assert base == stamp("01_data", {"size": "tiny"}, ["run a"])
    assert (
        len(
            {
                base,
                stamp("01_data", {"size": "smoke"}, ["run a"]),
                stamp("01_data", {"size": "tiny"}, ["run b"]),
            }
        )
        == 3
    )
    path = folder / "01_data.ipynb"
    path.write_text(path.read_text().replace("1 / 0", "1 / 2"))
    assert stamp("01_data", {"size": "tiny"}, ["run a"]) != base


def test_a_cell_that_fails_is_named_and_its_copy_kept(folder, tmp_path):
    """Runs a kernel: the only test here that does."""
    with pytest.raises(
        PaperlibError,
        match=r"01_data\.ipynb, cell \d+: ZeroDivisionError: division by zero; see "
        r".*01_data\.failed\.ipynb",
    ):
        notebooks.execute("01_data", tmp_path / "results", {"person": 4}, "key")
    failed = tmp_path / "results" / "notebooks"
    assert [path.name for path in failed.iterdir()] == ["01_data.failed.ipynb"]
    assert "person = 4" in (failed / "01_data.failed.ipynb").read_text()


def test_the_kernel_is_this_interpreter_whatever_the_user_has_installed(tmp_path, monkeypatch):
    """Another environment's kernel under the same name, start-up files, a backend: none is used."""
    home = tmp_path / "home of the user"
    kernel = home / ".local/share/jupyter/kernels/python3/kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["false"], "display_name": "theirs", "language": "py"}))
    startup = home / ".ipython/profile_default/startup/mine.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("x = 'of the start-up file'")
    for name, value in {
        "HOME": home,
        "IPYTHONDIR": home / ".ipython",
        "PYTHONSTARTUP": startup,
        "JUPYTER_DATA_DIR": home / ".local/share/jupyter",
        "MPLBACKEND": "TkAgg",
        "JUPYTER_PREFER_ENV_PATH": "0",
    }.items():
        monkeypatch.setenv(name, str(value))
    cells = [
        "import os, sys",
        "import paperlib",
        "print(sys.executable, paperlib.__file__, os.environ['MPLBACKEND'], 'x' in "
        "globals(), sep='|')",
    ]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(cells))])
    made.metadata.kernelspec = {"display_name": "theirs", "language": "python", "name": "python3"}
    nbformat.write(made, tmp_path / "01_data.ipynb")
    monkeypatch.setattr(notebook_index, "FOLDER", tmp_path)
    copy = notebooks.execute("01_data", tmp_path / "the results", {}, "key")
    said = nbformat.read(copy, 4).cells[0].outputs[0].text.strip().split("|")
    assert said[:2] == [sys.executable, paperlib.__file__]
    assert said[2:] == ["module://matplotlib_inline.backend_inline", "False"]


def test_two_that_want_one_notebook_execute_it_once(tmp_path, monkeypatch, capsys):
    """As two processes do: the second waits, and takes what the first made; what another key asks
    for is executed for it."""
    begun, made = threading.Event(), []

    def slowly(name, results, parameters, key, provenance):
        begun.set()
        time.sleep(0.2)
        made.append(key)
        write_whole(results / "notebooks" / f"{name}.ipynb", "")
        write_whole(results / ".cache" / f"{name}.json", json.dumps({"stamp": key, "files": []}))

    monkeypatch.setattr(notebooks, "_execute", slowly)
    for second in ("key", "another key"):
        made.clear(), begun.clear()
        first = threading.Thread(target=notebooks.execute, args=("01_data", tmp_path, {}, "key"))
        first.start()
        assert begun.wait(5)
        assert (
            notebooks.execute("01_data", tmp_path, {}, second)
            == tmp_path / "notebooks" / "01_data.ipynb"
        )
        first.join()
        assert made == list(dict.fromkeys(["key", second]))
        assert "01_data: another process is executing it" in capsys.readouterr().out
    notebooks.execute("01_data", tmp_path, {}, "another key")
    # one that need not wait executes: whoever asks has found it out of date
    assert made[-1] == "another key" and len(made) == 3


def test_an_executed_copy_is_stored_clean():
    made = nbformat.v4.new_notebook(
        metadata={
            "papermill": {"duration": 3},
            "widgets": {},
            "kernelspec": {"name": "python3", "display_name": "mine"},
        }
    )
    injected = nbformat.v4.new_code_cell(
        "size = 'tiny'", metadata={"tags": ["injected-parameters"]}
    )
    cell = nbformat.v4.new_code_cell(
        "x",
        metadata={"tags": ["figure:R-fig1"], "papermill": {"start_time": "now"}, "execution": {}},
    )
    output = nbformat.v4.new_output
    cell.outputs = [
        output("stream", name="stderr", text="10%|"),
        output(
            "display_data", {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "bar"}
        ),
        output(
            "display_data",
            {
                "application/vnd.jupyter.widget-view+json": {},
                "text/plain": "explorer",
                "text/html": "its states",
            },
        ),
        output("stream", name="stdout", text="kept"),
        output("display_data", {"text/plain": "kept too"}),
    ]
    made.cells = [injected, cell]
    cleaned = clean(made)
    assert set(cleaned.metadata) == {"kernelspec", "language_info"} and len(cleaned.cells) == 1
    assert cleaned.cells[0].metadata == {"tags": ["figure:R-fig1"]}
    states, *others = cleaned.cells[0].outputs
    assert states.data == {"text/html": "its states"}
    assert [out.get("text") or out["data"]["text/plain"] for out in others] == ["kept", "kept too"]
    assert "papermill" not in json.dumps(cleaned)
