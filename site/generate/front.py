"""The landing page: one person, one hard joint, a network that looks again, and one number."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import nbformat
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from companion.figures.pictures import FOUND, TRUTH, draw_heat
from generate.committed import DRAWN, ROOT, manifest

TWICE = DRAWN / "figures" / "04-twice.npz"
SECOND = re.compile(r"after hourglass 2\b")


def write(source: Path) -> None:
    """Fill the places of index.md, and draw its panels."""
    pictures = source.parent / "extra" / "look"
    pictures.mkdir(parents=True)
    rows = {"PASSES": passes(), "HOURGLASSES": hourglasses()}
    page = (source / "index.md").read_text(encoding="utf-8")
    for place, row in rows.items():
        page = page.replace(f"%{place}%", strip(row, pictures, place.lower()))
        page = page.replace(f"%{place} JOINT%", row["joint"])
        page = page.replace(f"%{place} RULE%", row.get("rule", ""))
        for when, error in (("BEFORE", row["error"][0]), ("AFTER", row["error"][-1])):
            page = page.replace(f"%{place} {when}%", f"{error:.1f}")
    for key, value in (second_hourglass() | {"people": people(), "verdicts": verdicts()}).items():
        page = page.replace(f"%{key.upper()}%", value)
    left = re.findall(r"%[A-Z ]+%", page)
    if left:
        raise SystemExit(f"site/pages/index.md: nothing fills {', '.join(left)}")
    (source / "index.md").write_text(page, encoding="utf-8")


def passes() -> dict:
    """The first row of R-fig2: a joint that the first guess loses and the last pass finds, by the
    rule of notebook 03."""
    return first_row(DRAWN / "figures" / "r-fig2.npz")


def first_row(path: Path) -> dict:
    """The first joint of a figure of one joint site by site. Stops where it is not lost and found
    again, as the landing page says."""
    stored = np.load(path)
    row = {key: stored[key][0] for key in ("images", "maps", "truth", "found", "error")}
    if not row["error"][0] > 0.5 >= row["error"][-1]:
        raise SystemExit(
            f"{path.relative_to(ROOT)}: its first joint is {row['error'][0]:.2f} heads off at "
            f"first and {row['error'][-1]:.2f} at last, not lost and found as index.md says"
        )
    return row | {"joint": str(stored["names"][0]), "titles": list(map(str, stored["titles"]))}


def hourglasses() -> dict:
    """The first row of 04-twice, chosen as R-fig2's. Before there is one: of the person of notebook
    04's heatmaps, the joint that the second hourglass moves most towards its label."""
    if TWICE.is_file():
        return first_row(TWICE) | {"rule": "found by the same rule"}
    stored = np.load(DRAWN / "figures" / "04-heatmap.npz")
    error = stored["error"][0]
    joint = int(np.nanargmax(error[0] - error[-1]))
    row = {key: stored[key][0][:, joint] for key in ("maps", "found", "error")}
    row |= {"images": stored["images"][0], "truth": stored["truth"][0, joint]}
    return row | {
        "joint": str(stored["names"][joint]),
        "titles": [f"hourglass {k + 1}" for k in range(len(error))],
        "rule": "the joint that the second hourglass mends most",
    }


def strip(row: dict, folder: Path, name: str) -> str:
    """The crop and the heatmaps beside each other, as HTML; the panels lie in `folder`."""
    frames = [("crop", panel(row["images"], None, row["truth"], None), "the joint is ringed")]
    for title, heat, found, error in zip(
        row["titles"], row["maps"], row["found"], row["error"], strict=True
    ):
        drawn = panel(row["images"], (heat, row["maps"].max()), row["truth"], found)
        frames.append((title, drawn, f"{error:.2f} heads off"))
    cells = []
    for number, (title, picture, said) in enumerate(frames):
        file = folder / f"{name}-{number}.png"
        file.write_bytes(picture)
        alt = f"{row['joint']}, {title}: {said}"
        cells.append(
            f'<figure><img src="look/{file.name}" alt="{alt}" width="300" height="300">'
            f"<figcaption><b>{title}</b> {said}</figcaption></figure>"
        )
    return f'<div class="strip">\n{"".join(cells)}\n</div>'


