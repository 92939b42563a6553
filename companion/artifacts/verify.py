"""paperlib verify: every figure, table and page is made again from its stored numbers and compared
byte for byte, every verdict judged again, and everything is of the runs that are kept beside it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pandas as pd
import PIL

from companion.artifacts.artifacts import draw_figure, png_bytes, read_csv
from companion.artifacts.claims_file import read_claims
from companion.artifacts.front_page import page_html
from companion.artifacts.table_formats import texts
from companion.measure.verdict import follows
from companion.runs.prediction_cache import shape_problem
from companion.runs.train_or_load import sha256
from paperlib import PaperlibError


def verify(results: Path) -> tuple[int, list[str]]:
    """How many artifacts `results` holds, and what does not follow, a line each. Raises
    PaperlibError where there is no readable manifest."""
    manifest, changed = _manifest(results), changed_files(results)
    touched = {problem.split(": ")[0] for problem in changed}
    whole = {artifact: entry for artifact, entry in manifest.items() if artifact not in touched}
    kinds = {
        "figure": _figure_problems,
        "withheld": _withheld_problems,
        "table": _table_problems,
        "claims": _claims_problems,
    }
    kinds |= {"notebook": _notebook_problems, "page": _page_problems, "run": _run_problems}
    wrong = [
        f"{artifact}: {what}"
        for artifact, entry in whole.items()
        for what in _problems_of(kinds[entry["kind"]], results, artifact, entry)
    ]
    return len(manifest), [*changed, *wrong, *_strangers(manifest)]


def _problems_of(judge: Callable, results: Path, artifact: str, entry: dict) -> list[str]:
    """What does not follow; also that a file cannot be read at all."""
    try:
        return judge(results, artifact, entry)
    except PaperlibError as error:
        return [str(error)]


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
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PaperlibError(
            f"{path}: no such file; the folder of results has one, for example "
            "results/synthetic-smoke"
        ) from error
    except ValueError as error:
        raise PaperlibError(
            f"{path}: not JSON ({error}); 'paperlib reproduce' writes it anew"
        ) from error


def _figure_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    provenance = entry["provenance"]
    picture = next(file for file in entry["files"] if file.endswith(".png"))
    source = results / "figures" / provenance["numbers"]
    if sha256(source) != provenance["numbers_sha256"]:
        return [f"{source.name} is not what the picture was drawn from"]
    if provenance["versions"]["matplotlib"] != matplotlib.__version__:
        return [
            f"{picture} was drawn by matplotlib {provenance['versions']['matplotlib']}; only "
            "that version draws the same bytes"
        ]
    same = (
        png_bytes(draw_figure(entry["draw"], source, entry["options"]), provenance)
        == (results / picture).read_bytes()
    )
    return [] if same else [f"{picture} is not what {source.name} draws"]


def _withheld_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    """A figure that is not published (tools.strip_photographs): neither its picture nor its numbers
    are there."""
    there = [f"{artifact.lower()}.png", entry["provenance"]["numbers"]]
    return [
        f"figures/{name} is there, though it is withheld"
        for name in there
        if (results / "figures" / name).exists()
    ]


def _table_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    stored = next(results / file for file in entry["files"] if file.endswith(".csv"))
    problems = _stamp_problems(stored.name, _first_line(stored), entry)
    made = texts(artifact, read_csv(stored.read_bytes()), entry)
    changed = [end for end, text in made.items() if stored.with_suffix(end).read_bytes() != text]
    return problems + [
        f"{stored.with_suffix(end).name} is not what {stored.name} says" for end in changed
    ]


def _claims_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    wrong = [row["id"] for row in read_claims(results) if not follows(row)]
    problems = _stamp_problems("claims.csv", _first_line(results / "claims.csv"), entry)
    return problems + [
        f"the verdict of {claim} does not follow from its interval" for claim in wrong
    ]


def _notebook_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    (file,) = entry["files"]
    return _stamp_problems(
        file,
        json.loads((results / file).read_text(encoding="utf-8"))["metadata"].get("paperlib"),
        entry,
    )


def _page_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    if entry["pillow"] != PIL.__version__:
        return [
            f"{artifact} holds pictures packed by pillow {entry['pillow']}; only that version "
            "packs the same bytes"
        ]
    same = page_html(results).encode() == (results / artifact).read_bytes()
    return [] if same else [f"{artifact} is not what the tables, figures and claims beside it give"]


def _run_problems(results: Path, artifact: str, entry: dict) -> list[str]:
    """A run's record, log, weights and predictions belong together, and whatever says that it is
    made of this run is made of this training of it."""
    files = {Path(file).name: results / file for file in entry["files"]}
    record, log = (
        json.loads(files["record.json"].read_text(encoding="utf-8")),
        pd.read_csv(files["log.csv"]),
    )
    problems = (
        []
        if abs(log.loss.iloc[-1] - record["loss"]) <= 1e-6 * abs(record["loss"])
        else ["its log does not end as its record says"]
    )
    problems += [
        f"{name} {what}"
        for name, path in files.items()
        if path.suffix == ".npz" and (what := shape_problem(path))
    ]
    weights = files.get("weights.safetensors")
    problems += (
        ["its weights are not those that its record speaks of"]
        if weights and sha256(weights) != record["weights_sha256"]
        else []
    )
    name = artifact.removeprefix("run ")
    made = {
        other: entry["provenance"]
        for other, entry in _manifest(results).items()
        if name in entry.get("provenance", {}).get("runs", {})
    }
    of_this = {
        other
        for other, of in made.items()
        if record["weights_sha256"].startswith(of["weights_sha256"][name])
    }
    return problems + [
        f"{other} is made of another training of it" for other in made if other not in of_this
    ]


def _first_line(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# "))
    except ValueError:
        return None


def _stamp_problems(file: str, stamp: dict | None, entry: dict) -> list[str]:
    return (
        []
        if stamp == entry["provenance"]
        else [f"{file} says another provenance than the manifest"]
    )


def _strangers(manifest: dict) -> list[str]:
    """What is of another size or other data than the folder says."""
    made = {
        artifact: f"{entry['provenance']['data']}-{entry['provenance']['size']}"
        for artifact, entry in manifest.items()
        if "provenance" in entry
    }
    most = Counter(made.values()).most_common(1)[0][0] if made else ""
    return [
        f"{artifact}: it is of {study}, the others are of {most}"
        for artifact, study in made.items()
        if study != most
    ]
