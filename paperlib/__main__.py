"""`paperlib` and `python -m paperlib`: the command line, which is the companion's."""

import importlib
import sys


def main() -> None:
    """Run the command line; say what to install where it is not there."""
    try:
        app = importlib.import_module("companion.app.cli")
    except ModuleNotFoundError as error:
        sys.exit(
            f"paperlib: the command line needs {error.name}: pip install "
            "'two-pose-papers[companion]'"
        )
    app.main()


if __name__ == "__main__":
    main()
