"""The commands of the official data sets: paperlib data list, fetch and check."""

import json
from typing import Annotated

import typer

from paperlib import PaperlibError

Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu")]
AsJson = Annotated[
    bool, typer.Option("--json", help="print one JSON value and nothing else on stdout")
]
data_app = typer.Typer(no_args_is_help=True, help="The official data sets: list, fetch, check.")


@data_app.command("list")
def data_list() -> None:
    """The official data sets, with licence, size and citation."""
    from paperlib.data.sources import list_sources

    print(list_sources())


@data_app.command("fetch")
def data_fetch(name: str) -> None:
    """Download a data set into the data folder, or say how to get it."""
    from companion.settings import Folders
    from paperlib.data.fetch import fetch

    print(fetch(name, Folders.here().data))


@data_app.command("check")
def data_check(
    name: str,
    strict: Annotated[
        bool, typer.Option(help="stop at the first bad row or image, with its values")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Count a data set's people and images against the published figures."""
    from companion.settings import Folders
    from paperlib.data.check import check

    report = check(name, Folders.here().data, strict)
    if as_json:
        print(json.dumps(report))
    else:
        print(
            f"{name}: {report['people']} people, {report['images']} images, "
            f"{len(report['problems'])} problems"
        )
        for problem in report["problems"]:
            print(f"  {problem['file']}: {problem['what']}")
        for note in report["notes"]:
            print(f"  {note}")
    if report["problems"]:
        raise PaperlibError(
            f"{name}: {len(report['problems'])} problems, the first: "
            f"{report['problems'][0]['file']}: {report['problems'][0]['what']}"
        )
