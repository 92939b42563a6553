"""paperlib verify: every figure, table and page is made again from its stored numbers and compared
byte for byte, every verdict judged again, and everything is of the runs that are kept beside it."""

import json
from pathlib import Path

import matplotlib
import pandas as pd
import PIL

from companion.artifacts.artifacts import draw_figure, png_bytes, read_csv, read_manifest
from companion.artifacts.claims_file import read_claims
from companion.artifacts.front_page import page_html
from companion.artifacts.table_formats import texts
from companion.measure.verdict import follows
from companion.runs.prediction_cache import shape_problem
from companion.runs.train_or_load import sha256
from paperlib import PaperlibError


def verify(results: Path) -> tuple[int, list[str]]:
    """How many artifacts `results` holds, and a line for each fault: a changed file, or what does
    not follow from the stored numbers. Raises PaperlibError where no manifest can be read."""
    manifest, changed = _manifest(results), changed_files(results)
    touched, wrong = {problem.split(": ")[0] for problem in changed}, []
    for artifact, entry in manifest.items():
        if artifact not in touched:
            try:
                found = JUDGES[entry["kind"]](results, artifact, entry)
            except PaperlibError as error:  # a file that cannot be read at all
                found = [str(error)]
            wrong += [f"{artifact}: {what}" for what in found]
    return len(manifest), [*changed, *wrong, *_strangers(manifest)]


def changed_files(results: Path) -> list[str]:
    """The files of the manifest that are missing or not the bytes that were written, a line
    each."""
    problems = []
    for artifact, entry in _manifest(results).items():
        for file, digest in entry["files"].items():
            if not (results / file).exists():
                problems.append(f"{artifact}: {file} is missing")
            elif sha256(results / file) != digest:
                problems.append(f"{artifact}: {file} was changed after it was made")
    return problems


def _manifest(results: Path) -> dict:
    path = results / "manifest.json"
    if not path.exists():
        raise PaperlibError(
            f"{path}: no such file; the folder of results has one, for example "
            "results/synthetic-smoke"
        )
    try:
        return read_manifest(results)
    except ValueError as error:
        again = "'paperlib reproduce' writes it anew"
        raise PaperlibError(f"{path}: not JSON ({error}); {again}") from error


def _figure_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    provenance = entry["provenance"]
    picture = next(file for file in entry["files"] if file.endswith(".png"))
    source = results / "figures" / provenance["numbers"]
    if sha256(source) != provenance["numbers_sha256"]:
        return [f"{source.name} is not what the picture was drawn from"]
    drawn_by = provenance["versions"]["matplotlib"]
    if drawn_by != matplotlib.__version__:
        only = "only that version draws the same bytes"
        return [f"{picture} was drawn by matplotlib {drawn_by}; {only}"]
    figure = draw_figure(entry["draw"], source, entry["options"])
    same = png_bytes(figure, provenance) == (results / picture).read_bytes()
    return [] if same else [f"{picture} is not what {source.name} draws"]


def _withheld_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    """A figure that is not published (tools.strip_photographs): neither its picture nor its numbers
    are there."""
    files = [
        f"figures/{name}" for name in (f"{artifact.lower()}.png", entry["provenance"]["numbers"])
    ]
    there = [file for file in files if (results / file).exists()]
    return [f"{file} is there, though it is withheld" for file in there]


def _table_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    stored = next(results / file for file in entry["files"] if file.endswith(".csv"))
    problems = _stamp_problems(stored.name, _first_line(stored), entry)
    for end, text in texts(artifact, read_csv(stored.read_bytes()), entry).items():
        copy = stored.with_suffix(end)
        if copy.read_bytes() != text:
            problems.append(f"{copy.name} is not what {stored.name} says")
    return problems


def _claims_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    wrong = [row["id"] for row in read_claims(results) if not follows(row)]
    problems = _stamp_problems("claims.csv", _first_line(results / "claims.csv"), entry)
    return problems + [f"the verdict of {name} does not follow from its interval" for name in wrong]


def _notebook_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    (file,) = entry["files"]
    notebook = json.loads((results / file).read_text(encoding="utf-8"))
    return _stamp_problems(file, notebook["metadata"].get("paperlib"), entry)


def _page_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    if entry["pillow"] != PIL.__version__:
        only = "only that version packs the same bytes"
        return [f"{artifact} holds pictures packed by pillow {entry['pillow']}; {only}"]
    same = page_html(results).encode() == (results / artifact).read_bytes()
    return [] if same else [f"{artifact} is not what the tables, figures and claims beside it give"]


def _run_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    """A run's record, log, weights and predictions belong together, and whatever says that it is
    made of this run is made of this training of it."""
    files = {Path(file).name: results / file for file in entry["files"]}
    record = json.loads(files["record.json"].read_text(encoding="utf-8"))
    log, problems = pd.read_csv(files["log.csv"]), []
    if abs(log.loss.iloc[-1] - record["loss"]) > 1e-6 * abs(record["loss"]):
        problems.append("its log does not end as its record says")
    for name, path in files.items():
        if path.suffix == ".npz" and (what := shape_problem(path)):
            problems.append(f"{name} {what}")
    weights, own = files.get("weights.safetensors"), record["weights_sha256"]
    if weights and sha256(weights) != own:
        problems.append("its weights are not those that its record speaks of")
    name = artifact.removeprefix("run ")
    for other, its in _manifest(results).items():
        made_of = its.get("provenance", {})
        if name in made_of.get("runs", {}) and not own.startswith(made_of["weights_sha256"][name]):
            problems.append(f"{other} is made of another training of it")
    return problems


def _first_line(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# "))
    except ValueError:
        return None


def _stamp_problems(file: str, stamp: dict | None, entry: dict) -> list[str]:
    same = stamp == entry["provenance"]
    return [] if same else [f"{file} says another provenance than the manifest"]


def _strangers(manifest: dict) -> list[str]:
    """What is of another size or other data than the folder says."""
    made = {
        artifact: f"{entry['provenance']['data']}-{entry['provenance']['size']}"
        for artifact, entry in manifest.items()
        if "provenance" in entry
    }
    most = max(made.values(), key=list(made.values()).count, default="")
    return [
        f"{artifact}: it is of {study}, the others are of {most}"
        for artifact, study in made.items()
        if study != most
    ]


JUDGES = {  # what does not follow of an artifact, by its kind
    "figure": _figure_problems,
    "withheld": _withheld_problems,
    "table": _table_problems,
    "claims": _claims_problems,
    "notebook": _notebook_problems,
    "page": _page_problems,
    "run": _run_problems,
}
