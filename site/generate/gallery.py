"""The gallery: each figure and table of both papers, ours, and what was done differently."""

import html
import importlib
import re
import shutil
from pathlib import Path

from companion.figures.alt import alt_text
from companion.published.claims import captions, claims, deviations
from generate.committed import (
    PAPERS,
    PHOTOGRAPHS,
    largest,
    manifest,
    plain,
    scrolling,
    slug,
    study_of,
)


def write(source: Path) -> None:
    """gallery.md: a section an artifact; its picture or its table lies in gallery/."""
    (source / "gallery").mkdir()
    lines = []
    groups = {paper: title for paper, title in PAPERS.items()} | {"0": "Behind both papers"}
    for mark, title in groups.items():
        lines.append(f"## {f'{mark}: ' if mark in PAPERS else ''}{title}")
        lines += [
            section(name, caption, source)
            for name, caption in captions().items()
            if name[0] == mark
        ]
    page = (source / "gallery.md").read_text(encoding="utf-8")
    (source / "gallery.md").write_text(page.replace("%GALLERY%", "\n\n".join(lines)), "utf-8")


def section(name: str, caption: str, source: Path) -> str:
    """An artifact: what it shows, ours at the largest size that is kept, the claims beside it, and
    the departures that touch it."""
    home = largest(name)
    lines = [f"({slug(name)})=", f"### {name}", "", f"{plain(caption)}.", ""]
    lines += [ours(name, home, source) if home else "Not made yet.", ""]
    beside = [claim["id"] for claim in claims() if name in claim["artifacts"]]
    if beside:
        lines += ["Claims: " + ", ".join(f"[{claim}](#{slug(claim)})" for claim in beside), ""]
    differ = departures(name, *study_of(home)) if home else []
    if differ:
        count = f"{len(differ)} difference{'s' if len(differ) > 1 else ''}"
        lines += [
            f"<details><summary>What is different, and why: {count}</summary>",
            scrolling(differences(differ), f"{name}: what is different, and why"),
            "</details>",
        ]
    else:
        lines += ["Nothing was done differently."]
    return "\n".join(lines)


def ours(name: str, home: Path, source: Path) -> str:
    """The picture, with the files that it was drawn of; or the table."""
    entry = manifest(home)[name]
    files = {Path(file).suffix: file for file in entry["files"]}
    if entry["kind"] == "figure":
        picture = f"gallery/{Path(files['.png']).name}"
        shutil.copy(home / files[".png"], source / picture)
        shown = f"![{plain(told(name, entry['draw']))}]({picture})"
        numbers = next(file for end, file in files.items() if end != ".png")
        kept = {"picture": files[".png"], "numbers": numbers}
    else:
        page = (home / files[".html"]).read_text(encoding="utf-8")
        table = re.search(r"<table>.*?</table>", page, re.S)[0]
        shown = scrolling(re.sub(r"\n\s*\n", "\n", table), f"{name}, ours")
        kept = {"page": files[".html"], "numbers": files[".csv"]}
    links = [f'<a href="results/{home.name}/{file}">{word}</a>' for word, file in kept.items()]
    said = f"Ours, on drawn people at size {study_of(home)[0]}: {', '.join(links)}"
    other = manifest(PHOTOGRAPHS).get(name, {})
    if other.get("kind") in ("figure", "table"):
        file = next(file for file in other["files"] if file.endswith((".png", ".html")))
        link = f'<a href="results/{PHOTOGRAPHS.name}/{file}">{Path(file).name}</a>'
        said += f"; on photographs: {link}"
    return f"{shown}\n\n{said}."


def told(name: str, drawn_by: str) -> str:
    """The alternative text of a figure: of the function that draws it, or, where an older one drew
    it, its caption."""
    module, _, draw = drawn_by.rpartition(".")
    try:
        return alt_text(getattr(importlib.import_module(module), draw), name)
    except (ImportError, AttributeError):
        return f"{name}: {captions()[name]}"


def departures(name: str, size: str, data: str) -> list[dict]:
    """The entries of deviations.toml that touch an artifact at a size on a kind of data."""
    return [
        entry
        for entry in deviations()
        if ("all" in entry["artifacts"] or name in entry["artifacts"])
        and size in entry.get("sizes", [size])
        and data in entry.get("data", [data])
    ]


def differences(entries: list[dict]) -> str:
    head = ("", "the paper says", "its released code", "here", "why")
    keys = ("id", "paper_says", "code_did", "we_do", "why")
    cells = "".join(f'<th scope="col">{word}</th>' for word in head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(entry[key] or '-')}</td>" for key in keys) + "</tr>"
        for entry in entries
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"
