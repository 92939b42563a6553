"""What `paperlib train --on my.json` and `paperlib score my.json` do and print."""

import json
import os
from pathlib import Path


def train_on(
    run: str, labels: Path, validate: Path | None, size: str, steps: int, how: dict
) -> None:
    """Train `run` on labels of one's own; who they are goes to stderr, the score and the folder, in
    the last line, to stdout."""
    from companion.runs.own import How, train_own

    size = size or os.environ.get("PAPERLIB_SIZE") or "smoke"
    found = train_own(run, labels, validate, size, steps, How(**how))
    print(found.summary)
    print(found.folder)


def score_on(labels: Path, predictions: Path, convention: str, as_json: bool) -> None:
    """Score predictions of the people of labels of one's own."""
    from paperlib.own_data import in_words, score_own

    result = score_own(labels, predictions, convention)
    print(json.dumps(result) if as_json else in_words(result))
