"""The exercises' checks: what is right is found by the library, and no answer stops a notebook."""

import ast
import re

import nbformat
import numpy as np
import pytest

from companion.runs.notebook_index import FOLDER, ORDER
from companion.samples.exercises import EXERCISES, check_answer

KNOWN = {  # as the notebooks' answers print them
    "01.3": -0.244,
    "02.1": 22,
    "02.2": 119_164,
    "03.1": "8C",
    "03.2": 512,
    "04.1": 3_143_952,
    "05.1": 0.83,
    "06.1": 0.768,
    "06.2": "ankle",
    "07.2": 1.66,
    "07.4": 0.5,
}


def cells(name, kind):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    return [cell for cell in notebook.cells if cell.cell_type == kind]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_printed_answer_is_right_and_another_gets_a_hint(exercise, capsys):
    check_answer(exercise, KNOWN[exercise])
    assert capsys.readouterr().out.startswith(f"{exercise}: right, ")
    for wrong in (-7, "no", [1], np.nan, object()):
        check_answer(exercise, wrong)
        said = capsys.readouterr().out
        assert said.startswith(f"{exercise}: not yet. ") and len(said) > 40, said
    check_answer(exercise, None)
    assert capsys.readouterr().out == f"{exercise}: not answered yet\n"


@pytest.mark.parametrize(
    ("exercise", "mistake", "said"),
    [
        ("01.3", 0.244, "On which side of 0"),
        ("02.1", 90, "crop px"),
        ("02.2", 62 * 62 * 16, "15 body parts"),
        ("03.1", "8a", "40 px of 96"),
        ("03.2", 256, "two numbers"),
        ("05.1", 0.588, "Both trainings"),
        ("06.1", 0.23, "'occluded'"),
        ("06.2", "Knee", "91 %"),
        ("07.2", 235.6, "two different rules"),
        ("07.4", 1, "below 0"),
    ],
)
def test_a_known_mistake_is_named(exercise, mistake, said, capsys):
    check_answer(exercise, mistake)
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("name", ORDER)
def test_each_notebook_asks_and_leaves_the_answer_blank(name):
    checks = [cell.source for cell in cells(name, "code") if "check_answer(" in cell.source]
    (check,) = checks
    asked = re.findall(r'check_answer\("([\d.]+)", (\w+)\)', check)
    assert asked and {exercise for exercise, _ in asked} == {
        exercise for exercise in EXERCISES if exercise.startswith(name[:2])
    }
    blank = {
        node.targets[0].id: node.value.value
        for node in ast.parse(check).body
        if isinstance(node, ast.Assign)
    }
    assert blank == {answer: None for _, answer in asked}
    exercises = next(
        cell.source for cell in cells(name, "markdown") if cell.source.startswith("## Exercises")
    )
    assert all(f"\n{exercise[-1]}. " in exercises for exercise, _ in asked)


@pytest.mark.parametrize("name", ORDER)
def test_each_notebook_has_a_reader_predict_before_a_cell_reveals(name):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    after = [
        notebook.cells[number + 1].cell_type
        for number, cell in enumerate(notebook.cells)
        if "**Predict.**" in cell.source
    ]
    assert after and set(after) == {"code"}


@pytest.mark.parametrize("name", ORDER)
def test_prose_has_lines_of_at_most_a_hundred_columns(name):
    """But for tables and formulas, which would break."""
    for cell in cells(name, "markdown"):
        text = re.sub(r"\$\$.*?\$\$", "", cell.source, flags=re.S)
        assert not [line for line in text.splitlines() if len(line) > 100 and line[0] != "|"]
