"""Artifacts: figures and tables under their ids, each with the numbers it is drawn from and its
provenance inside the file."""

import importlib
import io
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import PIL.Image
from filelock import FileLock
from IPython.display import Image
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL.PngImagePlugin import PngInfo

from companion.artifacts.table_formats import ABSENT, NONE, spelled, texts
from companion.figures.alt import alt_text
from companion.figures.style import house_style
from companion.published.claims import deviations_of
from companion.runs.prediction_cache import read_prediction
from companion.runs.provenance import surroundings
from companion.runs.study import Study
from companion.runs.train_or_load import sha256
from paperlib import PaperlibError
from paperlib.writing import write_whole

Numbers = pd.DataFrame | dict[str, np.ndarray]
# bytes: weights of networks at sizes tiny and smoke are kept with the results; the papers' have 70
# to 100 MB
SMALL = 4_000_000
STEPS = [min((value + 2) // 4 * 4, 255) for value in range(256)]
JPEG = {"quality": 80, "subsampling": 2, "progressive": True, "optimize": True}


def save_figure(
    study: Study, artifact: str, draw, numbers: Numbers, runs: tuple[str, ...] = (), **options
) -> Image:
    """Draw `draw(numbers, **options)` and keep it as figures/<id>.png beside its numbers, a .csv or
    an .npz.

    `draw` is a function of `companion.figures`, so that `paperlib verify` can draw the figure again
    from the stored numbers and compare bytes; `options` are plain values. `runs` are the names of
    the runs that the numbers come from. Returns a lighter copy, for a notebook to show.
    """
    home, name = study.results / "figures", f"{draw.__module__}.{draw.__qualname__}"
    provenance = provenance_of(study, artifact, runs, options)
    if isinstance(numbers, pd.DataFrame):
        source, content = home / f"{artifact.lower()}.csv", csv_bytes(numbers, provenance)
    else:
        source, content = home / f"{artifact.lower()}.npz", _npz_bytes(numbers)
    write_whole(source, content)
    provenance |= {"numbers": source.name, "numbers_sha256": sha256(source)}
    figure = draw_figure(name, source, options)
    entry = {"kind": "figure", "draw": name, "options": options, "provenance": provenance}
    entry |= {"deviations": list(deviations_of(artifact, study.size, study.data))}
    picture = home / f"{artifact.lower()}.png"
    keep(study.results, artifact, entry, {picture: png_bytes(figure, provenance), source: content})
    return light_copy(figure, alt_text(draw, artifact))


def save_table(
    study: Study,
    artifact: str,
    table: pd.DataFrame,
    caption: str,
    runs: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    predictions: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Keep `table` as tables/<id>.csv with its digits, and as .md, .tex and .html for reading, with
    its provenance underneath.

    `runs` are the names of the runs and `predictions` the published files, in the data folder, that
    it scores. Raises PaperlibError for rows of another study: one table holds one size and one kind
    of data.
    """
    for _, row in table.iterrows() if "study" in table else ():
        if row.study and row.study != study.results.name:
            raise PaperlibError(
                f"{artifact}: the row {row.iloc[0]!r} is of {row.study}, the table of "
                f"{study.results.name}; one size and one kind of data in a table"
            )
    home = study.results / "tables"
    provenance = provenance_of(study, artifact, runs)
    provenance["predictions"] = {
        file: sha256(study.folders.data / file)[:16]
        for file in predictions
        if (study.folders.data / file).is_file()
    }
    entry = {
        "kind": "table",
        "caption": caption,
        "notes": [*notes, source_line(provenance)],
        "deviations": list(deviations_of(artifact, study.size, study.data)),
        "provenance": provenance,
    }
    stored = csv_bytes(spelled(table), provenance)
    files = {".csv": stored} | texts(artifact, read_csv(stored), entry)
    files = {home / f"{artifact.lower()}{end}": text for end, text in files.items()}
    keep(study.results, artifact, entry, files)
    return table


def save_run(study: Study, name: str) -> Path:
    """Keep record, log and predictions of a trained run as runs/<its folder>; and the weights of a
    small network if a figure shows its activations.

    A study that trains nothing reads them there. What an older training of the same name left is
    removed.
    """
    given = study.folder_of(name)
    home, run = study.results / "runs" / given.name, given.name.rpartition("-")[0]
    files = {home / file: (given / file).read_bytes() for file in ("log.csv", "record.json")}
    weights = given / "weights.safetensors"
    if study.runs[name].shows_heatmaps and weights.stat().st_size <= SMALL:
        files[home / weights.name] = weights.read_bytes()
    files |= {
        home / path.name: path.read_bytes()
        for path in sorted(given.glob("predictions-*.npz"))
        if read_prediction(path)
    }
    keep(study.results, f"run {run}", {"kind": "run"}, files)
    for older in home.parent.glob(f"{run}-*"):
        if older != home and re.fullmatch(rf"{run}-[0-9a-f]{{16}}", older.name):
            shutil.rmtree(older)
    return home


def source_line(provenance: dict) -> str:
    """The line under a table that says which data, seeds and runs."""
    people = "drawn people" if provenance["data"] == "synthetic" else "real people"
    runs = ", ".join(f"{name} {identity}" for name, identity in provenance["runs"].items())
    runs = runs or "none"
    seeds = ", ".join(map(str, provenance["seeds"])) or "none"
    return (
        f"Data: {people}, size {provenance['size']}. Seeds: {seeds}. Runs: {runs}. "
        f"Commit {provenance['commit']}, tree {tree(provenance)}."
    )


def tree(provenance: dict) -> str:
    """Whether the working tree was as committed."""
    return {True: "clean", False: "with changes", None: "unknown"}[provenance["clean"]]


def draw_figure(name: str, source: Path, options: dict) -> Figure:
    """The figure that function `name` draws of the numbers in `source`."""
    module, function = name.rsplit(".", 1)
    if not module.startswith("companion.figures."):
        raise PaperlibError(
            f"{source}: drawn by {name}, which is not a function of companion.figures; "
            "numbers stored by another version cannot be drawn again"
        )
    if source.suffix == ".csv":
        numbers = read_csv(source.read_bytes())
    else:
        numbers = dict(np.load(source, allow_pickle=False))
    draw = getattr(importlib.import_module(module), function, None)
    if draw is None:
        raise PaperlibError(
            f"{source}: drawn by {name}, which this version does not have; make it anew: "
            "paperlib reproduce --force"
        )
    with house_style():
        return draw(numbers, **options)


def png_bytes(figure: Figure, provenance: dict) -> bytes:
    """The figure as PNG, the same bytes for the same numbers, with its provenance as the PNG's
    Description.

    Each channel is rounded to 64 steps, a difference that no eye sees: the noise of pictures of
    people then costs a third less.
    """
    said = PngInfo()
    said.add_text("Description", json.dumps(provenance, sort_keys=True))
    return _encoded(_rendered(figure), "png", optimize=True, pnginfo=said)


def light_copy(figure: Figure, alt: str) -> Image:
    """The figure for a notebook: true colour at 150 dpi, shown as wide as at 100 dpi.

    A PNG, or, where that is much smaller, as it is of pictures of people, a JPEG: code hosts show
    both, and WebP they do not all show.
    """
    picture = _rendered(figure, dpi=150)
    plt.close(figure)  # else the notebook shows a figure of pyplot's a second time
    exact, close = _encoded(picture, "png", optimize=True), _encoded(picture, "jpeg", **JPEG)
    kind, data = ("jpeg", close) if len(close) < 0.7 * len(exact) else ("png", exact)
    return Image(data, format=kind, alt=alt, width=picture.width * 100 // 150)


def _rendered(figure: Figure, **how) -> PIL.Image.Image:
    """The figure's pixels in the house style, RGB, each channel rounded to 64 steps."""
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="png", pil_kwargs={"compress_level": 0}, **how)
    return PIL.Image.open(buffer).convert("RGB").point(STEPS * 3)


def _encoded(picture: PIL.Image.Image, kind: str, **how) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def csv_bytes(table: pd.DataFrame, provenance: dict) -> bytes:
    """CSV under one comment line that holds the provenance; floats with 6 significant decimals."""
    rows = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return f"# {json.dumps(provenance, sort_keys=True)}\n{rows}".encode()


def read_csv(content: bytes) -> pd.DataFrame:
    """A table that csv_bytes wrote."""
    absent = {"keep_default_na": False, "na_values": ["", NONE, ABSENT]}
    return pd.read_csv(io.BytesIO(content), skiprows=1, **absent)


def provenance_of(
    study: Study, artifact: str, runs: tuple[str, ...], parameters: dict | None = None
) -> dict:
    """Which code on which machine made it of which runs and data; no time of day, so that the same
    numbers give the same bytes."""
    records = study.records(*runs)
    about = surroundings(study.device, study.precision)
    return {
        "id": artifact,
        "data": study.data,
        "size": study.size,
        "parameters": parameters or {},
        "runs": {record["name"]: record["identity"].rsplit("-", 1)[-1] for record in records},
        "weights_sha256": {record["name"]: record["weights_sha256"][:16] for record in records},
        "reused": sorted(record["name"] for record in records if record["reused"]),
        "data_sha256": sorted({record["data_sha256"][:16] for record in records}),
        "seeds": sorted({record["seed"] for record in records}),
        "commit": about["commit"].removesuffix("+changes"),
        "clean": None if about["commit"] == "unknown" else not about["commit"].endswith("+changes"),
        "device": about["device"],
        "precision": about["precision"],
        "versions": about["versions"] | {"matplotlib": matplotlib.__version__},
    }


def _npz_bytes(numbers: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **numbers)
    return buffer.getvalue()


def hashes(results: Path, files: Iterable[Path]) -> dict[str, str]:
    return {path.relative_to(results).as_posix(): sha256(path) for path in files}


def keep(results: Path, artifact: str, entry: dict, files: dict[Path, str | bytes]) -> None:
    """Write an artifact's files, and its `entry` with their hashes into the manifest."""
    for path, content in files.items():
        write_whole(path, content)
    enter(results, artifact, entry | {"files": hashes(results, files)})


def enter(results: Path, artifact: str, entry: dict) -> None:
    """Into manifest.json, which several notebooks write at once: what an artifact is, and the
    hashes of its files."""
    with FileLock(results / ".manifest.lock"):
        entries = sorted((read_manifest(results) | {artifact: entry}).items())
        write_whole(results / "manifest.json", json.dumps(dict(entries), indent=1))


def read_manifest(results: Path) -> dict[str, dict]:
    """Each artifact of a results folder, as `enter` wrote it; none where there is no manifest."""
    path = results / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
