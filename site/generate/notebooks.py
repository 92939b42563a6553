"""The seven executed notebooks, and the results folders beside them."""

import shutil
from pathlib import Path

import nbformat

from companion.runs.notebook_index import ORDER
from generate.committed import DRAWN, RESULTS, ROOT, plain
from tools.links import in_markdown, repository


def write(source: Path) -> None:
    """notebooks/*.ipynb as pages; their index; and what goes out as it is, the results."""
    folder = source / "notebooks"
    folder.mkdir()
    titles = {name: page(DRAWN / "notebooks" / f"{name}.ipynb", folder) for name in ORDER}
    index = (source / "notebooks.md").read_text(encoding="utf-8")
    listed = "\n".join(f"notebooks/{name}" for name in titles)
    index = index.replace("%LIST%", listed).replace("%LINKS%", elsewhere())
    (source / "notebooks.md").write_text(index, encoding="utf-8")
    shutil.copy(ROOT / "CITATION.cff", source)
    for results in RESULTS:
        shutil.copytree(
            results,
            source.parent / "extra" / "results" / results.name,
            ignore=shutil.ignore_patterns("runs", ".cache"),
        )


def elsewhere() -> str:
    """Where all notebooks run in a browser, if it is known where this repository lives."""
    linked = in_markdown(repository())
    return f"Run them in a browser: {linked}" if linked else ""


def page(path: Path, folder: Path) -> str:
    """Write an executed notebook as a page: under its title where it comes from, and with the
    alternative text of each picture where MyST-NB looks for it. Returns its title."""
    notebook = nbformat.read(path, 4)
    stamp = notebook.metadata.get("paperlib", {})
    first = notebook.cells[0]
    title, _, rest = first.source.partition("\n")
    original = f"../results/{path.parents[1].name}/notebooks/{path.name}"
    made = (
        f"*Executed at size {stamp.get('size', '')} on drawn people, commit "
        f"{stamp.get('commit', 'unknown')}; "
        f'<a href="{original}" download>the notebook itself</a>.*'
    )
    first.source = f"{title}\n\n{made}\n{rest}"
    for number, cell in enumerate(notebook.cells):
        told = [
            said["alt"]
            for output in cell.get("outputs", [])
            for kind, said in output.get("metadata", {}).items()
            if kind.startswith("image/") and said.get("alt")
        ]
        shown = [
            output
            for output in cell.get("outputs", [])
            if any(kind.startswith("image/") for kind in output.get("data", {}))
        ]
        if len(told) < len(shown):
            raise SystemExit(f"{path.name}, cell {number}: a picture without alternative text")
        if told:
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(told)}}
    nbformat.write(notebook, folder / path.name)
    return plain(title.lstrip("# "))
