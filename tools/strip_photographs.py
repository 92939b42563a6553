"""Results on photographs that may be shown to anybody: a copy of a results folder in which no pixel
of a photograph is left.

    python -m tools.strip_photographs results/real-smoke results/real-smoke-public

What is published is drawn anew from numbers that cannot be a picture; everything else is left out,
and the front page says so. A picture that is not known to come from such numbers is taken for a
photograph.
"""

import base64
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated

import nbformat
import numpy as np
import typer
from matplotlib import pyplot as plt

from companion.artifacts.artifacts import draw_figure, keep, light_copy, png_bytes, read_manifest
from companion.artifacts.front_page import write_page
from companion.artifacts.verify import changed_files, verify
from companion.figures.alt import alt_text
from paperlib import PaperlibError
from paperlib.writing import write_whole

WITHHELD = (
    "Not shown: it may hold photographs, which may not be redistributed. "
    "`paperlib reproduce --data real` draws it from your copy of the data."
)
PICTURE = 1024  # bytes: an array of so many could be a picture, whatever it is said to be
# how text smuggles pictures
BLOB = re.compile(
    r"data:\w+/|<(?:img|image|svg|canvas|video|object|embed|iframe)\b|[A-Za-z0-9+/=]{300,}"
)
# the outputs of a notebook that hold no picture, where BLOB finds none
PLAIN = {"text/plain", "text/html", "text/markdown"}
TEXTS = (".csv", ".md", ".tex", ".html", ".ipynb", ".json")
# what kinds of file an artifact has; of a run .npz holds points, maxima and means: see `verify`
FILES = {"figure": (".png", ".csv", ".npz"), "run": (".json", ".csv", ".npz", ".safetensors")}


def publish(results: Path, out: Path) -> Path:
    """Write the copy of `results` into the new folder `out`, all of it or nothing, and return it.

    Raises PaperlibError where `out` is there already, where `results` are not as they were made,
    and where the copy holds anything unaccounted for.
    """
    if out.exists():
        raise PaperlibError(f"{out}: is there already; delete it, or choose another folder")
    if changed := changed_files(results):
        raise PaperlibError(
            f"{results}: {changed[0]}; make the results anew before they are published"
        )
    manifest, copy = read_manifest(results), out.with_name(f".{out.name}.{os.getpid()}.part")
    shutil.rmtree(copy, ignore_errors=True)
    try:
        entries = {
            artifact: _publish(results, copy, entry)
            for artifact, entry in manifest.items()
            if entry["kind"] not in ("page", "notebook")
        }
        write_whole(copy / "manifest.json", json.dumps(dict(sorted(entries.items())), indent=1))
        light = _all_light(copy)
        for artifact, entry in manifest.items():
            if entry["kind"] == "notebook":
                (file,) = entry["files"]
                notebook = without_photographs(nbformat.read(results / file, 4), light)
                keep(copy, artifact, entry, {copy / file: nbformat.writes(notebook) + "\n"})
        write_page(copy)
        (copy / ".manifest.lock").unlink(missing_ok=True)
        if problems := unaccounted(copy):
            raise PaperlibError(f"{results}: nothing was published; {'; '.join(problems)}")
        os.replace(copy, out)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    return out


def could_be_picture(numbers: Path) -> bool:
    """Whether a figure's stored numbers could hold a picture. A .csv does not: what is drawn of one
    are points, curves and boxes."""
    if numbers.suffix == ".csv":
        return False
    with np.load(numbers, allow_pickle=False) as stored:
        return any(
            array.nbytes >= PICTURE or array.dtype.kind in "SVO" for array in stored.values()
        )


def unaccounted(folder: Path) -> list[str]:
    """What in a published folder could be, or hide, a photograph, a line each; and whatever
    `paperlib verify` says of it.

    Every file is in the manifest; every png is what numbers draw that cannot be a picture; every
    picture inside a notebook is the light copy of such a png; the page is what these files give;
    and no other text holds anything like a picture.
    """
    known = {"manifest.json": ("manifest", "")}
    for artifact, entry in read_manifest(folder).items():
        known |= dict.fromkeys(entry["files"], (artifact, entry["kind"]))
    light, problems = _all_light(folder), verify(folder)[1]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        file = path.relative_to(folder).as_posix()
        artifact, kind = known.get(file, ("", "stranger"))
        if kind == "stranger":
            problems.append(f"{file}: not in the manifest")
        elif kind == "figure" and artifact not in light:
            problems.append(f"{file}: its numbers could be a picture")
        elif kind == "page":
            pictures = set(re.findall(r'data:\w+/[^"\']*', path.read_text()))
            if len(pictures) != len(light):
                problems.append(f"{file}: {len(pictures)} pictures of {len(light)} figures")
        elif kind == "notebook":
            problems += [f"{file}: {what}" for what in _hidden(nbformat.read(path, 4), light)]
        elif path.suffix not in FILES.get(kind, TEXTS):
            what = f"a {kind} has" if kind in FILES else "is published"
            problems.append(f"{file}: not a kind of file that {what}")
        if path.suffix in TEXTS and kind not in ("page", "notebook"):
            if BLOB.search(path.read_text()):
                problems.append(f"{file}: holds something like a picture")
    return problems


