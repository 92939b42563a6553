"""Options that commands share, each written once: a group of them is a frozen dataclass, and
`spread` shows typer its fields."""

import functools
import inspect
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated

import typer

Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu")]
AsJson = Annotated[
    bool, typer.Option("--json", help="print one JSON value and nothing else on stdout")
]
Only = Annotated[str, typer.Option(help="notebooks by number, such as 03,05")]
Jobs = Annotated[int, typer.Option(min=1, help="runs and notebooks side by side, one thread each")]
Force = Annotated[bool, typer.Option(help="execute notebooks again even if nothing changed")]
Reuse = Annotated[
    bool, typer.Option(help="take runs as kept with the results, where they are not trained here")
]
Minutes = Annotated[
    float,
    typer.Option(
        min=0,
        help="stop at a checkpoint after so many, with exit code 75; the same command goes on",
    ),
]


@dataclass(frozen=True)
class Asked:
    """Which study a command is about, and how it computes."""

    size: Annotated[
        str, typer.Option(help="tiny, smoke, night, short or paper; PAPERLIB_SIZE, else smoke")
    ] = ""
    data: Annotated[str, typer.Option(help="synthetic (drawn people) or real (PAPERLIB_DATA)")] = (
        "synthetic"
    )
    device: Device = "auto"
    precision: Annotated[str, typer.Option(help="auto (the device's own), fp32, bf16 or fp16")] = ""

    def study(self, jobs: int, minutes: float = math.inf, quiet: bool = False, reuse: bool = False):
        """The study whose results `paperlib reproduce` writes."""
        deadline = time.monotonic() + 60 * minutes  # imports and the drawing of people count too
        from companion.runs.study import Study
        from companion.settings import Folders

        study = Study(
            self.size,
            self.data,
            self.device,
            jobs,
            progress=not quiet,
            folders=Folders.of_results(),
            reuse=reuse,
            precision=self.precision,
        )
        study.deadline = deadline
        return study


def spread(command: Callable) -> Callable:
    """`command` as typer is to see it: a parameter that is a dataclass gives way to its fields."""
    signature = inspect.signature(command)
    groups = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }
    shown = {}
    for name, parameter in signature.parameters.items():
        own = fields(groups[name]) if name in groups else [parameter]
        for one in own:
            shown[one.name] = inspect.Parameter(
                one.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=one.default,
                annotation=one.type if name in groups else one.annotation,
            )

    @functools.wraps(command)
    def called(**options):
        for name, group in groups.items():
            options[name] = group(**{one.name: options.pop(one.name) for one in fields(group)})
        return command(**options)

    called.__signature__ = signature.replace(parameters=shown.values())
    called.__annotations__ = {name: one.annotation for name, one in shown.items()}
    return called


def tell(found, as_json: bool, words: str) -> None:
    """Print what was found: as JSON, or in words."""
    print(json.dumps(found) if as_json else words)
