"""The command line. Each command is a few lines over the library."""

import json
import math
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from companion.app.cli_data import AsJson, Device, data_app
from companion.app.cli_files import export, predict, score
from paperlib import PaperlibError, __version__

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="A reproducible companion to two papers on 2D human pose.",
)
app.add_typer(data_app, name="data")
for of_files in (score, predict, export):
    app.command()(of_files)

Size = Annotated[
    str, typer.Option(help="tiny, smoke, night, short or paper; PAPERLIB_SIZE, else smoke")
]
Data = Annotated[str, typer.Option(help="synthetic (drawn people) or real (PAPERLIB_DATA)")]
Precision = Annotated[str, typer.Option(help="auto (the device's own), fp32, bf16 or fp16")]
Only = Annotated[str, typer.Option(help="notebooks by number, such as 03,05")]
Jobs = Annotated[int, typer.Option(min=1, help="runs and notebooks side by side, one thread each")]
Force = Annotated[bool, typer.Option(help="execute notebooks again even if nothing changed")]
Minutes = Annotated[
    float,
    typer.Option(
        min=0,
        help="stop at a checkpoint after so many, with exit code 75; the same command goes on",
    ),
]


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


def _study(
    size: str,
    data: str,
    device: str = "auto",
    jobs: int = 1,
    quiet: bool = False,
    minutes: float = math.inf,
    precision: str = "",
):
    deadline = time.monotonic() + 60 * minutes  # imports and the drawing of people count too
    from companion.runs.study import Study
    from companion.settings import Folders

    study = Study(
        size,
        data,
        device,
        jobs,
        progress=not quiet,
        folders=Folders.of_results(),
        precision=precision,
    )
    study.deadline = deadline
    return study


@app.command()
def reproduce(
    size: Size = "",
    data: Data = "synthetic",
    only: Only = "",
    jobs: Jobs = 2,
    force: Force = False,
    device: Device = "auto",
    precision: Precision = "",
    minutes: Minutes = math.inf,
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
        name, equals, value = word.partition("=")
        if not equals:
            raise PaperlibError(f"--set {word}: it is NAME=VALUE")
        parameters[name] = value
    choose(only)
    study = _study(size, data, device, jobs, minutes=minutes, precision=precision)
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
    precision: Precision = "",
    as_json: AsJson = False,
) -> None:
    """What would run, what is cached, and the time, disk and memory it will need."""
    from companion.execute.plan import in_words
    from companion.execute.plan import plan as make_plan
    from companion.execute.schedule import notebooks_left
    from companion.runs.notebook_index import choose

    chosen = set(choose(only))
    study = _study(size, data, device, jobs, as_json, precision=precision)
    planned = make_plan(study)
    rows = [row for row in planned if not only or chosen & set(row["notebooks"])]
    if as_json:
        print(json.dumps([row | {"folder": str(row["folder"] or "")} for row in rows]))
        return
    print("\n".join(in_words(rows, study.device.type, jobs)))
    print(
        "notebooks to execute: "
        f"{', '.join(notebooks_left(study, planned, only, force)) or 'none, nothing changed'}"
    )


@app.command()
def train(
    run: str,
    size: Size = "",
    data: Data = "synthetic",
    device: Device = "auto",
    precision: Precision = "",
    jobs: Annotated[int, typer.Option(min=1)] = 1,
    minutes: Minutes = math.inf,
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs that train it together on each machine")
    ] = 1,
    nodes: Annotated[
        int,
        typer.Option(
            min=1,
            help="machines that do; call the same on each, with srun or with MASTER_ADDR, "
            "NODE_RANK",
        ),
    ] = 1,
    on: Annotated[
        Path | None,
        typer.Option(help="labels of your own, a COCO keypoints file: their people and skeleton"),
    ] = None,
    validate: Annotated[
        Path | None,
        typer.Option(
            help="with --on: a second such file to measure on; else a fifth of the images"
        ),
    ] = None,
    steps: Annotated[
        int, typer.Option(min=0, help="with --on: training steps, not the size's own")
    ] = 0,
) -> None:
    """Train one run of the catalogue; the last line printed is its folder."""
    if on:
        from companion.app.cli_own import train_on

        if devices * nodes > 1:
            raise PaperlibError(
                f"--devices {devices} --nodes {nodes}: labels of your own are trained on by one "
                "process"
            )
        return train_on(
            run,
            on,
            validate,
            size,
            steps,
            {"device": device, "precision": precision, "minutes": minutes, "jobs": jobs},
        )
    if validate or steps:
        raise PaperlibError(
            f"--{'validate' if validate else 'steps'}: it goes with --on my.json, labels of "
            "your own"
        )
    from companion.runs.provenance import check_devices, launch
    from paperlib.train import OutOfTime

    study = _study(size, data, device, jobs, minutes=minutes, precision=precision)
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
    if as_json:
        print(json.dumps(rows))
        return
    print(
        f"{'model':42} {'parameters':>12} {'conv weights':>13} {'k*k*C_out':>10} "
        f"{'printed':>9} {'GMACs':>7} {'input':>6}"
    )
    for row in rows:
        counts = f"{row['parameters']:>12,} {row['conv_weights']:>13,} {row['paper_rule']:>10,}"
        line = f"{row['model']:42} {counts}"
        print(f"{line} {row['printed'] or '':>9} {row['gmacs']:>7.2f} {row['input']:>6}")


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
    if as_json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(
            f"{row['id']:7} {row['verdict']:25} paper {row['paper']}; ours {row['ours']} "
            f"{row['interval']}  {row['why']}"
        )


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
        known = isinstance(error, PaperlibError) or hasattr(error, "format_message")
        line = " ".join(message.split()) or "no command given; --help lists them"
        print(
            f"paperlib: {line}"
            if known
            else f"paperlib: {type(error).__name__}: {line} (--debug shows where)",
            file=sys.stderr,
        )
        sys.exit(getattr(error, "exit_code", 1) or 1)
    if code == 130:  # Ctrl-C, which typer itself turns into this code
        print(
            "paperlib: stopped; what is done is kept, and the same command goes on from here",
            file=sys.stderr,
        )
    sys.exit(code if isinstance(code, int) else 0)
