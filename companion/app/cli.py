"""The command line. Each command is a few lines over the library."""

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from companion.app.cli_data import data_app
from companion.app.cli_files import export, predict, score
from companion.app.cli_options import AsJson, Asked, Force, Jobs, Minutes, Only, Reuse, spread, tell
from paperlib import PaperlibError, __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="A reproducible companion to two papers on 2D human pose.",
)
app.add_typer(data_app, name="data")
for of_files in (score, predict, export):
    app.command()(spread(of_files))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"paperlib {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    debug: Annotated[bool, typer.Option(help="show the traceback of an error")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="say it and stop")
    ] = False,
) -> None:
    """A reproducible companion to two papers on 2D human pose."""


@app.command()
@spread
def reproduce(
    asked: Asked,
    only: Only = "",
    jobs: Jobs = 2,
    force: Force = False,
    minutes: Minutes = math.inf,
    reuse: Reuse = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="a notebook parameter, NAME=VALUE")
    ] = None,
) -> None:
    """Run the notebooks headlessly and regenerate every figure, table and claim."""
    from companion.artifacts.front_page import summary, write_page
    from companion.execute.schedule import reproduce as run_all
    from companion.runs.notebook_index import choose

    parameters = {}
    for word in set_ or []:
        name, equals, parameters[name] = word.partition("=")
        if not equals:
            raise PaperlibError(f"--set {word}: it is NAME=VALUE")
    choose(only)
    study = asked.study(jobs, minutes, reuse=reuse)
    fate = run_all(study, only, parameters, jobs, force)
    page = write_page(study.results)
    print(summary(study.results, fate))
    print(f"\nall of it on one page: {page}")


@app.command()
@spread
def plan(
    asked: Asked,
    only: Only = "",
    jobs: Jobs = 2,
    force: Force = False,
    reuse: Reuse = False,
    as_json: AsJson = False,
) -> None:
    """What would run, what is cached, and the time, disk and memory it will need."""
    from companion.execute.plan import in_words
    from companion.execute.plan import plan as make_plan
    from companion.execute.schedule import notebooks_left
    from companion.runs.notebook_index import choose

    chosen = set(choose(only))
    study = asked.study(jobs, quiet=as_json, reuse=reuse)
    planned = make_plan(study)
    rows = [row for row in planned if not only or chosen & set(row["notebooks"])]
    left = ", ".join(notebooks_left(study, planned, only, force)) or "none, nothing changed"
    lines = [*in_words(rows, study.device.type, jobs), f"notebooks to execute: {left}"]
    rows = [row | {"folder": str(row["folder"] or "")} for row in rows]
    tell(rows, as_json, "\n".join(lines))


@dataclass(frozen=True)
class Machines:
    """What trains one run together."""

    devices: Annotated[
        int, typer.Option(min=1, help="GPUs that train it together on each machine")
    ] = 1
    nodes: Annotated[
        int,
        typer.Option(
            min=1,
            help="machines that do; call the same on each, with srun or with MASTER_ADDR, "
            "NODE_RANK",
        ),
    ] = 1


@dataclass(frozen=True)
class OwnLabels:
    """Labels of one's own to train on, not those of the official data sets."""

    on: Annotated[
        Path | None,
        typer.Option(help="labels of your own, a COCO keypoints file: their people and skeleton"),
    ] = None
    validate: Annotated[
        Path | None,
        typer.Option(
            help="with --on: a second such file to measure on; else a fifth of the images"
        ),
    ] = None
    steps: Annotated[
        int, typer.Option(min=0, help="with --on: training steps, not the size's own")
    ] = 0


