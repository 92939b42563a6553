"""What a reproduction leaves behind to look at: a summary table in the terminal, and
results/<data>-<size>/index.html, one file that can be mailed.

front_page.html.j2 is the page; what it says is gathered here, from the files of the results folder
alone, so that `paperlib verify` can make it again.
"""

import base64
import importlib
import io
import json
from pathlib import Path

import jinja2
import nbformat
import PIL
from PIL import Image

from companion.artifacts.artifacts import enter, hashes, read_csv, source_line, tree
from companion.artifacts.claims_file import read_claims, with_reasons
from companion.artifacts.table_formats import sheet, short_form, table_html
from companion.figures.alt import alt_text
from companion.measure.verdict import MARGIN, VERDICTS, estimates_of
from companion.published.claims import captions, claim_of
from companion.runs.notebook_index import ORDER, artifacts_of
from paperlib.writing import write_whole

SECTIONS = (
    ("R", "paper-r", "Recurrent Human Pose Estimation (R)"),
    ("H", "paper-h", "Stacked Hourglass Networks (H)"),
    ("", "behind", "Behind both: people, crops and targets"),
)
MEANINGS = {
    "exact": "counted, or recomputed from published files and tables: no training is in it",
    "reproduced": "with the paper's own network, resolution, recipe and data it holds",
    "contradicted": "with the paper's own network, resolution, recipe and data it does not hold",
    "agrees in miniature": "smaller than the paper, but what the claim needs is there: it holds",
    "disagrees in miniature": "smaller than the paper, but what the claim needs is there: it "
    "does not hold, which is a finding about the miniature",
    "inconclusive": "what the claim needs is there, and the interval does not decide",
    "not testable at this size": "something that the claim needs is not there, so that no number "
    "found here speaks for or against it",
    "not measured": "the runs, files or hardware are not here",
}
FIRST = ("04-twice", "R-fig2", "05-gains")  # what a reader sees first: the first that is there
FLAT = 2.4  # width / height from which a picture takes both columns
WEBP = {
    "quality": 82,
    "method": 4,
}  # the page's copies of the pictures; the .png files beside it are the originals


def summary(results: Path, fate: dict[str, str]) -> str:
    """One line an artifact: its id, the notebook that makes it, and where it is."""
    manifest = _manifest(results)
    rows = [("artifact", "notebook", "", "file")]
    for name in ORDER:
        for artifact in artifacts_of(name):
            file = next(iter(manifest.get(artifact, {}).get("files", {})), None)
            rows.append(
                (artifact, name, fate.get(name, "not run"), str(results / file) if file else "-")
            )
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    verdicts = [row["verdict"] for row in _claims(results)]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts)))
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    return "\n".join([*lines, *([f"claims: {counts}"] if counts else [])])


def write_page(results: Path) -> Path:
    """index.html: the board of the claims, then every artifact with the paper's number beside ours
    and what it was made of."""
    page = results / "index.html"
    write_whole(page, page_html(results))
    enter(
        results,
        "index.html",
        {"kind": "page", "pillow": PIL.__version__, "files": hashes(results, [page])},
    )
    return page


def page_html(results: Path) -> str:
    manifest = _manifest(results)
    artifacts = {
        name: entry
        for name, entry in manifest.items()
        if entry["kind"] in ("figure", "table", "withheld")
    }
    rows = {row["id"]: row for row in with_reasons(_claims(results))}
    cells = _cells(results)
    claims = {name: _claim(row, cells) for name, row in rows.items()}
    items = [
        _artifact(results, name, entry, claims, cells)
        for name, entry in sorted(artifacts.items(), key=lambda pair: _order(pair[0]))
    ]
    stamp = (
        next(iter(manifest.values()), {}).get("provenance", {})
        if not artifacts
        else next(iter(artifacts.values()))["provenance"]
    )
    found = [row["verdict"] for row in rows.values()]
    data, size = stamp.get("data", "synthetic"), stamp.get("size", "")
    sections = [
        {
            "id": mark,
            "title": title,
            "artifacts": _laid_out([item for item in items if item["paper"] == paper]),
        }
        for paper, mark, title in SECTIONS
    ]
    shown = {item["id"]: item for item in items if "image" in item}
    return _template().render(
        people="drawn people" if data == "synthetic" else "real people",
        size=size,
        caveat=_caveat(data, size),
        first=next((shown[name] for name in FIRST if name in shown), None),
        claims=list(claims.values()),
        verdicts=[
            {
                "name": verdict,
                "slug": _slug(verdict),
                "count": found.count(verdict),
                "means": MEANINGS[verdict],
                "claims": [claim for claim in claims.values() if claim["verdict"] == verdict],
            }
            for verdict in VERDICTS
        ],
        sections=[section for section in sections if section["artifacts"]],
        commit=stamp.get("commit", "unknown"),
        tree=f"tree {tree(stamp)}" if stamp else "",
        device=stamp.get("device", ""),
        versions=", ".join(
            f"{name} {version}" for name, version in stamp.get("versions", {}).items()
        ),
    )


def interval_svg(estimates: list[tuple[float, float, float]], claim: dict) -> str:
    """The estimates of a claim as bars on one scale about 0: dashed 0, and the tolerance within
    which figures count as equal, shaded."""
    if not estimates:
        return ""
    margin = {"effect": 0.0, "equal": MARGIN, "value": claim.get("tolerance", 0.0)}[claim["kind"]]
    widest = 1.1 * max(margin, *(abs(number) for estimate in estimates for number in estimate)) or 1
    height = 14 * len(estimates) + 4

    def at(number: float) -> str:
        return f"{88 * (1 + number / widest):.1f}"

    band = (
        f'<rect class="band" x="{at(-margin)}" y="0" width="{176 * margin / widest:.1f}" '
        f'height="{height}" rx="2"/>'
        if margin
        else ""
    )
    marks = []
    for row, (x, low, high) in enumerate(estimates):
        y = 9 + 14 * row
        marks.append(
            f'<line class="range" x1="{at(low)}" x2="{at(high)}" y1="{y}" y2="{y}"/><circle '
            f'class="dot" cx="{at(x)}" cy="{y}" r="4.5"/>'
        )
    axis = f'<line class="axis" x1="88" x2="88" y1="0" y2="{height}"/>'
    frame = f'viewBox="0 0 176 {height}" width="176" height="{height}" aria-hidden="true"'
    return f'<svg class="interval" {frame}>{band}{axis}{"".join(marks)}</svg>'


