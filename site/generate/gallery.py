"""The gallery: each figure and table of both papers, ours, and what was done differently."""

import html
import importlib
import re
import shutil
from pathlib import Path

from companion.figures.alt import alt_text
from companion.published.claims import captions, claims, deviations
from generate.committed import DRAWN, PAPERS, RESULTS, manifest, plain, scrolling, slug, study_of


def write(source: Path) -> None:
    """gallery.md: a section an artifact; its picture or its table lies in gallery/."""
    (source / "gallery").mkdir()
    entries = manifest(DRAWN)
    lines = []
    groups = {paper: title for paper, title in PAPERS.items()} | {"0": "Behind both papers"}
    for mark, title in groups.items():
        lines.append(f"## {f'{mark}: ' if mark in PAPERS else ''}{title}")
        lines += [
            section(name, caption, entries.get(name), source)
            for name, caption in captions().items()
            if name[0] == mark
        ]
    page = (source / "gallery.md").read_text(encoding="utf-8")
    (source / "gallery.md").write_text(page.replace("%GALLERY%", "\n\n".join(lines)), "utf-8")


def section(name: str, caption: str, entry: dict | None, source: Path) -> str:
    """An artifact: what it shows, ours, the claims beside it, and the departures that touch it."""
    lines = [f"({slug(name)})=", f"### {name}", "", f"{plain(caption)}.", ""]
    lines += [ours(name, entry, source) if entry else "Not made yet.", ""]
    beside = [claim["id"] for claim in claims() if name in claim["artifacts"]]
    if beside:
        lines += ["Claims: " + ", ".join(f"[{claim}](#{slug(claim)})" for claim in beside), ""]
    differ = departures(name)
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


def ours(name: str, entry: dict, source: Path) -> str:
    """The picture, with the files that it was drawn of; or the table."""
    files = {Path(file).suffix: file for file in entry["files"]}
    home = f"results/{DRAWN.name}"
    if entry["kind"] == "figure":
        picture = f"gallery/{Path(files['.png']).name}"
        shutil.copy(DRAWN / files[".png"], source / picture)
        shown = f"![{plain(told(name, entry['draw']))}]({picture})"
        numbers = next(file for end, file in files.items() if end != ".png")
        kept = {"picture": files[".png"], "numbers": numbers}
    else:
        page = (DRAWN / files[".html"]).read_text(encoding="utf-8")
        table = re.search(r"<table>.*?</table>", page, re.S)[0]
        shown = scrolling(re.sub(r"\n\s*\n", "\n", table), f"{name}, ours")
        kept = {"page": files[".html"], "numbers": files[".csv"]}
    links = ", ".join(f'<a href="{home}/{file}">{word}</a>' for word, file in kept.items())
    elsewhere = ""
    for data, results in RESULTS.items():
        picture = manifest(results).get(name, {})
        if results != DRAWN and picture.get("kind") in ("figure", "table"):
            file = next(file for file in picture["files"] if file.endswith((".png", ".html")))
            elsewhere = (
                f'; on {data}: <a href="results/{results.name}/{file}">{Path(file).name}</a>'
            )
    return f"{shown}\n\nOurs, on drawn people at size smoke: {links}{elsewhere}."


def told(name: str, drawn_by: str) -> str:
    """The alternative text of a figure: of the function that draws it, or, where an older one drew
    it, its caption."""
    module, _, draw = drawn_by.rpartition(".")
    try:
        return alt_text(getattr(importlib.import_module(module), draw), name)
    except (ImportError, AttributeError):
        return f"{name}: {captions()[name]}"


def departures(name: str) -> list[dict]:
    """The entries of deviations.toml that touch an artifact at the size and on the data shown."""
    size, data = study_of(DRAWN)
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
