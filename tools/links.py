"""Where this repository lives, and the links that follow: Binder and Colab for each notebook.

`repository` in pyproject.toml's [tool.paperlib] is the one setting. While it is empty nothing is
linked. After a change: python -m tools.links
"""

import re
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
START, END = "<!-- links: tools.links writes them -->", "<!-- end of the links -->"
COLAB = """# On Colab: this companion with its kept results, once.
import os, sys

if "google.colab" in sys.modules and not os.path.exists("companion-repository"):
    os.system("git clone -q --depth 1 {repository} companion-repository")
    os.system("pip install -q -e 'companion-repository[companion]'")
    sys.path.insert(0, "companion-repository")"""


def repository(root: Path = ROOT) -> str:
    """The setting: https://github.com/OWNER/NAME, or "" while there is none.

    Raises ValueError for anything else.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    said = project["tool"]["paperlib"]["repository"].rstrip("/")
    if said and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", said):
        raise ValueError(
            f"pyproject.toml: repository is {said!r}, but must be https://github.com/OWNER/NAME"
        )
    return said


def links(repository: str, notebook: str = "") -> dict[str, str]:
    """What to click, by name: the code, Binder and Colab, of one notebook or of all; {} while the
    repository is unknown."""
    if not repository:
        return {}
    place = repository.removeprefix("https://github.com/")
    file = f"notebooks/{notebook}.ipynb" if notebook else "notebooks"
    colab = "https://colab.research.google.com/github"
    return {
        "code": f"{repository}/blob/main/{file}" if notebook else repository,
        "Binder": f"https://mybinder.org/v2/gh/{place}/HEAD?urlpath=lab/tree/{file}",
        "Colab": f"{colab}/{place}/blob/main/{file}" if notebook else f"{colab}/{place}",
    }


def in_markdown(repository: str, notebook: str = "") -> str:
    return " · ".join(f"[{name}]({url})" for name, url in links(repository, notebook).items())


def write_links(root: Path = ROOT) -> None:
    """The links in README.md; in each notebook those of its own, under its title, and a cell that
    installs on Colab. Without the setting both go."""
    where = repository(root)
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    line = f"\nRun it in a browser: {in_markdown(where)}\n" if where else "\n"
    readme.write_text(f"{before}{START}{line}{END}{rest.partition(END)[2]}", encoding="utf-8")
    for path in sorted((root / "notebooks").glob("??_*.ipynb")):
        notebook = nbformat.read(path, 4)
        _write_notebook(notebook, where, path.stem)
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def _write_notebook(notebook: nbformat.NotebookNode, where: str, name: str) -> None:
    title, *rest = notebook.cells[0].source.split("\n\n")
    rest = [part for part in rest if not part.startswith("[code](")]
    linked = [in_markdown(where, name)] if where else []
    notebook.cells[0].source = "\n\n".join([title, *linked, *rest])
    notebook.cells = [cell for cell in notebook.cells if not installs(cell)]
    if where:
        cell = nbformat.v4.new_code_cell(COLAB.format(repository=where), id="colab")
        notebook.cells.insert(2, cell)


def installs(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell is the one for Colab."""
    return cell.source.startswith(COLAB.partition("\n")[0])


if __name__ == "__main__":
    write_links()
