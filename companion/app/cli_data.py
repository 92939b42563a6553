"""The commands of the official data sets: paperlib data list, fetch and check."""

from typing import Annotated

import typer

from companion.app.cli_options import AsJson, tell
from paperlib import PaperlibError

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
    problems = [f"{problem['file']}: {problem['what']}" for problem in report["problems"]]
    count = f"{len(problems)} problems"
    head = f"{name}: {report['people']} people, {report['images']} images, {count}"
    tell(report, as_json, "\n  ".join([head, *problems, *report["notes"]]))
    if problems:
        raise PaperlibError(f"{name}: {count}, the first: {problems[0]}")
