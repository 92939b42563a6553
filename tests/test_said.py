"""What README and the notebooks say in words follows from what is stored or counted."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from companion.measure.intervals import SEED_SPREAD
from companion.runs.notebook_index import FOLDER
from companion.samples.receptive_fields import RECURRENT, fields
from paperlib.models import Recurrent
from paperlib.models.complexity import model_sizes

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "results" / "synthetic-smoke" / "figures"


def prose(name: str) -> str:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    return " ".join(" ".join(texts).split())


def test_readme_says_what_the_second_hourglass_repairs():
    stored = np.load(ROOT / "results" / "synthetic-night" / "figures" / "04-twice.npz")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    said = re.search(
        r"repairs (\d+) and spoils (\d+): ([-+.\d]+) points \[([\d.]+), ([\d.]+)\]", readme
    )
    gain, low, high = stored["gain"]
    assert said.groups() == (
        str(stored["repaired"].sum()),
        str(stored["spoilt"].sum()),
        f"{gain:+.1f}",
        f"{low:.1f}",
        f"{high:.1f}",
    )


@pytest.mark.parametrize("figure", ["r-fig2", "r-fig5", "04-twice"])
def test_false_peaks_fade_where_the_caption_says_so(figure):
    """Of the three rows that are shown, and of most of all rescued joints."""
    stored = np.load(FIGURES / f"{figure}.npz")
    first, *_, last = stored["heights"].T
    assert (last < first).mean() > 0.5
    assert (stored["error"][:, 0] > stored["error"][:, -1]).all()


def test_how_far_each_pass_sees():
    seen = fields(Recurrent(width=1), RECURRENT, 464)
    sites = seen[seen.layer.str.startswith("8")].field.tolist()
    text = prose("03_recurrent")
    assert f"from {sites[0]} px" in text and f"8B sees {sites[1]} of the crop's 248 px" in text
    assert f"after the first iteration, sees {sites[2]} and so everything" in text


def test_how_the_two_networks_sizes_compare():
    sizes = {row["model"]: row for row in model_sizes()}
    hourglass, recurrent = (
        sizes["hourglass, 8 stacks, June 2016"],
        sizes["recurrent, 2 iterations, parts"],
    )
    text = prose("07_comparison")
    assert f"{hourglass['parameters'] / recurrent['parameters']:.3f} times smaller" in text
    assert f"{recurrent['gmacs'] / hourglass['gmacs']:.1f} times heavier" in text


def test_what_another_seed_may_change():
    assert f"= {SEED_SPREAD:.0f}$ points by chance" in prose("05_ablations")
    assert round(1.96 * np.sqrt(2) * 1.8) == SEED_SPREAD
