"""The reference of `paperlib`: a page a module, from its docstrings."""

import ast
import pkgutil
from pathlib import Path

import paperlib
from generate.committed import ROOT, plain, slug


def write(source: Path) -> None:
    """api/<module>.rst for Sphinx' autodoc, and the list in api.md."""
    (source / "api").mkdir()
    lines, listed = [], []
    for name in modules():
        page = f"api/{slug(name)}"
        title = f"{name}\n{'=' * len(name)}"
        options = (
            "   :members:\n   :undoc-members:\n   :member-order: bysource\n   :ignore-module-all:"
        )
        text = f"{title}\n\n.. automodule:: {name}\n{options}\n"
        (source / f"{page}.rst").write_text(text, encoding="utf-8")
        lines.append(f"* [`{name}`]({page}.rst): {first_sentence(name)}")
        listed.append(page)
    index = (source / "api.md").read_text(encoding="utf-8")
    index = index.replace("%MODULES%", "\n".join(lines)).replace("%LIST%", "\n".join(listed))
    (source / "api.md").write_text(index, encoding="utf-8")


def modules() -> list[str]:
    """Every module of paperlib but the one that is the command line."""
    found = pkgutil.walk_packages(paperlib.__path__, "paperlib.")
    return ["paperlib", *(module.name for module in found if "__main__" not in module.name)]


def first_sentence(name: str) -> str:
    """Of a module's docstring, as Markdown that keeps its `names`."""
    path = ROOT.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    sentence = " ".join(text.split("\n\n")[0].split()).partition(". ")[0].rstrip(".")
    return plain(sentence).replace("\\`", "`")