def _claim(row: dict, cells: dict[str, dict[str, str]]) -> dict:
    claim = claim_of(row["id"])
    drawing = interval_svg(estimates_of(row), claim)
    return row | {
        "slug": _slug(row["verdict"]),
        "artifacts": claim["artifacts"],
        "evidence": _evidence(row),
        "cell": cells.get("claims"),
        "drawing": drawing,
    }


def _evidence(row: dict) -> list[tuple[str, str]]:
    """What a verdict follows from, besides its interval, in words."""
    found = [
        ("holds, part by part", row["holds"]),
        ("needs", row["needs"]),
        ("preconditions", row["preconditions"]),
        ("the paper's conditions", row["conditions"]),
        ("would be settled by", row["settles"]),
    ]
    return [(name, value) for name, value in found if value]


def _artifact(
    results: Path, name: str, entry: dict, claims: dict[str, dict], cells: dict[str, dict[str, str]]
) -> dict:
    own = [claim for claim in claims.values() if name in claim["artifacts"]]
    item = {
        "id": name,
        "paper": name[0] if name[0] in "RH" else "",
        "shows": _caption(name, entry),
        "claims": own,
        "verdicts": " ".join(dict.fromkeys(claim["slug"] for claim in own)),
        "cell": cells.get(name),
        "deviations": entry["deviations"],
        "notes": entry.get("notes") or [source_line(entry["provenance"])],
    }
    if entry["kind"] == "withheld":
        return item | {"withheld": entry["why"]}
    if entry["kind"] == "figure":
        file = next(file for file in entry["files"] if file.endswith(".png"))
        return item | {"file": file} | _picture(results / file)
    file = next(file for file in entry["files"] if file.endswith(".csv"))
    table = read_csv((results / file).read_bytes())
    short, full = short_form(table), table_html(sheet(table))
    return item | {
        "file": file,
        "table": True,
        "short": table_html(short) if short else full,
        "full": full if short else "",
    }


def _caption(name: str, entry: dict) -> str:
    """What an artifact shows: its caption, or the first sentence of the function that draws it."""
    known = captions().get(name) or entry.get("caption")
    if known or "draw" not in entry:
        return known or name
    module, _, draw = entry["draw"].rpartition(".")
    return alt_text(getattr(importlib.import_module(module), draw)).rstrip(".")


def _laid_out(items: list[dict]) -> list[dict]:
    """The items, tables, flat pictures and what stands alone between those over both columns."""
    wide = [
        "table" in item or ("image" in item and item["width"] >= FLAT * item["height"])
        for item in items
    ]
    around = [True, *wide, True]
    return [
        item | {"wide": around[k + 1] or (around[k] and around[k + 2])}
        for k, item in enumerate(items)
    ]


def _picture(path: Path) -> dict:
    """The picture inside the page, lighter than the file."""
    light = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(light, "webp", **WEBP)
        width, height = picture.size
    return {
        "image": f"data:image/webp;base64,{base64.b64encode(light.getvalue()).decode()}",
        "width": width,
        "height": height,
    }


def _cells(results: Path) -> dict[str, dict[str, str]]:
    """Artifact -> the executed notebook that made it, and its cell by the number that every viewer
    shows; 'claims' is the cell of the board.

    No viewer opens a notebook at a cell from outside: JupyterLab 4.6 drops the fragment
    #cell-id=... of its own addresses.
    """
    found = {}
    for path in sorted((results / "notebooks").glob("??_*.ipynb")):
        if path.stem not in ORDER:
            continue
        for cell in nbformat.read(path, 4).cells:
            for tag in cell.metadata.get("tags", []):
                if tag == "claims" or tag.startswith(("figure:", "table:")):
                    found[tag.rpartition(":")[2]] = {
                        "file": f"notebooks/{path.name}",
                        "name": f"{path.stem}, cell [{cell.execution_count}]",
                    }
    return found


def _caveat(data: str, size: str) -> str:
    if size == "tiny":
        return "This size tests the machinery: its numbers mean nothing."
    small = (
        "Networks are small and see their people less than twice, so most of what the papers "
        "claim of trained networks cannot be tested. "
        if size == "smoke"
        else ""
    )
    drawn = (
        "Drawings are not the papers' photographs: compare ours with ours."
        if data == "synthetic"
        else ""
    )
    return small + drawn


def _order(artifact: str) -> tuple:
    """R before H, tables before figures, by number."""
    digits = "".join(letter for letter in artifact.partition("-")[2] if letter.isdigit())
    return (
        not artifact.startswith("R"),
        not artifact.startswith("H"),
        "tab" not in artifact,
        artifact[:2],
        int(digits or 0),
        artifact,
    )


def _slug(verdict: str) -> str:
    return verdict.replace(" ", "-")


def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("companion", "artifacts")
    return jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("front_page.html.j2")


def _claims(results: Path) -> list[dict]:
    return read_claims(results) if (results / "claims.csv").exists() else []


def _manifest(results: Path) -> dict:
    path = results / "manifest.json"
    return json.loads(path.read_text()) if path.exists() else {}
