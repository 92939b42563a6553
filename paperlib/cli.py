"""The doors: what can be done from a command line. Each is a few lines over the library."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from paperlib import PaperlibError
from paperlib.cli_data import AsJson, data_app

app = typer.Typer(add_completion=False, no_args_is_help=True, help="A reproducible companion to two papers on 2D human pose.")
app.add_typer(data_app, name="data")

Size = Annotated[str, typer.Option(help="tiny, smoke, short or paper; PAPERLIB_SIZE, else smoke")]
Data = Annotated[str, typer.Option(help="synthetic (drawn people) or real (PAPERLIB_DATA)")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda")]
Only = Annotated[str, typer.Option(help="notebooks by number, such as 03,05")]
Jobs = Annotated[int, typer.Option(min=1, help="runs and notebooks side by side, one thread each")]
Force = Annotated[bool, typer.Option(help="execute notebooks again even if nothing changed")]


@app.callback()
def options(debug: Annotated[bool, typer.Option(help="show the traceback of an error")] = False) -> None:
    """A reproducible companion to two papers on 2D human pose."""


def _study(size: str, data: str, device: str = "auto", jobs: int = 1, quiet: bool = False):
    from paperlib.reproduce.study import Study

    return Study(size, data, device, jobs, progress=not quiet)


@app.command()
def reproduce(
    size: Size = "",
    data: Data = "synthetic",
    only: Only = "",
    jobs: Jobs = 2,
    force: Force = False,
    device: Device = "auto",
    set_: Annotated[list[str] | None, typer.Option("--set", help="a notebook parameter, NAME=VALUE")] = None,
) -> None:
    """Run the notebooks headlessly and regenerate every figure, table and claim."""
    from paperlib.reproduce.notebooks import choose
    from paperlib.reproduce.page import summary, write_page
    from paperlib.reproduce.schedule import reproduce as run_all

    parameters = {}
    for word in set_ or []:
        name, equals, value = word.partition("=")
        if not equals:
            raise PaperlibError(f"--set {word}: it is NAME=VALUE")
        parameters[name] = value
    choose(only)
    study = _study(size, data, device, jobs)
    fate = run_all(study, only, parameters, jobs, force)
    page = write_page(study.results)
    print(summary(study.results, fate))
    print(f"\nall of it on one page: {page}")


@app.command()
def plan(
    size: Size = "",
    data: Data = "synthetic",
    only: Only = "",
    jobs: Jobs = 2,
    force: Force = False,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """What would run, what is cached or stale, and the time, disk and memory it will need."""
    from paperlib.reproduce.notebooks import choose
    from paperlib.reproduce.plan import in_words
    from paperlib.reproduce.plan import plan as make_plan
    from paperlib.reproduce.schedule import notebooks_left

    chosen = set(choose(only))
    study = _study(size, data, device, jobs, quiet=as_json)
    planned = make_plan(study)
    rows = [row for row in planned if not only or chosen & set(row["notebooks"])]
    if as_json:
        print(json.dumps([row | {"folder": str(row["folder"] or "")} for row in rows]))
        return
    print("\n".join(in_words(rows, study.device.type, jobs)))
    print(f"notebooks to execute: {', '.join(notebooks_left(study, planned, only, force)) or 'none, nothing changed'}")


@app.command()
def train(
    run: str,
    size: Size = "",
    data: Data = "synthetic",
    device: Device = "auto",
    jobs: Annotated[int, typer.Option(min=1)] = 1,
    minutes: Annotated[float, typer.Option(min=0, help="stop at a checkpoint after so many; the same command goes on")] = math.inf,
    devices: Annotated[int, typer.Option(help="GPUs, or processes of a CPU, that train it together on each machine")] = 1,
    nodes: Annotated[int, typer.Option(help="machines that do; call the same on each, with srun or with MASTER_ADDR, MASTER_PORT, NODE_RANK")] = 1,
    spare_memory: Annotated[bool, typer.Option("--spare-memory", help="half the memory, more time, the same weights")] = False,
    keep: Annotated[str, typer.Option(help="a stale run that paperlib plan shows: take it, although the mathematics has changed since")] = "",
) -> None:
    """Train one run of the catalogue; the last line printed is its folder."""
    from paperlib.reproduce import stale
    from paperlib.reproduce.launch import check_devices
    from paperlib.reproduce.runs import is_cached

    study = _study(size, data, device, jobs)
    if reason := study.missing(run):
        raise PaperlibError(f"{run}: {reason} in {study.root}; set PAPERLIB_DATA to the folder of the data sets (paperlib data list names them)")
    check_devices(study, devices, nodes)
    study.deadline = time.monotonic() + 60 * minutes
    study.devices, study.nodes, study.sparing = devices, nodes, spare_memory
    if keep:
        stale.keep(study, run, keep)
    elif not is_cached(study.folder_of(run)):
        for older in stale.stale(study, run):
            print(f"paperlib: {run}: {stale.describe(run, older)}", file=sys.stderr)
    print(study.trained(run).folder)


@app.command()
def score(
    dataset: Annotated[str, typer.Argument(help="mpii, lsp or flic")],
    predictions: Path,
    truth: Annotated[Path | None, typer.Option(help="another truth file")] = None,
    convention: str = "official",
    labels: Annotated[str, typer.Option(help="pc (person-centric) or oc (observer-centric)")] = "",
    export: Annotated[
        Path | None, typer.Option(help="mpii: no score, but the file of test people that the MPII server takes, in this folder")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score any prediction file; no images needed."""
    from paperlib.data.files import find_labels
    from paperlib.reproduce.folders import Folders
    from paperlib.score import score_file
    from paperlib.submission import export_mpii

    if export:
        if dataset != "mpii":
            raise PaperlibError(f"--export writes what the MPII server takes; there is none for {dataset!r}")
        truth = truth or find_labels(Folders.here().data / "mpii", "mpii", "test")
        written, people = export_mpii(predictions, truth, export)
        print(json.dumps({"file": str(written), "people": people}) if as_json else f"{written}: {people} people of the MPII test set")
        return
    result = score_file(dataset, predictions, Folders.here().data, truth, convention, labels or None)
    if as_json:
        print(json.dumps(result))
        return
    name = "PCKh" if dataset == "mpii" else "PCK"
    whose = "person" if result["labels"] == "pc" else "observer"
    what = f"{name}@{result['threshold']:g}, {convention} convention, {whose}-centric labels"
    print(f"{predictions.name}: {result['people']} people of {dataset}, {what}")
    tight = {"total": result["total"], "within 0.1": result["curve"][10], "AUC": result["auc"]}
    for shares in ({group: share for group, share in result["groups"].items() if share is not None}, tight):
        print("  ".join(f"{what} {'-' if share is None else format(share, '.2f')}" for what, share in shares.items()))