def panel(image: np.ndarray, heat: tuple | None, truth: np.ndarray, found: np.ndarray) -> bytes:
    """One panel as a PNG of 300 px: the crop, or a heatmap over it, with the label (a ring) and
    the heatmap's maximum (a cross)."""
    with matplotlib.rc_context({"savefig.dpi": 100, "figure.dpi": 100}):
        figure = Figure(figsize=(3, 3))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        if heat is None:
            axes.imshow(image)
        else:
            draw_heat(axes, image, *heat)
            axes.scatter(*found, **FOUND | {"s": 90, "linewidths": 2.4})
        axes.scatter(*truth, **TRUTH | {"s": 200, "linewidths": 2.4})
        axes.set_xlim(-0.5, image.shape[1] - 0.5)
        axes.set_ylim(image.shape[0] - 0.5, -0.5)
        made = io.BytesIO()
        figure.savefig(made, format="png")
    with Image.open(made) as picture:
        light = io.BytesIO()
        picture.convert("RGB").save(light, "png", optimize=True)
    return light.getvalue()


class _Rows(HTMLParser):
    """The rows of the tables of a page, each a list of its cells' words."""

    def __init__(self, text: str):
        super().__init__()
        self.rows, self.inside = [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = tag in ("td", "th")
        if tag == "tr":
            self.rows.append([])
        elif self.inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data.strip()


def second_hourglass() -> dict[str, str]:
    """Points that the second hourglass adds, with their interval, as 04-twice holds or notebook
    04's executed copy prints them: {"points": "+3.3", "low": "2.2", "high": "4.3"}, and in words
    how many joints it repairs and spoils, where that is known. Stops if neither says so."""
    if TWICE.is_file():
        stored = np.load(TWICE)
        points, low, high = stored["gain"]
        balance = f" It repairs {stored['repaired'].sum()} of them and spoils"
        balance += f" {stored['spoilt'].sum()}."
        return said_of(points, low, high) | {"balance": balance}
    path = DRAWN / "notebooks" / "04_hourglass.ipynb"
    for cell in nbformat.read(path, 4).cells:
        for output in cell.get("outputs", []):
            rows = _Rows(output.get("data", {}).get("text/html", "")).rows
            for row in rows[1:]:
                named = dict(zip(rows[0], row, strict=False))
                if any(SECOND.search(word) for word in row) and {"difference", "low"} <= set(named):
                    numbers = (float(named[key]) for key in ("difference", "low", "high"))
                    return said_of(*numbers) | {"balance": ""}
    raise SystemExit(
        f"{path.relative_to(ROOT)}: no table with a row 'after hourglass 2' and the columns "
        "difference, low and high, which the landing page quotes; mend site/generate/front.py"
    )


def said_of(points: float, low: float, high: float) -> dict[str, str]:
    return {"points": f"{points:+.1f}", "low": f"{low:.1f}", "high": f"{high:.1f}"}


def people() -> str:
    """How many people the hourglass' predictions are of."""
    kept = manifest(DRAWN)["run hourglass"]["files"]
    file = next(file for file in kept if file.endswith("/predictions-mpii-flip-1.npz"))
    return str(len(np.load(DRAWN / file)["points"]))


def verdicts() -> str:
    """How many claims have which verdict, in words."""
    with (DRAWN / "claims.csv").open(encoding="utf-8", newline="") as file:
        file.readline()
        found = [row["verdict"] for row in csv.DictReader(file)]
    said = [f"{found.count(verdict)} are {verdict}" for verdict in dict.fromkeys(sorted(found))]
    return f"{', '.join(said[:-1])} and {said[-1]}"
