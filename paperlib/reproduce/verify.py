"""paperlib verify: every figure and table is made again from its stored numbers and compared byte for byte."""

import json
from pathlib import Path

import matplotlib

from paperlib import PaperlibError
from paperlib.reproduce.artifacts import draw_figure, png_bytes, read_csv, table_texts
from paperlib.reproduce.runs import sha256


def verify(results: Path) -> tuple[int, list[str]]:
    """How many artifacts `results` holds, and what does not follow, a line each. Raises PaperlibError where there is no readable manifest."""
    path = results / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise PaperlibError(f"{path}: no such file; the folder of results has one, for example results/synthetic-smoke") from error
    except ValueError as error:
        raise PaperlibError(f"{path}: not JSON ({error}); 'paperlib reproduce' writes it anew") from error
    return len(manifest), [f"{artifact}: {what}" for artifact, entry in manifest.items() for what in _problems(results, artifact, entry)]


def _problems(results: Path, artifact: str, entry: dict) -> list[str]:
    absent = [file for file in entry["files"] if not (results / file).exists()]
    changed = [file for file, digest in entry["files"].items() if file not in absent and sha256(results / file) != digest]
    if absent or changed:
        return [f"{file} is missing" for file in absent] + [f"{file} was changed after it was made" for file in changed]
    return _figure_problems(results, entry) if entry["kind"] == "figure" else _table_problems(results, artifact, entry)


def _figure_problems(results: Path, entry: dict) -> list[str]:
    provenance = entry["provenance"]
    picture = next(file for file in entry["files"] if file.endswith(".png"))
    source = results / "figures" / provenance["numbers"]
    if sha256(source) != provenance["numbers_sha256"]:
        return [f"{source.name} is not what the picture was drawn from"]
    if provenance["versions"]["matplotlib"] != matplotlib.__version__:
        return [f"{picture} was drawn by matplotlib {provenance['versions']['matplotlib']}; only that version draws the same bytes"]
    same = png_bytes(draw_figure(entry["draw"], source, entry["options"]), provenance) == (results / picture).read_bytes()
    return [] if same else [f"{picture} is not what {source.name} draws"]


def _table_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    stored = next(results / file for file in entry["files"] if file.endswith(".csv"))
    texts = table_texts(artifact, read_csv(stored.read_bytes()), entry["caption"], tuple(entry["notes"]))
    return [
        f"{stored.with_suffix(end).name} is not what {stored.name} says"
        for end, text in texts.items()
        if stored.with_suffix(end).read_bytes() != text
    ]
