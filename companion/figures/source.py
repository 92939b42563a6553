"""The real source of a class or function, as a notebook shows it: what is read is what runs."""

import inspect
import textwrap

from IPython.display import Markdown


def show_source(*things) -> Markdown:
    """The source of classes and functions, highlighted, under the file they live in."""
    parts = []
    for thing in things:
        module = inspect.getmodule(thing).__name__.replace(".", "/")
        parts.append(
            f"`{module}.py`\n```python\n{textwrap.dedent(inspect.getsource(thing)).rstrip()}\n```"
        )
    return Markdown("\n\n".join(parts))