@app.command()
@spread
def train(
    run: str,
    asked: Asked,
    jobs: Annotated[int, typer.Option(min=1)] = 1,
    minutes: Minutes = math.inf,
    machines: Machines = Machines(),  # noqa: B008
    own: OwnLabels = OwnLabels(),  # noqa: B008
) -> None:
    """Train one run of the catalogue; the last line printed is its folder."""
    devices, nodes = machines.devices, machines.nodes
    if own.on:
        from companion.runs.own import How, train_own

        if devices * nodes > 1:
            raise PaperlibError(
                f"--devices {devices} --nodes {nodes}: labels of your own are trained on by one "
                "process"
            )
        size = asked.size or os.environ.get("PAPERLIB_SIZE") or "smoke"
        how = How(asked.device, asked.precision, minutes, jobs)
        found = train_own(run, own.on, own.validate, size, own.steps, how)
        print(found.summary)
        print(found.folder)
        return
    if own.validate or own.steps:
        raise PaperlibError(
            f"--{'validate' if own.validate else 'steps'}: it goes with --on my.json, labels of "
            "your own"
        )
    from companion.runs.provenance import check_devices, launch
    from paperlib.train import OutOfTime

    study = asked.study(jobs, minutes)
    check_devices(study.device, devices, nodes)
    if reason := study.missing(run):
        raise PaperlibError(
            f"{run}: {reason} in {study.root}; set PAPERLIB_DATA to the folder of the data "
            "sets (paperlib data list names them)"
        )
    study.fabric = launch(devices, nodes)
    first = not study.fabric or study.fabric.global_rank == 0
    study.progress = first
    try:
        folder = study.trained(run).folder
    except OutOfTime:
        if first:
            raise
        return  # the first says so
    if first:
        print(folder)


@app.command()
def sizes(as_json: AsJson = False) -> None:
    """R-tab3: every model's true and 'paper' parameter count, and its multiply-adds."""
    from paperlib.models.complexity import model_sizes

    rows = model_sizes()
    lines = [
        f"{'model':42} {'parameters':>12} {'conv weights':>13} {'k*k*C_out':>10} "
        f"{'printed':>9} {'GMACs':>7} {'input':>6}"
    ]
    for row in rows:
        counts = f"{row['parameters']:>12,} {row['conv_weights']:>13,} {row['paper_rule']:>10,}"
        costs = f"{row['printed'] or '':>9} {row['gmacs']:>7.2f} {row['input']:>6}"
        lines.append(f"{row['model']:42} {counts} {costs}")
    tell(rows, as_json, "\n".join(lines))


@app.command()
def verify(results: Path) -> None:
    """Every artifact still follows from its stored numbers; every hash matches."""
    import matplotlib

    from companion.artifacts.verify import verify as check

    matplotlib.use("agg")  # draws into files, whatever a user's settings name
    count, problems = check(results)
    if problems:
        raise PaperlibError(
            f"{results}: {len(problems)} of {count} artifacts do not follow: " + "; ".join(problems)
        )
    print(f"{results}: {count} artifacts, each follows from its stored numbers")


@app.command()
def claims(results: Path, as_json: AsJson = False) -> None:
    """The claims ledger: what the papers say, what was found, and the verdict."""
    from companion.artifacts.claims_file import read_claims, with_reasons

    rows = with_reasons(read_claims(results))
    lines = [
        f"{row['id']:7} {row['verdict']:25} paper {row['paper']}; ours {row['ours']} "
        f"{row['interval']}  {row['why']}"
        for row in rows
    ]
    tell(rows, as_json, "\n".join(lines))


def main() -> None:
    """Exit 0 only if all of it worked; else one line on stderr, without a traceback unless --debug
    asks for it."""
    words = [word for word in sys.argv[1:] if word != "--debug"]
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal's encoding lacks is spelled
        stream.reconfigure(errors="backslashreplace")
    try:
        code = app(words, prog_name="paperlib", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        line = " ".join(message.split()) or "no command given; --help lists them"
        if not (isinstance(error, PaperlibError) or hasattr(error, "format_message")):
            line = f"{type(error).__name__}: {line} (--debug shows where)"
        print(f"paperlib: {line}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1) or 1)
    if code == 130:  # Ctrl-C, which typer itself turns into this code
        said = "stopped; what is done is kept, and the same command goes on from here"
        print(f"paperlib: {said}", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)
