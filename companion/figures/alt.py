"""Alternative text: what a reader who cannot see a figure is told. It is the first sentence of the
function that draws it, so it cannot go stale."""

import inspect
import re
from collections.abc import Callable


def alt_text(draw: Callable, artifact: str = "") -> str:
    """'R-fig3: the recurrent network ...' for a draw function of `companion.figures`: the ids that
    its docstring begins with give way to `artifact`."""
    first = " ".join(
        (inspect.getdoc(draw) or draw.__name__.replace("_", " ")).split("\n\n")[0].split()
    )
    said = re.split(r"(?<=[.])\s", re.sub(r"^(?:(?:[RH]-fig\d+|,|and)\s*)+[:.]\s*", "", first))[
        0
    ].replace("`", "")
    return f"{artifact}: {said}" if artifact else said