def without_photographs(
    notebook: nbformat.NotebookNode, light: dict[str, dict[str, str]]
) -> nbformat.NotebookNode:
    """An executed notebook with the pictures of figures `light` (artifact -> {kind: base64} of its
    light copy) put in anew, and no others."""
    for cell in notebook.cells:
        cell.pop("attachments", None)
        picture = light.get(_figure_of(cell))
        for output in cell.get("outputs", []):
            if "data" in output:
                said = {
                    kind: text
                    for kind, text in output.data.items()
                    if kind in PLAIN and not BLOB.search(text)
                }
                had = any(kind.startswith("image/") for kind in output.data)
                alt = next(
                    (
                        about["alt"]
                        for kind, about in output.metadata.items()
                        if kind.startswith("image/") and "alt" in about
                    ),
                    "",
                )
                told = had and picture and alt and not BLOB.search(alt)
                output.metadata = nbformat.from_dict(
                    {kind: {"alt": alt} for kind in picture} if told else {}
                )
                shown = picture if had and picture else {}
                output.data = nbformat.from_dict(
                    said | shown if shown or said and not had else {"text/plain": WITHHELD}
                )
            elif BLOB.search(json.dumps(output)):
                output.update(nbformat.v4.new_output("stream", name="stdout", text=WITHHELD))
    return notebook


def _hidden(notebook: nbformat.NotebookNode, light: dict[str, dict[str, str]]) -> list[str]:
    """What of a notebook is neither plain text nor the picture of the figure that its cell
    makes."""
    problems = []
    for i, cell in enumerate(notebook.cells):
        outputs = json.loads(json.dumps(cell.get("outputs", [])))
        for output in outputs:
            for kind, picture in light.get(_figure_of(cell), {}).items():
                if output.get("data", {}).get(kind) == picture:
                    del output["data"][kind]
        if "attachments" in cell or BLOB.search(json.dumps([outputs, cell.source, cell.metadata])):
            problems.append(f"cell {i} holds something like a picture")
        kinds = {kind for output in outputs for kind in output.get("data", {})} - PLAIN
        problems += [
            f"cell {i} has an output {kind} that is no published figure" for kind in sorted(kinds)
        ]
    if BLOB.search(json.dumps(notebook.metadata)):
        problems.append("its metadata hold something like a picture")
    return problems


def _figure_of(cell: nbformat.NotebookNode) -> str:
    tags = cell.metadata.get("tags", [])
    return next((tag[len("figure:") :] for tag in tags if tag.startswith("figure:")), "")


def _publish(results: Path, copy: Path, entry: dict) -> dict:
    """Copy an artifact's files, the figure's picture drawn anew; returns its entry of the
    manifest."""
    if entry["kind"] == "figure":
        source = results / "figures" / entry["provenance"]["numbers"]
        if could_be_picture(source):
            return {**entry, "kind": "withheld", "why": WITHHELD, "files": {}}
        picture = next(file for file in entry["files"] if file.endswith(".png"))
        figure = draw_figure(entry["draw"], source, entry["options"])
        write_whole(copy / "figures" / source.name, source.read_bytes())
        write_whole(copy / picture, png_bytes(figure, entry["provenance"]))
        plt.close(figure)
        return entry
    for file in entry["files"]:
        write_whole(copy / file, (results / file).read_bytes())
    return entry


def _light(folder: Path, artifact: str, entry: dict) -> dict[str, str]:
    """The picture that a notebook shows of a published figure, {kind: base64}; {} for all else."""
    source = folder / "figures" / entry.get("provenance", {}).get("numbers", "")
    if entry["kind"] != "figure" or not source.is_file() or could_be_picture(source):
        return {}
    figure = draw_figure(entry["draw"], source, entry["options"])
    picture = light_copy(figure, alt_text(draw_figure, artifact))
    return {f"image/{picture.format}": base64.b64encode(picture.data).decode()}


def _all_light(folder: Path) -> dict[str, str]:
    """The light copy of each published figure."""
    light = {name: _light(folder, name, entry) for name, entry in read_manifest(folder).items()}
    return {name: picture for name, picture in light.items() if picture}


def main(
    results: Annotated[Path, typer.Argument(help="such as results/real-smoke")],
    out: Annotated[Path, typer.Argument(help="a new folder, such as results/real-smoke-public")],
) -> None:
    """Copy results without a pixel of a photograph."""
    publish(results, out)
    manifest = read_manifest(out)
    withheld = [artifact for artifact, entry in manifest.items() if entry["kind"] == "withheld"]
    names = ", ".join(withheld) or "none"
    print(f"{out}: {len(manifest) - len(withheld)} artifacts; withheld: {names}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except PaperlibError as error:
        sys.exit(f"paperlib: {error}")