@app.command()
def sizes(as_json: AsJson = False) -> None:
    """R-tab3: every model's true and 'paper' parameter count, and its multiply-adds."""
    from paperlib.models.sizes import model_sizes

    rows = model_sizes()
    if as_json:
        print(json.dumps(rows))
        return
    print(f"{'model':42} {'parameters':>12} {'conv weights':>13} {'k*k*C_out':>10} {'printed':>9} {'GMACs':>7} {'input':>6}")
    for row in rows:
        line = f"{row['model']:42} {row['parameters']:>12,} {row['conv_weights']:>13,} {row['paper_rule']:>10,}"
        print(f"{line} {row['printed'] or '':>9} {row['gmacs']:>7.2f} {row['input']:>6}")


@app.command()
def predict(
    images: Annotated[list[Path] | None, typer.Argument()] = None,
    weights: Annotated[str, typer.Option(help="a run's name, or a .safetensors file beside its record; else the best at hand")] = "",
    out: Annotated[Path | None, typer.Option(help="a folder for pictures and JSON; with --on an .h5 file")] = None,
    on: Annotated[str, typer.Option(help="mpii-test: instead of images the people of MPII's test set, for score --export")] = "",
    box: Annotated[list[str] | None, typer.Option(help="X0,Y0,X1,Y1 px: a person of the one image given; repeat for more people")] = None,
    boxes: Annotated[Path | None, typer.Option(help="the same for several images: a JSON file of each image's list of boxes")] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Poses in your own photographs: of the people in boxes, or of one person who fills the picture."""
    from paperlib.photo import parse_box, predict_photos, read_boxes

    if on:
        if images or box or boxes:
            raise PaperlibError(f"--on {on}: it stands instead of images and boxes; give one or the other")
        _predict_test_people(on, weights, out, device, as_json)
        return
    if not images:
        raise PaperlibError("predict: name image files, or --on mpii-test")
    if box and (boxes or len(images) > 1):
        raise PaperlibError(f"--box {box[0]}: it is for one image without --boxes; give the boxes of several images as --boxes FILE")
    given = read_boxes(boxes) if boxes else {str(images[0]): [parse_box(text) for text in box]} if box else None
    found, used = predict_photos(images, weights, out, device, given)
    for photo in found:
        for person in photo["people"]:
            if person["note"]:
                print(f"paperlib: {photo['image']}: {person['note']}", file=sys.stderr)
    if as_json:
        print(json.dumps(found))
        return
    print(used)
    for photo in found:
        for person in photo["people"]:
            joints = ", ".join(f"{name} ({x:.0f}, {y:.0f}) {peak:.2f}" for name, (x, y, peak) in person["joints"].items())
            print(f"{photo['image']}: {joints}")


def _predict_test_people(on: str, weights: str, out: Path | None, device: str, as_json: bool) -> None:
    from paperlib.reproduce.best import best_weights, describe
    from paperlib.reproduce.folders import Folders
    from paperlib.submission import write_test_points

    if on != "mpii-test":
        raise PaperlibError(f"--on {on}: only mpii-test has people without labels to predict")
    if out is None:
        raise PaperlibError("--on mpii-test: say where the points go with --out FILE.h5")
    folders, used = Folders.here(), best_weights(weights, device)
    people = write_test_points(used, folders.data / "mpii", folders.runs / "canvases", out)
    found = {"file": str(out), "people": people, "weights": {"name": used.name, "kind": used.kind}}
    print(json.dumps(found) if as_json else f"{describe(used)}\n{out}: {people} people of {on}")


@app.command()
def verify(results: Path) -> None:
    """Every artifact still follows from its stored numbers; every hash matches."""
    from paperlib.reproduce.verify import verify as check

    count, problems = check(results)
    if problems:
        raise PaperlibError(f"{results}: {len(problems)} of {count} artifacts do not follow: " + "; ".join(problems))
    print(f"{results}: {count} artifacts, each follows from its stored numbers")


@app.command()
def claims(results: Path, as_json: AsJson = False) -> None:
    """The claims ledger: what the papers say, what was found, and the verdict."""
    from paperlib.reproduce.ledger import read_claims

    rows = read_claims(results)
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(f"{row['id']:7} {row['verdict']:13} paper {row['paper']}; ours {row['ours']} {row['interval']}  {row['why']}")


def main() -> None:
    """Exit 0 only if all of it worked; else one line on stderr, without a traceback unless --debug asks for it."""
    words = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        code = app(words, prog_name="paperlib", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        known = isinstance(error, PaperlibError) or hasattr(error, "format_message")
        line = " ".join(message.split()) or "no command given; --help lists them"
        print(f"paperlib: {line}" if known else f"paperlib: {type(error).__name__}: {line} (--debug shows where)", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1) or 1)
    if code == 130:  # Ctrl-C, which typer itself turns into this code
        print("paperlib: stopped; what is done is kept, and the same command goes on from here", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)
