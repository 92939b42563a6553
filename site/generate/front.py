"""The landing page: one person, one hard joint, a network that looks again, and one number."""

import io
import re
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from companion.artifacts.evidence import SAID, columns
from companion.figures.pictures import FOUND, TRUTH, draw_heat
from companion.measure.verdict import VERDICTS
from generate.committed import ROOT, largest, manifest


def write(source: Path) -> None:
    """Fill the places of index.md, and draw its panels."""
    pictures = source.parent / "extra" / "look"
    pictures.mkdir(parents=True)
    rows = {"PASSES": first_row(numbers("R-fig2")), "HOURGLASSES": first_row(numbers("04-twice"))}
    page = (source / "index.md").read_text(encoding="utf-8")
    for place, row in rows.items():
        page = page.replace(f"%{place}%", strip(row, pictures, place.lower()))
        page = page.replace(f"%{place} JOINT%", row["joint"])
        for when, error in (("BEFORE", row["error"][0]), ("AFTER", row["error"][-1])):
            page = page.replace(f"%{place} {when}%", f"{error:.1f}")
    for key, value in (second_hourglass() | {"verdicts": verdicts()}).items():
        page = page.replace(f"%{key.upper()}%", value)
    left = re.findall(r"%[A-Z ]+%", page)
    if left:
        raise SystemExit(f"site/pages/index.md: nothing fills {', '.join(left)}")
    (source / "index.md").write_text(page, encoding="utf-8")


def numbers(artifact: str) -> Path:
    """The numbers of a figure, of the largest size that is kept with the results."""
    folder = largest(artifact)
    if folder is None:
        raise SystemExit(f"no results folder holds {artifact}, which the landing page shows")
    return folder / "figures" / manifest(folder)[artifact]["provenance"]["numbers"]


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


def second_hourglass() -> dict[str, str]:
    """Points that the second hourglass adds, with their interval, over how many people, and how
    many joints it repairs and spoils: {"points": "+8.2", "low": "7.6", ...}."""
    path = numbers("04-twice")
    stored, results = np.load(path), path.parents[1]
    points, low, high = stored["gain"]
    said = {"points": f"{points:+.1f}", "low": f"{low:.1f}", "high": f"{high:.1f}"}
    counts = {key: str(stored[key].sum()) for key in ("repaired", "spoilt")}
    kept = manifest(results)["run hourglass"]["files"]
    file = next(file for file in kept if file.endswith("/predictions-mpii-flip-1.npz"))
    return said | counts | {"people": str(len(np.load(results / file)["points"]))}


def verdicts() -> str:
    """How many claims have which verdict, each by its best evidence, in words."""
    found = [strongest(rows) for rows in columns(ROOT / "results").values()]
    said = [f"{found.count(verdict)} *{verdict}*" for verdict in VERDICTS if verdict in found]
    return f"{', '.join(said[:-1])} and {said[-1]}"


def strongest(rows: dict[str, dict | None]) -> str:
    """The verdict of a claim: of drawn people, photographs and published files the first that says
    something of the claim itself."""
    said = [row["verdict"] for row in rows.values() if row]
    return min(said, key=lambda verdict: verdict not in SAID)
