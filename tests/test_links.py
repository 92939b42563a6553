"""The one setting of where the repository lives, and what follows from it."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from companion.runs.notebook_index import ORDER
from tools.links import END, START, installs, links, repository, write_links

ROOT = Path(__file__).parents[1]
HOME = "https://github.com/someone/two-papers"


@pytest.fixture
def copy(tmp_path):
    """The files that the setting is written into; `set` writes the setting."""
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path


def set_to(root, value):
    path = root / "pyproject.toml"
    text = re.sub(r'^repository = "[^"]*"', f'repository = "{value}"', path.read_text(), flags=re.M)
    path.write_text(text)
    write_links(root)


def contents(root):
    files = [root / "README.md", *sorted((root / "notebooks").glob("*.ipynb"))]
    return [path.read_text() for path in files]


def test_without_an_address_there_is_no_link():
    assert links("") == {} and links("", "01_data") == {}


def test_an_address_gives_the_links_of_a_notebook_and_of_all():
    assert links(HOME, "03_recurrent") == {
        "code": f"{HOME}/blob/main/notebooks/03_recurrent.ipynb",
        "Binder": "https://mybinder.org/v2/gh/someone/two-papers/HEAD?urlpath=lab/tree/"
        "notebooks/03_recurrent.ipynb",
        "Colab": "https://colab.research.google.com/github/someone/two-papers/blob/main/"
        "notebooks/03_recurrent.ipynb",
    }
    assert links(HOME) == {
        "code": HOME,
        "Binder": "https://mybinder.org/v2/gh/someone/two-papers/HEAD?urlpath=lab/tree/notebooks",
        "Colab": "https://colab.research.google.com/github/someone/two-papers",
    }


def test_what_is_committed_follows_from_the_setting(copy):
    """If not: python -m tools.links"""
    before = contents(copy)
    write_links(copy)
    assert contents(copy) == before


def test_the_setting_reaches_readme_and_notebooks_and_leaves_them_again(copy):
    set_to(copy, "")
    without = contents(copy)
    set_to(copy, HOME)
    assert repository(copy) == HOME
    readme = (copy / "README.md").read_text()
    assert links(HOME)["Binder"] in readme.partition(START)[2].partition(END)[0]
    for name in ORDER:
        notebook = nbformat.read(copy / "notebooks" / f"{name}.ipynb", 4)
        nbformat.validate(notebook)
        first, parameters, install = notebook.cells[:3]
        assert all(f"({url})" in first.source for url in links(HOME, name).values())
        assert parameters.metadata.tags == ["parameters"] and installs(install)
        assert f"git clone -q --depth 1 {HOME} " in install.source
    set_to(copy, HOME)
    twice = contents(copy)
    set_to(copy, f"{HOME}/")  # the same
    assert contents(copy) == twice
    set_to(copy, "")
    assert contents(copy) == without


def test_the_cell_for_colab_does_nothing_elsewhere(copy, monkeypatch):
    set_to(copy, HOME)
    called = []
    monkeypatch.setattr("os.system", called.append)
    install = nbformat.read(copy / "notebooks" / "01_data.ipynb", 4).cells[2].source
    exec(install, {})
    assert not called
    monkeypatch.setitem(__import__("sys").modules, "google.colab", object())
    exec(install, {})
    assert len(called) == 2 and "pip install" in called[1]


@pytest.mark.parametrize("wrong", ["github.com/a/b", "https://github.com/a", "https://x.org/a/b"])
def test_another_address_is_refused(copy, wrong):
    with pytest.raises(ValueError, match="must be https://github.com/OWNER/NAME"):
        set_to(copy, wrong)


@pytest.mark.parametrize("page", ["README.md", "site/pages/index.md"])
def test_both_papers_and_their_codes_are_linked(page):
    text = (ROOT / page).read_text()
    for link in (
        "https://arxiv.org/abs/1605.02914",
        "https://arxiv.org/abs/1603.06937",
        "https://doi.org/10.1007/978-3-319-46484-8_29",
        "https://github.com/ox-vgg/keypoint_detection",
        "https://github.com/princeton-vl/pose-hg-train",
        "https://github.com/princeton-vl/pose-hg-demo",
    ):
        assert link in text, link
