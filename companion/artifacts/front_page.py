"""What a reproduction leaves behind to look at: a summary table in the terminal, and
results/<data>-<size>/index.html, one file that can be mailed.

front_page.html.j2 is the page; what it says is gathered here, from the files of the results folder
alone, so that `paperlib verify` can make it again.
"""

import base64
import importlib
import io
import json
from collections import Counter
from pathlib import Path

import PIL
from PIL import Image

from companion.artifacts.artifacts import keep, read_csv, read_manifest, source_line, tree
from companion.artifacts.claims_file import read_claims, with_reasons
from companion.artifacts.table_formats import sheet, short_form, template
from companion.figures.alt import alt_text
from companion.measure.verdict import MARGIN, estimates_of
from companion.published.claims import captions, claim_of
from companion.runs.notebook_index import ORDER, artifacts_of

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
# the page's copies of the pictures; the .png files beside it are the originals
WEBP = {"quality": 82, "method": 4}


def summary(results: Path, fate: dict[str, str]) -> str:
    """One line an artifact: its id, the notebook that makes it, and where it is."""
    manifest = read_manifest(results)
    rows = [("artifact", "notebook", "", "file")]
    for name in ORDER:
        for artifact in artifacts_of(name):
            file = next(iter(manifest.get(artifact, {}).get("files", {})), None)
            where = str(results / file) if file else "-"
            rows.append((artifact, name, fate.get(name, "not run"), where))
    first, second, third = (max(len(row[i]) for row in rows) for i in range(3))
    lines = [f"{a:{first}}  {b:{second}}  {c:{third}}  {file}" for a, b, c, file in rows]
    counts = Counter(sorted(row["verdict"] for row in _claims(results)))
    if counts:
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        lines.append(f"claims: {told}")
    return "\n".join(lines)


def write_page(results: Path) -> Path:
    """index.html: the board of the claims, then every artifact with the paper's number beside ours
    and what it was made of."""
    page = results / "index.html"
    entry = {"kind": "page", "pillow": PIL.__version__}
    keep(results, page.name, entry, {page: page_html(results)})
    return page


def page_html(results: Path) -> str:
    manifest, cells = read_manifest(results), _cells(results)
    kinds = ("figure", "table", "withheld")
    artifacts = {name: entry for name, entry in manifest.items() if entry["kind"] in kinds}
    claims = [_claim(row) for row in with_reasons(_claims(results))]
    items = [_artifact(results, name, artifacts[name], claims) for name in sorted(artifacts)]
    items = [item | {"cell": cells.get(item["id"])} for item in items]
    first = next(iter((artifacts or manifest).values()), {})
    stamp = first.get("provenance", {})
    data, size = stamp.get("data", "synthetic"), stamp.get("size", "")
    found = [claim["verdict"] for claim in claims]
    items = sorted(items, key=_order)
    shown = {item["id"]: item for item in items if "image" in item}
    return template("front_page.html.j2").render(
        people="drawn people" if data == "synthetic" else "real people",
        size=size,
        caveat=_caveat(data, size),
        first=next((shown[name] for name in FIRST if name in shown), None),
        claims=claims,
        ledger=cells.get("claims"),
        counts={verdict: found.count(verdict) for verdict in MEANINGS},
        verdicts=MEANINGS,
        items=[
            item
            for paper, _, _ in SECTIONS
            for item in _laid_out([item for item in items if item["paper"] == paper])
        ],
        sections=SECTIONS,
        stamp=stamp,
        tree=f"tree {tree(stamp)}" if stamp else "",
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


def _claim(row: dict) -> dict:
    claim = claim_of(row["id"])
    evidence = {  # what the verdict follows from, besides its interval
        "holds, part by part": row["holds"],
        "needs": row["needs"],
        "preconditions": row["preconditions"],
        "the paper's conditions": row["conditions"],
        "would be settled by": row["settles"],
    }
    return row | {
        "slug": row["verdict"].replace(" ", "-"),
        "artifacts": claim["artifacts"],
        "evidence": evidence,
        "drawing": interval_svg(estimates_of(row), claim),
    }


def _artifact(results: Path, name: str, entry: dict, claims: list[dict]) -> dict:
    own = [claim for claim in claims if name in claim["artifacts"]]
    item = {
        "id": name,
        "paper": name[0] if name[0] in "RH" else "",
        "shows": _caption(name, entry),
        "claims": own,
        "verdicts": " ".join(dict.fromkeys(claim["slug"] for claim in own)),
        "deviations": entry["deviations"],
        "notes": entry.get("notes") or [source_line(entry["provenance"])],
    }
    if entry["kind"] == "withheld":
        return item | {"withheld": entry["why"]}
    if entry["kind"] == "figure":
        file = next(file for file in entry["files"] if file.endswith(".png"))
        return item | {"file": file} | _picture(results / file)
    file = next(file for file in entry["files"] if file.endswith(".csv"))
    stored = read_csv((results / file).read_bytes())
    short, full = short_form(stored), sheet(stored)
    return item | {"file": file, "table": short or full, "full": full if short else None}


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
    image = f"data:image/webp;base64,{base64.b64encode(light.getvalue()).decode()}"
    return {"image": image, "width": width, "height": height}


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
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for tag in cell["metadata"].get("tags", []):
                if tag == "claims" or tag.startswith(("figure:", "table:")):
                    found[tag.rpartition(":")[2]] = {
                        "file": f"notebooks/{path.name}",
                        "name": f"{path.stem}, cell [{cell['execution_count']}]",
                    }
    return found


def _caveat(data: str, size: str) -> str:
    if size == "tiny":
        return "This size tests the machinery: its numbers mean nothing."
    small = (
        "Networks are small and see their people less than twice, so most of what the papers "
        "claim of trained networks cannot be tested. "
    )
    drawn = "Drawings are not the papers' photographs: compare ours with ours."
    return small * (size == "smoke") + drawn * (data == "synthetic")


def _order(item: dict) -> tuple:
    """Within a section tables before figures, by number; the others by notebook."""
    name = item["id"]
    digits = "".join(filter(str.isdigit, name.partition("-")[2]))
    return "tab" not in name, name[:2], int(digits or 0), name


def _claims(results: Path) -> list[dict]:
    return read_claims(results) if (results / "claims.csv").exists() else []
